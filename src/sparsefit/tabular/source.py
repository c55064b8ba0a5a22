"""Files as tables of DuckDB: CSV and its kin, Parquet, JSON lines, and arrays of NumPy."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sparsefit.core.files import check_file
from sparsefit.tabular.arrays import read_arrays
from sparsefit.tabular.text import PACKED, TextLayout, read_layout
from sparsefit.tabular.words import failure, quoted_name, quoted_path

if TYPE_CHECKING:
    import duckdb

# Rows that are handed on at a time: what is made of them stays small beside the fit.
ROWS_PER_BLOCK = 16_384
# One thread, little memory, and nothing that would be fetched from elsewhere.
_CONFIG: dict[str, Any] = {
    "threads": 1, "memory_limit": "256MB", "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}  # fmt: skip


class Cell(NamedTuple):
    """A column as DuckDB knows it: its name, quoted, and its type."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class Source:
    """A file that is read as often as needed, and is never held as a whole.

    Attributes
    ----------
    path : Path
    relation : str
        What follows FROM in the words of DuckDB.
    connection : duckdb.DuckDBPyConnection
    image_shape : tuple of int
        Of the rows of an NPZ array of three or four dimensions: height, width and perhaps
        channels; else empty.
    names : sequence of str
        Of the columns, where DuckDB calls them by their places; else empty.
    layout : TextLayout or None
        Of a text.
    """

    path: Path
    relation: str
    connection: duckdb.DuckDBPyConnection
    image_shape: tuple[int, ...] = ()
    names: Sequence[str] = ()
    layout: TextLayout | None = None

    @cached_property
    def columns(self) -> dict[str, Cell]:
        """What DuckDB calls each column and its type, in order; all texts are of VARCHAR."""
        found = [(row[0], row[1]) for row in self._fetched(f"DESCRIBE FROM {self.relation}")]
        names = self.names or [name for name, _ in found]
        return {
            column: Cell(quoted_name(name), kind)
            for column, (name, kind) in zip(names, found, strict=True)
        }

    def with_numbers(self, columns: Collection[str]) -> Source:
        """Return what reads columns of a text as numbers at once, which takes less time."""
        if self.layout is None:
            return self
        return replace(self, relation=self.layout.relation(columns))

    def row(self, expressions: Sequence[str]) -> tuple[Any, ...]:
        """Return aggregates over all rows."""
        return self._fetched(f"SELECT {', '.join(expressions)} FROM {self.relation}")[0]

    def blocks(self, expressions: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield expressions of type DOUBLE that are never NULL, (rows, len(expressions))."""
        import duckdb
        import nanoarrow

        query = f"SELECT {', '.join(expressions)} FROM {self.relation}"
        try:
            for batch in nanoarrow.ArrayStream(self.connection.sql(query)):
                columns = [np.asarray(batch.child(at).buffers[1]) for at in range(batch.n_children)]
                for start in range(0, len(batch), ROWS_PER_BLOCK):
                    yield np.column_stack([c[start : start + ROWS_PER_BLOCK] for c in columns])
        except (duckdb.Error, RuntimeError) as error:  # as the first block or a later one fails
            raise failure(self.path, error) from None

    def _fetched(self, query: str) -> list[tuple[Any, ...]]:
        import duckdb

        try:
            return self.connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise failure(self.path, error) from None


def open_source(path: Path) -> Source:
    """Open a file by the end of its name: Parquet, JSON lines, NPZ, or else a text of columns.

    Raises
    ------
    DataError
        If it is no table that can be read.
    """
    import duckdb

    check_file(path)
    connection = duckdb.connect(config=_CONFIG)
    kind = path.with_suffix("").suffix if path.suffix in PACKED else path.suffix
    if kind == ".npz":
        columns, image_shape = read_arrays(path)
        connection.register("arrays", {str(at): a for at, a in enumerate(columns.values())})
        return Source(path, "arrays", connection, image_shape, list(columns))
    if kind in (".parquet", ".pq"):
        return Source(path, f"read_parquet({quoted_path(path)})", connection)
    if kind in (".jsonl", ".ndjson", ".json"):
        return Source(path, f"read_json({quoted_path(path)})", connection)
    layout = read_layout(path, connection)
    return Source(path, layout.relation(), connection, names=layout.names, layout=layout)
