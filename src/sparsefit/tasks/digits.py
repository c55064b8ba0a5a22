"""The handwritten digits that scikit-learn ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.tasks._base import Task


@dataclass(frozen=True, kw_only=True)
class Digits(Task):
    """Ten classes of 8 x 8 handwritten digits, shipped with scikit-learn: 1347 and 450 rows.

    The split is the same for every seed, and stratified; pixels are divided by 16.

    Examples
    --------
    >>> problem = Digits().load(Setting(), 1)
    >>> problem.X.shape, problem.X_test.shape
    ((1347, 64), (450, 64))
    """

    name: ClassVar[str] = "digits"
    draws_seed: ClassVar[bool] = False
    limits: ClassVar[tuple[float, float]] = (0.1, 1.0)

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Load and split."""
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        pixels, labels = load_digits(return_X_y=True)
        pixels, labels = (pixels / 16).astype(np.float32), labels.astype(np.int64)
        X, X_test, y, y_test = train_test_split(
            pixels, labels, test_size=0.25, stratify=labels, random_state=0
        )
        return Problem(
            X, y, loss="softmax", metric="accuracy", X_test=X_test, y_test=y_test, n_classes=10
        )
