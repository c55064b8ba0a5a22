"""Score against budget, with a band over seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.figures._style import COLORS, add_legend, add_title, plots
from sparsefit.figures.panels import Panel, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CONSTANT = {"value": "constant_value", "train_value": "constant_train_value"}


def curves(panel: Panel, score: str) -> Figure:
    """Draw one plot per width, with a line per method: mean over seeds, lowest to highest shaded.

    The best constant is dashed. Networks without a budget are dotted: a level, or a line over
    budgets where each budget has a problem of its own.
    """
    widths = panel.values_of("hidden")
    figure, every = plots(len(widths))
    for axes, width in zip(every, widths, strict=True):
        for number, series in enumerate(panel.budgeted):
            _draw_series(axes, series, width, score, COLORS[number % len(COLORS)])
        _draw_references(axes, panel, width, score)
        _label(axes, panel, width)
    add_legend(figure, *every[0].get_legend_handles_labels())
    add_title(figure, f"{panel.title}: mean over seeds, shaded from lowest to highest")
    return figure


def _draw_series(axes: Axes, series: Series, width: int, score: str, color: str) -> None:
    cells = {nnz: cell for (m, nnz), cell in sorted(series.cells(score).items()) if m == width}
    known = {nnz: cell.values for nnz, cell in cells.items() if len(cell.values)}
    budgets = list(known)
    means, lows, highs = (
        [float(reduce(values)) for values in known.values()] for reduce in (np.mean, np.min, np.max)
    )
    axes.fill_between(budgets, lows, highs, color=color, alpha=0.2, linewidth=0)
    axes.plot(budgets, means, color=color, marker="o", markersize=3, label=series.label)


def _draw_references(axes: Axes, panel: Panel, width: int, score: str) -> None:
    constants: dict[int, list[float]] = {}
    for series in panel.budgeted:
        for row in series.rows:
            value = row.get(_CONSTANT[score])
            if row["hidden"] == width and value is not None:
                constants.setdefault(row["nnz"], []).append(value)
    if constants:
        budgets = sorted(constants)
        means = [float(np.mean(constants[nnz])) for nnz in budgets]
        axes.plot(budgets, means, color="0.4", linestyle="--", label="best constant")
    for series in panel.series:
        if not series.uses_budget:
            _draw_unbudgeted(axes, panel, series, width, score)


def _draw_unbudgeted(axes: Axes, panel: Panel, series: Series, width: int, score: str) -> None:
    rows = [row for row in series.rows if row["hidden"] == width and row.get(score) is not None]
    style: Any = {"color": "black", "linestyle": ":", "label": series.label}
    if panel.task.draws_truth:
        budgets = sorted({row["nnz"] for row in rows})
        own = [[row[score] for row in rows if row["nnz"] == nnz] for nnz in budgets]
        axes.plot(budgets, [float(np.mean(values)) for values in own], marker=".", **style)
    elif rows:
        axes.axhline(float(np.mean([row[score] for row in rows])), **style)


def _label(axes: Axes, panel: Panel, width: int) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log" if panel.metric.log else "linear")
    budgets = panel.values_of("nnz")
    axes.set_xticks(budgets, [str(s) for s in budgets], rotation=45)
    axes.minorticks_off()
    axes.set_title(f"{width} {panel.task.width_name}")
    axes.set_xlabel("budget s (nonzero weights)")
    axes.set_ylabel(panel.metric.label)
    axes.grid(alpha=0.25)
