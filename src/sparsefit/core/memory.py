"""Sizes of the blocks that work is cut into, from budgets in bytes.

Two kinds of size must not be mixed up. *Tiles* are the shapes that matrix products see; rounding
depends on them, so they are functions of the problem alone. *Caches* only decide whether a tile is
kept or made again, so the user's budget may rule them freely without changing one bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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


@dataclass
class MemoryBudget:
    """Bytes for temporary arrays that may be kept, shared by all that ask.

    Parameters
    ----------
    total : int
        Bytes in all.

    Examples
    --------
    >>> budget = MemoryBudget(100)
    >>> budget.reserve(80), budget.reserve(30)
    (True, False)
    """

    total: int
    used: int = field(default=0, init=False)

    def reserve(self, n_bytes: int) -> bool:
        """Take `n_bytes` and return True, or return False if that many are not left."""
        if self.used + n_bytes > self.total:
            return False
        self.used += n_bytes
        return True

    def release(self, n_bytes: int) -> None:
        """Give back what `reserve` granted."""
        self.used -= n_bytes
