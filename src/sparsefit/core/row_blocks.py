"""The rows of X in blocks, laid out for products over many units at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import overload

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.file_rows import FileRows, Rows
from sparsefit.core.memory import ROWS_PER_TILE
from sparsefit.core.team import ALONE, Share, Team

# Of blocks that are read again each time, so many are kept for who goes over them at once.
_RECENT = 4


class RowBlocks:
    """Rows of a data matrix, cut into blocks and stored feature-major.

    Parameters
    ----------
    X : ndarray or FileRows of shape (n, n_features)
        It is read, not kept in another order, until `blocks` is used.
    bias : bool, optional
        Append the constant input 1, whose weights are biases.
    dtype : torch.dtype
        Precision of the blocks.
    device : torch.device or str, optional
        Where the blocks live.
    weights : ndarray of shape (n,), optional
        Rows are multiplied by the square roots, the constant input too. Multiply targets as well,
        and squared errors are weighted: relu(c z) = c relu(z).
    room : int, optional
        Bytes of blocks that are kept of rows in files; the others are read each time, the next one
        while this one is used. Results do not depend on it.
    share : Share, optional
        Which rows of a whole these are; default: all.

    Examples
    --------
    >>> rows = RowBlocks(np.ones((5, 2), dtype=np.float32), bias=True, dtype=torch.float64)
    >>> rows.n, rows.d, rows.blocks[0].shape
    (5, 3, torch.Size([3, 5]))
    """

    def __init__(
        self,
        X: Rows,
        *,
        bias: bool = False,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        weights: np.ndarray | None = None,
        room: int = 0,
        share: Share | None = None,
    ):
        self.X, self.bias, self.dtype, self.device = X, bias, dtype, torch.device(device)
        self.weights, self.room, self.share = weights, room, share

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.X)

    @property
    def n_all(self) -> int:
        """Number of rows, those of other processes included."""
        return self.n if self.share is None else self.share.n

    @property
    def team(self) -> Team:
        """The processes that have the other rows."""
        return ALONE if self.share is None else self.share.team

    def total(self, part: Tensor) -> Tensor:
        """Return a sum over all rows, from that over these."""
        return self.team.total(part)

    @property
    def d(self) -> int:
        """Number of inputs, the constant one included."""
        return int(self.X.shape[1]) + self.bias

    @property
    def spans(self) -> list[slice]:
        """The rows of each block."""
        return [slice(i, min(i + ROWS_PER_TILE, self.n)) for i in range(0, self.n, ROWS_PER_TILE)]

    @cached_property
    def blocks(self) -> Sequence[Tensor]:
        """Blocks of shape (d, rows): inputs are rows here, so that picking inputs is a copy."""
        if not isinstance(self.X, FileRows):
            return [self._block(span) for span in self.spans]
        n_kept = self.room // (self.d * ROWS_PER_TILE * self.dtype.itemsize)
        return _StreamedBlocks(self.spans, self._block, n_kept)

    def _block(self, span: slice) -> Tensor:
        x = self.X[span]
        block = torch.empty(self.d, len(x), dtype=self.dtype, device=self.device)
        block[: x.shape[1]] = torch.tensor(x.T)
        block[x.shape[1] :] = 1
        if self.weights is not None:
            block *= torch.from_numpy(np.sqrt(self.weights[span])).to(block)
        return block

    def take(self, index: np.ndarray) -> RowBlocks:
        """Return the rows at `index`, in that order."""
        weights = None if self.weights is None else self.weights[index]
        return RowBlocks(
            self.X[index], bias=self.bias, dtype=self.dtype, device=self.device, weights=weights
        )

    def of_inputs(self, inputs: np.ndarray) -> RowBlocks:
        """Return the rows with some of their inputs, and the constant one if there is one."""
        return RowBlocks(
            self.X[:][:, inputs], bias=self.bias, dtype=self.dtype, device=self.device,
            weights=self.weights, share=self.share,
        )  # fmt: skip


class _StreamedBlocks(Sequence[Tensor]):
    """Blocks that are made when they are asked for, and the next one meanwhile.

    Parameters
    ----------
    spans : list of slice
    make : callable
    n_kept : int
        How many, from the first on, are kept.
    """

    def __init__(self, spans: list[slice], make: Callable[[slice], Tensor], n_kept: int):
        self._spans, self._make, self._n_kept = spans, make, n_kept
        self._kept: dict[int, Tensor] = {}
        self._recent: dict[int, Tensor] = {}
        self._ahead: dict[int, Future[Tensor]] = {}
        self._reader = ThreadPoolExecutor(1)

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, at: int) -> Tensor: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Tensor]: ...
    def __getitem__(self, at: int | slice) -> Tensor | Sequence[Tensor]:
        """Return a block, as it is kept, was read ahead, or is read now."""
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        if not 0 <= at < len(self):
            raise IndexError(at)
        for known in (self._kept, self._recent):
            if at in known:
                return known[at]
        ahead = self._ahead.pop(at, None)
        block = self._make(self._spans[at]) if ahead is None else ahead.result()
        if at < self._n_kept:
            self._kept[at] = block
        else:
            self._recent[at] = block
            while len(self._recent) > _RECENT:
                del self._recent[next(iter(self._recent))]
        self._read_ahead((at + 1) % len(self))
        return block

    def _read_ahead(self, at: int) -> None:
        """Begin to read a block, after the last the first again."""
        if at not in self._kept and at not in self._recent:
            self._ahead = {at: self._reader.submit(self._make, self._spans[at])}
