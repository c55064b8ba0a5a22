"""Files and frames as tables of DuckDB."""

from __future__ import annotations

import glob
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparsefit.core.errors import DataError
from sparsefit.core.file_rows import FileRows
from sparsefit.core.files import check_file
from sparsefit.predictor import MISSING
from sparsefit.reading.arrays import read_arrays
from sparsefit.reading.options import TextOptions
from sparsefit.reading.text import PACKED, TextLayout, read_layout
from sparsefit.reading.words import failure, quoted_name, quoted_path

if TYPE_CHECKING:
    import duckdb

# Rows that are handed on at a time: what is made of them stays small beside the fit.
ROWS_PER_BLOCK = 16_384
# One thread, little memory, and nothing that would be fetched from elsewhere.
_CONFIG: dict[str, Any] = {
    "threads": 1, "memory_limit": "256MB", "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}  # fmt: skip
# What a cell takes in a fit, about: as it is read, which each process does for itself; and in the
# process that has its row, in float32, on all rows in float64, and what is made of it on the way.
_BYTES_READ, _BYTES_HELD = 4, 44
# Fewer rows than these are no burden, whatever the memory.
_LEAST_ROWS = 1000
_SEED = 0
_PARQUET, _JSON = (".parquet", ".pq"), (".jsonl", ".ndjson", ".json")


class Cell(NamedTuple):
    """A column as DuckDB knows it: its name, quoted, and its type."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class Source:
    """Files that are read as often as needed, and never held as a whole; or a frame.

    Attributes
    ----------
    path : Path
        What sentences call it.
    relation : str
        What follows FROM in the words of DuckDB.
    connection : duckdb.DuckDBPyConnection
    missing : tuple of str
        Texts that stand for no value.
    image_shape : tuple of int
        Of the rows of an NPZ array of three or four dimensions: height, width and perhaps
        channels; else empty.
    names : sequence of str
        Of the columns, where DuckDB calls them by their places; else empty.
    layouts : sequence of TextLayout
        Of texts.
    n_drawn_of : int
        How many rows there are, if only a draw of them is read; else 0.
    """

    path: Path
    relation: str
    connection: duckdb.DuckDBPyConnection
    missing: tuple[str, ...] = MISSING
    image_shape: tuple[int, ...] = ()
    names: Sequence[str] = ()
    layouts: Sequence[TextLayout] = ()
    n_drawn_of: int = 0

    @cached_property
    def columns(self) -> dict[str, Cell]:
        """What DuckDB calls each column and its type, in order; all texts are of VARCHAR."""
        found = [(row[0], row[1]) for row in self._fetched(f"DESCRIBE FROM {self.relation}")]
        names = self.names or [name for name, _ in found]
        return {
            column: Cell(quoted_name(name), kind)
            for column, (name, kind) in zip(names, found, strict=True)
        }

    @property
    def separator(self) -> str:
        """What is between the columns of a text; empty for other files."""
        return self.layouts[0].separator if self.layouts else ""

    def with_numbers(self, columns: Collection[str]) -> Source:
        """Return what reads columns of a text as numbers at once, which takes less time."""
        if not self.layouts or self.n_drawn_of:
            return self
        return replace(self, relation=_union(x.relation(columns) for x in self.layouts))

    def row(self, expressions: Sequence[str]) -> tuple[Any, ...]:
        """Return aggregates over all rows."""
        return self._fetched(f"SELECT {', '.join(expressions)} FROM {self.relation}")[0]

    def some(self, expression: str, condition: str, most: int) -> list[Any]:
        """Return the different values of an expression in the first rows with a condition."""
        rows = f"SELECT {expression} AS v FROM {self.relation} WHERE {condition} LIMIT {most}"
        return [value for (value,) in self._fetched(f"SELECT DISTINCT v FROM ({rows})")]

    def blocks(self, expressions: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield expressions of type DOUBLE that are never NULL, (rows, len(expressions))."""
        import duckdb
        import nanoarrow

        # Rows are counted by a column of their own, where there is no other.
        query = f"SELECT {', '.join([*expressions, '0::DOUBLE'])} FROM {self.relation}"
        try:
            for batch in nanoarrow.ArrayStream(self.connection.sql(query)):
                columns = [np.asarray(batch.child(at).buffers[1]) for at in range(batch.n_children)]
                for start in range(0, len(batch), ROWS_PER_BLOCK):
                    rows = [column[start : start + ROWS_PER_BLOCK] for column in columns]
                    yield np.column_stack(rows[:-1]) if expressions else rows[0][:, None][:, :0]
        except (duckdb.Error, RuntimeError) as error:  # as the first block or a later one fails
            raise failure(self.path, error) from None

    def texts(self, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the cells of some columns as texts, None where missing, in blocks of rows."""
        import duckdb

        wanted = ", ".join(f"CAST({self.columns[name].name} AS VARCHAR)" for name in columns)
        try:
            cursor = self.connection.cursor().execute(f"SELECT {wanted} FROM {self.relation}")
            while rows := cursor.fetchmany(ROWS_PER_BLOCK):
                yield rows
        except duckdb.Error as error:
            raise failure(self.path, error) from None

    def _fetched(self, query: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self.connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise failure(self.path, error) from None


def open_source(
    path: Path, options: TextOptions | None = None, missing: tuple[str, ...] = MISSING,
    *, memory: int | None = None, processes: int = 1,
) -> Source:  # fmt: skip
    """Open a file by the end of its name: Parquet, JSON lines, NPY, NPZ, or a text of columns.

    Parameters
    ----------
    path : Path
        A file, or files of the same columns: a folder, or a pattern such as ``part-*.csv``.
    options : TextOptions, optional
    missing : tuple of str, optional
        Texts that stand for no value, unless the options have some.
    memory : int, optional
        Bytes that reading and fitting may take, about: of a table that is larger a draw of the
        rows is read, the same each time.
    processes : int, optional
        Which have a part of the rows each, and so much memory each.

    Raises
    ------
    DataError
        If it is no table that can be read.
    """
    import duckdb

    options = options or TextOptions()
    options = replace(options, missing=options.missing or missing)
    files = files_of(path)
    connection = duckdb.connect(config=_CONFIG)
    if all(file.suffix == ".npy" for file in files):
        return _open_matrix(path, files, options.missing, connection, memory, processes)
    parts = [_open(file, options, connection) for file in files]
    first, *others = parts
    for file, part in zip(files[1:], others, strict=True):
        if list(part.columns) != list(first.columns):
            raise DataError(f"{file} has other columns than {files[0]}, which is read with it")
    layouts = [layout for part in parts for layout in part.layouts]
    whole = replace(
        first, path=path, relation=_union(part.relation for part in parts), layouts=layouts
    )
    return whole if memory is None else _drawn(whole, memory, processes)


def _drawn(source: Source, memory: int, processes: int) -> Source:
    """Return a draw of the rows, if all are too many to fit a model to within some memory."""
    (n_rows,) = source.row(["count(*)"])
    most = _most_rows(memory, len(source.columns), processes)
    if n_rows <= most:
        return source
    sample = f"USING SAMPLE reservoir({most} ROWS) REPEATABLE ({_SEED})"
    source._fetched(f"CREATE TEMP TABLE drawn AS SELECT * FROM {source.relation} {sample}")
    return replace(source, relation="drawn", n_drawn_of=n_rows)


def _open_matrix(
    path: Path, files: list[Path], missing: tuple[str, ...],
    connection: duckdb.DuckDBPyConnection, memory: int | None, processes: int,
) -> Source:  # fmt: skip
    """Open .npy files, whose columns are called by their places, from 0 on."""
    rows = FileRows.open(files)
    n_rows, places = len(rows), np.arange(len(rows))
    most = n_rows if memory is None else _most_rows(memory, rows.shape[1], processes)
    if n_rows > most:
        draw = np.random.default_rng(_SEED)
        places = np.sort(draw.choice(n_rows, most, replace=False, shuffle=False))
    matrix = rows.raw(places)
    connection.register("matrix", {str(at): column for at, column in enumerate(matrix.T)})
    names = [str(at) for at in range(rows.shape[1])]
    drawn_of = n_rows if n_rows > most else 0
    return Source(path, "matrix", connection, missing, (), names, n_drawn_of=drawn_of)


def _most_rows(memory: int, n_columns: int, processes: int) -> int:
    bytes_of_cell = _BYTES_READ + _BYTES_HELD / processes
    return max(int(memory / (bytes_of_cell * n_columns)), _LEAST_ROWS)


def files_of(path: Path) -> list[Path]:
    """Return the files of a path: itself, those in a folder, or those that a pattern stands for.

    Raises
    ------
    DataError
        If there is none, or one may not be read.
    """
    found = [path]
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.is_file() and file.name[0] != ".")
    elif not path.exists() and glob.has_magic(str(path)):
        found = sorted(file for file in map(Path, glob.glob(str(path))) if file.is_file())  # noqa: PTH207
    if not found:
        raise DataError(f"there is no file {path}" if not path.is_dir() else f"{path} has no files")
    for file in found:
        check_file(file)
    return found


def open_frame(frame: Any, missing: tuple[str, ...] = ()) -> Source:
    """Return a frame of pandas, or one that hands itself on as Arrow does, such as of polars.

    Sentences call it X.
    """
    import duckdb

    connection = duckdb.connect(config=_CONFIG)
    # Columns of objects are texts, whatever the first rows have.
    connection.execute("SET pandas_analyze_sample = 0")
    is_pandas = hasattr(frame, "iloc")
    try:
        connection.register("frame", frame if is_pandas else _Stream(frame))
    except duckdb.Error as error:
        raise failure(Path("X"), error) from None
    return Source(Path("X"), "frame", connection, missing or MISSING)


class _Stream:
    """A frame as nothing but a stream, for which no other package is needed."""

    def __init__(self, frame: Any):
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._frame.__arrow_c_stream__(requested_schema)


def _union(relations: Iterator[str] | Sequence[str]) -> str:
    found = list(relations)
    if len(found) == 1:
        return found[0]
    return "(" + " UNION ALL ".join(f"FROM {relation}" for relation in found) + ")"


def _open(path: Path, options: TextOptions, connection: duckdb.DuckDBPyConnection) -> Source:
    missing = options.missing
    kind = path.with_suffix("").suffix if path.suffix in PACKED else path.suffix
    if kind == ".npz":
        columns, image_shape = read_arrays(path)
        name = f"arrays of {path}"
        connection.register(name, {str(at): a for at, a in enumerate(columns.values())})
        return Source(path, quoted_name(name), connection, missing, image_shape, list(columns))
    if kind in _PARQUET:
        return Source(path, f"read_parquet({quoted_path(path)})", connection, missing)
    if kind in _JSON:
        return Source(path, f"read_json({quoted_path(path)})", connection, missing)
    if kind in (".xlsx", ".xls", ".ods"):
        raise DataError(f"{path} is a spreadsheet; save its sheet as CSV first")
    layout = read_layout(path, options, missing, connection)
    return Source(path, layout.relation(), connection, missing, (), layout.names, [layout])
