"""Files that can be read, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sparsefit.core.errors import DataError


def check_file(path: Path) -> None:
    """Raise `DataError` unless `path` is a file that may be read.

    Examples
    --------
    >>> check_file(Path("nowhere.csv"))
    Traceback (most recent call last):
    ...
    sparsefit.core.errors.DataError: there is no file nowhere.csv
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder, where a file is wanted")
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path} may not be read")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a temporary name in the folder of `path`, then flush it to disk and rename it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder) / "a.txt") as temporary:
    ...         size = temporary.write_text("whole")
    ...     [path.name for path in Path(folder).iterdir()]
    ['a.txt']
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
