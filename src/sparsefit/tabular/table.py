"""Tables in files: numbers and categories, read twice and never held as text."""

from __future__ import annotations

import csv
import itertools
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.core.errors import DataError, near_match
from sparsefit.core.files import check_file
from sparsefit.predictor import Column

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK_BYTES = 4 * 2**20
_ROWS_PER_BATCH = 16_384
# A column with more texts than these is a name or a free text, not a category.
_MOST_LEVELS = 1000
# What counts as missing, beside an empty field.
_MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?")
SUFFIXES = (".csv", ".tsv", ".parquet", ".npz")


@dataclass(frozen=True)
class Table:
    """A file with named columns, of which each is numbers or texts.

    Attributes
    ----------
    path : Path
    levels : dict of str to tuple of str or None
        For each column the texts in it, sorted; None for a column of numbers.
    n_rows : int
    image_shape : tuple of int
        Of the rows of an NPZ array of three or four dimensions: height, width and perhaps
        channels; else empty.
    """

    path: Path
    levels: dict[str, tuple[str, ...] | None]
    n_rows: int
    image_shape: tuple[int, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return list(self.levels)

    def check(self, name: str, option: str) -> None:
        """Raise `DataError` with a near match if there is no such column."""
        if name not in self.levels:
            raise DataError(
                f"{option} {name!r}: {self.path} has no such column"
                f"{near_match(name, self.names)}; it has {_some(self.names)}"
            )

    def blocks(self, names: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield blocks of rows of some columns, (rows, len(names)), float64.

        Texts are places in `levels`; NaN is missing.
        """
        # What was read once as numbers need not be read as texts.
        numbers = [name for name in names if self.n_rows and self.levels[name] is None]
        for batch in _batches(self.path, list(names), numbers):
            yield np.column_stack([
                _numbers(batch.column(at), name, self.path, self.levels[name])
                for at, name in enumerate(names)
            ])  # fmt: skip


def open_table(path: Path, drop: Sequence[str] = ()) -> Table:
    """Read a file once, to learn what its columns are, but for those of `drop`.

    Raises
    ------
    DataError
        If it is no table that can be read, or a column is neither numbers nor categories.
    """
    found: dict[str, set[str] | None] = {}
    names: list[str] = []
    n_rows = 0
    for batch in _batches(path, None):
        n_rows += batch.num_rows
        names = batch.schema.names
        for name, values in zip(names, batch.columns, strict=True):
            if name not in drop:
                _learn(found, name, values, path)
    if not n_rows:
        raise DataError(f"{path} has no rows")
    levels = {name: _sorted(found.get(name)) for name in names}
    return Table(path, levels, n_rows, _image_shape(path))


def column_names(path: Path) -> list[str]:
    """Return the names of the columns of a file.

    Raises
    ------
    DataError
        If it is no table that can be read.
    """
    for batch in _batches(path, None):
        return list(batch.schema.names)
    raise DataError(f"{path} has no rows")


def _learn(found: dict[str, set[str] | None], name: str, values: pa.Array, path: Path) -> None:
    """Note the texts of a column, none for numbers; the first block with values decides."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if values.null_count == len(values):
        return
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not is_text or _as_floats(values) is not None:
        if found.get(name) is None:
            found[name] = None
            return
    elif name in found and found[name] is None:
        raise _not_numbers(values, name, path)
    counts = pc.value_counts(values.drop_null()).to_pylist()
    n_numbers = sum(entry["counts"] for entry in counts if _is_number(entry["values"]))
    if name not in found and 2 * n_numbers > len(values):
        raise _not_numbers(values, name, path)
    levels = (found.get(name) or set()) | {str(entry["values"]) for entry in counts}
    if len(levels) > _MOST_LEVELS:
        raise DataError(
            f"{path}: column {name!r} has more than {_MOST_LEVELS} different texts; "
            f"leave it out with --drop"
        )
    found[name] = levels


def _not_numbers(values: pa.Array, name: str, path: Path) -> DataError:
    text = next(t for t in values.to_pylist() if t is not None and not _is_number(t))
    return DataError(f"{path}: column {name!r} has the text {text!r} where numbers are needed")


def _sorted(found: set[str] | None) -> tuple[str, ...] | None:
    return None if found is None else tuple(sorted(found))


def _as_floats(values: pa.Array) -> np.ndarray | None:
    """Return texts as numbers, NaN where missing; None if one is no number."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        numbers = pc.cast(pc.utf8_trim_whitespace(values), pa.float64())
    except pa.ArrowInvalid:
        return None
    return np.asarray(numbers.fill_null(np.nan).to_numpy(zero_copy_only=False))


def _numbers(values: pa.Array, name: str, path: Path, levels: tuple[str, ...] | None) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if levels is not None:
        texts = values if is_text else pc.cast(values, pa.string())
        places = pc.index_in(texts, value_set=pa.array(levels, type=texts.type))
        return np.asarray(pc.cast(places, pa.float64()).fill_null(np.nan).to_numpy(False))
    if not is_text:
        numbers = pc.cast(values, pa.float64()).fill_null(np.nan).to_numpy(False)
    elif (found := _as_floats(values)) is not None:
        numbers = found
    else:
        raise _not_numbers(values, name, path)
    if np.isinf(numbers).any():
        raise DataError(f"{path}: column {name!r} holds infinity; numbers must be finite")
    return np.asarray(numbers)


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def _batches(path: Path, names: list[str] | None, numbers: Sequence[str] = ()) -> Iterator[Any]:
    """Yield record batches of all columns, or of some; those of CSV are texts but for `numbers`."""
    check_file(path)
    if path.suffix not in SUFFIXES:
        raise DataError(f"{path}: the name must end in one of {', '.join(SUFFIXES)}")
    if path.suffix == ".npz":
        yield from _npz_batches(path, names)
    elif path.suffix == ".parquet":
        yield from _parquet_batches(path, names)
    else:
        yield from _csv_batches(path, names, numbers)


def _csv_batches(path: Path, names: list[str] | None, numbers: Sequence[str]) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    header, delimiter = _header(path)
    read = arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, column_names=header, skip_rows=1)
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=False)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()) | dict.fromkeys(numbers, pa.float64()),
        null_values=_MISSING, strings_can_be_null=True, include_columns=names or header,
    )  # fmt: skip
    try:
        yield from arrow_csv.open_csv(path, read, parse, convert)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} cannot be read as CSV: {_first_line(error)}") from None
    finally:
        # What Arrow would keep for more blocks is needed for the fit.
        pa.default_memory_pool().release_unused()


def _header(path: Path) -> tuple[list[str], str]:
    """Return the names of the columns, and what is between them."""
    if zipfile.is_zipfile(path):
        raise DataError(f"{path} is a ZIP archive, not CSV; unpack it first")
    with path.open("rb") as file:
        line = file.readline(2**24).lstrip(b"\xef\xbb\xbf")
    if not line.strip():
        raise DataError(f"{path} is empty")
    try:
        text = line.decode().splitlines()[0]
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text in UTF-8") from None
    delimiter = max(",;\t", key=text.count) if path.suffix == ".csv" else "\t"
    names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter))]
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise DataError(f"{path}: two columns have the name {twice[0]!r}")
    if "" in names:
        raise DataError(f"{path}: column {names.index('') + 1} has no name")
    return names, delimiter


def _parquet_batches(path: Path, names: list[str] | None) -> Iterator[Any]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS_PER_BATCH, columns=names)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path} cannot be read as Parquet: {_first_line(error)}") from None


def _npz_batches(path: Path, names: list[str] | None) -> Iterator[Any]:
    """Yield columns: arrays of shape (n,) by name, others flattened, as name0, name1, ..."""
    import pyarrow as pa

    columns: dict[str, np.ndarray] = {}
    for name, array in _npz_arrays(path).items():
        flat = array.reshape(len(array), -1)
        many = {f"{name}{at}": flat[:, at] for at in range(flat.shape[1])}
        columns |= {name: array} if array.ndim == 1 else many
    lengths = {len(array) for array in columns.values()}
    if len(lengths) != 1:
        raise DataError(f"{path}: its arrays must have one number of rows, got {sorted(lengths)}")
    chosen = {name: columns[name] for name in names} if names else columns
    for start in itertools.count(0, _ROWS_PER_BATCH):
        if start >= max(lengths):
            return
        span = slice(start, start + _ROWS_PER_BATCH)
        yield pa.record_batch({name: pa.array(a[span]) for name, a in chosen.items()})


def _npz_arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile):
        raise DataError(f"{path} is not an NPZ file of plain arrays") from None
    for name, array in arrays.items():
        if not 1 <= array.ndim <= 4:
            raise DataError(f"{path}: array {name!r} must have 1 to 4 dimensions")
    return arrays


def _image_shape(path: Path) -> tuple[int, ...]:
    if path.suffix != ".npz":
        return ()
    shapes = [array.shape[1:] for array in _npz_arrays(path).values() if array.ndim > 2]
    return shapes[0] if len(shapes) == 1 else ()


def columns_of(table: Table, names: Sequence[str], kept: np.ndarray | None = None) -> list[Column]:
    """Return the columns with the means and standard deviations of their numbers.

    Parameters
    ----------
    table : Table
    names : sequence of str
    kept : ndarray of bool, shape (n_rows,), optional
        Rows that count.
    """
    numbers = [name for name in names if table.levels[name] is None]
    count = np.zeros(len(numbers))
    mean, squares, start = np.zeros(len(numbers)), np.zeros(len(numbers)), 0
    for block in table.blocks(numbers) if numbers else ():
        rows = block if kept is None else block[kept[start : start + len(block)]]
        start += len(block)
        n = np.isfinite(rows).sum(axis=0)
        total = count + n
        # Of this block and all before it, by the means of both: sums of squares would cancel.
        own = np.nansum(rows, axis=0) / n.clip(min=1)
        shift = own - mean
        squares += np.nansum(np.square(rows - own), axis=0)
        squares += np.square(shift) * count * n / total.clip(min=1)
        mean, count = mean + shift * n / total.clip(min=1), total
    spread = np.sqrt(squares / count.clip(min=1))
    spread[spread <= 1e-12 * np.abs(mean)] = 1.0
    moments = dict(zip(numbers, zip(mean.tolist(), spread.tolist(), strict=True), strict=True))
    found = []
    for name in names:
        levels = table.levels[name]
        if levels is None:
            found.append(Column(name=name, mean=moments[name][0], scale=moments[name][1] or 1.0))
        else:
            found.append(Column(name=name, levels=levels))
    return found


def _some(names: list[str]) -> str:
    more = ", ..." if len(names) > 8 else ""
    return ", ".join(repr(name) for name in names[:8]) + more


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
