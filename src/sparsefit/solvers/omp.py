"""Orthogonal matching pursuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import BlockModel
from sparsefit.solvers.base import Solver
from sparsefit.solvers.pursuit import best_atoms, debias, with_zeros


@dataclass(frozen=True, kw_only=True)
class OMP(Solver):
    """Orthogonal matching pursuit for models that are linear in their parameters: squared loss.

    A step adds the columns of largest correlation with the residual and fits all that are there
    by least squares. Columns never leave.

    Parameters
    ----------
    atoms : int, optional
        Columns added in a step; 1 is the classical form.

    References
    ----------
    Y. Pati, R. Rezaiifar and P. Krishnaprasad, Orthogonal matching pursuit, Asilomar 1993;
    J. Wang, S. Kwon and B. Shim, Generalized orthogonal matching pursuit, IEEE Transactions on
    Signal Processing 60 (2012), for several columns in a step.

    Examples
    --------
    >>> from sparsefit.core.datafits import Squared
    >>> from sparsefit.models import GaussianSensing
    >>> from sparsefit.core.batches import Batches
    >>> model = GaussianSensing(100, 200, seed=0, dtype=torch.float64)
    >>> truth = SparseVector(torch.tensor([3, 70]), torch.tensor([1.0, 1.0]).double(), 200)
    >>> y, batches = model.forward(truth), Batches(100, 0, seed=0)
    >>> result = OMP(epochs=2).solve(model, Squared(), y, 2, batches=batches)
    >>> result.coef.indices.tolist(), [round(v, 9) for v in result.coef.values.tolist()]
    ([3, 70], [1.0, 1.0])
    """

    sequential: bool = False
    atoms: int = 1
    needs_linear: ClassVar[bool] = True
    needs_squared: ClassVar[bool] = True

    def step(
        self, model: BlockModel, datafit: Datafit, y: Tensor, coef: SparseVector, nnz: int,
        epoch: int,
    ) -> tuple[SparseVector, Tensor]:  # fmt: skip
        """Take one step; see the class."""
        z = model.forward(coef)
        loss, count = datafit.value(z, y), min(self.atoms, nnz - coef.nnz)
        columns = model.support(coef.indices)
        error, size = columns.norm(y - z), columns.norm(y)
        # Once the fit is exact, what correlates with its rounding is left out.
        if count == 0 or bool(error <= 100 * torch.finfo(y.dtype).eps * size):
            return coef, loss
        return debias(model, y, with_zeros(coef, best_atoms(model, coef, y - z, count)))[0], loss
