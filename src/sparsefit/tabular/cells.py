"""What the cells of a column stand for, in the words of DuckDB: one normal form for all files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sparsefit.tabular.source import Cell
from sparsefit.tabular.text import MISSING
from sparsefit.tabular.words import quoted_text

# Characters of a text that a sentence shows.
_MOST_SHOWN = 60
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")
_TEXT = re.compile(r"VARCHAR|BOOLEAN|UUID|ENUM\(.*\)", re.DOTALL)


def is_number(kind: str) -> bool:
    """Whether a column of this type of DuckDB holds numbers.

    Examples
    --------
    >>> [is_number(kind) for kind in ("UBIGINT", "DECIMAL(10,2)", "VARCHAR", "INTEGER[]")]
    [True, True, False, False]
    """
    return _NUMBER.fullmatch(kind) is not None


def is_text(kind: str) -> bool:
    """Whether a column of this type of DuckDB holds texts, or truth values.

    Examples
    --------
    >>> [is_text(kind) for kind in ("ENUM('a', 'b')", "BOOLEAN", "DATE", "VARCHAR[]")]
    [True, True, False, False]
    """
    return _TEXT.fullmatch(kind) is not None


def level_of(cell: Cell) -> str:
    """Return what gives the text of a cell without blanks about it, NULL where it is missing.

    Truth values are 'true' and 'false', and whole numbers have no point, however a file writes
    them.
    """
    name = cell.name
    if is_number(cell.kind):
        whole = f"CAST(CAST({name} AS HUGEINT) AS VARCHAR)"
        is_whole = f"isfinite({name}::DOUBLE) AND {name} = floor({name}) AND abs({name}) < 1e15"
        return f"CASE WHEN {is_whole} THEN {whole} ELSE CAST({name} AS VARCHAR) END"
    plain = f"trim(CAST({name} AS VARCHAR))"
    missing = ", ".join(quoted_text(marker) for marker in MISSING)
    return (
        f"CASE WHEN {plain} IN ({missing}) THEN NULL "
        f"WHEN lower({plain}) IN ('true', 'false') THEN lower({plain}) ELSE {plain} END"
    )


def number_of(cell: Cell) -> str:
    """Return what gives the number of a cell, NULL where it is none."""
    return f"TRY_CAST({cell.name} AS DOUBLE)"


def number_or_error(cell: Cell, column: str) -> str:
    """Return what gives the number of a cell, NaN where it is missing; a text is an error."""
    number = number_of(cell)
    if is_number(cell.kind) or cell.kind == "BOOLEAN":
        return f"coalesce({number}, 'nan'::DOUBLE)"
    level, (start, end) = level_of(cell), _around_text(column)
    before, after = quoted_text(start + "'"), quoted_text("'" + end)
    error = f"CAST(error({before} || left({level}, {_MOST_SHOWN}) || {after}) AS DOUBLE)"
    return f"coalesce({number}, CASE WHEN {level} IS NULL THEN 'nan'::DOUBLE ELSE {error} END)"


def not_a_number(column: str, level: str) -> str:
    """Return a sentence on a text in a column of numbers.

    Examples
    --------
    >>> not_a_number("age", "old")
    "column 'age' has the text 'old' where numbers are needed"
    """
    start, end = _around_text(column)
    return f"{start}{level[:_MOST_SHOWN]!r}{end}"


def _around_text(column: str) -> tuple[str, str]:
    return f"column {column!r} has the text ", " where numbers are needed"


def place_of(cell: Cell, levels: Sequence[str]) -> str:
    """Return what gives the place of a cell's text in `levels`, NaN where it is missing or new."""
    found = [normal(level) for level in levels]
    # A model may tell apart what is one today.
    found = found if len(set(found)) == len(found) else list(levels)
    kinds = ", ".join(quoted_text(level) for level in found)
    code = f"enum_code(TRY_CAST({level_of(cell)} AS ENUM({kinds})))"
    return f"coalesce(CAST({code} AS DOUBLE), 'nan'::DOUBLE)"


def normal(level: str) -> str:
    """Return a text as `level_of` gives it.

    Examples
    --------
    >>> normal(" True"), normal("red")
    ('true', 'red')
    """
    plain = level.strip(" ")
    return plain.lower() if plain.lower() in ("true", "false") else plain
