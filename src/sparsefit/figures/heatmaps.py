"""Heatmaps over width and budget: one method, two beside each other, the rate of success."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.figures._style import EXACT, NOTHING, TROUBLE, add_title, new_figure, wrapped
from sparsefit.figures.panels import NO_RUN, Panel, Series, Summary
from sparsefit.figures.rates import Rate, goal_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

_MARKS = {NO_RUN: "·", "skipped": "–", "failed": "×"}
_FEWER = "*"
# Numbers in more cells than that nobody reads, and each takes a millisecond to draw.
_MOST_NUMBERS = 120
# Smaller relative errors are rounding, and zero has no logarithm.
_SMALLEST = 1e-17


@dataclass(frozen=True)
class Grid:
    """What a heatmap shows.

    Attributes
    ----------
    hidden, nnz : list of int
        Labels of rows and columns.
    width_name : str
        What `hidden` is.
    values : ndarray of shape (len(hidden), len(nnz))
        NaN where there is none.
    marks : ndarray of str, of the same shape
        In place of a value, or added to it where some seeds lack one.
    """

    hidden: list[int]
    nnz: list[int]
    width_name: str
    values: np.ndarray
    marks: np.ndarray

    def minus(self, other: Grid) -> Grid:
        """Return the differences, with the marks of both."""
        marks = np.where(self.marks == "", other.marks, self.marks)
        return replace(self, values=self.values - other.values, marks=marks)


def make_grid(
    panel: Panel, series: Series, score: str, reduce: Callable[[np.ndarray], float]
) -> Grid:
    """Return a number for every cell of the panel's grid, from the scores of its seeds."""
    hidden, nnz = panel.values_of("hidden"), panel.values_of("nnz")
    cells = series.cells(score)
    values = np.full((len(hidden), len(nnz)), np.nan)
    marks = np.full(values.shape, _MARKS[NO_RUN])
    for i, width in enumerate(hidden):
        for j, budget in enumerate(nnz):
            cell = cells.get((width, budget))
            if cell is not None:
                marks[i, j] = _mark(cell)
                if len(cell.values):
                    values[i, j] = reduce(cell.values)
    return Grid(hidden, nnz, panel.task.width_name, values, marks)


def _mark(cell: Summary) -> str:
    if not cell.lacking:
        return ""
    return _FEWER if len(cell.values) else _MARKS[cell.lacking]


def heatmap(panel: Panel, series: Series, score: str) -> Figure:
    """Draw the mean over seeds of one method, in the colours of the task's limits."""
    grid = make_grid(panel, series, score, np.mean)
    figure = _figure_for(grid, 1, inches_per_cell=(0.52, 0.4))
    axes = figure.add_subplot()
    texts = {
        place: _with_spread(cell.values, panel.metric.digits)
        for place, cell in series.cells(score).items() if len(cell.values)
    }  # fmt: skip
    exact = series.exact_places
    _draw(axes, grid, texts, _norm(panel), panel.metric.label, exact=exact)
    green = ", green where every network is exact" if exact else ""
    add_title(figure, f"{panel.title}: {series.label}, mean ± spread over seeds{green}")
    _explain_marks(figure, [grid])
    return figure


def _with_spread(values: np.ndarray, digits: str) -> str:
    """Return the mean over seeds and, below it, their standard deviation."""
    mean = f"{values.mean():{digits}}"
    return f"{mean}\n±{values.std():{digits}}" if len(values) > 1 else mean


def comparison(panel: Panel, first: Series, second: Series, score: str) -> Figure:
    """Draw two methods beside each other, and the first minus the second."""
    grids = [make_grid(panel, series, score, np.mean) for series in (first, second)]
    if panel.metric.log:
        difference = _decades(grids[0]).minus(_decades(grids[1]))
        label, digits = "difference in powers of ten", "+.1f"
    else:
        difference = grids[0].minus(grids[1])
        label, digits = "difference", "+" + panel.metric.digits
    figure = _figure_for(grids[0], 3)
    left, middle, right = figure.subplots(1, 3, sharey=True)
    # Titles stand over the cells, without the colour bar.
    width = figure.get_figwidth() / 3 - 0.8
    for axes, grid, series in zip((left, middle), grids, (first, second), strict=True):
        _draw(axes, grid, panel.metric.digits, _norm(panel), panel.metric.label)
        axes.set_title(wrapped(series.label, width, 10))
    better, worse = ("blue", "red") if panel.metric.higher_is_better else ("red", "blue")
    _draw(right, difference, digits, _symmetric(difference.values), label, "RdBu")
    meaning = f"difference ({better}: {first.label} higher, {worse}: lower)"
    right.set_title(wrapped(meaning, width, 10))
    add_title(figure, panel.title)
    _explain_marks(figure, [*grids, difference])
    return figure


