"""Zeros and ones of MNIST."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from sparsefit.core.options import option
from sparsefit.core.problem import Problem
from sparsefit.data.datasets import MNIST, IdxSet
from sparsefit.tasks._images import LabelledImages, two_class_problem


@dataclass(frozen=True, kw_only=True)
class BinaryMnist(LabelledImages):
    """Handwritten zeros against ones, with one output: 10000 and 2000 rows, as in the paper."""

    name: ClassVar[str] = "binary-mnist"
    limits: ClassVar[tuple[float, float]] = (0.5, 1.0)
    images: ClassVar[IdxSet] = MNIST
    classes: ClassVar[Sequence[int]] = (0, 1)

    loss: Literal["squared", "logistic"] = option("squared", "loss; the paper's is squared")

    def _problem(
        self, X: np.ndarray, labels: np.ndarray, X_test: np.ndarray, labels_test: np.ndarray
    ) -> Problem:
        return two_class_problem(X, labels, X_test, labels_test, self.loss)
