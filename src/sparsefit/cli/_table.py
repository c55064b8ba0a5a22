"""Rows as a table on stdout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from sparsefit.experiments.store import Row

COLUMNS = (
    "task", "method", "hidden", "nnz", "seed", "metric", "value", "constant_value",
    "nnz_found", "exact", "status", "seconds",
)  # fmt: skip
# What a narrow terminal does without, first to last.
DISPENSABLE = ("metric", "nnz_found", "seconds", "exact", "constant_value", "seed")


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as a table on stdout, as wide as the terminal is."""
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


def print_entries(entries: Sequence[dict[str, Any]]) -> None:
    """Print entries of the same keys as a table on stdout, one to a line."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not entries:
        return
    table = Table(*entries[0], box=box.SIMPLE_HEAD)
    for entry in entries:
        table.add_row(*(entry_text(value) for value in entry.values()))
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(width=160, highlight=False, markup=False)
    console.print(table)


def entry_text(value: object) -> str:
    """Return a value of an entry as text: lists with commas, JSON of a dict, nothing for None."""
    if isinstance(value, dict):
        return json.dumps(value)
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
