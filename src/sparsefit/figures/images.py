"""Fitted images beside the original."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.experiments.store import Row, Store
from sparsefit.experiments.stored import rebuilt
from sparsefit.figures._style import add_title, new_figure, wrapped
from sparsefit.figures.panels import Panel
from sparsefit.tasks import find_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_IMAGE_INCHES = 1.3


def load_original(row: Row, data_dir: str | None) -> Problem:
    """Return the problem that a row of an image task was fitted to.

    Raises
    ------
    SparsefitError
        If the task's files are not there or not those that the row was fitted to, or the row is
        of a version with other options.
    """
    task = rebuilt(find_task(row["task"]), row["task_options"], row, data_dir)
    # Rows of older versions do not say which data they were fitted to.
    if row.get("data") not in (None, task.fingerprint):
        raise SparsefitError("the image's file is not what it was when the networks were fitted")
    problem = task.load(Setting(hidden=row["hidden"], seed=row["seed"]), row["nnz"])
    assert isinstance(problem, Problem)
    return problem


def fitted_images(
    panel: Panel, width: int, seed: int, score: str, problem: Problem, folder: Path
) -> Figure:
    """Draw the images that the networks of one width give: a row per method, a column per budget.

    Parameters
    ----------
    panel : Panel
    width, seed : int
        Whose rows are drawn.
    score : str
        Printed above each image.
    problem : Problem
        Of that random seed.
    folder : Path
        The results folder with the networks.
    """
    from sparsefit.core.network import Network

    store = Store(folder)
    budgets = panel.values_of("nnz")
    n_rows = len(panel.budgeted)
    figure = new_figure(_IMAGE_INCHES * (len(budgets) + 1), 1.55 * n_rows + 0.6)
    every = figure.subplots(n_rows, len(budgets) + 1, squeeze=False)
    for axes_row, series in zip(every, panel.budgeted, strict=True):
        _show(axes_row[0], problem.y, problem.image_shape, "original")
        axes_row[0].set_ylabel(wrapped(series.label, _IMAGE_INCHES, 9))
        rows = {
            row["nnz"]: row for row in series.rows if (row["hidden"], row["seed"]) == (width, seed)
        }
        for axes, nnz in zip(axes_row[1:], budgets, strict=True):
            row: dict[str, Any] = rows.get(nnz, {})
            path = store.network_path(row.get("run_id", ""))
            if row.get(score) is None or not path.exists():
                _show(axes, None, problem.image_shape, f"s = {nnz}\n{row.get('status', 'no run')}")
                continue
            title = f"s = {nnz}\n{row[score]:{panel.metric.digits}} dB"
            _show(axes, Network.load(path).predict(problem.X), problem.image_shape, title)
    add_title(figure, f"{panel.title}: {width} {panel.task.width_name}")
    return figure


def _show(axes: Axes, pixels: np.ndarray | None, shape: tuple[int, ...], title: str) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=7.5)
    if pixels is None:
        axes.text(0.5, 0.5, "–", ha="center", va="center", transform=axes.transAxes)
        return
    image = np.clip(pixels.reshape(shape), 0, 1)
    if len(shape) == 3:
        axes.imshow(np.moveaxis(image, 0, -1))
    else:
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
