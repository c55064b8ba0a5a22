"""Scores against an option of the task that the cells of a sweep differ in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sparsefit.core.options import option_infos
from sparsefit.experiments.store import Row
from sparsefit.figures._style import COLORS, MARKERS, add_legend, add_title, plots, scale_log_x
from sparsefit.figures.panels import Panel, Series, make_panels
from sparsefit.tasks._base import TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More plots than these nobody looks through.
_MOST_PLACES = 12
# An axis whose values lie so many times apart is logarithmic.
_WIDE = 8


@dataclass(frozen=True)
class Axis:
    """A panel whose rows differ in one option of the task.

    Attributes
    ----------
    name : str
        Of the option.
    panel : Panel
    """

    name: str
    panel: Panel

    @property
    def label(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")

    @cached_property
    def values(self) -> list[float]:
        """What the option is in some row, increasing, but for none."""
        rows = [row for series in self.panel.series for row in series.rows]
        return sorted({v for row in rows if (v := row["task_options"][self.name]) is not None})

    @property
    def is_wide(self) -> bool:
        """Whether the values lie so far apart that they are drawn by their logarithms."""
        return self.values[0] > 0 and self.values[-1] >= _WIDE * self.values[0]

    @cached_property
    def places(self) -> list[tuple[int, int | None]]:
        """Widths and budgets, some if they are very many; only widths where no row has a budget."""
        rows = [row for series in self.panel.series for row in series.rows]
        found = {(row["hidden"], row["nnz"]) for row in rows}
        budgeted = sorted(place for place in found if place[1] is not None)
        return (budgeted or sorted(found))[:_MOST_PLACES]

    def curve(
        self, series: Series, place: tuple[int, int | None], score: str
    ) -> dict[float, list[float]]:
        """Return the scores of the seeds by the values of the option."""
        found: dict[float, list[float]] = {}
        for value, row in self._rows_of[series.label].get(place, []):
            if row.get(score) is not None:
                found.setdefault(value, []).append(row[score])
        return dict(sorted(found.items()))

    @cached_property
    def _rows_of(self) -> dict[str, dict[tuple[int, int | None], list[tuple[float, Row]]]]:
        """Values of the option with their rows, by series and place."""
        found: dict[str, dict[tuple[int, int | None], list[tuple[float, Row]]]] = {}
        for series in self.panel.series:
            own = found.setdefault(series.label, {})
            for row in series.rows:
                value = row["task_options"][self.name]
                if value is not None:
                    own.setdefault((row["hidden"], row["nnz"]), []).append((value, row))
        return found


def find_axes(rows: Sequence[Row]) -> list[Axis]:
    """Return the panels over each option that is a number and that cells differ in."""
    names = {
        info.name: None
        for task in dict.fromkeys(row["task"] for row in rows)
        for info in option_infos(TASKS.find_stored(task))
        if info.is_number
    }
    return [axis for name in names for axis in _panels_over(rows, name)]


def _panels_over(rows: Sequence[Row], name: str) -> Iterator[Axis]:
    with_it = [
        row for row in rows
        if isinstance((row.get("task_options") or {}).get(name, ""), int | float | None)
    ]  # fmt: skip
    if len({row["task_options"][name] for row in with_it}) < 2:
        return
    for panel in make_panels(with_it, across=name):
        axis = Axis(name, panel)
        if len(axis.values) > 1:
            yield axis


def scores_along(axis: Axis, score: str) -> Figure:
    """Draw a plot per width and budget, a line per method: the mean over seeds, shaded the range.

    Methods without a budget are dotted. Cells where the option is none are left out.
    """
    figure, every = plots(len(axis.places))
    for axes, place in zip(every, axis.places, strict=True):
        for number, series in enumerate(axis.panel.series):
            curve = axis.curve(series, place, score)
            color = COLORS[number % len(COLORS)]
            means, lows, highs = (
                [float(reduce(values)) for values in curve.values()]
                for reduce in (np.mean, np.min, np.max)
            )
            axes.fill_between([*curve], lows, highs, color=color, alpha=0.15, linewidth=0)
            axes.plot(
                [*curve], means, color=color, marker=MARKERS[number % len(MARKERS)], markersize=3.5,
                linestyle="-" if series.uses_budget else ":", label=series.label,
            )  # fmt: skip
        _label(axes, axis, place)
    add_legend(figure, *every[0].get_legend_handles_labels())
    add_title(figure, f"{axis.panel.title} against {axis.label}: mean over seeds, shaded the range")
    return figure


def _label(axes: Axes, axis: Axis, place: tuple[int, int | None]) -> None:
    if axis.is_wide:
        scale_log_x(axes)
    axes.set_yscale("log" if axis.panel.metric.log else "linear")
    axes.set_title(f"m {place[0]}" + ("" if place[1] is None else f", s {place[1]}"))
    axes.set_xlabel(axis.label)
    axes.set_ylabel(axis.panel.metric.label)
    axes.grid(alpha=0.25)
