"""Gates and activation patterns, tile by tile: what all ReLU models share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import RowBlockStore, Workspace, units_per_tile
from sparsefit.core.rows import Rows
from sparsefit.core.sparse_vector import SparseVector

Gates = RandomGates | SparseVector


def dense_units(coef: SparseVector, units: Tensor, width: int) -> Tensor:
    """Return the rows `units` of a unit-major sparse vector, shape (len(units), width).

    `units` is increasing; units of `coef` that are not among them are left out.
    """
    rows = coef.values.new_zeros(len(units), width)
    if len(units) and coef.nnz:
        part = coef.between(int(units[0]) * width, (int(units[-1]) + 1) * width)
        unit = part.indices // width
        row = torch.searchsorted(units, unit)
        known = units[row] == unit
        rows[row[known], part.indices[known] % width] = part.values[known]
    return rows


class Patterns:
    """Activation patterns 1[X h_j > 0] of the units that can be active at all.

    Parameters
    ----------
    rows : Rows
        The data.
    hidden : int
        Number of units m.
    gates : RandomGates or SparseVector
        Gate vectors h: drawn, or the weights themselves as a unit-major vector of length m*d.
    memory : Workspace
        Decides whether patterns (a byte per row and unit) are kept or made again.

    Attributes
    ----------
    live : Tensor of int64
        Units whose gate is not zero, increasing. The others are active on no row.
    """

    def __init__(self, rows: Rows, hidden: int, gates: Gates, memory: Workspace):
        self.rows, self.hidden, self.gates, self.memory = rows, hidden, gates, memory
        if isinstance(gates, SparseVector):
            self.live = torch.unique_consecutive(gates.indices // rows.d)
        else:
            self.live = torch.arange(hidden, device=rows.device)

    def gate_rows(self, units: Tensor) -> Tensor:
        """Return h_j of live `units`, shape (len(units), d)."""
        if isinstance(self.gates, SparseVector):
            return dense_units(self.gates, units, self.rows.d)
        drawn = torch.from_numpy(self.gates.rows(units.cpu().numpy()))
        return drawn.to(device=self.rows.device, dtype=self.rows.dtype)

    def tiles(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield each tile: its place within `live`, and its units."""
        step = units_per_tile(self.rows.d)
        for start in range(0, len(self.live), step):
            place = slice(start, min(start + step, len(self.live)))
            yield place, self.live[place]

    def of_tile(self, place: slice) -> list[Tensor]:
        """Return the patterns of one tile by row block, each of shape (units, rows), bool."""
        if self._kept is not None:
            return [block[place] for block in self._kept]
        return self._made(self.live[place])

    def of_units(self, units: Tensor) -> Iterator[Tensor]:
        """Yield by row block the patterns of any units, shape (len(units), rows), bool.

        Units without a gate are inactive.
        """
        place = torch.searchsorted(self.live, units).clamp(max=max(len(self.live) - 1, 0))
        known = self.live[place] == units if len(self.live) else torch.zeros_like(units).bool()
        kept = self._kept
        if kept is None:
            distinct, back = torch.unique(units[known], return_inverse=True)
            kept = self._of_some(distinct)
            place = torch.zeros_like(place).masked_scatter(known, back)
        if bool(known.all()):
            for block in kept:
                yield block.index_select(0, place)
            return
        for block in kept:
            patterns = torch.zeros(
                len(units), block.shape[1], dtype=torch.bool, device=block.device
            )
            patterns[known] = block[place[known]]
            yield patterns

    @property
    def _kept(self) -> list[Tensor] | None:
        return self._store.blocks

    @cached_property
    def _store(self) -> RowBlockStore:
        store = RowBlockStore(self.memory, len(self.live), self.rows.spans, torch.bool)
        if store.blocks is not None:
            for place, units in self.tiles():
                self._make(units, [block[place] for block in store.blocks])
        return store

    def _of_some(self, units: Tensor) -> list[Tensor]:
        """Return patterns of some live `units` by row block, from the products of whole tiles.

        Products of another shape round differently, so a unit's pattern is always made within
        its own tile, even where only some of the tile's units are asked for.
        """
        found = self._empty(len(units))
        for _, tile in self.tiles():
            wanted = torch.isin(tile, units, assume_unique=True)
            if bool(wanted.any()):
                rows = torch.searchsorted(units, tile[wanted])
                for out, made in zip(found, self._made(tile), strict=True):
                    out[rows] = made[wanted]
        return found

    def _made(self, tile: Tensor) -> list[Tensor]:
        out = self._empty(len(tile))
        self._make(tile, out)
        return out

    def _make(self, tile: Tensor, out: list[Tensor]) -> None:
        """Write the patterns of one tile, by row block, into `out`."""
        gates = self.gate_rows(tile)
        for block, pattern in zip(self.rows.blocks, out, strict=True):
            torch.gt(gates @ block, 0, out=pattern)

    def _empty(self, n_units: int) -> list[Tensor]:
        return [
            torch.empty(n_units, block.shape[1], dtype=torch.bool, device=block.device)
            for block in self.rows.blocks
        ]

    def take(self, index: np.ndarray) -> Patterns:
        """Return the same gates on some of the rows."""
        return Patterns(self.rows.take(index), self.hidden, self.gates, self.memory)
