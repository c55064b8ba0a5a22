"""Files that can be read, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sparsefit.core.errors import DataError, OptionError

# Of a file, in which it is looked for who wrote it.
_TOP_BYTES = 1 << 20


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


def parse_json(text: str | bytes) -> Any:
    """Return what JSON stands for; `ValueError` also for lists in lists beyond all measure.

    Examples
    --------
    >>> parse_json("[1, 2]")
    [1, 2]
    >>> parse_json("[" * 100_000)
    Traceback (most recent call last):
    ...
    ValueError: lists in lists that are too deep
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("lists in lists that are too deep") from None


def mark(source: str) -> str:
    """Return what the files say in which something made of `source` is kept.

    Examples
    --------
    >>> mark("my houses.csv")
    "sparsefit from 'my_houses.csv'"
    """
    name = re.sub("[^A-Za-z0-9._-]", "_", source)
    return f"sparsefit from '{name}'"


def facts_path(model: Path) -> Path:
    """Return where the facts of a model are kept.

    Examples
    --------
    >>> facts_path(Path("houses.safetensors")).name, facts_path(Path("clf.v2")).name
    ('houses.fit.json', 'clf.v2.fit.json')
    """
    stem = model.stem if model.suffix == ".safetensors" else model.name
    return model.with_name(f"{stem}.fit.json")


def check_output(
    out: Path, inputs: Sequence[Path], names: str, *, source: str | None = None, force: bool = False
) -> None:
    """Raise an error unless a file may be written: over no input, and over nothing else's.

    Parameters
    ----------
    out : Path
    inputs : sequence of Path
        What it is made of, called `names`.
    names : str
    source : str, optional
        The file may be there already if it has the `mark` of this; None if it has none.
    force : bool, optional
        Whether it may be there already anyway.

    Examples
    --------
    >>> check_output(Path("a.csv"), [Path("./a.csv")], "DATA")
    Traceback (most recent call last):
    sparsefit.core.errors.OptionError: out must be a file other than DATA in a folder that ...
    """
    same = any(out.resolve() == path.resolve() for path in inputs)
    if not same and out.exists():
        same = any(path.exists() and out.samefile(path) for path in inputs)
    if same or out.is_dir() or not out.parent.is_dir():
        raise OptionError("out", str(out), f"a file other than {names} in a folder that exists")
    if force or not out.exists():
        return
    with out.open("rb") as file:
        is_own = source is not None and mark(source).encode() in file.read(_TOP_BYTES)
    if not is_own:
        made = f", and was not made of {source} here" if source else ""
        raise DataError(f"{out} is there already{made}; --out names another, --force replaces it")


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
    # Processes of two machines, or of two containers, may have one number, and even one name.
    host = re.sub(r"\W", "", platform.node())[:16]
    temporary = path.with_name(f".{path.name}.{host}-{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # A write that fails knows of no file, and nobody knows of the temporary one.
        if error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
