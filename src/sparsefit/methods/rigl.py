"""Rigging the lottery: drop the smallest weights, grow where the gradient is largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import nn
from sparsefit.methods._masked import ExchangingMask


@dataclass(frozen=True, kw_only=True)
class RiggedLottery(ExchangingMask):
    """RigL: sparse all along; small weights go, others grow where the gradient is largest.

    References
    ----------
    U. Evci et al., Rigging the Lottery: Making All Tickets Winners, ICML 2020, arXiv:1911.11134.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = RiggedLottery(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz <= 5
    True
    """

    name: ClassVar[str] = "rigl"

    def rule(self) -> nn.MaskRule:
        """Return the rule of this method."""
        return nn.RigL(fraction=self.fraction)
