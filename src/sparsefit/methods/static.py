"""A random mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import dense, nn
from sparsefit.methods._masked import MaskedTraining


@dataclass(frozen=True, kw_only=True)
class StaticMask(MaskedTraining):
    """A mask drawn at random before training, as a reference point for masks that are chosen.

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
    >>> [(nnz, fit)] = StaticMask(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz <= 5
    True
    """

    name: ClassVar[str] = "static"

    def masking(self, n_steps: int) -> dense.Masking:
        """Mask once."""
        schedule = nn.Constant(stop=0)
        return dense.Masking(nn.HardTopK(gradient="none"), schedule, self.allocation)
