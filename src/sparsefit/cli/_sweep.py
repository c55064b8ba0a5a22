"""Run a sweep for the command line: rows to stdout, progress and notes to stderr."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sparsefit.cli._flags import SweepFormat, format_or_default
from sparsefit.cli._table import print_table
from sparsefit.core.progress import show_progress
from sparsefit.experiments.store import DENSE_NOTE, FIELDS, Row, Store

if TYPE_CHECKING:
    from sparsefit.experiments.spec import Cell

MOST_REASONS = 3


def run_sweep(
    cells: Sequence[Cell], *, out: Path | None, workers: int, format: SweepFormat | None
) -> list[Row]:
    """Run the cells that are missing in `out`, and print the rows of all.

    Parameters
    ----------
    cells : sequence of Cell
    out : Path or None
        The results folder; None keeps nothing.
    workers : int
        Processes.
    format : {"table", "json", "csv"} or None
        Lines of JSON and CSV are printed as cells end, the table at the end; None is a table on
        a terminal and JSON elsewhere.

    Returns
    -------
    list of dict
        One row per cell, in the order of the cells.
    """
    from sparsefit.experiments.run import run_cells

    format = format_or_default(format)
    n_cells = len(cells)
    # Rows that stream to stdout are progress enough, and a bar would cut through them.
    streams = format != "table" and sys.stdout.isatty()
    noun = f"cell{_s(n_cells)}"
    with (
        _folder(out) as folder,
        show_progress(n_cells, noun, bar=not streams, lines=format == "table") as report,
    ):
        rows = run_cells(
            cells,
            folder,
            workers=workers,
            on_row=_RowPrinter(format).print,
            on_progress=lambda done, message: report(done / n_cells, message),
            on_note=note,
        )
    reasons = _reasons(rows, out)
    if format == "table":
        print_table(rows)
        print(*reasons, sep="\n", end="\n" if reasons else "")
    else:
        for reason in reasons[:MOST_REASONS]:
            note(reason)
    note(_summary(rows, out))
    return rows


@contextlib.contextmanager
def _folder(out: Path | None) -> Iterator[Store]:
    if out is not None:
        yield Store(out)
        return
    with tempfile.TemporaryDirectory(prefix="sparsefit-") as temporary:
        yield Store(Path(temporary))


def exit_code(rows: Sequence[Row]) -> int:
    """Return 1 if a cell failed, else 0."""
    return int(any(row["status"] == "failed" for row in rows))


def note(sentence: str) -> None:
    """Tell the user something on stderr."""
    print(sentence, file=sys.stderr, flush=True)


class _RowPrinter:
    """Prints rows as they come, unless they are to be a table in the end."""

    def __init__(self, format: SweepFormat):
        self._format = format
        self._csv: csv.DictWriter[str] | None = None
        self._dense_told = False

    def print(self, row: Row) -> None:
        if self._format == "json":
            print(json.dumps(row, allow_nan=False), flush=True)
        elif self._format == "csv":
            self._write_csv(row)
        if DENSE_NOTE in row["note"] and not self._dense_told:
            self._dense_told = True
            note(f"note: nnz {row['nnz']} with hidden {row['hidden']}: {row['note']}")

    def _write_csv(self, row: Row) -> None:
        if self._csv is None:
            # With the first row: a request that is refused prints nothing.
            self._csv = csv.DictWriter(sys.stdout, (*FIELDS, "info"), lineterminator="\n")
            self._csv.writeheader()
        line = {name: _flat(row.get(name)) for name in FIELDS}
        # Which further facts there are differs between tasks and methods, so they share a column.
        info = {name: value for name, value in row.items() if name not in FIELDS}
        self._csv.writerow(line | {"info": _flat(info or None)})
        sys.stdout.flush()


def _flat(value: object) -> object:
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def _summary(rows: Sequence[Row], out: Path | None) -> str:
    counts = Counter(row["status"] for row in rows)
    parts = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    where = f"; results in {out}" if out else ""
    return f"{len(rows)} cell{_s(len(rows))}: {parts}{where}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _reasons(rows: Sequence[Row], out: Path | None) -> list[str]:
    """Return a line per different note of cells without a result, with the log of the first."""
    by_note: dict[str, list[Row]] = {}
    for row in rows:
        if row["value"] is None:
            by_note.setdefault(row["note"], []).append(row)
    lines = []
    for text, own in by_note.items():
        log = Store(out).log_path(own[0]["run_id"]) if out else None
        where = f" (log: {log})" if log and own[0]["status"] == "failed" and log.exists() else ""
        lines.append(f"{len(own)} without a result: {text}{where}")
    return lines
