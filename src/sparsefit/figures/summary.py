"""One picture of a whole results folder: every task and method, by budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.experiments.store import Row
from sparsefit.figures._style import EXACT, NOTHING, SETTINGS, letters_within, new_figure, wrapped
from sparsefit.figures.panels import Panel, exact_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES_PER_CELL, _LABEL_INCHES, _TITLE_INCHES = (0.85, 0.42), 3.1, 0.55
_LABEL_POINTS = 8.0


@dataclass(frozen=True)
class Line:
    """The cells of one method on one task: rows by budget, over widths and seeds."""

    panel: Panel
    label: str
    cells: dict[int, list[Row]]


def lines_of(panels: Sequence[Panel]) -> list[Line]:
    """Return a line for each method of each task."""
    return [
        Line(panel, series.label, series.by_budget)
        for panel in panels for series in panel.budgeted
    ]  # fmt: skip


def summary(panels: Sequence[Panel], score: str) -> Figure | None:
    """Draw the mean score of every method by budget; None where there is but one cell.

    Cells have the mean over widths and seeds, its spread, and how many networks are the true one.
    Where all are, the colour says so; others go from the task's worst to its best.
    """
    lines = lines_of(panels)
    budgets = sorted({nnz for line in lines for nnz in line.cells})
    if not lines or len(lines) * len(budgets) < 2:
        return None
    width, height = _INCHES_PER_CELL
    figure = new_figure(
        _LABEL_INCHES + width * max(len(budgets), 3), _TITLE_INCHES + height * (len(lines) + 2)
    )
    axes = figure.add_subplot()
    axes.set_xlim(-0.5, len(budgets) - 0.5)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    for i, line in enumerate(lines):
        for j, nnz in enumerate(budgets):
            _draw_cell(axes, j, i, line, line.cells.get(nnz, []), score)
    axes.set_xticks(range(len(budgets)), [str(nnz) for nnz in budgets])
    axes.set_yticks(range(len(lines)), [_named(lines, i) for i in range(len(lines))],
                    fontsize=_LABEL_POINTS)  # fmt: skip
    axes.set_xlabel("budget s (nonzero weights)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    metrics = ", ".join(dict.fromkeys(panel.metric.label for panel in panels))
    title = f"Mean {metrics} over widths and seeds, ± spread"
    if exact_of(row for line in lines for own in line.cells.values() for row in own):
        title += "; how many networks are exact, green where all are"
    points = SETTINGS["axes.titlesize"]
    figure.suptitle(wrapped(title, figure.get_figwidth(), points), fontsize=points)
    return figure


def _named(lines: Sequence[Line], at: int) -> str:
    """Return the task, where it begins, and the method."""
    line = lines[at]
    most = letters_within(_LABEL_INCHES, _LABEL_POINTS)
    label = line.label if len(line.label) <= most else line.label[: most - 1] + "…"
    if at and lines[at - 1].panel is line.panel:
        return label
    return wrapped(line.panel.title, _LABEL_INCHES, _LABEL_POINTS) + "\n" + label


def _draw_cell(axes: Axes, x: int, y: int, line: Line, rows: Sequence[Row], score: str) -> None:
    from matplotlib.patches import Rectangle

    values = np.array([row[score] for row in rows if row.get(score) is not None])
    exact = exact_of(rows)
    color: Any = NOTHING
    if exact and exact[0] == exact[1]:
        color = EXACT
    elif len(values):
        color = _shade(line.panel, float(values.mean()))
    axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=color, linewidth=0))
    if not len(values):
        axes.text(x, y, "–" if rows else "", ha="center", va="center", fontsize=7)
        return
    text = f"{values.mean():{line.panel.metric.digits}}"
    if len(values) > 1:
        text += f" ±{values.std():{line.panel.metric.digits}}"
    if exact:
        text += "\n{}/{} exact".format(*exact)
    axes.text(x, y, text, ha="center", va="center", fontsize=6.5, color="black")


def _shade(panel: Panel, value: float) -> Any:
    """Return a blue that is the darker, the better the score is within the task's limits."""
    from matplotlib import colormaps

    low, high = panel.task.limits
    if panel.metric.log:
        low, high, value = (float(np.log10(max(v, 1e-17))) for v in (low, high, value))
    share = float(np.clip((value - low) / ((high - low) or 1.0), 0, 1))
    share = share if panel.metric.higher_is_better else 1 - share
    # Light enough for black letters.
    return colormaps["Blues"](0.08 + 0.5 * share)
