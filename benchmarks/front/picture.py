"""The front: how good against how large, and against how slow."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from benchmarks.front.summary import ranks
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

PANELS = {
    "numbers (median)": ("stored numbers", (1.0,)),
    "seconds (median)": ("CPU seconds of a fit", (1.0, 2.0, 5.0)),
}


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Draw mean rank, with its interval, against stored numbers and against time."""
    found = ranks(rows).dropna()
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    panels = zip(figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True)
    for axes, (column, (label, ticks)) in panels:
        for number, (name, row) in enumerate(found.iterrows()):
            color = "tab:red" if str(name).startswith("sparsefit") else "tab:gray"
            axes.errorbar(row[column], row["rank"], yerr=row["+-"], fmt="o", color=color, capsize=2)
            axes.annotate(
                str(name).removeprefix("sparsefit ") if color == "tab:red" else str(name),
                (row[column], row["rank"]), xytext=(5, -11 if number % 2 else 4),
                textcoords="offset points", color=color, fontsize=9,
            )  # fmt: skip
        axes.set(xscale="log", xlabel=f"{label}, median")
        axes.margins(x=0.15)
        axes.xaxis.set_major_locator(LogLocator(subs=ticks))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("mean rank of the held-out score")
    figure.axes[0].invert_yaxis()
    figure.suptitle(f"{rows['table'].nunique()} tables; red: sparsefit; up and left is better")
    figure.savefig(path, dpi=110)
