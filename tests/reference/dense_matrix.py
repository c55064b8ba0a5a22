"""An explicit matrix as a model: the oracle that the block models are tested against."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.memory import Workspace
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import Atoms, Block
from sparsefit.models.gaussian_sensing import DrawnColumns


class DenseMatrix:
    """z = A coef for a matrix in memory.

    Parameters
    ----------
    A : Tensor of shape (n, n_params)

    Examples
    --------
    >>> model = DenseMatrix(torch.eye(2))
    >>> model.forward(SparseVector(torch.tensor([1]), torch.tensor([3.0]), 2)).tolist()
    [0.0, 3.0]
    """

    is_linear = True

    def __init__(self, A: Tensor):
        self.A, self.n_params = A, A.shape[1]
        self.memory = Workspace(0)

    @property
    def n_rows(self) -> int:
        """Length of z."""
        return len(self.A)

    def zeros(self) -> SparseVector:
        """Return the zero parameter vector."""
        return SparseVector.zeros(self.n_params, dtype=self.A.dtype, device=self.A.device)

    def forward(self, coef: SparseVector) -> Tensor:
        """Return A coef, shape (n,)."""
        return self.support(coef.indices).matvec(coef.values)

    def support(self, indices: Tensor) -> DrawnColumns:
        """Return the columns of A at `indices`."""
        return DrawnColumns(self.A[:, indices].T)

    def blocks(self, coef: SparseVector, cotangent: Tensor, beyond: float = 0.0) -> Iterator[Block]:
        """Yield A^T cotangent as one block."""
        indices = torch.arange(self.n_params, device=self.A.device)
        yield Block(indices, coef.to_dense(), self.A.T @ cotangent)

    def atoms(self, r: Tensor) -> Iterator[Atoms]:
        """Yield all columns at once."""
        indices = torch.arange(self.n_params, device=self.A.device)
        yield Atoms(indices, self.A.T @ r, self.A.square().sum(dim=0))

    def take(self, index: np.ndarray) -> DenseMatrix:
        """Return the model on some of its rows."""
        return DenseMatrix(self.A[torch.from_numpy(index)])

    def refresh(self, coef: SparseVector, fresh: int | None = None) -> DenseMatrix:
        """Return itself: there are no gates."""
        return self
