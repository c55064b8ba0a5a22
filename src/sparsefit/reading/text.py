"""Texts of columns: CSV and its kin."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from sparsefit.core.errors import DataError
from sparsefit.reading.formats import is_plain
from sparsefit.reading.options import TextOptions
from sparsefit.reading.words import failure, no_text, quoted_path, quoted_text

if TYPE_CHECKING:
    import duckdb

PACKED = (".gz", ".zst")
# What spreadsheets write above a table.
_SAID = re.compile(r"sep=(.)")
_SEPARATORS = (",", ";", "\t", "|")
# Lines at the top among which the names of the columns are looked for.
_HEAD_LINES = 50
# Bytes at the top by which it is known how a text is written.
_TOP_BYTES = 1 << 20
# Of the buffer that a text is read through: few, as the memory is for the fit.
_BUFFER_BYTES = 1 << 22


class Copy:
    """A file in a folder of its own, which goes with this object.

    Attributes
    ----------
    path : Path
    """

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="sparsefit-")
        self.path = Path(folder) / "table.csv"
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)


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
    missing : tuple of str
        What stands for no value, beside an empty cell.
    copy : Copy or None
        What is read in place of the file, and goes with this object.
    """

    place: str
    separator: str
    names: list[str]
    n_blank: int
    missing: tuple[str, ...]
    copy: Copy | None

    def relation(self, numbers: Collection[str] = ()) -> str:
        """Return what follows FROM, where some columns are known to be numbers.

        Columns are called by their places there: DuckDB takes a and A for one.
        """
        kinds = ["DOUBLE" if name in numbers else "VARCHAR" for name in self.names]
        columns = ", ".join(f"'{at}': '{kind}'" for at, kind in enumerate(kinds))
        return (
            f"read_csv({self.place}, auto_detect=false, header=true, skip={self.n_blank}, "
            f"delim={quoted_text(self.separator)}, quote='\"', escape='\"', "
            f"nullstr=[{', '.join(map(quoted_text, ('', *self.missing)))}], "
            f"buffer_size={_BUFFER_BYTES}, columns={{{columns}}})"
        )


def read_layout(
    path: Path,
    options: TextOptions,
    missing: tuple[str, ...],
    connection: duckdb.DuckDBPyConnection,
) -> TextLayout:
    """Look at the top of a text.

    Raises
    ------
    DataError
        If it is empty, no text, or its first line does not name the columns.
    """
    if zipfile.is_zipfile(path):
        raise DataError(f"{path} is a ZIP archive, not CSV; unpack it first")
    copy = _plain_copy(path, options.encoding)
    where = quoted_path(copy.path if copy else path)
    lines = _head(path, where, connection)
    n_blank = len(list(itertools.takewhile(lambda line: not line.strip(), lines)))
    said = _SAID.fullmatch(lines[n_blank].strip())
    n_blank += said is not None
    given = options.separator or (said and said[1])
    separator, names = _header(lines[n_blank:], path, n_blank + 1, given)
    return TextLayout(where, separator, names, n_blank, missing, copy)


def _plain_copy(path: Path, encoding: str) -> Copy | None:
    """Return a copy in UTF-8 where DuckDB needs one: of other encodings, and of mixed line ends."""
    if path.suffix == ".zst":
        if _is_utf_8(encoding):
            return None
        raise DataError(f"{path}: text in {encoding} that is packed as .zst must be unpacked first")
    try:
        with _opened(path) as file:
            start = file.read(_TOP_BYTES)
    except (OSError, EOFError):
        raise DataError(f"{path} cannot be read: it is damaged, or no {path.suffix}") from None
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    if _is_utf_8(encoding):
        if b"\0" in start:
            raise no_text(path)
        if len(set(re.findall(rb"\r\n|\n|\r", start))) < 2:
            return None
        encoding = "utf-8-sig"
    copy = Copy()
    try:
        with (
            io.TextIOWrapper(_opened(path), encoding=encoding) as original,
            copy.path.open("w", encoding="utf-8") as plain,
        ):
            shutil.copyfileobj(original, plain)
    except UnicodeError:
        if encoding == "utf-8-sig":
            raise no_text(path) from None
        raise DataError(f"{path} is not a text in {encoding}") from None
    return copy


def _is_utf_8(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig", "ascii")


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


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


def _header(lines: list[str], path: Path, number: int, given: str | None) -> tuple[str, list[str]]:
    """Return what is between columns, and their names, each of its own."""

    def split(separator: str, which: list[str]) -> list[str]:
        return next(csv.reader([f"{line}\n" for line in which], delimiter=separator))

    separator = given or max(_SEPARATORS, key=lambda separator: len(split(separator, lines)))
    names = [name.strip() for name in split(separator, lines)]
    below = [line for line in lines[1:] if line.strip()]
    if len(names) == 1 and below and not given:
        wider = max(len(split(separator, below)) for separator in _SEPARATORS)
        if wider > 1:
            raise DataError(
                f"{path}: line {number}, {lines[0][:60]!r}, has the name of 1 column, and the "
                f"line below has {wider}; the first line must name the columns, "
                "and --sep says what is between them"
            )
        words = [len(line.split()) for line in lines if line.strip()]
        if words[0] > 1 and len(set(words)) == 1:
            raise DataError(
                f"{path}: each line has one column and {words[0]} words; say what is between "
                "columns with --sep, ' ' or ,"
            )
    if len(names) > 2 and sum(map(bool, names)) == 1:
        raise DataError(
            f"{path}: line {number}, {lines[0][:60]!r}, names one of {len(names)} columns; the "
            "first line must name the columns"
        )
    if below and all(names):
        _check_no_values(names, split(separator, below), path)
    return separator, _of_their_own(names)


def _check_no_values(names: Sequence[str], below: Sequence[str], path: Path) -> None:
    """Raise `DataError` where the first line is one of values."""
    for name, value in zip(names, below, strict=False):
        if is_plain(name) and "." in name and is_plain(value.strip()):
            raise DataError(
                f"{path}: the first line has {name!r} where the names of the columns must be"
            )


def _of_their_own(names: Sequence[str]) -> list[str]:
    """Return names that are all there and all different."""
    found: list[str] = []
    for place, given in enumerate(names, start=1):
        plain = given or f"column{place}"
        others = (f"{plain}_{count}" for count in itertools.count(2))
        taken = {*found, *names[place:]} if not given else set(found)
        found.append(next(n for n in itertools.chain([plain], others) if n not in taken))
    return found
