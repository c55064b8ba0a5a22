"""Sparse evolutionary training: drop the smallest weights, grow at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import nn
from sparsefit.methods._masked import ExchangingMask


@dataclass(frozen=True, kw_only=True)
class SparseEvolutionaryTraining(ExchangingMask):
    """SET: sparse all along; small weights go, others grow at random.

    References
    ----------
    D. C. Mocanu et al., Scalable training of artificial neural networks with adaptive sparse
    connectivity, Nature Communications 9, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = SparseEvolutionaryTraining(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz <= 5
    True
    """

    name: ClassVar[str] = "set"

    def rule(self) -> nn.MaskRule:
        """Return the rule of this method."""
        return nn.SET(fraction=self.fraction)
