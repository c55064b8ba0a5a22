"""Texts of columns: CSV and its kin."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from sparsefit.core.errors import DataError
from sparsefit.tabular.words import failure, no_text, quoted_path, quoted_text

if TYPE_CHECKING:
    import duckdb

# What counts as missing, beside an empty cell.
MISSING = (
    "", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL", "None", "?", "-",
)  # fmt: skip
PACKED = (".gz", ".zst")
_SEPARATORS = (",", ";", "\t", "|")
# Lines at the top among which the names of the columns are looked for.
_HEAD_LINES = 50
# Bytes at the top by which it is known how a text is written.
_TOP_BYTES = 1 << 20
# Of the buffer that a text is read through: few, as the memory is for the fit.
_BUFFER_BYTES = 1 << 22


@dataclass(frozen=True, eq=False)
class TextLayout:
    """How a text is cut into columns.

    Attributes
    ----------
    place : str
        Of the file, in words of DuckDB.
    separator : str
    names : list of str
    n_blank : int
        Lines above that of the names.
    copy : file or None
        What is read in place of the file, and goes with this object.
    """

    place: str
    separator: str
    names: list[str]
    n_blank: int
    copy: IO[str] | None

    def relation(self, numbers: Collection[str] = ()) -> str:
        """Return what follows FROM, where some columns are known to be numbers.

        Columns are called by their places there: DuckDB takes a and A for one.
        """
        kinds = ["DOUBLE" if name in numbers else "VARCHAR" for name in self.names]
        columns = ", ".join(f"'{at}': '{kind}'" for at, kind in enumerate(kinds))
        return (
            f"read_csv({self.place}, auto_detect=false, header=true, skip={self.n_blank}, "
            f"delim={quoted_text(self.separator)}, quote='\"', escape='\"', "
            f"nullstr=[{', '.join(map(quoted_text, MISSING))}], buffer_size={_BUFFER_BYTES}, "
            f"columns={{{columns}}})"
        )


def read_layout(path: Path, connection: duckdb.DuckDBPyConnection) -> TextLayout:
    """Look at the top of a text.

    Raises
    ------
    DataError
        If it is empty, no text, or its first line does not name the columns.
    """
    if zipfile.is_zipfile(path):
        raise DataError(f"{path} is a ZIP archive, not CSV; unpack it first")
    copy = _plain_copy(path)
    where = quoted_path(Path(copy.name) if copy else path)
    lines = _head(path, where, connection)
    n_blank = len(list(itertools.takewhile(lambda line: not line.strip(), lines)))
    separator, names = _header(lines[n_blank:], path, n_blank + 1)
    return TextLayout(where, separator, names, n_blank, copy)


def _plain_copy(path: Path) -> IO[str] | None:
    """Return a copy in UTF-8 where DuckDB needs one: of UTF-16, and of lines that end in two ways.

    The file goes with the object.
    """
    if path.suffix in PACKED:
        return None
    with path.open("rb") as file:
        start = file.read(_TOP_BYTES)
    is_utf_16 = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not is_utf_16:
        if b"\0" in start:
            raise no_text(path)
        if len(set(re.findall(rb"\r\n|\n|\r", start))) < 2:
            return None
    copy = tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".csv")  # noqa: SIM115
    try:
        with path.open(encoding="utf-16" if is_utf_16 else "utf-8-sig") as original:
            shutil.copyfileobj(original, copy)
    except UnicodeError:
        raise no_text(path) from None
    copy.flush()
    return copy


def _head(path: Path, where: str, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the first lines of a text, whatever it is packed with."""
    import duckdb

    # No text has this character, so that a line is one column.
    lines = (
        f"FROM read_csv({where}, auto_detect=false, header=false, delim='\x01', quote='', "
        f"escape='', columns={{'line': 'VARCHAR'}}) LIMIT {_HEAD_LINES}"
    )
    try:
        found = [line or "" for (line,) in connection.execute(lines).fetchall()]
    except duckdb.Error as error:
        raise failure(path, error) from None
    if not any(line.strip() for line in found):
        raise DataError(f"{path} is empty")
    return found


def _header(lines: list[str], path: Path, number: int) -> tuple[str, list[str]]:
    """Return what is between columns, and their names, each of its own."""

    def split(separator: str, which: list[str]) -> list[str]:
        return next(csv.reader([f"{line}\n" for line in which], delimiter=separator))

    separator = max(_SEPARATORS, key=lambda separator: len(split(separator, lines)))
    names = [name.strip() for name in split(separator, lines)]
    below = [line for line in lines[1:] if line.strip()]
    if len(names) == 1 and below:
        wider = max(len(split(separator, below)) for separator in _SEPARATORS)
        if wider > 1:
            raise DataError(
                f"{path}: line {number}, {lines[0][:60]!r}, has the name of 1 column, and the "
                f"line below has {wider}; the first line must name the columns"
            )
    found: list[str] = []
    for place, given in enumerate(names, start=1):
        plain = given or f"column{place}"
        others = (f"{plain}_{count}" for count in itertools.count(2))
        taken = {*found, *names[place:]} if not given else set(found)
        found.append(next(n for n in itertools.chain([plain], others) if n not in taken))
    return separator, found
