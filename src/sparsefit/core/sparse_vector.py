"""A long vector stored by its nonzeros: the only state that iterative hard thresholding carries."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SparseVector:
    """Sorted positions and their values.

    Parameters
    ----------
    indices : Tensor of int64, shape (nnz,)
        Strictly increasing positions.
    values : Tensor, shape (nnz,)
        The numbers there.
    size : int
        Length of the vector; it may be far beyond what memory could hold densely.

    Examples
    --------
    >>> v = SparseVector(torch.tensor([1, 4]), torch.tensor([2.0, -1.0]), size=6)
    >>> v.between(2, 6).indices.tolist(), v.nnz
    ([4], 2)
    """

    indices: Tensor
    values: Tensor
    size: int

    @classmethod
    def zeros(
        cls, size: int, *, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> SparseVector:
        """Return the zero vector."""
        empty = torch.zeros(0, dtype=dtype, device=device)
        return cls(empty.long(), empty, size)

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return len(self.indices)

    def between(self, start: int, stop: int) -> SparseVector:
        """Return the entries at positions ``start <= i < stop``; positions stay as they are."""
        ends = torch.tensor([start, stop], device=self.indices.device)
        low, high = torch.searchsorted(self.indices, ends).tolist()
        return SparseVector(self.indices[low:high], self.values[low:high], self.size)

    def to_dense(self) -> Tensor:
        """Return the vector with its zeros, shape (size,); for tests and short vectors."""
        dense = self.values.new_zeros(self.size)
        dense[self.indices] = self.values
        return dense

    def equals(self, other: SparseVector) -> bool:
        """Whether both have the same entries, bit for bit."""
        return torch.equal(self.indices, other.indices) and torch.equal(self.values, other.values)
