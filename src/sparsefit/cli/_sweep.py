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
from typing import IO, TYPE_CHECKING

from sparsefit.cli._flags import SweepFormat, format_or_default
from sparsefit.cli._say import Command, ending, note
from sparsefit.cli._table import MOST_ROWS, print_summary, print_table
from sparsefit.core.files import writing
from sparsefit.core.progress import show_progress
from sparsefit.core.team import is_follower
from sparsefit.experiments.store import DENSE_NOTE, FIELDS, Row, Store

if TYPE_CHECKING:
    from sparsefit.experiments.engines import EngineOptions
    from sparsefit.experiments.spec import Cell

MOST_REASONS = 3
_ROWS_FILE = "rows.csv"


def run_sweep(
    cells: Sequence[Cell], *, out: Path | None, engine: EngineOptions, format: SweepFormat | None
) -> list[Row]:
    """Run the cells that are missing in `out`, and print the rows of all.

    Parameters
    ----------
    cells : sequence of Cell
    out : Path or None
        The results folder; None keeps nothing.
    engine : EngineOptions
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
    # Rows that stream to stdout are progress enough, and a bar would cut through them.
    streams = format != "table" and sys.stdout.isatty()
    with (
        # One process of torchrun has the results; the others keep theirs for themselves.
        _folder(None if is_follower() else out) as folder,
        show_progress(bar=not streams, lines=format == "table") as report,
    ):
        rows = run_cells(
            cells,
            folder,
            engine=engine,
            on_row=_RowPrinter(format).print,
            on_progress=report,
            on_note=note,
        )
    reasons = _reasons(rows, out)
    if format == "table":
        _print_rows(rows, out)
        print(*reasons, sep="\n", end="\n" if reasons else "")
    else:
        for reason in reasons[:MOST_REASONS]:
            note(reason)
    _end(rows, out, format)
    return rows


def plan(cells: Sequence[Cell], out: Path | None, workers: int) -> str:
    """Return how many cells are to be run, and about how long they take, in a sentence."""
    from sparsefit.core.progress import in_words
    from sparsefit.experiments.effort import Efforts
    from sparsefit.experiments.jobs import group
    from sparsefit.experiments.run import stored_rows

    missing = list(cells)
    if out is not None and out.is_dir():
        missing = stored_rows(cells, Store(out), note)[1]
    n_found = len(cells) - len(missing)
    found = f", {n_found} of them there already" if n_found else ""
    text = f"{len(cells)} cell{_s(len(cells))}{found}"
    if not missing:
        return f"{text}; nothing to run"
    efforts = Efforts()
    times = [efforts.of_job(job) for job in group(missing)]
    seconds = max(max(times), sum(times) / workers)
    return f"{text}; about {in_words(seconds)} with {workers} worker{_s(workers)}"


def _print_rows(rows: Sequence[Row], out: Path | None) -> None:
    """Print all rows, or of many a summary, with a file of all."""
    if len(rows) <= MOST_ROWS or all(row["value"] is None for row in rows):
        print_table(rows)
        return
    print_summary(rows)
    if out is not None:
        with writing(out / _ROWS_FILE) as temporary, temporary.open("w", newline="") as file:
            writer = _CsvRows(file)
            for row in rows:
                writer.write(row)


def _end(rows: Sequence[Row], out: Path | None, format: SweepFormat) -> None:
    """Say what has come out, and which commands go on from there."""
    good = [row for row in rows if row["value"] is not None]
    if out is None or not good or format != "table":
        note(_summary(rows, out))
        return
    exact = [row for row in good if row.get("exact")]
    chosen = (exact or good)[0]
    folder = () if str(out) == "runs" else ("--out", out)
    further: list[Command] = [("show", chosen["run_id"][:8], *folder)]
    if len(rows) > 1:
        further.append(("figures", out))
    ending(_summary(rows, out), *further, ("report", out, "--open"))


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


class _RowPrinter:
    """Prints rows as they come, unless they are to be a table in the end."""

    def __init__(self, format: SweepFormat):
        self._format = format
        self._csv: _CsvRows | None = None
        self._dense_told = False

    def print(self, row: Row) -> None:
        if self._format == "json":
            print(json.dumps(row, allow_nan=False), flush=True)
        elif self._format == "csv":
            # With the first row: a request that is refused prints nothing.
            self._csv = self._csv or _CsvRows(sys.stdout)
            self._csv.write(row)
            sys.stdout.flush()
        if DENSE_NOTE in row["note"] and not self._dense_told:
            self._dense_told = True
            note(f"note: nnz {row['nnz']} with hidden {row['hidden']}: {row['note']}")


class _CsvRows:
    """Rows as CSV, with a header."""

    def __init__(self, file: IO[str]):
        self._writer = csv.DictWriter(file, (*FIELDS, "info"), lineterminator="\n")
        self._writer.writeheader()

    def write(self, row: Row) -> None:
        line = {name: _flat(row.get(name)) for name in FIELDS}
        # Which further facts there are differs between tasks and methods, so they share a column.
        info = {name: value for name, value in row.items() if name not in FIELDS}
        self._writer.writerow(line | {"info": _flat(info or None)})


def _flat(value: object) -> object:
    return json.dumps(value) if isinstance(value, (dict, list)) else value


def _summary(rows: Sequence[Row], out: Path | None) -> str:
    from sparsefit.figures.panels import exact_of

    counts = Counter(row["status"] for row in rows)
    parts = [f"{count} {status}" for status, count in sorted(counts.items())]
    exact = exact_of(rows)
    if exact:
        parts.append("{} of {} exact".format(*exact))
    where = f"; results in {out}" if out else ""
    is_long = len(rows) > MOST_ROWS and out is not None and (out / _ROWS_FILE).exists()
    where += f", all rows in {out / _ROWS_FILE}" if is_long and out is not None else ""
    return f"{len(rows)} cell{_s(len(rows))}: {', '.join(parts)}{where}"


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
