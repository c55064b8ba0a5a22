"""Hard thresholding pursuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.hard_threshold import hard_threshold
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import BlockModel
from sparsefit.solvers.base import Solver
from sparsefit.solvers.pursuit import best_atoms, column_norms, debias, with_zeros
from sparsefit.solvers.step_rules import quadratic_step


@dataclass(frozen=True, kw_only=True)
class HTP(Solver):
    """Hard thresholding pursuit for models that are linear in their parameters: squared loss.

    One step from w with support S, in columns scaled to norm 1:

    1. T: the s largest entries of the gradient g outside S,
    2. mu = |g|^2 / |A g|^2 with g on S and T,
    3. S': the s largest entries of w - mu g; those outside S are among T, whatever mu is,
    4. w' = the least-squares fit on S'.

    References
    ----------
    S. Foucart, Hard thresholding pursuit: an algorithm for compressive sensing, SIAM Journal on
    Numerical Analysis 49 (2011).

    Examples
    --------
    >>> import torch
    >>> from sparsefit.core.datafits import Squared
    >>> from sparsefit.models import GaussianSensing
    >>> from sparsefit.core.batches import Batches
    >>> model = GaussianSensing(100, 200, seed=0, dtype=torch.float64)
    >>> truth = SparseVector(torch.tensor([3, 70]), torch.tensor([1.0, 1.0]).double(), 200)
    >>> y, batches = model.forward(truth), Batches(100, 0, seed=0)
    >>> result = HTP(epochs=30).solve(model, Squared(), y, 2, batches=batches)
    >>> result.coef.indices.tolist(), [round(v, 9) for v in result.coef.values.tolist()]
    ([3, 70], [1.0, 1.0])
    >>> result.n_iter
    3
    """

    needs_linear: ClassVar[bool] = True
    needs_squared: ClassVar[bool] = True

    def step(
        self, model: BlockModel, datafit: Datafit, y: Tensor, coef: SparseVector, nnz: int,
        epoch: int,
    ) -> tuple[SparseVector, Tensor]:  # fmt: skip
        """Take one step; see the class."""
        z = model.forward(coef)
        union = with_zeros(coef, best_atoms(model, coef, y - z, nnz))
        columns = model.support(union.indices)
        norms, scale = column_norms(columns)
        descent = scale * columns.rmatvec(y - z)
        length = quadratic_step(descent, columns.square(columns.matvec(scale * descent)))
        moved = norms * union.values + length * descent
        del columns  # gives its memory to the next ones
        kept = hard_threshold(moved, nnz)
        kept = kept[moved[kept] != 0]
        chosen = SparseVector(union.indices[kept], union.values[kept], union.size)
        return debias(model, y, chosen)[0], datafit.value(z, y)
