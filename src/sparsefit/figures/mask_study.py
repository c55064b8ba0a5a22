"""Learned masks against sparsity: score, spread over seeds, stability, generalisation gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparsefit.figures._style import COLORS, new_figure
from sparsefit.figures.panels import Panel, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sparsefit.experiments.store import Row

    Summary = Callable[[Sequence[Row]], tuple[float, float, float]]


@dataclass(frozen=True)
class Quantity:
    """What is drawn against sparsity.

    Attributes
    ----------
    name, label : str
        For the file, and for the axis; "{metric}" stands for the metric's label.
    of_seeds : callable
        From the rows of the seeds of one cell to low, middle and high.
    """

    name: str
    label: str
    of_seeds: Summary


def _over_seeds(value: Callable[[Row], float]) -> Summary:
    def summary(rows: Sequence[Row]) -> tuple[float, float, float]:
        values = [value(row) for row in rows]
        return min(values), float(np.mean(values)), max(values)

    return summary


def _deviation(rows: Sequence[Row]) -> tuple[float, float, float]:
    spread = float(np.std([row["value"] for row in rows], ddof=1)) if len(rows) > 1 else np.nan
    return spread, spread, spread


QUANTITIES = (
    Quantity("score", "{metric} on fresh rows", _over_seeds(lambda row: row["value"])),
    Quantity("spread", "{metric}: standard deviation over seeds", _deviation),
    Quantity(
        "stability",
        "share of mask changed per epoch",
        _over_seeds(lambda row: row["mask_change"]),
    ),
    Quantity(
        "gap",
        "{metric}: training rows minus fresh rows",
        _over_seeds(lambda row: row["train_value"] - row["value"]),
    ),
)


def has_mask_study(panel: Panel) -> bool:
    """Return whether the rows compare masks or structures of one method that learns masks."""
    return len(_studied(panel)) > 1


def mask_study(panel: Panel) -> Iterator[tuple[str, Figure]]:
    """Draw a figure per quantity: a plot per structure, a line per kind of mask.

    Parameters
    ----------
    panel : Panel
        Its series of method ``learned-mask`` are drawn.

    Yields
    ------
    name : str
    figure : Figure
    """
    n_seeds = len({row["seed"] for series in _studied(panel) for row in series.rows})
    for quantity in QUANTITIES:
        if quantity.of_seeds is _deviation and n_seeds == 1:
            continue
        yield f"masks {quantity.name} {panel.title}", _draw(panel, quantity)


def _studied(panel: Panel) -> list[Series]:
    return [
        series
        for series in panel.budgeted
        if series.method == "learned-mask" and any("mask_change" in row for row in series.rows)
    ]


def _option(series: Series, name: str) -> str:
    return str(series.rows[0]["method_options"][name])


def _plain_first(structure: str) -> tuple[bool, str]:
    return structure != "unstructured", structure


def _draw(panel: Panel, quantity: Quantity) -> Figure:
    studied = _studied(panel)
    structures = sorted({_option(series, "structure") for series in studied}, key=_plain_first)
    masks = sorted({_option(series, "mask") for series in studied})
    figure = new_figure(max(6.2, 1.0 + 2.6 * len(structures)), 3.6)
    every = figure.subplots(1, len(structures), sharey=True, squeeze=False)[0]
    budgets = panel.values_of("nnz")[::-1]
    for axes, structure in zip(every, structures, strict=True):
        for series in sorted(studied, key=lambda series: _option(series, "mask")):
            if _option(series, "structure") == structure:
                mask = _option(series, "mask")
                color = COLORS[masks.index(mask) % len(COLORS)]
                _draw_series(axes, series, budgets, quantity, mask, color)
        axes.set_title(structure)
        axes.set_xticks(range(len(budgets)), _sparsities(studied, budgets), rotation=45)
        axes.set_xlabel("sparsity")
        axes.grid(alpha=0.25)
    every[0].set_ylabel(quantity.label.format(metric=panel.metric.label))
    handles = {
        label: handle
        for axes in every
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 5)
    )
    figure.suptitle(f"{panel.title}: learned masks, lowest to highest seed shaded")
    return figure


def _draw_series(
    axes: Axes, series: Series, budgets: list[int], quantity: Quantity, label: str, color: str
) -> None:
    places, lows, middles, highs = [], [], [], []
    for place, nnz in enumerate(budgets):
        # A network that is dense has no mask; a failed or skipped cell no score.
        rows = [row for row in series.rows if row["nnz"] == nnz and "mask_change" in row]
        if rows:
            low, middle, high = quantity.of_seeds(rows)
            places.append(place)
            lows.append(low)
            middles.append(middle)
            highs.append(high)
    axes.fill_between(places, lows, highs, color=color, alpha=0.2, linewidth=0)
    axes.plot(places, middles, color=color, marker="o", markersize=3, label=label)


def _sparsities(studied: list[Series], budgets: list[int]) -> list[str]:
    n_params = {
        row["nnz"]: row["n_params"]
        for series in studied
        for row in series.rows
        if row["n_params"] is not None
    }
    return [f"{1 - nnz / n_params[nnz]:.2f}" if nnz in n_params else "" for nnz in budgets]