def success_rate(panel: Panel, series: Series, score: str, threshold: float) -> Figure:
    """Draw the share of seeds whose score is at least as good as `threshold`.

    Each cell has the count and, below it, Wilson's 95 % interval.
    """
    from matplotlib.colors import Normalize

    def rate(values: np.ndarray) -> Rate:
        return Rate.of(values, panel.metric, threshold)

    cells = series.cells(score)
    grid = make_grid(panel, series, score, lambda values: rate(values).share)
    figure = _figure_for(grid, 1, inches_per_cell=(0.66, 0.4))
    axes = figure.add_subplot()
    texts = {
        place: str(rate(cell.values)).replace(" ", "\n", 1)
        for place, cell in cells.items()
        if len(cell.values)
    }
    _draw(axes, grid, texts, Normalize(0, 1), "share of seeds")
    add_title(figure, f"{panel.title}: {series.label}, {goal_of(panel.metric, threshold)}")
    _explain_marks(figure, [grid])
    return figure


def _decades(grid: Grid) -> Grid:
    return replace(grid, values=np.log10(np.maximum(grid.values, _SMALLEST)))


def _norm(panel: Panel) -> Normalize:
    from matplotlib.colors import LogNorm, Normalize

    return (LogNorm if panel.metric.log else Normalize)(*panel.task.limits, clip=True)


def _symmetric(values: np.ndarray) -> Normalize:
    """Return a scale around 0 that a few large values do not spoil for the others."""
    from matplotlib.colors import Normalize

    known = np.abs(values[np.isfinite(values)])
    most = float(np.quantile(known, 0.8)) if len(known) else 0.0
    most = most or float(known.max(initial=0)) or 1.0
    return Normalize(-most, most, clip=True)


def _figure_for(
    grid: Grid, n_axes: int, inches_per_cell: tuple[float, float] = (0.44, 0.36)
) -> Figure:
    width, height = inches_per_cell
    return new_figure(
        max(3.0, width * len(grid.nnz) + 1.6) * n_axes, max(2.4, height * len(grid.hidden) + 1.4)
    )


def _draw(
    axes: Axes,
    grid: Grid,
    texts: str | Mapping[tuple[int, int], str],
    norm: Normalize,
    label: str,
    colors: str = "viridis",
    exact: Collection[tuple[int, int]] = (),
) -> None:
    """Draw the cells with their texts or marks, the axes and the colour bar.

    Texts are given by width and budget, or as the format of the numbers; so are cells whose
    networks are all exact, which have a colour of their own.
    """
    from matplotlib.patches import Rectangle

    image = axes.imshow(grid.values, norm=norm, cmap=colors, aspect="auto")
    axes.set_facecolor(NOTHING)
    axes.set_xticks(range(len(grid.nnz)), [str(s) for s in grid.nnz], rotation=45)
    axes.set_yticks(range(len(grid.hidden)), [str(m) for m in grid.hidden])
    axes.set_xlabel("budget s (nonzero weights)")
    axes.set_ylabel(grid.width_name)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    has_numbers = grid.values.size <= _MOST_NUMBERS
    shades = np.asarray(image.cmap(image.norm(grid.values)))
    for (i, j), value in np.ndenumerate(grid.values):
        mark = str(grid.marks[i, j])
        if np.isnan(value):
            color = TROUBLE if mark == _MARKS["failed"] else "black"
            _write(axes, i, j, mark, color=color)
        else:
            place = grid.hidden[i], grid.nnz[j]
            text = f"{value:{texts}}" if isinstance(texts, str) else texts[place]
            text = text + mark if has_numbers else mark
            color = _readable_on(shades[i, j])
            if place in exact:
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, color=EXACT, linewidth=0))
                color = "black"
            if text:
                _write(axes, i, j, text, color=color, fontsize=6.5)
    axes.figure.colorbar(image, ax=axes, label=label, extend=_beyond(grid.values, norm))


def _write(axes: Axes, row: int, column: int, text: str, **style: Any) -> None:
    """Write into a cell; what is within the axes need not be asked for its size to place them."""
    label = axes.text(column, row, text, ha="center", va="center", **style)
    label.set_in_layout(False)


def _beyond(values: np.ndarray, norm: Normalize) -> Any:
    """Return on which sides of the colour bar there are values that it does not tell apart."""
    low, high = bool((values < norm.vmin).any()), bool((values > norm.vmax).any())
    return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[low, high]


def _readable_on(color: Any) -> str:
    red, green, blue = color[:3]
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def _explain_marks(figure: Figure, grids: list[Grid]) -> None:
    used = {mark for grid in grids for mark in np.unique(grid.marks)}
    words = [f"{mark} {name}" for name, mark in _MARKS.items() if mark in used]
    if _FEWER in used:
        words.append(f"{_FEWER} mean of fewer seeds")
    if words:
        figure.supxlabel("    ".join(words), fontsize=8)
