"""The page of a results folder."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsefit.core.errors import SparsefitError
from sparsefit.core.result import Status
from sparsefit.experiments.metrics import MetricInfo
from sparsefit.experiments.store import Row, load_rows
from sparsefit.figures.axis import Axis, find_axes
from sparsefit.figures.panels import Panel, Series, exact_of, make_panels
from sparsefit.pages._commands import commands
from sparsefit.pages._page import short, write_page

# Of so many tasks the finding is said first.
_MOST_FINDINGS = 8
_TROUBLE = (Status.FAILED.value, Status.DIVERGED.value, Status.SKIPPED.value)
# Columns of the table: key, label, and the format of a number or nothing for text.
_COLUMNS = (
    ("task", "task", ""), ("method", "method", ""), ("hidden", "hidden", "d"), ("nnz", "nnz", "d"),
    ("seed", "seed", "d"), ("metric", "metric", ""), ("value", "score", "g"),
    ("train_value", "training score", "g"), ("constant_value", "best constant", "g"),
    ("oracle_value", "with the true support", "g"),
    ("nnz_found", "nnz found", "d"), ("support_recall", "recall", ".2f"),
    ("support_precision", "precision", ".2f"), ("exact", "exact", ""), ("seconds", "seconds", "g"),
    ("peak_mb", "MB", "g"), ("n_iter", "iterations", "d"), ("status", "status", ""),
    ("note", "note", ""), ("run_id", "run", ""),
)  # fmt: skip
# Beside the scores: key, label, format, whether higher is better (1), lower (-1) or neither (0).
_MEASURES = (
    ("seconds", "seconds", "g", -1), ("nnz_found", "nonzeros found", "d", 0),
    ("support_recall", "support recall", ".2f", 1),
    ("support_precision", "support precision", ".2f", 1),
)  # fmt: skip


def sweep_data(
    folder: str | Path, on_note: Callable[[str], None] = lambda note: None
) -> dict[str, Any]:
    """Return what the page of a results folder shows.

    Parameters
    ----------
    folder : str or Path
        What ``--out`` was when the cells ran.
    on_note : callable, optional
        Gets a sentence for every damaged file, which is left out.

    Returns
    -------
    dict
        ``columns`` and ``rows`` of the table; ``panels``, one for each task with its options,
        which have the ``metrics`` that can be shown and a list of ``series``: the methods, whose
        ``cells`` have the places of their rows and (mean, standard error, number of seeds) by
        metric; ``axes``, the options of tasks that are numbers and that cells differ in, with the
        means along them; ``failures``; ``commands``; ``counts`` by status.

    Raises
    ------
    SparsefitError
        If there is no such folder or it holds no results.

    Examples
    --------
    >>> import json, tempfile
    >>> row = {"run_id": "a", "task": "planted", "method": "aiht", "hidden": 5, "nnz": 10,
    ...        "seed": 0, "metric": "psnr", "value": 30.0, "status": "finished"}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "rows").mkdir()
    ...     size = (Path(folder) / "rows" / "a.json").write_text(json.dumps(row))
    ...     data = sweep_data(folder)
    >>> data["panels"][0]["series"][0]["cells"][0]["stats"]["value"]
    [30.0, None, 1]
    """
    rows = load_rows(folder, on_note)
    if not rows:
        raise SparsefitError(f"there are no results in {str(folder)!r}: 'rows' holds no row")
    panels = make_panels(rows) if any(row["metric"] is not None for row in rows) else []
    names = {"task": {}, "method": {}} if not panels else _labels(panels)
    name = Path(folder).resolve().name
    return {
        "kind": "sweep",
        "title": name,
        "source": name,
        "findings": [_finding(panel) for panel in panels[:_MOST_FINDINGS]],
        "counts": dict(Counter(row["status"] for row in rows)),
        "commands": commands(rows, name),
        **_table(rows, names),
        "panels": [_panel(panel, _places(rows)) for panel in panels],
        "axes": [_axis(axis) for axis in (find_axes(rows) if panels else [])],
        "failures": _failures(rows),
    }


def write_sweep_report(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    on_note: Callable[[str], None] = lambda note: None,
) -> Path:
    """Write the page of a results folder.

    Parameters
    ----------
    folder : str or Path
        What ``--out`` was when the cells ran.
    out : str or Path, optional
        The file; default: ``report.html`` in `folder`.
    on_note : callable, optional
        Gets a sentence for every damaged file, which is left out.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SparsefitError
        If there are no results, or the file cannot be written; nothing is left of it then.

    Examples
    --------
    >>> write_sweep_report("nowhere")
    Traceback (most recent call last):
    sparsefit.core.errors.SparsefitError: there are no results in 'nowhere': ...
    """
    data = sweep_data(folder, on_note)
    return write_page(data, Path(folder) / "report.html" if out is None else Path(out))


def _finding(panel: Panel) -> str:
    """Return in a sentence which method is best on a task, and how many networks are exact."""
    sign = 1 if panel.metric.higher_is_better else -1
    wins: Counter[str] = Counter()
    budgets = panel.values_of("nnz")
    means: dict[str, list[float]] = {}
    for nnz in budgets:
        scores = {}
        for series in panel.budgeted:
            rows = series.by_budget.get(nnz, [])
            own = [row["value"] for row in rows if row["value"] is not None]
            if own:
                scores[series.label] = float(np.mean(own))
                means.setdefault(series.label, []).append(scores[series.label])
        if scores:
            wins[max(scores, key=lambda label: sign * scores[label])] += 1
    if not wins:
        return f"{panel.title}: no method with a budget has a result."
    best, n_wins = wins.most_common(1)[0]
    text = f"{panel.title}: {best}"
    if len(panel.budgeted) > 1:
        at = "every budget" if n_wins == len(budgets) else f"{n_wins} of {len(budgets)} budgets"
        text += f" is best at {at},"
    text += f" {panel.metric.label} {np.mean(means[best]):{panel.metric.digits}} on average"
    exact = {series.label: exact_of(series.rows) for series in panel.budgeted}
    counts = [f"{label} {own[0]} of {own[1]}" for label, own in exact.items() if own]
    return text + (f"; exact: {', '.join(counts)}." if counts else ".")


def _places(rows: Sequence[Row]) -> dict[str, int]:
    return {row["run_id"]: place for place, row in enumerate(rows)}


def _labels(panels: Sequence[Panel]) -> dict[str, dict[str, str]]:
    """Return the names of tasks and methods with what tells them apart, by run id."""
    names: dict[str, dict[str, str]] = {"task": {}, "method": {}}
    for panel in panels:
        for series in panel.series:
            for row in series.rows:
                names["task"][row["run_id"]] = panel.title
                names["method"][row["run_id"]] = series.label
    return names


def _table(rows: Sequence[Row], names: dict[str, dict[str, str]]) -> dict[str, Any]:
    shown = [
        c
        for c in _COLUMNS
        if any(row.get(c[0]) not in (None, "", 0) for row in rows)
        or (c[0] == "exact" and any(row.get("exact") is not None for row in rows))
    ]
    return {
        "columns": [{"key": key, "label": label, "digits": form} for key, label, form in shown],
        "rows": [
            [short(names.get(key, {}).get(row["run_id"]) or row.get(key)) for key, _, _ in shown]
            for row in rows
        ],
    }


def _panel(panel: Panel, places: dict[str, int]) -> dict[str, Any]:
    rows = [row for series in panel.series for row in series.rows]
    metrics = _metrics(panel.metric, rows, panel.task.limits)
    keys = [metric["key"] for metric in metrics]
    series = [_series(panel, one, keys, places) for one in panel.series]
    cells = [cell for one in series for cell in one["cells"] if cell["nnz"] is not None]
    return {
        "title": panel.title,
        "width_name": panel.task.width_name,
        "metrics": metrics,
        "hidden": sorted({cell["hidden"] for cell in cells}),
        "nnz": sorted({cell["nnz"] for cell in cells}),
        "series": series,
        "constants": _constants(panel),
    }


def _metrics(
    metric: MetricInfo, rows: Sequence[Row], limits: tuple[float, float]
) -> list[dict[str, Any]]:
    """Return the metrics that some row has, and the score on training rows if it is another."""
    better = 1 if metric.higher_is_better else -1
    only = all(row.get("train_value") in (None, row["value"]) for row in rows)
    where = "" if only else ", fresh rows"
    score = (metric.digits, better, metric.log, limits)
    known: list[tuple[Any, ...]] = [("value", metric.label + where, *score)]
    if not only:
        known.append(("train_value", f"{metric.label}, training rows", *score))
    for key, label, digits, sense in _MEASURES:
        if any(row.get(key) is not None for row in rows):
            known.append((key, label, digits, sense, key == "seconds", None))
    names = ("key", "label", "digits", "better", "log", "limits")
    return [dict(zip(names, values, strict=True)) for values in known]


def _series(
    panel: Panel, series: Series, keys: Sequence[str], places: dict[str, int]
) -> dict[str, Any]:
    """Return the cells of a method; without a budget the rows of a width are one cell."""
    by_budget = series.uses_budget or panel.task.draws_truth
    groups: dict[tuple[int, int | None], list[Row]] = {}
    for row in series.rows:
        if row["nnz"] is not None or not by_budget:
            groups.setdefault((row["hidden"], row["nnz"] if by_budget else None), []).append(row)
    cells = [
        {
            "hidden": hidden,
            "nnz": nnz,
            "rows": [places[row["run_id"]] for row in own],
            "stats": {key: _stats([row.get(key) for row in own]) for key in keys},
        }
        for (hidden, nnz), own in groups.items()
    ]
    return {"label": series.label, "budgeted": series.uses_budget, "cells": cells}


def _stats(values: Sequence[float | None]) -> list[Any]:
    """Return mean, standard error of the mean, and the number of values that there are.

    Examples
    --------
    >>> _stats([1.0, 3.0, None])
    [2.0, 1.0, 2]
    """
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    if not len(known):
        return [None, None, 0]
    error = float(known.std(ddof=1)) / math.sqrt(len(known)) if len(known) > 1 else None
    return [short(float(known.mean())), short(error), len(known)]


def _axis(axis: Axis) -> dict[str, Any]:
    """Return the means of each method along an option of the task, a plot for each place."""
    metric = axis.panel.metric
    return {
        "title": axis.panel.title,
        "name": axis.label,
        "values": axis.values,
        "wide": axis.is_wide,
        "metric": metric.label,
        "log": metric.log,
        "labels": [[series.label, series.uses_budget] for series in axis.panel.series],
        "plots": [
            {
                "hidden": place[0],
                "nnz": place[1],
                "curves": [
                    [
                        [at, *_stats(values)]
                        for at, values in axis.curve(series, place, "value").items()
                    ]
                    for series in axis.panel.series
                ],
            }
            for place in axis.places
        ],
    }


def _constants(panel: Panel) -> dict[str, list[Any]]:
    """Return [hidden, nnz, mean] of the best constants, by score."""
    found = {}
    for key, source in (("value", "constant_value"), ("train_value", "constant_train_value")):
        groups: dict[tuple[int, int], list[float]] = {}
        for series in panel.budgeted:
            for row in series.rows:
                if row.get(source) is not None:
                    groups.setdefault((row["hidden"], row["nnz"]), []).append(row[source])
        found[key] = [[*place, short(float(np.mean(own)))] for place, own in groups.items()]
    return found


def _failures(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the cells without a good end, those with the same reason together."""
    groups: dict[tuple[str, ...], list[list[Any]]] = {}
    for status in _TROUBLE:
        for row in rows:
            if row["status"] == status:
                key = (status, row["task"], row["method"], row.get("note") or "")
                groups.setdefault(key, []).append([row["hidden"], row["nnz"], row["seed"]])
    names = ("status", "task", "method", "note")
    return [{**dict(zip(names, key, strict=True)), "cells": cells} for key, cells in groups.items()]
