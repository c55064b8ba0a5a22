"""Keep the s largest magnitudes of a vector that is too long to hold: exact, in O(s) memory."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.sparse_vector import SparseVector


def hard_threshold(scores: Tensor, k: int) -> Tensor:
    """Return the positions of the `k` largest magnitudes, ties to the lowest position.

    Parameters
    ----------
    scores : Tensor of shape (size,)
    k : int
        How many to keep; all of them if ``k >= size``.

    Returns
    -------
    Tensor of int64, shape (min(k, size),)
        In increasing order. Exactly that many, however many magnitudes are equal.

    Examples
    --------
    >>> hard_threshold(torch.tensor([1.0, -3.0, 3.0, 3.0]), 2).tolist()
    [1, 2]
    """
    if k >= len(scores):
        return torch.arange(len(scores), device=scores.device)
    return largest(scores.abs(), k).nonzero().squeeze(1)


def largest(values: Tensor, k: int) -> Tensor:
    """Mark the `k` largest values, ties to the lowest position.

    Parameters
    ----------
    values : Tensor of shape (size,)
    k : int
        How many to mark; all of them if ``k >= size``.

    Returns
    -------
    Tensor of bool, shape (size,)
        Exactly min(k, size) entries are True, however many values are equal.

    Examples
    --------
    >>> largest(torch.tensor([2.0, -3.0, 2.0, 2.0]), 2).tolist()
    [True, False, True, False]
    """
    if k >= len(values):
        return torch.ones_like(values, dtype=torch.bool)
    if k <= 0:
        return torch.zeros_like(values, dtype=torch.bool)
    smallest_kept = _kth_largest(values, k)
    kept = values >= smallest_kept
    over = int(kept.count_nonzero()) - k
    if over > 0:
        tied = (values == smallest_kept).nonzero().squeeze(1)
        kept[tied[len(tied) - over :]] = False
    return kept


def _kth_largest(values: Tensor, k: int) -> Tensor:
    if values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64):
        # NumPy's selection is several times faster than torch's on a CPU.
        place = len(values) - k
        return torch.from_numpy(np.partition(values.numpy(), place))[place]
    return torch.topk(values, k, sorted=True).values[-1]


class StreamingTopK:
    """H_s over a stream of blocks: the k best candidates seen so far, in memory O(k + block).

    The result does not depend on how the candidates are grouped into blocks, nor on their order.

    Parameters
    ----------
    zeros : SparseVector
        The zero vector, which gives the length, dtype and device of the result.
    k : int
        How many to keep.

    Examples
    --------
    >>> top = StreamingTopK(SparseVector.zeros(4, dtype=torch.float32), 2)
    >>> top.push(torch.tensor([0, 1]), torch.tensor([1.0, -2.0]))
    >>> top.push(torch.tensor([2, 3]), torch.tensor([0.5, 3.0]))
    >>> top.result().indices.tolist()
    [1, 3]
    """

    def __init__(self, zeros: SparseVector, k: int):
        self.k, self.size = k, zeros.size
        self._entries = (zeros.indices, zeros.values, zeros.values)
        self._threshold = zeros.values.new_zeros(())

    def push(self, indices: Tensor, values: Tensor, scores: Tensor | None = None) -> None:
        """Offer candidates.

        Parameters
        ----------
        indices : Tensor of int64, shape (block,)
            Positions not offered before, in increasing order.
        values : Tensor of shape (block,)
            Values there; zeros are no candidates.
        scores : Tensor of shape (block,), optional
            What to rank by in place of the magnitude of the values.
        """
        magnitudes = (values if scores is None else scores).abs()
        # Written so that NaN is a candidate: it must reach the solver, which then stops.
        dropped = (values == 0) | (magnitudes < self._threshold)
        chosen = (~dropped).nonzero().squeeze(1)
        offered = (indices[chosen], values[chosen], magnitudes[chosen])
        merged = [torch.cat(pair) for pair in zip(self._entries, offered, strict=True)]
        order = merged[0].argsort()
        entries = (merged[0][order], merged[1][order], merged[2][order])
        if len(order) > self.k:
            keep = hard_threshold(entries[2], self.k)
            entries = (entries[0][keep], entries[1][keep], entries[2][keep])
        if 0 < self.k == len(entries[0]):
            self._threshold = entries[2].min()
        self._entries = entries

    def result(self) -> SparseVector:
        """Return the kept entries."""
        return SparseVector(self._entries[0], self._entries[1], self.size)


class CountSketch:
    """Running sums of a long sparse-ish vector in a small table, read back with noise.

    Charikar, Chen and Farach-Colton (2002). The signs and cells of an index are hashes of it, so
    nothing of the length of the vector is stored.

    Parameters
    ----------
    width : int
        Cells of each of the `depth` rows.
    depth : int, optional
        Independent hashes; the estimate is their median.

    Examples
    --------
    >>> sketch = CountSketch(64, dtype=torch.float64)
    >>> sketch.add(torch.tensor([5, 10**12]), torch.tensor([1.0, -2.0], dtype=torch.float64))
    >>> sketch.query(torch.tensor([10**12])).tolist()
    [-2.0]
    """

    def __init__(
        self, width: int, depth: int = 4, *, dtype: torch.dtype, device: torch.device | str = "cpu"
    ):
        self.width = width
        self.table = torch.zeros(depth, width, dtype=dtype, device=device)

    @classmethod
    def for_budget(
        cls, nnz: int, size: int, *, dtype: torch.dtype, device: torch.device | str = "cpu"
    ) -> CountSketch:
        """Return the sketch of MLP-IHT: width s max(1, log(size / s)), four hashes."""
        return cls(int(nnz * max(1.0, math.log(size / nnz))), dtype=dtype, device=device)

    def add(self, indices: Tensor, deltas: Tensor) -> None:
        """Add `deltas` at `indices`, both of shape (block,)."""
        for row, (cell, sign) in zip(self.table, self._hashes(indices), strict=True):
            row.index_add_(0, cell, sign * deltas)

    def query(self, indices: Tensor) -> Tensor:
        """Return the estimated sums at `indices`, shape (block,)."""
        rows = zip(self.table, self._hashes(indices), strict=True)
        ordered = torch.stack([sign * row[cell] for row, (cell, sign) in rows]).sort(dim=0).values
        depth = len(self.table)
        return (ordered[(depth - 1) // 2] + ordered[depth // 2]) / 2

    def _hashes(self, indices: Tensor) -> list[tuple[Tensor, Tensor]]:
        pairs = []
        for number in range(len(self.table)):
            bits = _mix(indices + (number + 1) * 0x1851F42D4C957F2D)
            sign = ((bits & 1) * 2 - 1).to(self.table.dtype)
            pairs.append(((bits >> 1) % self.width, sign))
        return pairs


def _mix(x: Tensor) -> Tensor:
    """Scramble int64 values into non-negative ones (multiplication wraps around)."""
    for multiplier, shift in ((0x2545F4914F6CDD1D, 31), (0x27D4EB2F165667C5, 29)):
        x = (x ^ ((x >> shift) & 0x7FFFFFFFF)) * multiplier
    return (x ^ (x >> 32)) & 0x7FFFFFFFFFFFFFFF
