"""One-shot magnitude pruning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit.methods._trained import PrunedTraining


@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(PrunedTraining):
    """One-shot magnitude pruning: train densely, keep the largest weights, train on.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = MagnitudePruning(epochs=2).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz
    5
    """

    name: ClassVar[str] = "magnitude"
    rewind: ClassVar[bool] = False

    def counts(self, n_params: int, nnz: int) -> list[int]:
        """Prune once."""
        return [nnz]
