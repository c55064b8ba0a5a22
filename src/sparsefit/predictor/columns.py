"""What the columns of a table are to a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table, and the inputs of a network that it becomes.

    A number x becomes the one input (x - mean) / scale, and 0 where it is missing. A category
    becomes one input for each level, 1 where the row has it; all are 0 where it is missing or has
    a level that was never seen.

    Attributes
    ----------
    name : str
    mean, scale : float
        Of a number; scale > 0.
    levels : tuple of str
        Of a category; empty for a number.

    Examples
    --------
    >>> Column(name="age", mean=40.0, scale=10.0).encode(np.array([50.0, np.nan])).tolist()
    [[1.0], [0.0]]
    >>> Column(name="pet", levels=("cat", "dog")).encode(np.array([1.0, np.nan])).tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0
    levels: tuple[str, ...] = ()

    @property
    def n_inputs(self) -> int:
        """Inputs of the network that the column becomes."""
        return len(self.levels) or 1

    @property
    def input_names(self) -> list[str]:
        """Names of these inputs: that of the column or, for categories, ``column=level``."""
        return [f"{self.name}={level}" for level in self.levels] or [self.name]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the inputs, shape (n, n_inputs).

        Parameters
        ----------
        values : ndarray of shape (n,)
            Floats; for a category the place of its level in `levels`. NaN where missing.
        """
        if self.levels:
            is_level: np.ndarray = values[:, None] == np.arange(len(self.levels))
            return is_level.astype(values.dtype)
        return np.nan_to_num((values - self.mean) / self.scale, nan=0.0)[:, None]
