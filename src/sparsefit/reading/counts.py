"""What passes over all rows say of the columns of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sparsefit.predictor import Written
from sparsefit.reading import cells
from sparsefit.reading.source import Cell, Source

# A column with more texts than these is a name or a free text, not a category.
MOST_LEVELS = 1000
# The count of many different texts is known to a few percent.
_ABOUT = 1.2
# Rows among which examples of many different texts are looked for.
_MOST_EXAMPLES = 2000


class Count(NamedTuple):
    """Of a column: cells with a value, those that are numbers, and the ends of these.

    `has_zeros` says whether some begin with a zero and another digit.
    """

    n_known: int
    n_numbers: int
    has_zeros: bool
    least: float | None
    most: float | None


class Texts(NamedTuple):
    """Of a column of texts.

    `n_known` cells have a value, of which `n_texts` are no plain number, such as `example`; about
    `n_levels` differ, and `levels` are all of these or, if there are very many, examples of what
    is no plain number.
    """

    n_known: int
    n_texts: int
    example: str
    n_levels: int
    levels: tuple[str, ...]


def counts(source: Source, read: Mapping[str, Cell]) -> tuple[int, dict[str, Count]]:
    """Return the number of rows, and the counts of columns, of one pass."""
    wanted, width = ["count(*)"], len(Count._fields)
    for cell in read.values():
        name, number = cell.name, cells.number_of(cell)
        if cells.sort_of(cell.kind) == "date":
            number = "NULL::DOUBLE"
        if cell.kind in ("FLOAT", "DOUBLE"):
            name = number = f"CASE WHEN NOT isnan({name}) THEN {name} END"
        zeros = f"{name} >= '00' AND {name} < '0:'" if cell.kind == "VARCHAR" else "false"
        wanted += [
            f"count({name})", f"count({number})", f"coalesce(bool_or({zeros}), false)",
            f"min({number})", f"max({number})",
        ]  # fmt: skip
    n_rows, *found = source.row(wanted)
    rows = [found[start : start + width] for start in range(0, len(found), width)]
    return n_rows, {name: Count(*row) for name, row in zip(read, rows, strict=True)}


def copies(source: Source, names: Sequence[str], target: str) -> set[str]:
    """Return which of some columns have the cells of another."""
    goal = source.columns[target]
    names = [name for name in names if source.columns[name].kind == goal.kind and name != target]
    wanted = [
        f"bool_and({source.columns[name].name} IS NOT DISTINCT FROM {goal.name})" for name in names
    ]
    found = source.row(wanted) if names else ()
    return {name for name, is_copy in zip(names, found, strict=True) if is_copy}


def texts(source: Source, names: Sequence[str]) -> dict[str, Texts]:
    """Return what there is to know of columns that are not numbers alone."""
    if not names:
        return {}
    wanted = []
    for name in names:
        level, is_text = _level(source, name), _is_text(source, name)
        wanted += [
            f"count({level})", f"count(*) FILTER ({is_text})", f"first({level}) FILTER ({is_text})",
            f"approx_count_distinct({level})",
        ]  # fmt: skip
    row = source.row(wanted)
    found = {name: Texts._make((*row[4 * at : 4 * at + 4], ())) for at, name in enumerate(names)}
    # All texts of an identifier may not fit into memory.
    few = [name for name in names if found[name].n_levels <= _ABOUT * MOST_LEVELS]
    lists = source.row([f"list(DISTINCT {_level(source, name)})" for name in few]) if few else ()
    for name, some in zip(few, lists, strict=True):
        levels = sorted(level for level in some or () if level is not None)
        found[name] = found[name]._replace(n_levels=len(levels), levels=tuple(levels))
    for name in set(names) - set(few):
        some = source.some(_level(source, name), _is_text(source, name), _MOST_EXAMPLES)
        n_levels = max(found[name].n_levels, MOST_LEVELS + 1)
        found[name] = found[name]._replace(n_levels=n_levels, levels=tuple(sorted(some)))
    return found


def points_among(source: Source, name: str) -> list[str]:
    """Return examples of the texts with a point in a column."""
    cell = source.columns[name].name
    return source.some(cell, f"contains({cell}, '.')", _MOST_EXAMPLES)


class Ends(NamedTuple):
    """Of a column of numbers: how many differ, to a few percent, the first and the last.

    `are_whole` says whether all are whole numbers.
    """

    n_different: int
    are_whole: bool
    first: float
    last: float


def ends(source: Source, names: Sequence[str]) -> dict[str, Ends]:
    """Return how the numbers of some columns go on."""
    wanted = []
    for name in names:
        number = cells.number_of(source.columns[name])
        wanted += [
            f"approx_count_distinct({number})", f"bool_and({number} = floor({number}))",
            f"first({number})", f"last({number})",
        ]  # fmt: skip
    found = source.row(wanted) if names else ()
    return {name: Ends(*found[4 * at : 4 * at + 4]) for at, name in enumerate(names)}


def n_of_form(source: Source, name: str, written: Written) -> int:
    """Return how many cells of a column are numbers or dates that are written so."""
    cell = source.columns[name]
    value = (cells.moment_of if written.date else cells.number_of)(cell, written)
    return int(source.row([f"count({value})"])[0])


def _level(source: Source, name: str) -> str:
    return cells.level_of(source.columns[name], source.missing)


def _is_text(source: Source, name: str) -> str:
    number = cells.number_of(source.columns[name])
    return f"{number} IS NULL AND {_level(source, name)} IS NOT NULL"
