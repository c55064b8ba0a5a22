"""The fused one-output network as a linear model in gated inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.memory import RowBlockStore, Workspace, units_per_tile
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models._patterns import Gates, Patterns, dense_units, own_gates
from sparsefit.models.base import Atoms, Block, RowMap
from sparsefit.models.gradient_bounds import GradientBounds


class GatedReLU:
    """z = sum_j D_j X w_j with D_j = diag(1[X h_j > 0]).

    The parameter vector is unit-major, (w_1, ..., w_m), of length m*d. Once the gates are the
    weights themselves (`refresh`), z is the ReLU network sum_j relu(X w_j).

    Parameters
    ----------
    rows : RowBlocks
        The data, n rows and d inputs.
    hidden : int
        Number of units m.
    gates : RandomGates or SparseVector
        Gate vectors; a `SparseVector` is unit-major of length m*d.
    memory : Workspace, optional
        For patterns and support columns that may be kept; results do not depend on it.

    Notes
    -----
    Memory beyond the data is O(n G + d G + s) for tiles of G units, never m*d.

    Examples
    --------
    >>> from sparsefit.core.gates import RandomGates
    >>> rows = RowBlocks(np.array([[1.0], [-1.0]]), dtype=torch.float64)
    >>> w = SparseVector(torch.tensor([0, 1]), torch.tensor([2.0, -3.0]).double(), size=2)
    >>> GatedReLU(rows, 2, RandomGates(0, 1)).refresh(w).forward(w).tolist()
    [2.0, 3.0]
    """

    is_linear = True

    def __init__(self, rows: RowBlocks, hidden: int, gates: Gates, memory: Workspace | None = None):
        self.rows, self.hidden = rows, hidden
        self.memory = memory or Workspace(device=rows.device)
        self.patterns = Patterns(rows, hidden, gates, self.memory)
        self.n_params = hidden * rows.d

    @property
    def n_rows(self) -> int:
        """Rows in all, those of other processes included."""
        return self.rows.n_all

    def zeros(self) -> SparseVector:
        """Return the zero parameter vector."""
        return SparseVector.zeros(self.n_params, dtype=self.rows.dtype, device=self.rows.device)

    def forward(self, coef: SparseVector) -> Tensor:
        """Return z = A coef, shape (n,)."""
        return self.support(coef.indices).matvec(coef.values)

    def support(self, indices: Tensor) -> GatedColumns:
        """Return the columns of A at `indices`."""
        return GatedColumns(self.patterns, indices)

    def blocks(self, coef: SparseVector, cotangent: Tensor, beyond: float = 0.0) -> Iterator[Block]:
        """Stream A^T cotangent, one tile of patterns at a time; see `BlockModel.blocks`."""
        d = self.rows.d
        inputs = torch.arange(d, device=self.rows.device)
        pieces = [cotangent[span] for span in self.rows.spans]
        for tile in self._tiles(coef, cotangent, beyond):
            n_patterns = tile.stop - tile.start if isinstance(tile, slice) else len(tile)
            gradient = cotangent.new_zeros(n_patterns, d)
            patterns = self.patterns.of_tile(tile)
            for active, piece, block in zip(patterns, pieces, self.rows.blocks, strict=True):
                gradient.addmm_(self.patterns.as_floats(active).mul_(piece), block.T)
            units, row = self.patterns.units_of(tile)
            gradient = self.rows.total(gradient)[row]
            if self._bounds is not None:
                self._bounds.renew(units, gradient)
            indices = (units[:, None] * d + inputs).ravel()
            yield Block(indices, dense_units(coef, units, d).ravel(), gradient.ravel())
        yield from self._ungated(coef)

    def _tiles(
        self, coef: SparseVector, cotangent: Tensor, beyond: float
    ) -> Iterable[slice | Tensor]:
        """Return tiles with all units that have weights or a gradient of size `beyond`."""
        if self._bounds is None:
            return self.patterns.tiles()
        self._bounds.move(cotangent)
        wanted = self._bounds.reaches(beyond)
        wanted[(coef.indices // self.rows.d).cpu()] = True
        return self.patterns.packed(wanted)

    @cached_property
    def _bounds(self) -> GradientBounds | None:
        """None where nothing can be left out: if gates follow weights, all units have some."""
        # Bounds are of the rows that are here.
        if not self.patterns.can_be_packed or self.rows.team.size > 1:
            return None
        return GradientBounds(self.rows, self.hidden)

    def atoms(self, r: Tensor) -> Iterator[Atoms]:
        """Stream the columns' inner products with r and norms, one tile of patterns at a time."""
        inputs = torch.arange(self.rows.d, device=self.rows.device)
        for tile in self.patterns.tiles():
            inner = r.new_zeros(tile.stop - tile.start, self.rows.d)
            squares = torch.zeros_like(inner)
            blocks = zip(
                self.patterns.of_tile(tile), self.rows.blocks, self.rows.spans, strict=True
            )
            for active, block, span in blocks:
                floats = self.patterns.as_floats(active)
                squares.addmm_(floats, block.square().T)
                inner.addmm_(floats.mul_(r[span]), block.T)
            squares, inner = self.rows.total(squares), self.rows.total(inner)
            order = self.patterns.first[tile].argsort()
            indices = self.patterns.first[tile][order][:, None] * self.rows.d + inputs
            yield Atoms(indices.ravel(), inner[order].ravel(), squares[order].ravel())

    def _ungated(self, coef: SparseVector) -> Iterator[Block]:
        """Weights of units whose gate is zero: they have no gradient but are still there."""
        left = torch.isin(coef.indices // self.rows.d, self.patterns.live, invert=True)
        if bool(left.any()):
            values = coef.values[left]
            yield Block(coef.indices[left], values, torch.zeros_like(values))

    def take(self, index: np.ndarray) -> GatedReLU:
        """Return the model on some of its rows."""
        return GatedReLU(self.rows.take(index), self.hidden, self.patterns.gates, self.memory)

    def refresh(self, coef: SparseVector, fresh: int | None = None) -> GatedReLU:
        """Return the model gated by its own weights; see `BlockModel.refresh`."""
        gates = own_gates(coef, self.rows.d, fresh)
        return GatedReLU(self.rows, self.hidden, gates, self.memory)


class GatedColumns:
    """Columns of A on a support, kept if the memory budget allows and made again if not.

    Columns of one pattern and one input are equal, and are held once.

    Parameters
    ----------
    patterns : Patterns
    indices : Tensor of int64, shape (s,)
    """

    def __init__(self, patterns: Patterns, indices: Tensor):
        self.patterns, self.rows = patterns, patterns.rows
        numbers = patterns.numbers_of(indices // self.rows.d)
        keys = numbers * self.rows.d + indices % self.rows.d
        self._keys, self._column = torch.unique(keys, return_inverse=True)
        self._store = RowBlockStore(
            patterns.memory, len(self._keys), self.rows.spans, self.rows.dtype
        )
        self._filled = False

    def _make(self, out: list[Tensor] | None) -> Iterator[Tensor]:
        """Yield the columns transposed, by row block, written into `out` if given."""
        inputs, step = self._keys % self.rows.d, units_per_tile(self.rows.d)
        active = self.patterns.select(torch.div(self._keys, self.rows.d, rounding_mode="floor"))
        for number, (pattern, block) in enumerate(zip(active, self.rows.blocks, strict=True)):
            place = block.new_empty(pattern.shape) if out is None else out[number]
            # Piece by piece, so that each is still in the cache when it is masked.
            for start in range(0, len(inputs), step):
                stretch = slice(start, start + step)
                piece = place[stretch]
                values = self.patterns.room(*piece.shape)
                torch.index_select(block, 0, inputs[stretch], out=values)
                self.patterns.as_floats(pattern[stretch], out=piece).mul_(values)
            yield place

    def blocks(self) -> Iterator[Tensor]:
        """Yield the distinct columns transposed, by row block, shape (columns, rows)."""
        if self._filled:
            yield from self._store.blocks or ()
        else:
            # Made on the first pass, which uses every block while it is still in the cache.
            yield from self._make(self._store.blocks)
            self._filled = self._store.blocks is not None

    def _weights(self, v: Tensor) -> Tensor:
        return v.new_zeros(len(self._keys)).index_add_(0, self._column, v)

    def matvec(self, v: Tensor) -> Tensor:
        """Return A_S v, shape (n,)."""
        weights, z = self._weights(v), v.new_empty(self.rows.n)
        for span, block in zip(self.rows.spans, self.blocks(), strict=True):
            torch.mv(block.T, weights, out=z[span])
        return z

    def rmatvec(self, r: Tensor) -> Tensor:
        """Return A_S^T r, shape (s,)."""
        total = r.new_zeros(len(self._keys))
        for span, block in zip(self.rows.spans, self.blocks(), strict=True):
            total.addmv_(block, r[span])
        return self.rows.total(total)[self._column]

    def both(self, v: Tensor, cotangent: RowMap) -> tuple[Tensor, Tensor]:
        """Return z = A_S v and A_S^T cotangent(z), in one pass over the columns."""
        weights, total = self._weights(v), v.new_zeros(len(self._keys))
        z = v.new_empty(self.rows.n)
        for span, block in zip(self.rows.spans, self.blocks(), strict=True):
            torch.mv(block.T, weights, out=z[span])
            total.addmv_(block, cotangent(z[span], span))
        return z, self.rows.total(total)[self._column]

    def squares(self) -> Tensor:
        """Return the squared norms of the columns, shape (s,)."""
        total = self.rows.blocks[0].new_zeros(len(self._keys))
        for block in self.blocks():
            total += block.square().sum(dim=1)
        return self.rows.total(total)[self._column]

    def square(self, v: Tensor) -> Tensor:
        """Return |v|^2 of a vector that has a number for each row."""
        return self.rows.total(v.square().sum())

    def norm(self, v: Tensor) -> Tensor:
        """Return |v| of a vector that has a number for each row."""
        return v.norm() if self.rows.team.size == 1 else self.square(v).sqrt()
