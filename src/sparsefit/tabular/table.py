"""Tables in files: what their columns are, and the rows as numbers, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparsefit.core.errors import DataError, near_match
from sparsefit.predictor import Column
from sparsefit.tabular import cells
from sparsefit.tabular.source import Cell, Source, open_source

# A column with more texts than these is a name or a free text, not a category.
_MOST_LEVELS = 1000
# The count of many different texts is known to a few percent.
_ABOUT = 1.2


@dataclass(frozen=True)
class Table:
    """A file with named columns, of which each is numbers or texts.

    Attributes
    ----------
    source : Source
    levels : dict of str to tuple of str or None
        For each column the texts in it, sorted; None for a column of numbers.
    n_rows : int
    """

    source: Source
    levels: Mapping[str, tuple[str, ...] | None]
    n_rows: int

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.source.path

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.levels)

    def check(self, column: str, option: str) -> None:
        """Raise `DataError` with a near match if there is no such column."""
        if column not in self.levels:
            raise DataError(
                f"{option} {column!r}: {self.path} has no such column"
                f"{near_match(column, self.names)}; it has {_some(self.names)}"
            )

    def blocks(self, names: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield blocks of rows of some columns, (rows, len(names)), float64.

        Texts are places in `levels`; NaN is missing.

        Raises
        ------
        DataError
            If a column of numbers holds a text or infinity, or one cannot be read as any.
        """
        for block in self.source.blocks([self._expression(column) for column in names]):
            infinite = np.isinf(block).any(axis=0)
            if infinite.any():
                column = names[int(infinite.argmax())]
                raise DataError(
                    f"{self.path}: column {column!r} holds infinity; numbers must be finite"
                )
            yield block

    def _expression(self, column: str) -> str:
        cell, levels = self.source.columns[column], self.levels[column]
        _check_kind(column, cell, self.path)
        return (
            cells.number_or_error(cell, column) if levels is None else cells.place_of(cell, levels)
        )


def open_table(path: Path, drop: Sequence[str] = ()) -> Table:
    """Read a file to learn what its columns are, but for those of `drop`.

    Raises
    ------
    DataError
        If it is no table that can be read, or a column is neither numbers nor categories.
    """
    source = open_source(path)
    read = {column: cell for column, cell in source.columns.items() if column not in drop}
    for column, cell in read.items():
        _check_kind(column, cell, path)
    texts = {column: cell for column, cell in read.items() if cells.is_text(cell.kind)}
    n_rows, categories = _categories(source, texts)
    if not n_rows:
        raise DataError(f"{path} has no rows")
    levels = dict.fromkeys(source.columns) | _levels(source, categories)
    numbers = [column for column in texts if levels[column] is None]
    return Table(source.with_numbers(numbers), levels, n_rows)


def _check_kind(column: str, cell: Cell, path: Path) -> None:
    if not cells.is_number(cell.kind) and not cells.is_text(cell.kind):
        raise DataError(
            f"{path}: column {column!r} holds {cell.kind}, which is neither numbers nor texts; "
            "leave it out with --drop"
        )


def _categories(source: Source, texts: Mapping[str, Cell]) -> tuple[int, list[str]]:
    """Return the number of rows, and which columns of texts are no numbers."""
    counts = ["count(*)"]
    for cell in texts.values():
        counts += [f"count({cell.name})", f"count({cells.number_of(cell)})"]
    n_rows, *found = source.row(counts)
    n_numbers = dict(zip(texts, found[1::2], strict=True))
    unclear = [column for column, n in zip(texts, found[::2], strict=True) if n > n_numbers[column]]
    categories = {column for column, cell in texts.items() if cell.kind == "BOOLEAN"}
    for column, (n_texts, example) in zip(unclear, _texts(source, unclear), strict=True):
        if 0 < n_texts < n_numbers[column]:
            raise DataError(f"{source.path}: {cells.not_a_number(column, example)}")
        if n_texts:
            categories.add(column)
    return n_rows, [column for column in texts if column in categories]


def _texts(source: Source, columns: Sequence[str]) -> list[tuple[int, str]]:
    """Return how many cells of some columns are texts and no numbers, and the first."""
    if not columns:
        return []
    wanted = []
    for column in columns:
        cell = source.columns[column]
        level = cells.level_of(cell)
        is_text = f"{cells.number_of(cell)} IS NULL AND {level} IS NOT NULL"
        wanted += [f"count(*) FILTER ({is_text})", f"first({level}) FILTER ({is_text})"]
    found = source.row(wanted)
    return list(zip(found[::2], found[1::2], strict=True))


def _levels(source: Source, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the texts of some columns, sorted."""
    if not columns:
        return {}
    wanted = [cells.level_of(source.columns[column]) for column in columns]
    # Counted first: all texts of an identifier may not fit into memory.
    about = source.row([f"approx_count_distinct({level})" for level in wanted])
    _check_counts(source, columns, about, most=_ABOUT * _MOST_LEVELS)
    lists = source.row([f"list(DISTINCT {level})" for level in wanted])
    found = [sorted(level for level in levels if level is not None) for levels in lists]
    _check_counts(source, columns, [len(levels) for levels in found], most=_MOST_LEVELS)
    return {column: tuple(levels) for column, levels in zip(columns, found, strict=True)}


def _check_counts(
    source: Source, columns: Sequence[str], counts: Sequence[int], most: float
) -> None:
    for column, count in zip(columns, counts, strict=True):
        if count > most:
            raise DataError(
                f"{source.path}: column {column!r} has more than {_MOST_LEVELS} different texts; "
                "leave it out with --drop"
            )


def columns_of(table: Table, names: Sequence[str], kept: np.ndarray | None = None) -> list[Column]:
    """Return the columns with the means and standard deviations of their numbers.

    Parameters
    ----------
    table : Table
    names : sequence of str
    kept : ndarray of bool, shape (n_rows,), optional
        Rows that count.
    """
    numbers = [name for name in names if table.levels[name] is None]
    count = np.zeros(len(numbers))
    mean, squares, start = np.zeros(len(numbers)), np.zeros(len(numbers)), 0
    for block in table.blocks(numbers) if numbers else ():
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
    spread[spread <= 1e-12 * np.abs(mean)] = 1.0
    moments = dict(zip(numbers, zip(mean.tolist(), spread.tolist(), strict=True), strict=True))
    found = []
    for name in names:
        levels = table.levels[name]
        if levels is None:
            found.append(Column(name=name, mean=moments[name][0], scale=moments[name][1] or 1.0))
        else:
            found.append(Column(name=name, levels=levels))
    return found


def _some(names: list[str]) -> str:
    more = ", ..." if len(names) > 8 else ""
    return ", ".join(repr(name) for name in names[:8]) + more
