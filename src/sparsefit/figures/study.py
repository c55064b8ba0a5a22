"""Pictures of one study: its training loss, weights, masks over time, and predictions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.core.errors import SparsefitError
from sparsefit.figures._style import COLORS, NOTHING, SETTINGS, add_title, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from sparsefit.study.evaluation import Evaluation

# What a picture has room for.
_MOST_ROWS_IN_LINE, _MOST_ROWS_IN_SCATTER, _MOST_COLUMNS = 200, 3000, 2000


def draw_study(evaluation: Evaluation, out: Path) -> list[Path]:
    """Draw ``loss.png``, ``weights.png``, ``masks.png`` and ``prediction.png``.

    Parameters
    ----------
    evaluation : Evaluation
    out : Path
        Folder of the pictures, made if there is none.

    Returns
    -------
    list of Path

    Raises
    ------
    SparsefitError
        If a file cannot be written.
    """
    import matplotlib as mpl

    paths = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(SETTINGS):
            for name, figure in _figures(evaluation):
                paths += save(figure, out / name, ["png"])
    except OSError as error:
        raise SparsefitError(f"cannot write figures to {out}: {error.strerror}") from error
    return paths


def _figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    yield "loss", loss_curve(evaluation)
    yield "weights", weight_images(evaluation)
    yield "masks", mask_history(evaluation)
    yield "prediction", prediction_plots(evaluation)


def _title(figure: Figure, what: str, evaluation: Evaluation) -> None:
    config = evaluation.config
    facts = f"target {config.target}, sparsity {config.final_sparsity:g}, mask {config.mask}"
    if config.structure != "unstructured":
        facts += f", structure {config.structure}"
    if evaluation.step < config.steps:
        facts += f", after {evaluation.step} of {config.steps} steps"
    add_title(figure, f"{what}: {facts}")


def smoothed(values: np.ndarray, width: int) -> np.ndarray:
    """Return the mean over `width` neighbours of each value, fewer at the ends.

    Examples
    --------
    >>> smoothed(np.array([0.0, 3.0, 6.0, 9.0]), 3).tolist()
    [1.5, 3.0, 6.0, 7.5]
    """
    weights = np.ones(min(width, len(values)))
    ones = np.ones_like(values)
    return np.convolve(values, weights, "same") / np.convolve(ones, weights, "same")


def loss_curve(evaluation: Evaluation) -> Figure:
    """Draw the training loss over steps, on a linear and on a logarithmic axis."""
    losses = evaluation.losses
    width = max(1, len(losses) // 50)
    steps = np.arange(1, len(losses) + 1)
    style: Any = {"color": COLORS[0], "label": "each step"}
    style |= {"alpha": 0.25, "linewidth": 0.8} if width > 1 else {"marker": "."}
    figure = new_figure(9.0, 3.6)
    for axes, scale in zip(figure.subplots(1, 2), ("linear", "log"), strict=True):
        axes.plot(steps, losses, **style)
        if width > 1:
            axes.plot(
                steps, smoothed(losses, width), color=COLORS[0], label=f"mean over {width} steps"
            )
        axes.set_yscale(scale)
        axes.set_xlabel("step")
        axes.set_ylabel("training loss (mean squared error)")
        axes.grid(alpha=0.25)
        axes.set_title(f"{scale if scale == 'linear' else 'logarithmic'} axis")
    axes.legend()
    _title(figure, "Training loss", evaluation)
    return figure


def weight_images(evaluation: Evaluation) -> Figure:
    """Draw the weights behind the mask, the masked weights, and their difference, by layer."""
    figure = new_figure(12.0, 4.6)
    # Hidden units run from left to right in both layers, so that they stand below each other.
    layers = {name: (W.T, V.T) for name, (W, V) in evaluation.weights.items()}
    layers["output"] = evaluation.weights["output"]
    grid = figure.subplots(2, 3, sharex=True, squeeze=False, height_ratios=[3, 1])
    for row, (name, (behind, masked)) in zip(grid, layers.items(), strict=True):
        images = {"W": behind, "masked W": masked, "W - masked W": behind - masked}
        limit = max(float(np.abs(behind).max()), float(np.abs(masked).max())) or 1.0
        for axes, (what, image) in zip(row, images.items(), strict=True):
            shown = axes.imshow(
                image, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit,
                interpolation="nearest",
            )  # fmt: skip
            axes.set_title(f"{name} layer: {what.replace('-', '−')}")
            axes.spines[:].set_visible(True)
            _integer_ticks(axes)
        row[0].set_ylabel("input" if name == "hidden" else "output")
        figure.colorbar(shown, ax=list(row), label="weight", pad=0.01)
    for axes in grid[-1]:
        axes.set_xlabel("hidden unit")
        axes.set_yticks([0])
    _title(figure, "Weights", evaluation)
    return figure


def mask_history(evaluation: Evaluation) -> Figure:
    """Draw which weights are kept in each epoch, and how much of the masks changes."""
    from matplotlib.colors import ListedColormap

    figure = new_figure(9.0, 7.0)
    parts = figure.subplot_mosaic([["hidden"], ["output"], ["change"]], height_ratios=[3, 3, 2])
    colors = ListedColormap([NOTHING, COLORS[0]])
    for name, history in evaluation.mask_history.items():
        axes = parts[name]
        n_columns = history.shape[1]
        every = -(-n_columns // _MOST_COLUMNS)
        # Epochs are at whole numbers, and so are weights.
        extent = (-0.5, n_columns - 0.5, len(history) - 0.5, -0.5)
        axes.imshow(
            history[:, ::every], aspect="auto", cmap=colors, vmin=0, vmax=1, extent=extent,
            interpolation="nearest",
        )  # fmt: skip
        order = "" if name == "output" else f", {evaluation.config.n_features} of each unit in turn"
        thinned = f", one in {every} shown" if every > 1 else ""
        axes.set_xlabel(f"weight of the {name} layer{order}{thinned}")
        axes.set_ylabel("epoch")
        _integer_ticks(axes)
        axes.spines[:].set_visible(True)
    parts["hidden"].set_title(
        "kept (blue) and pruned (grey) weights, before training (0) and after each epoch"
    )
    _draw_changes(parts["change"], evaluation)
    _title(figure, "Masks over time", evaluation)
    return figure


def _draw_changes(axes: Axes, evaluation: Evaluation) -> None:
    for color, (name, history) in zip(COLORS, evaluation.mask_history.items(), strict=False):
        changes = 100 * (history[1:] != history[:-1]).mean(axis=1)
        epochs = np.arange(1, len(history))
        axes.plot(epochs, changes, color=color, marker=".", label=f"{name} layer")
    axes.set_xlim(-0.5, len(history) - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mask entries\nchanged (%)")
    axes.grid(alpha=0.25)
    axes.legend()
    _integer_ticks(axes, y=False)


def prediction_plots(evaluation: Evaluation) -> Figure:
    """Draw prediction and truth of held-out rows, sorted, and against each other."""
    figure = new_figure(9.0, 4.2)
    line, scatter = figure.subplots(1, 2)
    _draw_sorted(line, evaluation)
    truth = evaluation.truth[:_MOST_ROWS_IN_SCATTER]
    prediction = evaluation.prediction[:_MOST_ROWS_IN_SCATTER]
    scatter.plot(truth, prediction, ".", color=COLORS[1], alpha=0.4, markersize=4, label="a row")
    ends = [min(truth.min(), prediction.min()), max(truth.max(), prediction.max())]
    scatter.plot(ends, ends, color="black", linewidth=1, linestyle="--", label="perfect")
    scatter.set_xlabel("truth")
    scatter.set_ylabel("prediction")
    scatter.set_aspect("equal", adjustable="datalim")
    scatter.set_title(f"{len(truth)} held-out rows")
    scatter.legend()
    for axes in (line, scatter):
        axes.grid(alpha=0.25)
    scores = evaluation.scores
    _title(figure, f"Prediction (R² {scores['r2']:.4g}, MSE {scores['mse']:.3g})", evaluation)
    return figure


def _draw_sorted(axes: Axes, evaluation: Evaluation) -> None:
    truth = evaluation.truth[:_MOST_ROWS_IN_LINE]
    order = truth.argsort(kind="stable")
    prediction = evaluation.prediction[:_MOST_ROWS_IN_LINE][order]
    axes.plot(prediction, color=COLORS[1], linewidth=1, label="prediction")
    axes.plot(truth[order], color="black", linewidth=1.2, linestyle="--", label="truth")
    axes.set_xlabel("held-out row, sorted by truth")
    axes.set_ylabel("value")
    axes.set_title(f"{len(truth)} held-out rows")
    axes.legend()


def _integer_ticks(axes: Axes, *, y: bool = True) -> None:
    from matplotlib.ticker import MaxNLocator

    for axis in (axes.xaxis, axes.yaxis) if y else (axes.xaxis,):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
