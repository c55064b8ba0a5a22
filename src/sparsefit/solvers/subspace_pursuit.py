"""Subspace pursuit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.hard_threshold import hard_threshold
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import BlockModel
from sparsefit.solvers.base import Solver
from sparsefit.solvers.pursuit import best_atoms, column_norms, debias, least_squares, with_zeros


@dataclass(frozen=True, kw_only=True)
class SubspacePursuit(Solver):
    """Subspace pursuit for models that are linear in their parameters: squared loss.

    One step from w with support S:

    1. T: the s columns outside S of largest correlation with the residual,
    2. v = the least-squares fit on S and T,
    3. S': the s largest |v_j| |a_j|,
    4. w' = the least-squares fit on S', or that on S where it is no worse.

    References
    ----------
    W. Dai and O. Milenkovic, Subspace pursuit for compressive sensing signal reconstruction, IEEE
    Transactions on Information Theory 55 (2009).

    Examples
    --------
    >>> import torch
    >>> from sparsefit.core.datafits import Squared
    >>> from sparsefit.models import GaussianSensing
    >>> from sparsefit.core.batches import Batches
    >>> model = GaussianSensing(100, 200, seed=0, dtype=torch.float64)
    >>> truth = SparseVector(torch.tensor([3, 70]), torch.tensor([1.0, 1.0]).double(), 200)
    >>> y, batches = model.forward(truth), Batches(100, 0, seed=0)
    >>> result = SubspacePursuit(epochs=30).solve(model, Squared(), y, 2, batches=batches)
    >>> result.coef.indices.tolist(), [round(v, 9) for v in result.coef.values.tolist()]
    ([3, 70], [1.0, 1.0])
    """

    needs_linear: ClassVar[bool] = True
    needs_squared: ClassVar[bool] = True

    def step(
        self, model: BlockModel, datafit: Datafit, y: Tensor, coef: SparseVector, nnz: int,
        epoch: int,
    ) -> tuple[SparseVector, Tensor]:  # fmt: skip
        """Take one step; see the class."""
        z = model.forward(coef)
        present = datafit.value(z, y)
        union = with_zeros(coef, best_atoms(model, coef, y - z, nnz))
        new, outputs = debias(model, y, self._prune(model, y, union, nnz))
        if not bool(datafit.value(outputs, y) < present):
            # What the gates changed is made good before supports are compared.
            old, old_outputs = debias(model, y, coef)
            if not bool(datafit.value(outputs, y) < datafit.value(old_outputs, y)):
                new = old
        return new, present

    def _prune(self, model: BlockModel, y: Tensor, union: SparseVector, nnz: int) -> SparseVector:
        """Return the best part of the fit on a support that is too large."""
        columns = model.support(union.indices)
        values = least_squares(columns, y, union.values)[0]
        contributions = values * column_norms(columns)[0]
        kept = hard_threshold(contributions, nnz)
        kept = kept[contributions[kept] != 0]
        return SparseVector(union.indices[kept], values[kept], union.size)
