"""Single-shot pruning by connection sensitivity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sparsefit import dense, nn
from sparsefit.methods._masked import MaskedTraining


@dataclass(frozen=True, kw_only=True)
class SingleShotPruning(MaskedTraining):
    """SNIP: before training, keep where |w dL/dw| is largest on the first minibatch.

    References
    ----------
    N. Lee, T. Ajanthan and P. Torr, SNIP: Single-Shot Network Pruning based on Connection
    Sensitivity, ICLR 2019, arXiv:1810.02340.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = SingleShotPruning(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz <= 5
    True
    """

    name: ClassVar[str] = "snip"

    def masking(self, n_steps: int) -> dense.Masking:
        """Mask once."""
        schedule = nn.Constant(stop=0)
        return dense.Masking(nn.OneShot(by="sensitivity"), schedule, self.allocation)
