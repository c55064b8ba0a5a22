"""Rows of .npy files, read where they are asked for: as many as the disk has, in little memory."""

from __future__ import annotations

import contextlib
import ctypes
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sparsefit.core.errors import DataError

# What NumPy raises of a damaged header, which it reads as Python.
NPY_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, EOFError, SyntaxError, tokenize.TokenError,
    RecursionError, MemoryError, OverflowError, AttributeError,
)  # fmt: skip
# Of glibc's mallopt, and what is large.
_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 2**20
# Of rows that are read at a time, about.
_CHUNK_BYTES = 8 * 2**20
# Rows here and there that are read at a time: each has a page of the disk or more to itself.
_SCATTERED = 2048


@lru_cache(maxsize=1)
def _give_memory_back() -> None:
    """Have malloc take each large array from the system by itself, and give it back at once.

    Rows come and go, and so do arrays of a number for each row, and between them small results are
    kept. These would sit in the gaps that large arrays leave, none would be large enough for the
    next one, and the process would grow by a multiple of all that it ever holds.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):  # not of glibc
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


@dataclass(frozen=True)
class NpyFile:
    """A matrix in a .npy file.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        Rows and columns.
    dtype : numpy.dtype
    start : int
        Byte at which the numbers begin.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    start: int

    @classmethod
    def open(cls, path: Path) -> NpyFile:
        """Read the header.

        Raises
        ------
        DataError
            If it is no matrix of numbers row after row, or shorter than its header says.
        """
        try:
            with path.open("rb") as file:
                version = np.lib.format.read_magic(file)
                read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                    version, np.lib.format.read_array_header_2_0
                )
                shape, by_column, dtype = read(file)
                start = file.tell()
            size = path.stat().st_size
        except NPY_DAMAGE as error:
            raise DataError(f"{path} cannot be read as a .npy file: {error}") from None
        if dtype.kind not in "biuf":
            raise DataError(f"{path} has {dtype} where numbers are needed")
        if len(shape) != 2 or not shape[1] or (by_column and 1 not in shape):
            order = " column after column" if by_column else ""
            raise DataError(f"{path} must have rows and columns, row after row; got {shape}{order}")
        if shape[0] * shape[1] * dtype.itemsize > size - start:
            raise DataError(f"{path} is damaged: it is shorter than its {shape[0]} rows")
        return cls(path, shape, dtype, start)

    def read(self, first: int, count: int) -> np.ndarray:
        """Return `count` rows from `first` on, (count, columns)."""
        width = self.shape[1]
        # Not mapped: the pages of a map count as memory of the process.
        numbers = np.fromfile(
            self.path, self.dtype, count * width,
            offset=self.start + first * width * self.dtype.itemsize,
        )  # fmt: skip
        if len(numbers) != count * width:
            raise DataError(f"{self.path} became shorter while it was read")
        return numbers.reshape(count, width)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return rows by their numbers, (len(rows), columns)."""
        # Mapped for this moment only: the pages go with the map.
        mapped = np.memmap(self.path, self.dtype, "r", self.start, self.shape)
        found: np.ndarray = mapped[rows]
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class FileRows:
    """A matrix whose rows are in files; of NumPy's arrays it has what solvers ask for.

    ``rows[a:b]`` and ``rows[indices]`` are arrays in memory, float32, standardised if asked.

    Attributes
    ----------
    files : tuple of NpyFile
        With one number of columns, one after the other.
    columns : ndarray of int
        Those that are read.
    left_out : ndarray of int
        Rows of the files that are not among these, increasing.
    center, factor : ndarray of shape (columns,)
        What is subtracted from a column, and what it is multiplied with then.
    first : int
        Of the rows that are not left out, the first one that is among these.
    count : int or None
        How many from there on; None for all.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.arange(12.0).reshape(4, 3))
    >>> rows = FileRows.open([path]).without(np.array([1])).of_columns(np.array([0, 2]))
    >>> rows.shape, rows[1:3].tolist()
    ((3, 2), [[6.0, 8.0], [9.0, 11.0]])
    """

    files: tuple[NpyFile, ...]
    columns: np.ndarray
    left_out: np.ndarray
    center: np.ndarray
    factor: np.ndarray
    first: int = 0
    count: int | None = None
    dtype: np.dtype[Any] = field(default=np.dtype(np.float32))
    _known: dict[str, bool] = field(default_factory=dict, repr=False)

    @classmethod
    def open(cls, paths: Sequence[Path]) -> FileRows:
        """Return all rows of some files; raise `DataError` if they do not fit together."""
        _give_memory_back()
        files = tuple(NpyFile.open(path) for path in paths)
        for file in files[1:]:
            if file.shape[1] != files[0].shape[1]:
                raise DataError(
                    f"{file.path} has {file.shape[1]} columns, and {files[0].path} has "
                    f"{files[0].shape[1]}"
                )
        width = files[0].shape[1]
        return cls(files, np.arange(width), np.empty(0, np.int64), np.zeros(width), np.ones(width))

    def of_columns(self, columns: np.ndarray) -> FileRows:
        """Return some of the columns."""
        return replace(
            self, columns=self.columns[columns], center=self.center[columns],
            factor=self.factor[columns],
        )  # fmt: skip

    def without(self, rows: np.ndarray) -> FileRows:
        """Return these rows but for some, by their places in the files."""
        return replace(self, left_out=np.union1d(self.left_out, rows))

    def standardised(self, center: np.ndarray, factor: np.ndarray) -> FileRows:
        """Return columns less their centers, times their factors."""
        return replace(self, center=center, factor=factor)

    def __mul__(self, scale: float) -> FileRows:
        return replace(self, factor=self.factor * scale)

    def __len__(self) -> int:
        if self.count is not None:
            return self.count
        return sum(file.shape[0] for file in self.files) - len(self.left_out) - self.first

    def part(self, rows: slice) -> FileRows:
        """Return some rows, one after the other, without reading them."""
        start, stop, _ = rows.indices(len(self))
        return replace(self, first=self.first + start, count=max(stop - start, 0))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.columns)

    @property
    def is_finite(self) -> bool:
        """Whether it has been noted that all numbers are finite."""
        return self._known.get("finite", False)

    def note_finite(self) -> None:
        """Take note that all numbers are finite, for these rows and what is made of them."""
        self._known["finite"] = True

    @property
    def rows_per_chunk(self) -> int:
        """How many rows are read at a time where all are."""
        file = self.files[0]
        return max(1, _CHUNK_BYTES // (file.shape[1] * file.dtype.itemsize))

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return rows by a slice without steps, or by their numbers, (rows, columns)."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step != 1:
                raise IndexError("rows of files are read one after the other")
            return self._stretch(start, max(stop - start, 0))
        index: np.ndarray = np.asarray(rows)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        found = np.empty((len(index), len(self.columns)), np.float32)
        for start in range(0, len(index), _SCATTERED):
            piece = slice(start, start + _SCATTERED)
            found[piece] = self._scaled(self.raw(self._places(index[piece])))
        return found

    def raw(self, places: np.ndarray) -> np.ndarray:
        """Return rows by their places in the files, as they are there, with all columns."""
        ends = np.cumsum([file.shape[0] for file in self.files])
        at = np.searchsorted(ends, places, side="right")
        # As `_raw` does where it joins files of several types.
        kind = np.result_type(*(file.dtype for file in self.files))
        raw = np.empty((len(places), self.files[0].shape[1]), kind)
        for number in np.unique(at):
            own = at == number
            before = int(ends[number]) - self.files[number].shape[0]
            raw[own] = self.files[number].gather(places[own] - before)
        return raw

    def _scaled(self, raw: np.ndarray) -> np.ndarray:
        chosen = raw if self._has_all_columns else raw[:, self.columns]
        if self._is_plain:
            return chosen.astype(np.float32, copy=False)
        # In float64: a column may be far from zero beside its spread.
        scaled: np.ndarray = ((chosen - self.center) * self.factor).astype(np.float32)
        return scaled

    @cached_property
    def _has_all_columns(self) -> bool:
        return bool(np.array_equal(self.columns, np.arange(self.files[0].shape[1])))

    @cached_property
    def _is_plain(self) -> bool:
        return bool((self.center == 0).all() and (self.factor == 1).all())

    def _stretch(self, first: int, count: int) -> np.ndarray:
        """Return rows one after the other."""
        if not count:
            return np.empty((0, len(self.columns)), np.float32)
        begin, end = self._places(np.array([first, first + count - 1]))
        raw = self._raw(int(begin), int(end) - int(begin) + 1)
        gone = self.left_out[np.searchsorted(self.left_out, begin) :
                             np.searchsorted(self.left_out, end)]  # fmt: skip
        raw = np.delete(raw, gone - begin, axis=0) if len(gone) else raw
        return self._scaled(raw)

    def _places(self, rows: np.ndarray) -> np.ndarray:
        """Return where in the files some rows are."""
        rows = rows + self.first
        # Before the k-th row that is left out there are left_out[k] - k that are not.
        kept_before = self.left_out - np.arange(len(self.left_out))
        places: np.ndarray = rows + np.searchsorted(kept_before, rows, side="right")
        return places

    def _raw(self, first: int, count: int) -> np.ndarray:
        parts, start = [], 0
        for file in self.files:
            low, high = max(first, start), min(first + count, start + file.shape[0])
            if low < high:
                parts.append(file.read(low - start, high - low))
            start += file.shape[0]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


Rows = np.ndarray | FileRows


def chunks(X: Rows, rows: int | None = None) -> Iterator[np.ndarray]:
    """Yield rows in memory, some thousands at a time.

    Examples
    --------
    >>> [len(chunk) for chunk in chunks(np.zeros((5, 2)), rows=3)]
    [3, 2]
    """
    step = rows or (X.rows_per_chunk if isinstance(X, FileRows) else 65_536)
    for start in range(0, len(X), step):
        yield X[start : start + step]


def mean_square(X: Rows) -> float:
    """Return the mean square of all numbers.

    Examples
    --------
    >>> mean_square(np.array([[3.0, 4.0]]))
    12.5
    """
    if isinstance(X, np.ndarray):
        return float(np.mean(np.square(X, dtype=np.float64)))
    total = sum(float(np.square(chunk, dtype=np.float64).sum()) for chunk in chunks(X))
    return total / max(len(X) * X.shape[1], 1)
