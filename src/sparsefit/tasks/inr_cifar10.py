"""One image of CIFAR-10 as a function of its pixel coordinates and colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from sparsefit.core.options import above, at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.data.datasets import load_cifar10
from sparsefit.data.digest import digest
from sparsefit.tasks._base import Task
from sparsefit.tasks._fourier import (
    EVEN,
    draw_frequencies,
    image_problem,
    pick,
    pixel_coordinates,
)


@dataclass(frozen=True, kw_only=True)
class InrCifar10(Task):
    """An image of CIFAR-10 as a function of Fourier features of row, column and colour.

    The image is one of the airplanes and automobiles of the test batch. As in the paper,
    coordinates are whole numbers and colours have frequencies of their own.
    """

    name: ClassVar[str] = "inr-cifar10"
    fits_image: ClassVar[bool] = True
    limits: ClassVar[tuple[float, float]] = (0.0, 50.0)
    quick: ClassVar[Mapping[str, Any]] = {"data_dir": ".", "image": 1, "n_embedding": 20}

    image: int = option(1000, "number of the test image, from 0", check=at_least(0))
    n_embedding: int = option(1500, "Fourier features", check=EVEN)
    sigma: float = option(5.0, "standard deviation of the frequencies in space", check=above(0))
    color_sigma: float = option(
        0.05, "standard deviation of the frequencies in colour", check=above(0)
    )
    data_dir: str | None = option(
        None, "folder of the binary batches or their archive; default: download it", other="again"
    )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the images of both classes in the test batch."""
        return digest(*load_cifar10("test", (0, 1), self.data_dir))

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Pick the image and draw the frequencies."""
        images, _ = load_cifar10("test", (0, 1), self.data_dir)
        pixels = pick(images, self.image).astype(np.float32) / 255
        sigmas = (self.sigma, self.sigma, self.color_sigma)
        # Rounded to single precision, as the paper stores them.
        frequencies = draw_frequencies(self.n_embedding, sigmas, setting.seed).astype(np.float32)
        return image_problem(pixels, pixel_coordinates(pixels.shape), frequencies)
