"""Rigging the lottery: drop the smallest weights, grow where the gradient is largest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import nets, nn
from sparsefit.core.options import between, option
from sparsefit.methods._masked import MovingMask


@dataclass(frozen=True, kw_only=True)
class RiggedLottery(MovingMask):
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

    fraction: float = option(
        0.3, "share of the kept weights that is exchanged at first", check=between(0, 1)
    )
    freeze: float = option(
        0.75, "share of the steps after which masks do not move", check=between(0, 1)
    )

    def masking(self, n_steps: int) -> nets.Masking:
        """Exchange weights until the freeze."""
        stop = round(self.freeze * n_steps)
        schedule = nn.Constant(period=self.mask_period, stop=stop)
        return nets.Masking(nn.RigL(fraction=self.fraction), schedule, self.allocation)
