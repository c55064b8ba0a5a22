"""Gates and activation patterns, tile by tile: what all ReLU models share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import RowBlockStore, Workspace, units_per_tile
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.sparse_vector import SparseVector


class MixedGates(NamedTuple):
    """The weights as gates and, for units without weights, random gates."""

    weights: SparseVector
    fresh: RandomGates


Gates = RandomGates | SparseVector | MixedGates


def own_gates(weights: SparseVector, d: int, fresh: int | None) -> SparseVector | MixedGates:
    """Return the weights of a ReLU layer as its gates; with a seed, redraw those of dead units."""
    return weights if fresh is None else MixedGates(weights, RandomGates(fresh, d))


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

    Units whose gates are positive multiples of each other share one pattern. Only gates with a
    single nonzero are compared: in a sparse network those are many, and parallel ones of several
    nonzeros hardly occur.

    Parameters
    ----------
    rows : RowBlocks
        The data.
    hidden : int
        Number of units m.
    gates : RandomGates, SparseVector or MixedGates
        Gate vectors h: drawn, or the weights themselves as a unit-major vector of length m*d, or
        drawn only for units without weights.
    memory : Workspace
        Decides whether patterns (a byte per row and pattern) are kept or made again.

    Attributes
    ----------
    live : Tensor of int64
        Units whose gate is not zero, increasing. The others are active on no row.
    pattern : Tensor of int64
        For each live unit, the number of its pattern.
    first : Tensor of int64
        For each pattern, a unit that has it.
    """

    def __init__(self, rows: RowBlocks, hidden: int, gates: Gates, memory: Workspace):
        self.rows, self.hidden, self.gates, self.memory = rows, hidden, gates, memory
        everyone = torch.arange(hidden, device=rows.device)
        if isinstance(gates, RandomGates):
            self.live = self.pattern = self.first = everyone
        elif isinstance(gates, SparseVector):
            self.live, self.pattern, self.first = _distinct_gates(gates, rows.d)
        else:
            live, pattern, first = _distinct_gates(gates.weights, rows.d)
            dead = everyone[torch.isin(everyone, live, invert=True)]
            own = len(first) + torch.arange(len(dead), device=rows.device)
            self.live, order = torch.cat([live, dead]).sort()
            self.pattern = torch.cat([pattern, own])[order]
            self.first = torch.cat([first, dead])

    def gate_rows(self, units: Tensor) -> Tensor:
        """Return h_j of live `units`, shape (len(units), d)."""
        if isinstance(self.gates, SparseVector):
            return dense_units(self.gates, units, self.rows.d)
        if isinstance(self.gates, RandomGates):
            return self._drawn(self.gates, units)
        gates = dense_units(self.gates.weights, units, self.rows.d)
        dead = torch.isin(units, self.gates.weights.indices // self.rows.d, invert=True)
        gates[dead] = self._drawn(self.gates.fresh, units[dead])
        return gates

    def _drawn(self, gates: RandomGates, units: Tensor) -> Tensor:
        drawn = torch.from_numpy(gates.rows(units.cpu().numpy()))
        return drawn.to(device=self.rows.device, dtype=self.rows.dtype)

    def tiles(self) -> Iterator[slice]:
        """Yield the pattern numbers of each tile."""
        step = units_per_tile(self.rows.d)
        for start in range(0, len(self.first), step):
            yield slice(start, min(start + step, len(self.first)))

    @property
    def can_be_packed(self) -> bool:
        """Whether `packed` may have fewer tiles than there are."""
        several = len(self.first) >= 2 * units_per_tile(self.rows.d)
        return several and isinstance(self.gates, RandomGates) and self._store.blocks is not None

    def packed(self, wanted: Tensor) -> list[slice | Tensor]:
        """Return tiles that have the patterns of the `wanted` units, for gates that were drawn.

        A row of a product is rounded by its place and by the shape of the product, but whatever
        the other rows are. So each pattern keeps its place: the tiles that are packed have rows of
        several, and a last one that is shorter stays as it is.

        Parameters
        ----------
        wanted : Tensor of bool, shape (hidden,)
        """
        *whole, last = self.tiles()
        step = units_per_tile(self.rows.d)
        if last.stop - last.start == step:
            whole, last = [*whole, last], slice(last.stop, last.stop)
        by_place = wanted[: last.start].view(-1, step)
        count = int(by_place.sum(dim=0).max())
        tiles: list[slice | Tensor] = [*whole]
        if count < len(whole):
            # At each place the wanted ones first; what is not filled by these is made beside them.
            order = by_place.to(torch.uint8).argsort(dim=0, descending=True, stable=True)[:count]
            tiles = [*(order * step + torch.arange(step)).to(self.live.device)]
        return tiles + [last] * bool(wanted[last].any())

    def units_of(self, tile: slice | Tensor) -> tuple[Tensor, Tensor]:
        """Return the units with a pattern in `tile`, increasing, and where in the tile it is."""
        if isinstance(tile, Tensor):
            units, row = tile.sort()
            return units, row
        here = (self.pattern >= tile.start) & (self.pattern < tile.stop)
        return self.live[here], self.pattern[here] - tile.start

    def numbers_of(self, units: Tensor) -> Tensor:
        """Return the pattern number of each unit; -1 for those without a gate."""
        if len(self.live) == 0:
            return torch.full_like(units, -1)
        place = torch.searchsorted(self.live, units).clamp(max=len(self.live) - 1)
        return torch.where(self.live[place] == units, self.pattern[place], -1)

    def of_tile(self, tile: slice | Tensor) -> Iterator[Tensor]:
        """Yield the patterns of one tile by row block, each of shape (patterns, rows), bool."""
        if self._store.blocks is not None:
            yield from (block[tile] for block in self._store.blocks)
            return
        assert isinstance(tile, slice), "patterns that are not kept are made by whole tiles"
        gates = self._gates_of(tile)
        for block in self.rows.blocks:
            yield _active(gates, block).to(torch.bool)

    def select(self, numbers: Tensor) -> Iterator[Tensor]:
        """Yield by row block the patterns of these numbers, shape (len(numbers), rows), bool.

        Number -1 is a unit without a gate, which is never active.
        """
        stored, place = self._store.blocks, numbers
        kept: Iterable[Tensor] = stored or ()
        if stored is None:
            distinct, place = torch.unique(numbers, return_inverse=True)
            kept = self._of_some(distinct)
        dead = numbers < 0
        for block in kept:
            if not bool(dead.any()):
                yield block.index_select(0, place)
                continue
            patterns = torch.zeros(
                len(numbers), block.shape[1], dtype=torch.bool, device=block.device
            )
            patterns[~dead] = block[place[~dead]]
            yield patterns

    @cached_property
    def _store(self) -> RowBlockStore:
        store = RowBlockStore(self.memory, len(self.first), self.rows.spans, torch.bool)
        if store.blocks is not None:
            for tile in self.tiles():
                gates = self._gates_of(tile)
                for block, pattern in zip(self.rows.blocks, store.blocks, strict=True):
                    # In place and then cast: a comparison that writes bools takes three times as
                    # long.
                    pattern[tile].copy_(_active(gates, block))
        return store

    def _of_some(self, numbers: Tensor) -> Iterable[Tensor]:
        """Return the patterns of these increasing numbers by row block, made in whole tiles.

        Products of another shape round differently, so a pattern is always made within its own
        tile, even where only some of the tile are asked for.
        """
        wanted = [
            (tile, places)
            for tile in self.tiles()
            for places in [((numbers >= tile.start) & (numbers < tile.stop)).nonzero()[:, 0]]
            if len(places)
        ]
        n_gates = sum(tile.stop - tile.start for tile, _ in wanted)
        if n_gates * self.rows.d * self.rows.dtype.itemsize < len(numbers) * self.rows.n:
            return self._of_some_by_rows(numbers, wanted)
        found = self._empty(len(numbers))
        for tile, places in wanted:
            for out, made in zip(found, self.of_tile(tile), strict=True):
                out[places] = made[numbers[places] - tile.start]
        return found

    def _of_some_by_rows(
        self, numbers: Tensor, wanted: list[tuple[slice, Tensor]]
    ) -> Iterator[Tensor]:
        """Yield the same, keeping the gates of all tiles that are needed in place of patterns."""
        gates = [self._gates_of(tile) for tile, _ in wanted]
        for block in self.rows.blocks:
            out = torch.empty(len(numbers), block.shape[1], dtype=torch.bool, device=block.device)
            for (tile, places), own in zip(wanted, gates, strict=True):
                active = _active(own, block)
                out[places] = active[numbers[places] - tile.start].to(torch.bool)
            yield out

    def as_floats(self, active: Tensor, out: Tensor | None = None) -> Tensor:
        """Return patterns, at most a tile, as zeros and ones; without `out`, in `room`.

        Several times faster than a product with bools: the processor has an instruction that turns
        bytes into floats.
        """
        out = self.room(len(active), active.shape[1]) if out is None else out
        return out.copy_(active.view(torch.uint8))

    def room(self, height: int, width: int) -> Tensor:
        """Return memory for a number per row and pattern of at most a tile, until the next call.

        What is used again need not be cleared by the system first.
        """
        return self._room[: height * width].view(height, width)

    @cached_property
    def _room(self) -> Tensor:
        widest = max(span.stop - span.start for span in self.rows.spans)
        size = units_per_tile(self.rows.d) * widest
        return torch.empty(size, dtype=self.rows.dtype, device=self.rows.device)

    def _gates_of(self, tile: slice) -> Tensor:
        """Return the gates of a tile, a row each, as a sparse matrix where that is faster."""
        units, place = torch.unique(self.first[tile], return_inverse=True)
        gates = self.gate_rows(units)[place]
        is_drawn = isinstance(self.gates, RandomGates)
        return gates.to_sparse() if not is_drawn and _is_sparse(gates) else gates

    def _empty(self, n_patterns: int) -> list[Tensor]:
        """Return one array in parts: many small ones that are kept would scatter the memory."""
        whole = torch.empty(n_patterns * self.rows.n, dtype=torch.bool, device=self.rows.device)
        widths = [span.stop - span.start for span in self.rows.spans]
        parts = whole.split([n_patterns * width for width in widths])
        return [part.view(n_patterns, width) for part, width in zip(parts, widths, strict=True)]

    def take(self, index: np.ndarray) -> Patterns:
        """Return the same gates on some of the rows."""
        return Patterns(self.rows.take(index), self.hidden, self.gates, self.memory)


def _active(gates: Tensor, block: Tensor) -> Tensor:
    """Return patterns as zeros and ones, (gates, rows)."""
    return (gates @ block).gt_(0)


def _is_sparse(gates: Tensor) -> bool:
    """Whether a sparse product is the faster one; measured break-even is near one in six."""
    return int(gates.count_nonzero()) * 8 < gates.numel()


def _distinct_gates(gates: SparseVector, d: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return `live`, `pattern` and `first` of `Patterns` for gates that are weights."""
    live, member, counts = torch.unique_consecutive(
        gates.indices // d, return_inverse=True, return_counts=True
    )
    # A single nonzero is known by its input and sign; other gates get a key of their own.
    keys = 2 * d + live
    single = counts[member] == 1
    keys[member[single]] = 2 * (gates.indices[single] % d) + (gates.values[single] > 0)
    distinct, pattern = torch.unique(keys, return_inverse=True)
    first = torch.full_like(distinct, torch.iinfo(torch.int64).max)
    first.scatter_reduce_(0, pattern, live, "amin")
    return live, pattern, first
