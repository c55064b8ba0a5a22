"""Gate vectors h_j that decide on which rows a hidden unit is active, 1[x . h_j > 0]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RandomGates:
    """Standard normal gate vectors, drawn per unit from a counter-based generator.

    Unit j is stream j of a Philox generator seeded with `seed`, so the draw does not depend on
    how units are grouped into blocks, on their number, or on the device.

    Parameters
    ----------
    seed : int
        Seed of the generator, >= 0.
    n_inputs : int
        Length d of a gate vector.

    Examples
    --------
    >>> gates = RandomGates(seed=0, n_inputs=4)
    >>> bool((gates.rows(range(3))[2] == gates.rows([2])[0]).all())
    True
    """

    seed: int
    n_inputs: int

    def rows(self, units: range | list[int] | np.ndarray) -> np.ndarray:
        """Return the gate vectors of `units`, shape (len(units), n_inputs), float64."""
        out = np.empty((len(units), self.n_inputs))
        for row, generator in zip(out, self._streams(units), strict=True):
            generator.standard_normal(out=row)
        return out

    def uniform_rows(self, units: range | list[int] | np.ndarray) -> np.ndarray:
        """Return uniform draws in [0, 1) from the same streams, shape (len(units), n_inputs)."""
        out = np.empty((len(units), self.n_inputs))
        for row, generator in zip(out, self._streams(units), strict=True):
            generator.random(out=row)
        return out

    def _streams(self, units: range | list[int] | np.ndarray) -> Iterator[np.random.Generator]:
        """Yield one generator, set to the start of each unit's stream in turn."""
        bits = np.random.Philox(self.seed)
        generator = np.random.Generator(bits)
        state = bits.state
        for unit in units:
            # The third counter word names the stream; the first two count within it.
            state["state"]["counter"][:] = (0, 0, int(unit), 0)
            state["buffer_pos"] = 4
            state["has_uint32"] = 0
            bits.state = state
            yield generator
