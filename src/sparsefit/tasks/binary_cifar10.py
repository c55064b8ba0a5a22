"""Airplanes and automobiles of CIFAR-10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from sparsefit.core.options import option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.data.datasets import load_cifar10
from sparsefit.data.digest import digest
from sparsefit.tasks._base import Task
from sparsefit.tasks._images import two_class_problem

AIRPLANE, AUTOMOBILE = 0, 1


@dataclass(frozen=True, kw_only=True)
class BinaryCifar10(Task):
    """Airplanes against automobiles, 3 x 32 x 32, with one output: 10000 and 2000 rows.

    Each colour is brought to mean 0 and variance 1 on the training rows.
    """

    name: ClassVar[str] = "binary-cifar10"
    draws_seed: ClassVar[bool] = False
    limits: ClassVar[tuple[float, float]] = (0.5, 1.0)
    quick: ClassVar[Mapping[str, Any]] = {"data_dir": "."}

    loss: Literal["squared", "logistic"] = option("squared", "loss; the paper's is squared")
    data_dir: str | None = option(
        None, "folder of the binary batches or their archive; default: download it", other="again"
    )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the images of both classes."""
        return digest(*self._read("train"), *self._read("test"))

    def _read(self, part: Literal["train", "test"]) -> tuple[np.ndarray, np.ndarray]:
        return load_cifar10(part, (AIRPLANE, AUTOMOBILE), self.data_dir)

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Read and normalise."""
        train, labels = self._read("train")
        test, labels_test = self._read("test")
        colours = [train[:, colour] for colour in range(train.shape[1])]
        mean = np.array([pixels.mean() for pixels in colours], np.float32)
        # A colour that never changes is left at 0.
        deviation = np.array([pixels.std() or 1.0 for pixels in colours], np.float32)

        def normalised(images: np.ndarray) -> np.ndarray:
            pixels = images.astype(np.float32)
            pixels -= mean[:, None, None]
            pixels /= deviation[:, None, None]
            return pixels.reshape(len(images), -1)

        return two_class_problem(
            normalised(train), labels, normalised(test), labels_test, self.loss
        )
