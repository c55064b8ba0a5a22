"""The two-layer network with k outputs, its layers concatenated into one parameter vector."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import Workspace
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models._patterns import Gates, Patterns, dense_units, own_gates
from sparsefit.models.base import Atoms, Block, SupportMatrix


class FactoredReLU:
    """z = sum_j D_j (X w_j) u_j^T, with w_j in R^d and u_j in R^k.

    The parameter vector is (w_1, ..., w_m, u_1, ..., u_m), of length m*(d + k).

    Parameters
    ----------
    rows : RowBlocks
        The data.
    hidden, n_outputs : int
        m and k.
    gates : RandomGates or SparseVector
        Gate vectors; a `SparseVector` has length m*d.
    memory : Workspace, optional
        For patterns that may be kept; results do not depend on it.
    fill : RandomGates or None, optional
        Where given, a w_j or u_j that is all zero is replaced by a small uniform draw in
        `blocks`: at zero both factors have a zero gradient, and nothing would ever move.

    Examples
    --------
    >>> rows = RowBlocks(np.array([[1.0], [3.0]]), dtype=torch.float64)
    >>> coef = SparseVector(torch.tensor([0, 1, 2]), torch.tensor([2.0, 1.0, -1.0]).double(), 3)
    >>> model = FactoredReLU(rows, 1, 2, RandomGates(0, 1)).refresh(coef)
    >>> model.forward(coef).tolist()
    [[2.0, -2.0], [6.0, -6.0]]
    """

    is_linear = False

    def __init__(
        self,
        rows: RowBlocks,
        hidden: int,
        n_outputs: int,
        gates: Gates,
        memory: Workspace | None = None,
        fill: RandomGates | None = None,
    ):
        self.rows, self.hidden, self.n_outputs, self.fill = rows, hidden, n_outputs, fill
        self.memory = memory or Workspace(device=rows.device)
        self.patterns = Patterns(rows, hidden, gates, self.memory)
        self.n_hidden_params = hidden * rows.d
        self.n_params = self.n_hidden_params + hidden * n_outputs

    @property
    def n_rows(self) -> int:
        """Rows in all, those of other processes included."""
        return self.rows.n_all

    def zeros(self) -> SparseVector:
        """Return the zero parameter vector."""
        return SparseVector.zeros(self.n_params, dtype=self.rows.dtype, device=self.rows.device)

    def split(self, coef: SparseVector) -> tuple[SparseVector, SparseVector]:
        """Return (w, u): hidden and output weights as unit-major vectors."""
        border = self.n_hidden_params
        w, u = coef.between(0, border), coef.between(border, self.n_params)
        return (
            SparseVector(w.indices, w.values, border),
            SparseVector(u.indices - border, u.values, self.n_params - border),
        )

    def forward(self, coef: SparseVector) -> Tensor:
        """Return z, shape (n, k)."""
        w, u = self.split(coef)
        units = torch.unique_consecutive(w.indices // self.rows.d)
        units = units[torch.isin(units, u.indices // self.n_outputs)]
        w_rows = dense_units(w, units, self.rows.d)
        u_rows = dense_units(u, units, self.n_outputs)
        active = self.patterns.select(self.patterns.numbers_of(units))
        blocks = zip(active, self.rows.blocks, strict=True)
        return torch.cat([((w_rows @ block) * pattern).T @ u_rows for pattern, block in blocks])

    def blocks(self, coef: SparseVector, cotangent: Tensor, beyond: float = 0.0) -> Iterator[Block]:
        """Stream J^T cotangent; for every tile of units the w part, then the u part."""
        w, u = self.split(coef)
        inputs = torch.arange(self.rows.d, device=self.rows.device)
        outputs = torch.arange(self.n_outputs, device=self.rows.device)
        pieces = [cotangent[span] for span in self.rows.spans]
        for tile in self.patterns.tiles():
            units, row = self.patterns.units_of(tile)
            w_rows = self._filled(dense_units(w, units, self.rows.d), units, 0)
            u_rows = self._filled(dense_units(u, units, self.n_outputs), units, self.rows.d)
            w_gradient, u_gradient = torch.zeros_like(w_rows), torch.zeros_like(u_rows)
            patterns = self.patterns.of_tile(tile)
            for pattern, piece, block in zip(patterns, pieces, self.rows.blocks, strict=True):
                active = pattern[row]
                w_gradient.addmm_((u_rows @ piece.T) * active, block.T)
                u_gradient.addmm_((w_rows @ block) * active, piece)
            w_gradient, u_gradient = self.rows.total(w_gradient), self.rows.total(u_gradient)
            w_indices = (units[:, None] * self.rows.d + inputs).ravel()
            yield Block(w_indices, w_rows.ravel(), w_gradient.ravel())
            u_indices = self.n_hidden_params + (units[:, None] * self.n_outputs + outputs).ravel()
            yield Block(u_indices, u_rows.ravel(), u_gradient.ravel())
        yield from self._ungated(coef)

    def _filled(self, rows: Tensor, units: Tensor, offset: int) -> Tensor:
        """Replace zero rows by uniform draws in +-1/sqrt(rows * columns of the whole layer)."""
        empty = (rows == 0).all(dim=1)
        if self.fill is not None and bool(empty.any()):
            drawn = torch.from_numpy(self.fill.uniform_rows(units[empty].cpu().numpy()))
            drawn = drawn[:, offset : offset + rows.shape[1]].to(rows)
            rows[empty] = (2 * drawn - 1) / (self.hidden * rows.shape[1]) ** 0.5
        return rows

    def _ungated(self, coef: SparseVector) -> Iterator[Block]:
        """Numbers of units whose gate is zero: they have no gradient but are still there."""
        in_u = coef.indices >= self.n_hidden_params
        unit = torch.where(
            in_u,
            (coef.indices - self.n_hidden_params) // self.n_outputs,
            coef.indices // self.rows.d,
        )
        left = torch.isin(unit, self.patterns.live, invert=True)
        if bool(left.any()):
            values = coef.values[left]
            yield Block(coef.indices[left], values, torch.zeros_like(values))

    def support(self, indices: Tensor) -> SupportMatrix:
        """Refuse: the outputs are not linear in the parameters."""
        raise TypeError("a factored model is not linear in its parameters")

    def atoms(self, r: Tensor) -> Iterator[Atoms]:
        """Refuse: the outputs are not linear in the parameters."""
        raise TypeError("a factored model is not linear in its parameters")

    def take(self, index: np.ndarray) -> FactoredReLU:
        """Return the model on some of its rows."""
        return self._with(self.rows.take(index), self.patterns.gates, self.fill)

    def refresh(self, coef: SparseVector, fresh: int | None = None) -> FactoredReLU:
        """Return the model gated by its own hidden weights; see `BlockModel.refresh`."""
        return self._with(self.rows, own_gates(self.split(coef)[0], self.rows.d, fresh), self.fill)

    def with_fill(self, fill: RandomGates | None) -> FactoredReLU:
        """Return the model with another `fill`."""
        return self._with(self.rows, self.patterns.gates, fill)

    def _with(self, rows: RowBlocks, gates: Gates, fill: RandomGates | None) -> FactoredReLU:
        return FactoredReLU(rows, self.hidden, self.n_outputs, gates, self.memory, fill)
