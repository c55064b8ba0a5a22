"""Sizes of the blocks that work is cut into, from budgets in bytes.

Two kinds of size must not be mixed up. *Tiles* are the shapes that matrix products see; rounding
depends on them, so they are functions of the problem alone. *Caches* only decide whether a tile is
kept or made again, so the user's budget may rule them freely without changing one bit.
"""

from __future__ import annotations

import os

import torch
from torch import Tensor

from sparsefit.core.setting import MEMORY_MB

ROWS_PER_TILE = 2048
_UNITS_PER_TILE = 128
_TILE_BYTES = 64 * 2**20


def units_per_tile(n_inputs: int) -> int:
    """Return how many hidden units (or columns) one tile holds, a function of d alone.

    128 keeps the matrix products efficient and a tile of activations within a core's cache; with
    very many inputs it shrinks, so that a tile of gradients stays below 64 MiB.

    Examples
    --------
    >>> units_per_tile(100), units_per_tile(10**6)
    (128, 8)
    """
    return max(1, min(_UNITS_PER_TILE, _TILE_BYTES // (8 * n_inputs)))


def total_bytes(device: str) -> int | None:
    """Return how much memory a device has in all; None where that cannot be told."""
    if device.startswith("cuda"):
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # Windows has no sysconf
        return None


class Workspace:
    """Large temporary arrays within a budget, handed out again after use.

    A solver asks for arrays of much the same size in every iteration. Taking them from the
    operating system each time costs as much as filling them, so returned ones are kept.

    Parameters
    ----------
    budget : int, optional
        Bytes in all; default: as `Setting`. What does not fit is refused, and the caller makes do
        without.
    device : torch.device or str, optional
        Where the arrays live.

    Examples
    --------
    >>> workspace = Workspace(100)
    >>> first = workspace.take(80)
    >>> workspace.take(30) is None
    True
    >>> workspace.give(first)
    >>> len(workspace.take(30))
    80
    """

    def __init__(self, budget: int = MEMORY_MB * 2**20, device: torch.device | str = "cpu"):
        self.budget, self.device = budget, device
        self._lent_bytes = 0
        self._free: list[Tensor] = []

    def take(self, n_bytes: int) -> Tensor | None:
        """Return a uint8 array of at least `n_bytes`, or None if the budget does not allow it."""
        fitting = [array for array in self._free if len(array) >= n_bytes]
        if fitting:
            array = min(fitting, key=len)
            self._free = [other for other in self._free if other is not array]
        else:
            if self._lent_bytes + n_bytes > self.budget:
                return None
            n_bytes = min(_rounded_up(n_bytes), self.budget - self._lent_bytes)
            while self._free and self._lent_bytes + self._free_bytes + n_bytes > self.budget:
                self._free.pop(0)
            array = torch.empty(n_bytes, dtype=torch.uint8, device=self.device)
        self._lent_bytes += len(array)
        return array

    def give(self, array: Tensor) -> None:
        """Return an array that `take` handed out."""
        self._lent_bytes -= len(array)
        self._free.append(array)

    @property
    def _free_bytes(self) -> int:
        return sum(map(len, self._free))


def _rounded_up(n_bytes: int) -> int:
    """Return a size up to a quarter larger, so that a next array somewhat larger fits as well."""
    step = 1 << max(n_bytes.bit_length() - 3, 0)
    return -(-n_bytes // step) * step


class RowBlockStore:
    """One array per row block, carved out of a single one from a workspace.

    Parameters
    ----------
    workspace : Workspace
    n_rows : int
        First dimension of each array.
    spans : list of slice
        The rows of the data in each block; their length is the second dimension.
    dtype : torch.dtype

    Attributes
    ----------
    blocks : list of Tensor or None
        Uninitialised arrays of shape (n_rows, rows of the block); None if memory does not allow.
    """

    def __init__(self, workspace: Workspace, n_rows: int, spans: list[slice], dtype: torch.dtype):
        widths = [span.stop - span.start for span in spans]
        self._workspace = workspace
        self._array = workspace.take(n_rows * sum(widths) * dtype.itemsize)
        self.blocks: list[Tensor] | None = None
        if self._array is not None:
            n_bytes = n_rows * sum(widths) * dtype.itemsize
            flat = self._array[:n_bytes].view(dtype)
            pieces = flat.split([n_rows * width for width in widths])
            shapes = [(n_rows, width) for width in widths]
            self.blocks = [piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def __del__(self) -> None:
        """Hand the memory back."""
        if self._array is not None:
            self._workspace.give(self._array)
