"""Orthogonal matching pursuit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sparsefit import solvers
from sparsefit.core.options import at_least, option
from sparsefit.methods._implicit import Pursuit

if TYPE_CHECKING:
    from sparsefit.core.setting import Setting

# On planted problems the loss with one column at a time is hardly lower, at many times the cost.
_PASSES = 50


@dataclass(frozen=True, kw_only=True)
class OrthogonalMatchingPursuit(Pursuit):
    """Orthogonal matching pursuit under fixed random gates: add the best columns, fit, repeat.

    One output, squared loss. Hidden layers are trained one after the other, each with its share
    nnz // layers of the budget.

    References
    ----------
    Y. Pati, R. Rezaiifar and P. Krishnaprasad, Orthogonal matching pursuit, Asilomar 1993;
    J. Wang, S. Kwon and B. Shim, Generalized orthogonal matching pursuit, IEEE Transactions on
    Signal Processing 60 (2012), for several columns at a time.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = OrthogonalMatchingPursuit().path(problem, [2], Setting(hidden=3))
    >>> nnz, fit.network.nnz, fit.status.value
    (2, 2, 'finished')
    """

    name: ClassVar[str] = "omp"

    atoms: int | None = option(
        None,
        "columns added in each pass over all of them; default: as many as take 50 passes",
        check=at_least(1),
        other=5,
    )

    def make_solver(self, nnz: int, setting: Setting) -> solvers.Solver:
        """Return the solver that takes as many steps as fill the budget."""
        atoms = self.atoms or math.ceil(nnz / _PASSES)
        return solvers.OMP(epochs=math.ceil(nnz / atoms), atoms=atoms)
