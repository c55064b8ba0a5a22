"""Success against the number of rows per nonzero weight: where recovery sets in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparsefit.experiments.store import Row
from sparsefit.figures._style import COLORS, MARKERS, add_legend, add_title, new_figure, scale_log_x
from sparsefit.figures.panels import Panel, Series, Summary, make_panels
from sparsefit.figures.rates import Rate, goal_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Bars of several cells at one place would hide each other.
_BESIDE = 1.03


def phase_panels(rows: Sequence[Row]) -> list[Panel]:
    """Return the panels, over all numbers of rows, that have cells with several of them."""
    panels = make_panels(rows, across="n_samples")
    return [panel for panel in panels if any(len(curve) > 1 for curve in _all_curves(panel))]


def phase_diagram(panel: Panel, score: str, threshold: float) -> Figure:
    """Draw one plot per method and a line per width and budget, with Wilson's intervals.

    Dotted are s rows, below which counting allows no recovery, and 2 s; dashed, in the colour of
    each width and budget, 2 s ln(d m / s): what compressed sensing asks for with known patterns.

    Parameters
    ----------
    panel : Panel
        One of `phase_panels`.
    score : {"value", "train_value"}
    threshold : float
        A seed that scores at least as well is a success.
    """
    places = sorted({place for series in panel.budgeted for place in _groups(series)})
    figure = new_figure(1.0 + 3.4 * len(panel.budgeted), 3.8)
    every = figure.subplots(1, len(panel.budgeted), sharex=True, sharey=True, squeeze=False)[0]
    for axes, series in zip(every, panel.budgeted, strict=True):
        for number, place in enumerate(places):
            _draw_place(axes, panel, _groups(series).get(place, {}), number, score, threshold)
            _draw_sensing(axes, series, place, number)
        _label(axes, series)
    every[0].set_ylabel("share of seeds")
    labels = [f"m {width}, s {budget}" for width, budget in places]
    add_legend(figure, every[0].containers, labels)
    goal = goal_of(panel.metric, threshold)
    lines = "dotted: s and 2 s rows; dashed: 2 s ln(d m / s), as with known patterns"
    add_title(figure, f"{panel.title}: {goal}, with Wilson's 95 % intervals; {lines}")
    return figure


def _groups(series: Series) -> dict[tuple[int, int], dict[int, list[Row]]]:
    """Return the rows of each width and budget by the number of rows they were fitted to."""
    groups: dict[tuple[int, int], dict[int, list[Row]]] = {}
    for row in series.rows:
        n_samples = (row.get("task_options") or {}).get("n_samples")
        if n_samples is not None and row["nnz"]:
            curve = groups.setdefault((row["hidden"], row["nnz"]), {})
            curve.setdefault(n_samples, []).append(row)
    return groups


def _all_curves(panel: Panel) -> list[dict[int, list[Row]]]:
    return [curve for series in panel.budgeted for curve in _groups(series).values()]


def _draw_place(
    axes: Axes,
    panel: Panel,
    curve: dict[int, list[Row]],
    number: int,
    score: str,
    threshold: float,
) -> None:
    points = []
    for n_samples, rows in sorted(curve.items()):
        cell = Summary.of(rows, score)
        if len(cell.values):
            rate = Rate.of(cell.values, panel.metric, threshold)
            points.append((n_samples / rows[0]["nnz"] * _BESIDE**number, rate))
    shares = [rate.share for _, rate in points]
    below = [max(rate.share - rate.interval[0], 0.0) for _, rate in points]
    above = [max(rate.interval[1] - rate.share, 0.0) for _, rate in points]
    axes.errorbar(
        [x for x, _ in points], shares, yerr=[below, above], capsize=2, markersize=4, linewidth=1,
        color=COLORS[number % len(COLORS)], marker=MARKERS[number % len(MARKERS)],
    )  # fmt: skip


def _draw_sensing(axes: Axes, series: Series, place: tuple[int, int], number: int) -> None:
    width, nnz = place
    inputs = {(row.get("task_options") or {}).get("n_features") for row in series.rows}
    for d in sorted(value for value in inputs if value is not None):
        rows = 2 * math.log(max(d * width / nnz, math.e))
        axes.axvline(rows, color=COLORS[number % len(COLORS)], linestyle="--", linewidth=0.8)


def _label(axes: Axes, series: Series) -> None:
    scale_log_x(axes)
    for rows in (1, 2):
        axes.axvline(rows, color="0.5", linestyle=":", linewidth=0.8)
    axes.set_ylim(-0.05, 1.05)
    axes.set_title(series.label, wrap=True)
    axes.set_xlabel("rows per nonzero weight, n / s")
    axes.grid(alpha=0.25)
