"""How large the gradient of a unit can be, from what it was a step before."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from sparsefit.core.row_blocks import RowBlocks


class GradientBounds:
    """Bounds on |a_c . r| over the columns a_c of each unit, kept up as r moves.

    From r' to r an inner product moves by at most |a_c| |r - r'|, and a column of a gated unit is
    an input with some rows set to zero, |a_c| <= |x_c|. Rounding is bounded as well: what is
    promised holds for gradients as they are computed, bit for bit.

    Parameters
    ----------
    rows : RowBlocks
        The data.
    hidden : int
        Number of units.

    Examples
    --------
    >>> import numpy as np
    >>> bounds = GradientBounds(RowBlocks(np.ones((4, 1)), dtype=torch.float64), 2)
    >>> bounds.move(torch.zeros(4).double())
    >>> bounds.renew(torch.tensor([0, 1]), torch.tensor([[0.0], [3.0]]).double())
    >>> bounds.move(torch.tensor([1.0, 0, 0, 0]).double())
    >>> bounds.reaches(1.9).tolist(), bounds.reaches(2.1).tolist()
    ([True, True], [False, True])
    """

    def __init__(self, rows: RowBlocks, hidden: int):
        self.rows = rows
        # A bound is what was computed, and the longest input times how far r has gone since.
        self._computed = torch.full((hidden,), torch.inf, dtype=torch.float64)
        self._gone = torch.zeros(hidden, dtype=torch.float64)
        self._rounding = 0.0
        self._at: Tensor | None = None

    def move(self, r: Tensor) -> None:
        """Let the bounds hold at r, shape (n,)."""
        r, before = _wide(r), self._at
        if before is not None:
            self._gone += (r - before).norm()
        self._at = r
        # An inner product takes this many roundings, whichever way a row block's terms are summed.
        blocks = self.rows.blocks
        roundings = max(block.shape[1] for block in blocks) + len(blocks) + 8
        self._rounding = roundings * torch.finfo(self.rows.dtype).eps / 2 * r.norm().item()

    def renew(self, units: Tensor, gradient: Tensor) -> None:
        """Put in the gradient of some units at r, shape (len(units), d)."""
        units = units.cpu()
        self._computed[units] = _wide(gradient.abs().amax(dim=1))
        self._gone[units] = self._rounding

    def reaches(self, size: float) -> Tensor:
        """Return by unit whether a gradient may be as large as `size`.

        Three roundings apart: that of the gradient itself and, as `size` comes from gradients on a
        support, that of these by the one way of computing them and by the other.
        """
        if not size > 0 or bool(self._computed.isinf().all()):
            return torch.ones_like(self._computed, dtype=torch.bool)
        bounds = self._computed + self._longest * (self._gone + 3 * self._rounding)
        return ~(1.0001 * bounds < size)  # also true where something is NaN

    @cached_property
    def _longest(self) -> float:
        squares = torch.stack([_wide(block).square().sum(dim=1) for block in self.rows.blocks])
        return squares.sum(dim=0).max().sqrt().item()


def _wide(numbers: Tensor) -> Tensor:
    return numbers.to("cpu").to(torch.float64)
