"""Tables: what their columns are, and the rows as numbers, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sparsefit.core.errors import DataError, near_match
from sparsefit.predictor import Column
from sparsefit.reading import cells
from sparsefit.reading.source import Source


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a column of a file is taken as.

    Attributes
    ----------
    word : str
        "number", "category", "date", or "" where it was not looked at.
    columns : tuple of Column
        What a model gets of it, before its scale is known: itself, or the parts of a date.
    left_out : str
        Why a model gets nothing of it; empty where it does.
    n_missing : int
        Cells without a value.
    remarks : tuple of str
        What is odd about it.
    """

    word: str = ""
    columns: tuple[Column, ...] = ()
    left_out: str = ""
    n_missing: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows with named columns, and what each is taken as.

    Attributes
    ----------
    source : Source
    kinds : dict of str to Kind
        By the columns of the file, in order.
    n_rows : int
    """

    source: Source
    kinds: Mapping[str, Kind]
    n_rows: int

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.source.path

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.kinds)

    def inputs(self, names: Sequence[str]) -> list[Column]:
        """Return what a model gets of some columns."""
        kinds = [self.kinds[name] for name in names]
        return [column for kind in kinds if not kind.left_out for column in kind.columns]

    def blocks(self, columns: Sequence[Column]) -> Iterator[np.ndarray]:
        """Yield blocks of rows, (rows, len(columns)), float64; see `blocks_of`."""
        return blocks_of(self.source, columns)


def blocks_of(
    source: Source, columns: Sequence[Column], more: Sequence[str] = ()
) -> Iterator[np.ndarray]:
    """Yield blocks of rows of some columns, (rows, len(columns)), float64.

    Texts are places in the levels of their column; NaN is missing. More expressions of DuckDB
    follow.

    Raises
    ------
    DataError
        If a column of numbers holds a text or infinity, or one cannot be read as any.
    """
    values = [cells.value_of(source, column) for column in columns]
    for block in source.blocks([*values, *more]):
        infinite = np.isinf(block).any(axis=0)
        if infinite.any():
            column = columns[int(infinite.argmax())].name
            raise DataError(
                f"{source.path}: column {column!r} holds infinity; numbers must be finite"
            )
        yield block


def check_column(source: Source, column: str, option: str) -> None:
    """Raise `DataError` with a near match if there is no such column."""
    names = list(source.columns)
    if column not in names:
        more = ", ..." if len(names) > 8 else ""
        raise DataError(
            f"{option} {column!r}: {source.path} has no such column{near_match(column, names)}; "
            f"it has {', '.join(map(repr, names[:8]))}{more}"
        )


def check_has(source: Source, columns: Sequence[Column]) -> None:
    """Raise `DataError` with a near match if one of the columns of a model is not there."""
    for column in columns:
        if column.read_from not in source.columns:
            raise DataError(
                f"{source.path} has no column {column.read_from!r}"
                f"{near_match(column.read_from, source.columns)}, which the model uses"
            )


def with_moments(
    table: Table, columns: Sequence[Column], kept: np.ndarray | None = None
) -> list[Column]:
    """Return columns with the means and standard deviations of their numbers.

    Categories that are the same in all rows are left out: their level would be a constant by
    another name, which a value that comes later takes away.

    Parameters
    ----------
    table : Table
    columns : sequence of Column
    kept : ndarray of bool, shape (n_rows,), optional
        Rows that count.
    """
    count, mean = np.zeros(len(columns)), np.zeros(len(columns))
    squares, start = np.zeros(len(columns)), 0
    for block in table.blocks(columns) if columns else ():
        rows = block if kept is None else block[kept[start : start + len(block)]]
        start += len(block)
        n = np.isfinite(rows).sum(axis=0)
        total = count + n
        # Of this block and all before it, by the means of both: sums of squares would cancel.
        own = np.nansum(rows, axis=0) / n.clip(min=1)
        shift = own - mean
        squares += np.nansum(np.square(rows - own), axis=0)
        squares += np.square(shift) * count * n / total.clip(min=1)
        mean, count = mean + shift * n / total.clip(min=1), total
    spread = np.sqrt(squares / count.clip(min=1))
    n_rows = table.n_rows if kept is None else int(kept.sum())
    spread[spread <= 1e-12 * np.abs(mean)] = 0.0
    found = []
    for at, column in enumerate(columns):
        if not column.levels:
            scale = float(spread[at]) or 1.0
            found.append(replace(column, mean=float(mean[at]), scale=scale))
        elif spread[at] or 0 < count[at] < n_rows:  # a level that some rows lack says something
            found.append(column)
    return found
