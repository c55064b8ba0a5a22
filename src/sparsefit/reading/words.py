"""What DuckDB reads and says, in words: names, texts, paths, errors."""

from __future__ import annotations

import glob
import itertools
from pathlib import Path

from sparsefit.core.errors import DataError

# What lines of an error of DuckDB begin with that say no more of the file.
_ADVICE = ("Possible", "LINE ", "  file =", "Candidate")


def quoted_name(column: str) -> str:
    """Return a name as DuckDB takes it.

    Examples
    --------
    >>> print(quoted_name('5" pipe'))
    "5"" pipe"
    """
    return '"' + column.replace('"', '""') + '"'


def quoted_text(value: str) -> str:
    """Return a text as DuckDB takes it.

    Examples
    --------
    >>> print(quoted_text("it's"))
    'it''s'
    """
    return "'" + value.replace("'", "''") + "'"


def quoted_path(path: Path) -> str:
    """Return a path as DuckDB takes it, in which nothing stands for other characters."""
    return quoted_text(glob.escape(str(path.absolute())))


def no_text(path: Path) -> DataError:
    """Return an error that a file is none that can be read as text."""
    return DataError(
        f"{path} is not a text in UTF-8; name its encoding with --encoding, such as latin-1"
    )


def failure(path: Path, error: Exception) -> DataError:
    """Return what an error of DuckDB says in a sentence, without advice on options of its own."""
    if "Invalid unicode" in str(error):
        return no_text(path)
    lines = str(error).split("Error: ", 1)[-1].splitlines()
    kept = itertools.takewhile(lambda line: not line.startswith(_ADVICE), lines)
    said = ", ".join(line.strip().rstrip(".") for line in kept if line.strip())
    is_of_a_column = said.startswith("column ")
    return DataError(f"{path}: {said}" if is_of_a_column else f"{path} cannot be read: {said}")
