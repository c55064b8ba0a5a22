"""What the cells of a column stand for, in the words of DuckDB: one normal form for all files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sparsefit.core.errors import DataError
from sparsefit.predictor import Column, Written
from sparsefit.reading.formats import CLOCK, ISO, pattern
from sparsefit.reading.source import Cell, Source
from sparsefit.reading.words import quoted_text

# Characters of a text that a sentence shows.
_MOST_SHOWN = 60
_SORTS = {
    "number": re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)"),
    "text": re.compile(r"VARCHAR|BOOLEAN|UUID|ENUM\(.*\)", re.DOTALL),
    "date": re.compile(r"DATE|TIME|TIMESTAMP.*"),
}
# A whole number with a point.
_WHOLE = r"^([+-]?\d+)\.0*$"
_PLAIN = Written()
_NAN = "'nan'::DOUBLE"
# Parts of a date by the moment {0}.
_PARTS = {
    "trend": "epoch({0}) / 86400", "year": "year({0})", "month": "CAST(month({0}) AS VARCHAR)",
    "weekday": "strftime({0}, '%a')", "hour": "hour({0}) + minute({0}) / 60",
}  # fmt: skip


def sort_of(kind: str) -> str:
    """Return what a column of this type of DuckDB holds; empty for what a model cannot take.

    "number"; "text", also of truth values; or "date", also of times of day.

    Examples
    --------
    >>> [sort_of(kind) for kind in ("UBIGINT", "DECIMAL(10,2)", "BOOLEAN", "ENUM('a', 'b')")]
    ['number', 'number', 'text', 'text']
    >>> [sort_of(kind) for kind in ("DATE", "TIMESTAMP WITH TIME ZONE", "TIME", "INTEGER[]")]
    ['date', 'date', 'date', '']
    """
    return next((sort for sort, types in _SORTS.items() if types.fullmatch(kind)), "")


def level_of(cell: Cell, missing: Sequence[str]) -> str:
    """Return what gives the text of a cell without blanks about it, NULL where it is missing.

    Truth values are 'true' and 'false', and whole numbers have no point, however a file writes
    them; what `normal` says of one text is the same.
    """
    name = cell.name
    if sort_of(cell.kind) == "number":
        whole = f"CAST(CAST({name} AS HUGEINT) AS VARCHAR)"
        is_whole = f"isfinite({name}::DOUBLE) AND {name} = floor({name}) AND abs({name}) < 1e15"
        return (
            f"CASE WHEN isnan({name}::DOUBLE) THEN NULL WHEN {is_whole} THEN {whole} "
            f"ELSE CAST({name} AS VARCHAR) END"
        )
    plain = rf"regexp_replace(trim(CAST({name} AS VARCHAR)), '{_WHOLE}', '\1')"
    markers = ", ".join(quoted_text(marker) for marker in ("", *missing))
    return (
        f"CASE WHEN {plain} IN ({markers}) THEN NULL "
        f"WHEN lower({plain}) IN ('true', 'false') THEN lower({plain}) ELSE {plain} END"
    )


def number_of(cell: Cell, written: Written = _PLAIN) -> str:
    """Return what gives the number of a cell, NULL where it is none."""
    if written == _PLAIN or sort_of(cell.kind) != "text":
        return f"TRY_CAST({cell.name} AS DOUBLE)"
    text = f"CAST({cell.name} AS VARCHAR)"
    for strange, plain in {"\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ",
                           "\N{MINUS SIGN}": "-", written.unit: ""}.items():  # fmt: skip
        text = f"replace({text}, '{strange}', '{plain}')" if strange else text
    text = rf"regexp_replace(trim({text}), '^\((.*)\)$', '-\1')"
    text = rf"regexp_replace({text}, '^([+-])\s+', '\1')"
    form = quoted_text(pattern(written.decimal, written.thousands))
    digits = text
    if written.thousands:
        digits = f"replace({digits}, {quoted_text(written.thousands)}, '')"
    digits = f"replace({digits}, {quoted_text(written.decimal)}, '.')"
    return f"TRY_CAST(CASE WHEN regexp_full_match({text}, {form}) THEN {digits} END AS DOUBLE)"


def moment_of(cell: Cell, written: Written) -> str:
    """Return what gives the date and time of a cell, NULL where it is none."""
    if cell.kind == "TIME":
        return f"(DATE '1970-01-01' + {cell.name})"
    if sort_of(cell.kind) == "date":
        return f"CAST({cell.name} AS TIMESTAMP)"
    text = f"trim(CAST({cell.name} AS VARCHAR))"
    if written.date == CLOCK:
        return f"TRY_CAST('1970-01-01 ' || {text} AS TIMESTAMP)"
    # What is written as by programs needs no form, and can be taken for no other.
    plain = f"TRY_CAST({text} AS TIMESTAMP)"
    if written.date in ("", ISO):
        return plain
    return f"coalesce(TRY_STRPTIME({text}, {quoted_text(written.date)}), {plain})"


def value_of(source: Source, column: Column) -> str:
    """Return what gives the value of a cell as a model takes it, a DOUBLE, NaN where it is missing.

    A number, a part of a date, or the place of a text in the levels. Where the column is none of
    texts, a text is an error.

    Raises
    ------
    DataError
        If the type of the column has no such value.
    """
    cell = source.columns[column.read_from]
    level = level_of(cell, source.missing)
    if column.levels and not column.part:
        _check(source, column, ("number", "text", "date"))
        return _place_of(level, column.levels)
    if not column.part:
        _check(source, column, ("number", "text"))
        return _number_or_error(cell, column, level)
    _check(source, column, ("date", "text"))
    moment = moment_of(cell, column.written)
    part = _PARTS[column.part].format(moment)
    found = _place_of(part, column.levels) if column.levels else _or_nan(part)
    if sort_of(cell.kind) == "date":
        return found
    return f"CASE WHEN {moment} IS NULL THEN {_nan_or_error(column, level)} ELSE {found} END"


def _check(source: Source, column: Column, sorts: Sequence[str]) -> None:
    kind = source.columns[column.read_from].kind
    if sort_of(kind) not in sorts:
        raise DataError(f"{source.path}: column {column.read_from!r} holds {kind}{_wanted(column)}")


def _number_or_error(cell: Cell, column: Column, level: str) -> str:
    number = number_of(cell, column.written)
    if sort_of(cell.kind) == "number" or cell.kind == "BOOLEAN":
        return _or_nan(number)
    return f"coalesce({number}, {_nan_or_error(column, level)})"


def _or_nan(number: str) -> str:
    return f"coalesce(CAST({number} AS DOUBLE), {_NAN})"


def _nan_or_error(column: Column, level: str) -> str:
    start, end = _around_text(column)
    before, after = quoted_text(start + "'"), quoted_text("'" + end)
    error = f"CAST(error({before} || left({level}, {_MOST_SHOWN}) || {after}) AS DOUBLE)"
    return f"CASE WHEN {level} IS NULL THEN {_NAN} ELSE {error} END"


def not_of_its_kind(column: Column, level: str) -> str:
    """Return a sentence on a text in a column of numbers or dates.

    Examples
    --------
    >>> not_of_its_kind(Column(name="age"), "old")
    "column 'age' has the text 'old' where numbers are needed"
    """
    start, end = _around_text(column)
    return f"{start}{level[:_MOST_SHOWN]!r}{end}"


def _around_text(column: Column) -> tuple[str, str]:
    return f"column {column.read_from!r} has the text ", _wanted(column)


def _wanted(column: Column) -> str:
    if column.levels and not column.part:
        return " where categories are needed"
    if column.part:
        form = column.written.date
        return f" where dates{f' of the form {form}' if form else ''} are needed"
    written = column.written
    marks = f" with {written.decimal!r} before decimals" if written.decimal != "." else ""
    return f" where numbers{marks} are needed"


def _place_of(level: str, levels: Sequence[str]) -> str:
    """Return what gives the place of a text in `levels`, NaN where it is missing or new."""
    found = [normal(level) for level in levels]
    # A model may tell apart what is one today.
    found = found if len(set(found)) == len(found) else list(levels)
    kinds = ", ".join(quoted_text(level) for level in found)
    return _or_nan(f"enum_code(TRY_CAST({level} AS ENUM({kinds})))")


def normal(level: str) -> str:
    """Return a text as `level_of` gives it.

    Examples
    --------
    >>> normal(" True"), normal("red"), normal("2.0")
    ('true', 'red', '2')
    """
    plain = re.sub(_WHOLE, r"\1", level.strip(" "))
    return plain.lower() if plain.lower() in ("true", "false") else plain
