"""Rows as a table on stdout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from sparsefit.experiments.store import Row
    from sparsefit.figures.panels import Panel

# More rows than these are summed up.
MOST_ROWS = 20
AXES = ("task", "method", "hidden", "layers", "bias", "skip", "activation", "nnz", "seed")
# Not worth a word, where all rows have it.
_USUAL = {"layers": 1, "bias": False, "skip": False, "activation": "relu"}
RESULTS = ("value", "constant_value", "oracle_value", "nnz_found", "exact", "status", "seconds")
# What a narrow terminal does without, first to last; the score and what tells rows apart stay.
DISPENSABLE = ("constant_value", "oracle_value", "seconds", "nnz_found", "run")
_GOOD = ("finished", "converged")


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as a table on stdout, as wide as the terminal is.

    Columns are what tells the rows apart, be it an axis of the grid or an option, and results. What
    is the same in all of them is said above.
    """
    from sparsefit.experiments.metrics import METRICS

    table = [_entry(row) for row in rows]
    names = list(dict.fromkeys(name for entry in table for name in entry))
    is_same = {
        name: len(table) > 1 and len({repr(entry.get(name)) for entry in table}) == 1
        for name in names if name not in ("run", *RESULTS)
    }  # fmt: skip
    said = [f"{name.replace('_', ' ')} {_cell_text(table[0][name])}"
            for name, same in is_same.items()
            if same and name in AXES and table[0][name] != _USUAL.get(name)]  # fmt: skip
    if said:
        print(", ".join(said))
    columns = [name for name in names if not is_same.get(name) and _tells(name, table)]
    metrics = {row["metric"] for row in rows if row["metric"] is not None}
    headings = {
        "constant_value": "constant",
        "oracle_value": "true support",
        "nnz_found": "nonzeros",
    }
    if len(metrics) == 1:
        headings["value"] = METRICS[min(metrics)].label
    elif metrics:
        columns.insert(columns.index("value"), "metric")
        table = [entry | {"metric": row["metric"]} for entry, row in zip(table, rows, strict=True)]
    _print(table, columns, headings)


def print_summary(rows: Sequence[Row]) -> None:
    """Print, for each task and budget, the best method, the next, and how many are exact."""
    from sparsefit.figures.panels import make_panels

    entries = [entry for panel in make_panels(rows) for entry in _best(panel)]
    names = [name for name in entries[0] if any(entry[name] not in ("", None) for entry in entries)]
    headings = {"following": "next", "following_score": "its score"}
    metrics = {entry["metric"] for entry in entries}
    if len(metrics) == 1:
        names.remove("metric")
        headings["score"] = min(metrics)
    _print(entries, names, headings)


def _best(panel: Panel) -> Iterator[dict[str, Any]]:
    """Give an entry for each budget: means over widths and seeds."""
    from sparsefit.figures.panels import exact_of

    sign = 1 if panel.metric.higher_is_better else -1
    for nnz in panel.values_of("nnz"):
        found = []
        for series in panel.budgeted:
            rows = series.by_budget.get(nnz, [])
            own = [row for row in rows if row["value"] is not None]
            if own:
                found.append((sum(row["value"] for row in own) / len(own), series.label, own))
        found.sort(key=lambda entry: -sign * entry[0])
        if not found:
            continue
        best, following = found[0], found[1] if len(found) > 1 else ("", "", [])
        exact = exact_of(best[2])
        yield {
            "task": panel.title, "nnz": nnz, "metric": panel.metric.label, "best": best[1],
            "score": best[0], "exact": "{} of {}".format(*exact) if exact else "",
            "following": following[1], "following_score": following[0],
        }  # fmt: skip


def _entry(row: Row) -> dict[str, Any]:
    """Return what a line may have."""
    options = {**(row.get("task_options") or {}), **(row.get("method_options") or {})}
    options = {name: value for name, value in options.items() if name not in ("data_dir", *row)}
    return {
        "run": (row.get("run_id") or "")[:8], **{name: row.get(name) for name in AXES}, **options,
        **{name: row.get(name) for name in RESULTS},
    }  # fmt: skip


def _tells(name: str, table: Sequence[dict[str, Any]]) -> bool:
    values = [entry.get(name) for entry in table]
    if name == "status":
        return any(value not in _GOOD for value in values)
    if name in ("run", *RESULTS):
        return any(value is not None for value in values)
    if len(table) == 1:
        return name in AXES and values[0] not in (None, _USUAL.get(name))
    # An option tells apart the rows that have it.
    return name in AXES or len({repr(entry[name]) for entry in table if name in entry}) > 1


def _print(
    table: Sequence[dict[str, Any]], columns: list[str], headings: Mapping[str, str]
) -> None:
    """Print entries, without those columns for which a narrow terminal has no room."""
    from rich.console import Console

    console = Console(highlight=False)
    # Files and pipes have no width; a table there is not to be cut.
    console = console if console.is_terminal else Console(width=160, highlight=False)
    dispensable = [name for name in DISPENSABLE if name in columns]
    shown = _table(table, columns, headings)
    unbounded = console.options.update(max_width=10_000)
    while dispensable and console.measure(shown, options=unbounded).maximum > console.width:
        columns.remove(dispensable.pop(0))
        shown = _table(table, columns, headings)
    console.print(shown)


def _table(
    entries: Sequence[dict[str, Any]], columns: Sequence[str], headings: Mapping[str, str]
) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False)
    for name in columns:
        values = [entry.get(name) for entry in entries]
        numeric = all(isinstance(value, (int, float, type(None))) for value in values)
        heading = headings.get(name, name.replace("_", "\n"))
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=True)
    for entry in entries:
        table.add_row(*(_cell_text(entry.get(name)) for name in columns))
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
