"""What the columns of a table are to a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Written:
    """How the texts of a column stand for numbers or dates.

    Attributes
    ----------
    decimal : str
        The mark before decimals.
    thousands : str
        What stands between groups of digits; empty for nothing.
    unit : str
        What stands before or after a number and is left out, such as "$", "%" or "kg".
    minus : str
        How negative numbers are marked: "-", "\N{MINUS SIGN}", or "(" where they are in brackets.
    date : str
        Of dates, in the letters of ``strptime``, or "ISO", or "CLOCK" of times of day; empty for
        numbers.

    Examples
    --------
    >>> Written(decimal=",", unit="kg").stored
    {'decimal': ',', 'unit': 'kg'}
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    minus: str = "-"
    date: str = ""

    @property
    def stored(self) -> dict[str, str]:
        """What is not as usual, by name."""
        usual = {entry.name: entry.default for entry in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


# Parts of a date, in order: numbers, and categories with their levels.
PARTS: Mapping[str, tuple[str, ...]] = {
    "trend": (), "year": (), "month": tuple(map(str, range(1, 13))),
    "weekday": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), "hour": (),
}  # fmt: skip


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
    part : str
        Of a date, which is made of the column `source` of a file: "trend" (days since the first of
        January 1970), "year", "month", "weekday" or "hour"; empty for what a file has as it is.
    source : str
        The column of a file that it is read from; empty for that of its own name.
    written : Written
        How the texts of a file stand for its numbers.

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
    part: str = ""
    source: str = ""
    written: Written = field(default_factory=Written)

    @property
    def n_inputs(self) -> int:
        """Inputs of the network that the column becomes."""
        return len(self.levels) or 1

    @property
    def input_names(self) -> list[str]:
        """Names of these inputs: that of the column or, for categories, ``column=level``."""
        return [f"{self.name}={level}" for level in self.levels] or [self.name]

    @property
    def read_from(self) -> str:
        """The column of a file that it is read from."""
        return self.source or self.name

    @property
    def stored(self) -> dict[str, Any]:
        """What a file of the model has of it."""
        found: dict[str, Any] = {
            "name": self.name, "mean": self.mean, "scale": self.scale, "levels": self.levels
        }  # fmt: skip
        more = {"part": self.part, "source": self.source, "written": self.written.stored}
        return found | {name: value for name, value in more.items() if value}

    @classmethod
    def of_stored(cls, entry: Mapping[str, Any]) -> Column:
        """Return what `stored` was of.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is not of that form.
        """
        part = str(entry.get("part", ""))
        if part and part not in PARTS:
            raise ValueError(f"there is no part {part!r} of a date")
        written = {str(name): str(value) for name, value in entry.get("written", {}).items()}
        return cls(
            name=str(entry["name"]), mean=float(entry["mean"]), scale=float(entry["scale"]),
            levels=strings(entry["levels"]), part=part, source=str(entry.get("source", "")),
            written=Written(**written),
        )  # fmt: skip

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


def strings(values: object) -> tuple[str, ...]:
    """Return a list of texts as a tuple, or raise `TypeError`."""
    if not isinstance(values, (list, tuple)) or not all(isinstance(v, str) for v in values):
        raise TypeError(f"expected a list of texts, got {values!r}")
    return tuple(values)
