"""A table of a user's own, of as many rows as the disk holds."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from sparsefit.core.errors import DataError, OptionError
from sparsefit.core.file_rows import FileRows, chunks
from sparsefit.core.options import at_least, option
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.tasks._base import Task

# Pieces of a file, and their bytes, by which its content is known.
_PIECES, _PIECE_BYTES = 64, 2**20
# Of all rows, what may be held out at most.
_MOST_HELD_OUT = 0.2
# More values than that are no classes.
_MOST_CLASSES = 1000


@dataclass(frozen=True, kw_only=True)
class TableTask(Task):
    """One column of a table by the others; some rows, drawn at random, test.

    Rows are read where they are needed and never held as a whole: those of .npy files from these,
    those of other tables from one that is made of them once, in the folder for temporary files.

    Examples
    --------
    >>> problem = TableTask(n_test=42).load(Setting(), 1)
    >>> problem.X.shape, problem.y_test.shape
    ((400, 10), (42, 1))
    """

    name: ClassVar[str] = "table"
    quick: ClassVar[Mapping[str, Any]] = {"max_rows": 60, "n_test": 5}

    file: str | None = option(
        None, "a .npy file of rows and columns, a folder of such files, or a table that 'sparsefit "
        "fit' reads; default: diabetes, of scikit-learn", other="rows.npy",
    )  # fmt: skip
    target: str | None = option(
        None, "the column to be fitted, by its name, or from 0 on in a .npy file (default: the "
        "last)", other="3",
    )  # fmt: skip
    standardize: bool = option(
        False, "bring the columns, and a target of numbers, to mean 0 and variance 1"
    )
    classes: bool = option(False, "take the numbers of the target as classes")
    n_test: int = option(
        10_000, "rows to score on, a fifth of all at most; 0: none", check=at_least(0)
    )
    max_rows: int | None = option(
        None, "take a draw of so many rows (default: all)", check=at_least(2)
    )

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the names, sizes and up to 64 pieces of the files."""
        return "" if self.file is None else _digest(self._files)

    @property
    def _files(self) -> list[Path]:
        from sparsefit.reading.source import files_of

        assert self.file is not None
        return files_of(Path(self.file))

    def load(self, setting: Setting, nnz: int) -> Problem:
        """Read targets and moments, and choose the rows that test."""
        rows, target = self._rows()
        random = np.random.default_rng(setting.seed)
        chosen = np.arange(len(rows))
        if self.max_rows is not None and self.max_rows < len(rows):
            chosen = np.sort(random.choice(len(rows), self.max_rows, replace=False))
        n_test = min(self.n_test, int(_MOST_HELD_OUT * len(chosen)))
        test = np.sort(random.choice(chosen, n_test, replace=False))
        inputs = np.delete(np.arange(rows.shape[1]), target)
        if not len(inputs) or len(chosen) - n_test < 2:
            raise DataError(f"{self._name} has too few rows or columns to fit")
        measured = _measure(rows, target, test)
        X = rows.of_columns(inputs)
        if self.standardize:
            X = X.standardised(measured.center[inputs], measured.factor[inputs])
        X.note_finite()
        y, how = self._targets(measured.targets)
        held_out = (X[test], y[test]) if n_test else (None, None)
        if len(chosen) < len(rows):
            train = np.setdiff1d(chosen, test)
            return Problem(X[train], y[train], X_test=held_out[0], y_test=held_out[1], **how)
        kept = X.without(test)
        return Problem(
            cast(np.ndarray, kept), np.delete(y, test, axis=0), X_test=held_out[0],
            y_test=held_out[1], **how,
        )  # fmt: skip

    @property
    def _name(self) -> str:
        return self.file or "diabetes"

    def _rows(self) -> tuple[FileRows, int]:
        """Return all columns, and the place of the target among them."""
        files = [] if self.file is None else self._files
        if any(path.suffix != ".npy" for path in files):
            rows = _spooled(self.file, self.target, self.fingerprint)
            return rows, rows.shape[1] - 1
        rows = FileRows.open(files) if files else _spooled(None, None, "")
        if self.target is None:
            return rows, rows.shape[1] - 1
        if not self.target.isdecimal() or int(self.target) >= rows.shape[1]:
            allowed = f"a column of {self._name}, a number from 0 to {rows.shape[1] - 1}"
            raise OptionError("target", self.target, allowed)
        return rows, int(self.target)

    def _targets(self, values: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Return what is fitted, and how."""
        if not self.classes:
            spread = float(values.std(dtype=np.float64))
            if spread == 0:
                raise DataError(f"{self._name}: the target is {values[0]:g} in every row")
            if self.standardize:
                values = (values - values.mean(dtype=np.float64)) / spread
            return values.astype(np.float32)[:, None], {"metric": "r2"}
        labels, numbers = np.unique(values, return_inverse=True)
        if not 2 <= len(labels) <= _MOST_CLASSES:
            raise DataError(f"{self._name}: the target has {len(labels)} different values")
        how = {"loss": "softmax", "metric": "accuracy", "n_classes": len(labels)}
        return numbers.astype(np.int64), how


class _Measured(NamedTuple):
    """What one pass over the rows finds: targets, and moments of columns but for test rows."""

    targets: np.ndarray
    center: np.ndarray
    factor: np.ndarray


def _measure(rows: FileRows, target: int, test: np.ndarray) -> _Measured:
    targets = np.empty(len(rows), np.float32)
    shift = rows[:1].astype(np.float64)[0]
    # Columns are shifted by their first value: one far from zero would lose its digits.
    total, squares, start, count = np.zeros_like(shift), np.zeros_like(shift), 0, 0
    for chunk in chunks(rows):
        stop = start + len(chunk)
        targets[start:stop] = chunk[:, target]
        tested = test[(test >= start) & (test < stop)] - start
        near = np.delete(chunk, tested, axis=0) - shift.astype(np.float32)
        total += near.sum(axis=0, dtype=np.float64)
        squares += np.einsum("ij,ij->j", near, near, dtype=np.float64)
        start, count = stop, count + len(near)
    if not np.isfinite(squares).all():
        column = int(np.flatnonzero(~np.isfinite(squares))[0])
        raise DataError(f"{rows.files[0].path}: column {column} holds NaN or infinity")
    mean = total / count
    spread = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    rounding = 1e-6 * (np.abs(mean) + np.sqrt(squares / count))
    factor = np.where(spread > rounding, 1 / np.where(spread > 0, spread, 1), 0.0)
    return _Measured(targets, mean + shift, factor)


def _digest(paths: list[Path]) -> str:
    sha = hashlib.sha256()
    for path in paths:
        size = path.stat().st_size
        sha.update(f"{path.name}{size}".encode())
        step = max(_PIECE_BYTES, size // _PIECES)
        with path.open("rb") as file:
            for start in range(0, size, step):
                file.seek(start)
                sha.update(file.read(_PIECE_BYTES))
    return sha.hexdigest()[:16]


@lru_cache(maxsize=2)
def _spooled(file: str | None, target: str | None, fingerprint: str) -> FileRows:
    """Return a table as a .npy file, the target last; `fingerprint` tells its contents apart."""
    folder = Path(tempfile.mkdtemp(prefix="sparsefit-rows-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "rows.npy"
    if file is None:
        from sklearn.datasets import load_diabetes

        X, y = load_diabetes(return_X_y=True)
        np.save(path, np.column_stack([X, y]))
        return FileRows.open([path])
    with path.open("wb") as stream:
        blocks = _encoded(Path(file), target)
        first = next(blocks)
        n_rows = int(first[0, 0])
        header = {"descr": "<f4", "fortran_order": False, "shape": (n_rows, int(first[0, 1]))}
        np.lib.format.write_array_header_1_0(stream, header)
        for block in blocks:
            block.astype(np.float32).tofile(stream)
    return FileRows.open([path])


def _encoded(path: Path, target: str | None) -> Iterator[np.ndarray]:
    """Yield the numbers of rows and of columns, then blocks of rows as numbers, the target last."""
    from sparsefit.reading import open_table
    from sparsefit.reading.table import with_moments

    table = open_table(path, None, target)
    target = target or table.names[-1]
    columns = with_moments(table, table.inputs([n for n in table.names if n != target]), None)
    [goal, *_] = table.kinds[target].columns
    yield np.array([[table.n_rows, sum(column.n_inputs for column in columns) + 1]])
    for block in table.blocks([*columns, goal]):
        parts = [column.encode(block[:, at]) for at, column in enumerate(columns)]
        if np.isnan(block[:, -1]).any():
            raise DataError(f"{path}: the target {target!r} is missing in some rows")
        yield np.hstack([*parts, block[:, -1:]])
