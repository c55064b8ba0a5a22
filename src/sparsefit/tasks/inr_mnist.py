"""One handwritten digit as a function of its pixel coordinates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from sparsefit.core.options import Other, above, at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.data.datasets import MNIST
from sparsefit.data.digest import digest
from sparsefit.tasks._base import Task
from sparsefit.tasks._fourier import (
    EVEN,
    draw_frequencies,
    image_problem,
    pick,
    pixel_coordinates,
)
from sparsefit.tasks._images import split_per_class


@dataclass(frozen=True, kw_only=True)
class InrMnist(Task):
    """An image of MNIST as a function of Fourier features of the pixels' row and column numbers.

    The image is one of the test images of task mnist; the paper's is the first of digit 1, number
    1000. As in the paper, coordinates are whole numbers, so that the features are as good as
    random.
    """

    name: ClassVar[str] = "inr-mnist"
    fits_image: ClassVar[bool] = True
    limits: ClassVar[tuple[float, float]] = (0.0, 50.0)
    quick: ClassVar[Mapping[str, Any]] = {
        "data_dir": ".", "train_per_class": 4, "test_per_class": 2, "n_embedding": 20,
    }  # fmt: skip

    image: int | None = option(
        None, "number of the test image, from 0; default: the first of digit 1", check=at_least(0),
        other=1,
    )  # fmt: skip
    n_embedding: int = option(1500, "Fourier features", check=EVEN)
    sigma: float = option(2.0, "standard deviation of the frequencies", check=above(0))
    train_per_class: int = option(
        5000, "images of each class that come before its test images", check=at_least(0)
    )
    test_per_class: int = option(
        1000, "test images of each class, at most: all that are left, if fewer", check=at_least(1),
        other=Other(3, beside={"image": 2}),
    )  # fmt: skip
    data_dir: str | None = option(
        None, "folder of the four IDX files, gzipped or not; default: download them", other="again"
    )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all images and labels."""
        return digest(*MNIST.load(self.data_dir))

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Pick the image and draw the frequencies."""
        images, labels = MNIST.load(self.data_dir)
        test = split_per_class(labels, range(10), self.train_per_class, self.test_per_class)[1]
        number = np.argmax(labels[test] == 1) if self.image is None else self.image
        pixels = pick(images[test], int(number)).astype(np.float32) / 255
        frequencies = draw_frequencies(self.n_embedding, (self.sigma, self.sigma), setting.seed)
        return image_problem(pixels, pixel_coordinates(pixels.shape), frequencies)
