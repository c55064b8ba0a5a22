"""What the tasks on labelled images share: which images train and which test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.core.options import at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.data.datasets import IdxSet
from sparsefit.data.digest import digest
from sparsefit.tasks._base import Task


@dataclass(frozen=True, kw_only=True)
class LabelledImages(Task):
    """Images of MNIST's format: of each class the first ones train, the next ones test.

    The split is the same for every seed; rows are ordered by class.
    """

    draws_seed: ClassVar[bool] = False
    limits: ClassVar[tuple[float, float]] = (0.1, 1.0)
    quick: ClassVar[Mapping[str, Any]] = {
        "data_dir": ".", "train_per_class": 4, "test_per_class": 2,
    }  # fmt: skip
    images: ClassVar[IdxSet]
    classes: ClassVar[Sequence[int]] = range(10)

    train_per_class: int = option(5000, "training images of each class", check=at_least(1))
    test_per_class: int = option(
        1000, "test images of each class, at most: all that are left, if fewer", check=at_least(1)
    )
    scale: Literal["raw", "unit"] = option("raw", "pixels from 0 to 255 (raw) or to 1 (unit)")
    data_dir: str | None = option(
        None, "folder of the four IDX files, gzipped or not; default: download them", other="again"
    )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of all images and labels."""
        return digest(*self.images.load(self.data_dir))

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Read and split."""
        images, labels = self.images.load(self.data_dir)
        train, test = split_per_class(
            labels, self.classes, self.train_per_class, self.test_per_class
        )
        return self._problem(
            self._pixels(images[train]), labels[train], self._pixels(images[test]), labels[test]
        )

    def _pixels(self, images: np.ndarray) -> np.ndarray:
        pixels = images.reshape(len(images), -1).astype(np.float32)
        if self.scale == "unit":
            pixels /= 255
        return pixels

    def _problem(
        self, X: np.ndarray, labels: np.ndarray, X_test: np.ndarray, labels_test: np.ndarray
    ) -> Problem:
        return Problem(
            X, labels.astype(np.int64), loss="softmax", metric="accuracy",
            X_test=X_test, y_test=labels_test.astype(np.int64), n_classes=len(self.classes),
        )  # fmt: skip


def split_per_class(
    labels: np.ndarray, classes: Sequence[int], n_train: int, n_test: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the first `n_train` images of each class, and of the next `n_test`.

    Where a class has fewer than `n_test` left, all of these are taken.

    Raises
    ------
    DataError
        If a class has none left.

    Examples
    --------
    >>> train, test = split_per_class(np.array([1, 0, 1, 0, 1, 0]), (0, 1), 2, 1)
    >>> train.tolist(), test.tolist()
    ([1, 3, 0, 2], [5, 4])
    """
    places = {number: np.flatnonzero(labels == number) for number in classes}
    scarce = min(places, key=lambda number: len(places[number]))
    if len(places[scarce]) <= n_train:
        raise DataError(
            f"--train-per-class must leave a test image of each class, got {n_train}: the files "
            f"hold {len(places[scarce])} of class {scarce}"
        )
    train = np.concatenate([own[:n_train] for own in places.values()])
    test = np.concatenate([own[n_train : n_train + n_test] for own in places.values()])
    return train, test


def two_class_problem(
    X: np.ndarray, labels: np.ndarray, X_test: np.ndarray, labels_test: np.ndarray,
    loss: Literal["squared", "logistic"],
) -> Problem:  # fmt: skip
    """Return the problem of telling label 1 from label 0 with one output."""
    y, y_test = (part.astype(np.float32)[:, None] for part in (labels, labels_test))
    return Problem(X, y, loss=loss, metric="accuracy", X_test=X_test, y_test=y_test)
