"""Hard thresholding pursuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sparsefit import solvers
from sparsefit.core.options import at_least, option
from sparsefit.methods._implicit import Pursuit, SequentialMethod

if TYPE_CHECKING:
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class HardThresholdingPursuit(SequentialMethod, Pursuit):
    """Hard thresholding pursuit: a gradient step, the s largest, least squares on them.

    One output, squared loss. Hidden layers are trained one after the other, each with its share
    nnz // layers of the budget.

    References
    ----------
    S. Foucart, Hard thresholding pursuit: an algorithm for compressive sensing, SIAM Journal on
    Numerical Analysis 49 (2011).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = HardThresholdingPursuit().path(problem, [2], Setting(hidden=3))
    >>> nnz, fit.network.nnz, fit.status.value
    (2, 2, 'converged')
    """

    name: ClassVar[str] = "htp"

    epochs: int = option(
        30, "passes over the rows", aliases=("num-epochs",), check=at_least(1), other=7
    )

    def make_solver(self, nnz: int, setting: Setting) -> solvers.Solver:
        """Return the solver, which is the same for every budget."""
        return solvers.HTP(**self.loop(setting))
