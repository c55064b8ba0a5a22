"""Gaussian measurements of a sparse vector, drawn column by column."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import RowBlockStore, Workspace, units_per_tile
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import Atoms, Block, RowMap


class GaussianSensing:
    """z = A x with standard normal A of shape (n, size), drawn column by column.

    Parameters
    ----------
    n : int
        Measurements.
    size : int
        Length of x.
    seed : int
        Seed of the columns: column j is stream j of `RandomGates`.
    dtype : torch.dtype
    device : torch.device or str, optional
    memory : Workspace, optional
        Whether A may be kept; results do not depend on it.

    Examples
    --------
    >>> model = GaussianSensing(3, 10, seed=0, dtype=torch.float64)
    >>> model.forward(SparseVector(torch.tensor([2]), torch.tensor([1.0]).double(), 10)).shape
    torch.Size([3])
    """

    is_linear = True

    def __init__(
        self,
        n: int,
        size: int,
        *,
        seed: int,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        memory: Workspace | None = None,
    ):
        self.n_params, self.dtype, self.device = size, dtype, torch.device(device)
        self.columns = RandomGates(seed, n)
        self.memory = memory or Workspace(device=device)
        store = RowBlockStore(self.memory, size, [slice(0, n)], dtype)
        self._kept = store.blocks[0] if store.blocks else None
        if self._kept is not None:
            self._kept.copy_(self._draw(torch.arange(size)))
        self._store = store

    def _draw(self, indices: Tensor) -> Tensor:
        """Return A_S^T, shape (s, n)."""
        drawn = torch.from_numpy(self.columns.rows(indices.cpu().numpy()))
        return drawn.to(device=self.device, dtype=self.dtype)

    def _columns(self, indices: Tensor) -> Tensor:
        return self._draw(indices) if self._kept is None else self._kept[indices]

    @property
    def n_rows(self) -> int:
        """Length of z."""
        return self.columns.n_inputs

    def zeros(self) -> SparseVector:
        """Return the zero vector."""
        return SparseVector.zeros(self.n_params, dtype=self.dtype, device=self.device)

    def forward(self, coef: SparseVector) -> Tensor:
        """Return A x, shape (n,)."""
        return self.support(coef.indices).matvec(coef.values)

    def support(self, indices: Tensor) -> DrawnColumns:
        """Return the columns of A at `indices`."""
        return DrawnColumns(self._columns(indices))

    def blocks(self, coef: SparseVector, cotangent: Tensor, beyond: float = 0.0) -> Iterator[Block]:
        """Stream A^T cotangent."""
        for indices in self._tiles():
            start, values = int(indices[0]), cotangent.new_zeros(len(indices))
            part = coef.between(start, start + len(indices))
            values[part.indices - start] = part.values
            yield Block(indices, values, self._columns(indices) @ cotangent)

    def atoms(self, r: Tensor) -> Iterator[Atoms]:
        """Stream the inner products of the columns of A with r, and their norms."""
        for indices in self._tiles():
            columns = self._columns(indices)
            yield Atoms(indices, columns @ r, columns.square().sum(dim=1))

    def _tiles(self) -> Iterator[Tensor]:
        step = units_per_tile(self.columns.n_inputs)
        for start in range(0, self.n_params, step):
            yield torch.arange(start, min(start + step, self.n_params), device=self.device)

    def take(self, index: np.ndarray) -> GaussianSensing:
        """Refuse: measurements are few, and there are no batches of them."""
        raise TypeError("Gaussian sensing has no minibatches; leave the batch size at 0")

    def refresh(self, coef: SparseVector, fresh: int | None = None) -> GaussianSensing:
        """Return itself: there are no gates."""
        return self


class DrawnColumns:
    """Columns of A on a support, held as A_S^T of shape (s, n)."""

    def __init__(self, transposed: Tensor):
        self._transposed = transposed

    def matvec(self, v: Tensor) -> Tensor:
        """Return A_S v, shape (n,)."""
        return v @ self._transposed

    def rmatvec(self, r: Tensor) -> Tensor:
        """Return A_S^T r, shape (s,)."""
        return self._transposed @ r

    def both(self, v: Tensor, cotangent: RowMap) -> tuple[Tensor, Tensor]:
        """Return z = A_S v and A_S^T cotangent(z)."""
        z = self.matvec(v)
        return z, self.rmatvec(cotangent(z, slice(None)))

    def squares(self) -> Tensor:
        """Return the squared norms of the columns, shape (s,)."""
        return self._transposed.square().sum(dim=1)

    def square(self, v: Tensor) -> Tensor:
        """Return |v|^2."""
        return v.square().sum()

    def norm(self, v: Tensor) -> Tensor:
        """Return |v|."""
        norm: Tensor = v.norm()
        return norm
