"""Sparse evolutionary training: drop the smallest weights, grow at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import nets, nn
from sparsefit.core.options import between, option
from sparsefit.methods._masked import MovingMask


@dataclass(frozen=True, kw_only=True)
class SparseEvolutionaryTraining(MovingMask):
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
        return nets.Masking(nn.SET(fraction=self.fraction), schedule, self.allocation)
