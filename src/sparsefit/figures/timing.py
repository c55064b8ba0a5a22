"""Final scores against the seconds they took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsefit.experiments.store import Row
from sparsefit.figures._style import COLORS, MARKERS, add_legend, add_title, new_figure, scale_log_x
from sparsefit.figures.panels import Panel, Series

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def has_times(panel: Panel, score: str) -> bool:
    """Return whether there is anything to draw."""
    return any(_timed(series, score) for series in panel.series)


def score_against_time(panel: Panel, score: str) -> Figure:
    """Draw a point per cell; methods without a budget are black."""
    figure = new_figure(5.6, 4.2)
    axes = figure.add_subplot()
    budgeted = panel.budgeted
    for series in panel.series:
        rows = _timed(series, score)
        number = budgeted.index(series) if series.uses_budget else -1
        axes.scatter(
            [row["seconds"] for row in rows],
            [row[score] for row in rows],
            s=16, alpha=0.6, linewidths=0, label=series.label,
            color=COLORS[number % len(COLORS)] if series.uses_budget else "black",
            marker=MARKERS[number % len(MARKERS)],
        )  # fmt: skip
    scale_log_x(axes)
    axes.set_yscale("log" if panel.metric.log else "linear")
    axes.set_xlabel("seconds")
    axes.set_ylabel(panel.metric.label)
    axes.grid(alpha=0.25)
    add_legend(figure, *axes.get_legend_handles_labels())
    add_title(figure, f"{panel.title}: a point per width, budget and seed")
    return figure


def _timed(series: Series, score: str) -> list[Row]:
    return [row for row in series.rows if row.get("seconds") and row.get(score) is not None]
