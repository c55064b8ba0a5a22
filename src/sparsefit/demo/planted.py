"""A planted network of 20 weights: what `splice` finds, and the method of the paper."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.demo.parts import Part, Progress
from sparsefit.experiments.metrics import psnr
from sparsefit.experiments.support import support_overlap
from sparsefit.figures._style import COLORS, SETTINGS, new_figure, svg
from sparsefit.methods import find_method
from sparsefit.tasks import find_task

HIDDEN, NNZ = 10, 20
METHODS = {"splice": "splice", "aiht": "AIHT, of the paper"}


def recover(progress: Progress) -> Part:
    """Draw a network, ask two methods for it, and compare weight by weight."""
    setting = Setting(hidden=HIDDEN, seed=0, dtype="float64")
    problem = find_task("planted")().load(setting, NNZ)
    assert isinstance(problem, Problem)
    assert problem.truth is not None
    assert problem.X_test is not None
    assert problem.y_test is not None
    found = {}
    for number, name in enumerate(METHODS):
        progress(0.3 + 0.6 * number)
        method = find_method(name)()
        method.warm_up()
        progress(0.6 + 0.3 * number)
        [(_, fit)] = method.path(problem, [NNZ], setting)
        found[name] = fit.network
    rows = [["method", "weights", "right ones", "PSNR", "exact"]]
    for name, network in found.items():
        overlap = support_overlap(problem.truth, network)
        assert overlap is not None
        exact = overlap.shared == overlap.planted == overlap.found
        error = float(np.mean((network.predict(problem.X_test) - problem.y_test) ** 2))
        rows.append([
            METHODS[name], str(overlap.found), f"{overlap.shared} of {overlap.planted}",
            f"{psnr(problem.peak, error):.0f} dB", "yes" if exact else "no",
        ])  # fmt: skip
    splice, other = rows[1], rows[2]
    result = (
        f"splice finds {splice[2]} weights of a hidden network, {splice[3]} on fresh rows; "
        f"accelerated iterative hard thresholding finds {other[2]}, {other[3]}"
    )
    return Part(
        "A planted network, recovered", result, rows, "", _picture(problem.truth, found),
        f"Each point is a weight of the network that was hidden ({NNZ} of {HIDDEN * 100} are not "
        "zero): what it is against what was found. On the line it is found exactly.",
    )  # fmt: skip


def _picture(truth: Network, found: dict[str, Network]) -> bytes:
    import matplotlib

    with matplotlib.rc_context(SETTINGS):
        figure = new_figure(7.0, 3.3)
        axes = figure.subplots(1, len(found), sharex=True, sharey=True)
        true = _by_unit(truth)
        span = 1.15 * abs(true).max()
        for ax, (name, network), color in zip(axes, found.items(), COLORS, strict=False):
            own = _matched(true, _by_unit(network))
            taken = (true != 0) | (own != 0)
            ax.plot([-span, span], [-span, span], color="#bbbbbb", linewidth=1)
            ax.scatter(true[taken], own[taken], s=26, color=color, alpha=0.8, linewidths=0)
            ax.set(title=METHODS[name], xlabel="weight of the hidden network", aspect="equal")
            ax.set(xlim=(-span, span), ylim=(-span, span))
        axes[0].set_ylabel("weight that was found")
        return svg(figure)


def _by_unit(network: Network) -> np.ndarray:
    """Return what each unit computes, (units, inputs), with output weights multiplied in."""
    weight = network.layers[0].weight.toarray().T
    if network.fused:
        return np.asarray(weight)
    return np.asarray(weight * network.layers[-1].weight.toarray()[:, :1])


def _matched(true: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Bring units to the order of those that they are nearest to."""
    distance = np.square(true[:, None] - own[None]).sum(axis=2)
    order = np.zeros_like(true)
    for at, place in zip(*linear_sum_assignment(distance), strict=True):
        order[at] = own[place]
    return order
