"""Gradual magnitude pruning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import dense, nn
from sparsefit.core.options import between, option
from sparsefit.methods._masked import MovingMask


@dataclass(frozen=True, kw_only=True)
class GradualMagnitudePruning(MovingMask):
    """Gradual magnitude pruning: along a cubic schedule, the smallest weights go.

    References
    ----------
    M. Zhu and S. Gupta, To prune, or not to prune, 2017, arXiv:1710.01878.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = GradualMagnitudePruning(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz <= 5
    True
    """

    name: ClassVar[str] = "gmp"

    ramp: float = option(0.6, "share of the steps until the sparsity is final", check=between(0, 1))

    def masking(self, n_steps: int) -> dense.Masking:
        """Prune until the ramp ends, then train what is left."""
        end = round(self.ramp * n_steps)
        schedule = nn.Cubic(end=end, stop=end, period=self.mask_period)
        return dense.Masking(nn.Magnitude(gradient="masked"), schedule, self.allocation)
