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
from typing import TYPE_CHECKING, Literal

from sparsefit.experiments.store import DENSE_NOTE, FIELDS, Row, Store

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from sparsefit.experiments.spec import Cell

Format = Literal["json", "csv", "table"]
COLUMNS = (
    "task", "method", "hidden", "nnz", "seed", "metric", "value", "constant_value",
    "nnz_found", "exact", "status", "seconds",
)  # fmt: skip
# What a narrow terminal does without, first to last.
DISPENSABLE = ("metric", "nnz_found", "seconds", "exact", "constant_value", "seed")


def run_sweep(
    cells: Sequence[Cell], *, out: Path | None, workers: int, format: Format | None
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

    format = format or ("table" if sys.stdout.isatty() else "json")
    with _folder(out) as folder, _Reporter(format, len(cells)) as reporter:
        rows = run_cells(
            cells,
            folder,
            workers=workers,
            on_row=reporter.row,
            on_progress=reporter.progress,
            on_note=note,
        )
    if format == "table":
        print_table(rows)
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


class _Reporter:
    """Prints rows as they come and shows a progress bar where somebody can see it."""

    def __init__(self, format: Format, n_cells: int):
        self._format, self._n_cells = format, n_cells
        self._csv = csv.DictWriter(sys.stdout, FIELDS, extrasaction="ignore", lineterminator="\n")
        self._dense_told = False
        self._bar: Progress | None = None

    def __enter__(self) -> _Reporter:
        if self._format == "csv":
            self._csv.writeheader()
        # Rows that stream over a terminal are progress enough, and a bar would cut through them.
        streams = self._format != "table" and sys.stdout.isatty()
        if sys.stderr.isatty() and not streams:
            self._bar = _start_bar(self._n_cells)
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar:
            self._bar.stop()

    def row(self, row: Row) -> None:
        if self._format == "json":
            print(json.dumps(row, allow_nan=False), flush=True)
        elif self._format == "csv":
            self._csv.writerow({name: _flat(row.get(name)) for name in FIELDS})
            sys.stdout.flush()
        if DENSE_NOTE in row["note"] and not self._dense_told:
            self._dense_told = True
            note(f"note: nnz {row['nnz']} with hidden {row['hidden']}: {row['note']}")

    def progress(self, cells_done: float, message: str) -> None:
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=cells_done, description=message)


def _start_bar(n_cells: int) -> Progress:
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}"),
        console=Console(stderr=True),
        transient=True,
        # Rows on stdout stay on stdout.
        redirect_stdout=False,
    )
    bar.add_task("", total=n_cells)
    bar.start()
    return bar


def _flat(value: object) -> object:
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as a table on stdout, with the notes of cells that have no result below it."""
    from rich.console import Console

    console = Console(highlight=False)
    # Files and pipes have no width; a table there is not to be cut.
    console = console if console.is_terminal else Console(width=160, highlight=False)
    columns = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
    dispensable = [name for name in DISPENSABLE if name in columns]
    table = _table(rows, columns)
    unbounded = console.options.update(max_width=10_000)
    while dispensable and console.measure(table, options=unbounded).maximum > console.width:
        columns.remove(dispensable.pop(0))
        table = _table(rows, columns)
    console.print(table)
    for text, count in Counter(row["note"] for row in rows if row["value"] is None).items():
        console.print(f"{count} without a result: {text}", markup=False)


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in columns:
        numeric = all(isinstance(row.get(name), (int, float, type(None))) for row in rows)
        heading = name.replace("_", "\n")
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(_cell_text(row.get(name)) for name in columns))
    return table


def _cell_text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _summary(rows: Sequence[Row], out: Path | None) -> str:
    counts = Counter(row["status"] for row in rows)
    parts = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    where = f"; results in {out}" if out else ""
    return f"{len(rows)} cells: {parts}{where}"
