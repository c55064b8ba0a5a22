"""Networks on the way down from a fitted one: fewer weights, drawn to zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.estimators.lasso import lasso_supports
from sparsefit.gauss_newton.conversion import from_network, to_network
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
from sparsefit.gauss_newton.surgeon import Stages, contract


@dataclass(frozen=True)
class ShrinkingProfile:
    """How networks are mended and cut to fewer weights.

    Attributes
    ----------
    least_ridge : float
        Of the surgeon, as a share of the mean curvature: on few rows the matrix is singular
        without. Not tuned.
    steps, gain : int, float
        Of the refit with a ridge on all rows, and when it stops. Not tuned.
    first_steps, steps_a_stage, steps_a_size : int
        Levenberg-Marquardt steps at the start, after each stage of the surgeon, and for each size
        that is kept. Not tuned.
    most_inputs : int
        Of a linear model: its matrix of curvature has as many rows for each output.
    """

    least_ridge: float = 1e-3
    steps: int = 50
    gain: float = 1e-5
    first_steps: int = 20
    steps_a_stage: int = 2
    steps_a_size: int = 10
    most_inputs: int = 200


SHRINKING = ShrinkingProfile()


def with_ridge(network: Network, problem: Problem, setting: Setting, alpha: float) -> Network:
    """Minimise twice the mean over rows of the loss, plus alpha |w|^2, over the present weights.

    Parameters
    ----------
    network : Network
    problem : Problem
    setting : Setting
    alpha : float

    Returns
    -------
    Network

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> line = Network((Layer(np.array([[1.0]])),), fused=True)
    >>> problem = Problem(np.array([[1.0], [1.0]]), np.array([[1.0], [1.0]]))
    >>> with_ridge(line, problem, Setting(hidden=1), 1.0).predict(problem.X).round(4).tolist()
    [[0.5], [0.5]]
    """
    # Most networks read few of the inputs, and the solver copies what it is given.
    live = network.live_inputs
    few = replace(problem, X=problem.X[:, live])
    objective = replace(Objective.of(few, setting), alpha=alpha)
    net = from_network(network.on_inputs(live), objective.rows.dtype).net
    steps, gain = SHRINKING.steps, SHRINKING.gain
    net = levenberg_marquardt(net, objective, steps=steps, gain=gain).net
    found = to_network(net, replace(setting, skip=network.skip is not None))
    return found.among_inputs(live, problem.n_features)


def shrink(
    net: SparseNet, objective: Objective, max_units: int, sizes: Sequence[int]
) -> Iterator[tuple[int, SparseNet]]:
    """Drop weights by the surgeon and refit the others, size by size.

    Parameters
    ----------
    net : SparseNet
    objective : Objective
        Its ridge is also what the surgeon believes of weights.
    max_units : int
        Of each hidden layer.
    sizes : sequence of int
        Falling.

    Yields
    ------
    size : int
    net : SparseNet
        Of at most `size` nonzeros.
    """

    def refitted(net: SparseNet, steps: int, gain: float = 1e-3) -> SparseNet:
        return levenberg_marquardt(net, objective, steps=steps, gain=gain).net

    stages = Stages(
        ridge=max(objective.alpha, SHRINKING.least_ridge),
        refitted=lambda net: refitted(net, SHRINKING.steps_a_stage, 0.01),
    )
    net = refitted(net, SHRINKING.first_steps)
    for size in sizes:
        net = contract(net, objective, size, max_units, stages)
        net = refitted(net, SHRINKING.steps_a_size)
        yield size, net


def linear_start(problem: Problem, setting: Setting) -> SparseNet:
    """Return a network without hidden units whose skip connection has all weights, near zero.

    Of many inputs only those are kept that the lasso takes first.
    """
    d, k = problem.n_features, problem.n_outputs
    inputs = np.arange(d) if d <= SHRINKING.most_inputs else _taken_first(problem)
    if setting.bias:
        inputs = np.append(inputs, d)
    d += setting.bias
    source = torch.from_numpy(inputs).repeat(k)
    target = torch.arange(k).repeat_interleave(len(inputs))
    values = torch.full((len(source),), 1e-6, dtype=torch.float64)
    hidden, readout = (
        Edges.from_dense(torch.zeros(shape, dtype=torch.float64)) for shape in ((d, 1), (1, k))
    )
    biased = setting.bias and setting.layers > 1
    layers = (hidden, *[replace(hidden, n_sources=1 + biased)] * (setting.layers - 1))
    linear = Edges.build(source, target, values, d, k)
    return SparseNet(
        layers,
        readout,
        linear,
        fused=False,
        skip_counts=True,
        activation=setting.nonlinearity,
        biased=biased,
    )


def _taken_first(problem: Problem) -> np.ndarray:
    """Return the inputs, increasing, of the largest model on the lasso path that is not too large.

    Outputs share them; classes are fitted as zeros and ones.
    """
    _, taken = lasso_supports(problem.X, problem.targets)
    sizes = taken.sum(axis=0)
    return np.flatnonzero(taken[:, np.flatnonzero(sizes <= SHRINKING.most_inputs)[-1]])
