"""Success against what recovery theorems look at, and that against the size of problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparsefit.core.exact import EXACT_PSNR
from sparsefit.experiments.assumptions import GRADES_RATIO, HTP_RATIO, LEAST_SHARE
from sparsefit.experiments.store import Row
from sparsefit.figures._style import (
    COLORS,
    MARKERS,
    add_legend,
    add_title,
    new_figure,
    scale_log_x,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Facts, their labels, and where theorems end.
_FACTS = (
    ("ratio", "beta / alpha of the true support", (GRADES_RATIO, HTP_RATIO)),
    ("alpha", "alpha, the least eigenvalue", ()),
    ("least_share", "share of rows of the rarest unit", (LEAST_SHARE,)),
    ("nearest", "share where the nearest units differ", ()),
)
_LINE = {"color": "#999999", "linewidth": 1}


def success_by_theory(rows: Sequence[Row]) -> Figure:
    """Draw the score of each cell against each fact, and two facts against the size of problems.

    Parameters
    ----------
    rows : sequence of dict
        As `sparsefit.experiments.theory.with_theory` returns them.
    """
    figure = new_figure(10.5, 6.2)
    every = figure.subplots(2, 3)
    methods = list(dict.fromkeys(row["method"] for row in rows))
    for axes, (name, label, limits) in zip(every[:, :2].ravel(), _FACTS, strict=True):
        for number, method in enumerate(methods):
            own = [row for row in rows if row["method"] == method and row[name]]
            axes.scatter(
                [row[name] for row in own], [row["value"] for row in own], s=16, alpha=0.6,
                linewidths=0, label=method, color=COLORS[number % len(COLORS)],
                marker=MARKERS[number % len(MARKERS)],
            )  # fmt: skip
        for limit in limits:
            axes.axvline(limit, linestyle=":", **_LINE)
        axes.axhline(EXACT_PSNR, **_LINE)
        axes.set(xlabel=label, ylabel="PSNR (dB)")
    problems = list({(row["alpha"], row["beta"]): row for row in rows}.values())
    _by_size(every[0, 2], problems, "ratio", "beta / alpha", "rows for each weight")
    _by_size(every[1, 2], problems, "nearest", _FACTS[3][1], "hidden units")
    for axes in every.ravel():
        scale_log_x(axes)
        axes.grid(alpha=0.25)
    add_legend(figure, *every[0, 0].get_legend_handles_labels())
    add_title(
        figure, f"What theorems look at, on {len(problems)} problems: exact above the line; "
        "dotted, where theorems end",
    )  # fmt: skip
    return figure


def _by_size(axes: Axes, problems: Sequence[Row], name: str, label: str, size: str) -> None:
    """Draw a fact against rows for each weight, or the number of hidden units."""
    seen = [row for row in problems if row[name]]
    by_rows = size != "hidden units"
    sizes = [row["n"] / row["nnz"] if by_rows else row["hidden"] for row in seen]
    axes.scatter(sizes, [row[name] for row in seen], s=16, alpha=0.6, linewidths=0, color="black")
    axes.set(xlabel=size, ylabel=label, yscale="log")
