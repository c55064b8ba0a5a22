"""Networks on the way down from a fitted one: fewer weights, drawn to zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.estimators.lasso import lasso_supports
from sparsefit.gauss_newton.conversion import from_network, to_network
from sparsefit.gauss_newton.equations import as_rows
from sparsefit.gauss_newton.levenberg_marquardt import refit
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
from sparsefit.gauss_newton.surgeon import contract

# Of the surgeon, as a share of the mean curvature: on few rows the matrix is singular without.
_LEAST_RIDGE = 1e-3
_STEPS = 50
# Of a linear model: its matrix of curvature has as many rows for each output.
_MOST_INPUTS = 200


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
    rows, y, datafit = as_rows(problem, setting)
    net = from_network(network, rows.dtype).net
    result = refit(net, rows, y, steps=_STEPS, gain=1e-5, datafit=datafit, alpha=alpha)
    return to_network(result.net, replace(setting, skip=network.skip is not None))


def shrink(
    net: SparseNet, problem: Problem, setting: Setting, sizes: Sequence[int], alpha: float
) -> Iterator[tuple[int, Network]]:
    """Drop weights by the surgeon and refit the others with a ridge, size by size.

    Parameters
    ----------
    net : SparseNet
    problem : Problem
    setting : Setting
    sizes : sequence of int
        Falling.
    alpha : float
        See `with_ridge`.

    Yields
    ------
    size : int
    network : Network
        Of at most `size` nonzeros.
    """
    rows, y, datafit = as_rows(problem, setting)
    again = partial(refit, rows=rows, y=y, datafit=datafit, alpha=alpha)
    net = again(net, steps=20, gain=1e-3).net
    for size in sizes:
        net = contract(
            net, rows, y, size, setting.hidden, datafit=datafit, ridge=max(alpha, _LEAST_RIDGE),
            refitted=lambda net: again(net, steps=2, gain=0.01).net,
        )  # fmt: skip
        net = again(net, steps=10, gain=1e-3).net
        yield size, to_network(net, setting)


def linear_start(problem: Problem, setting: Setting) -> SparseNet:
    """Return a network without hidden units whose skip connection has all weights, near zero.

    Of many inputs only those are kept that the lasso takes first.
    """
    d, k = problem.n_features, problem.n_outputs
    inputs = np.arange(d) if d <= _MOST_INPUTS else _taken_first(problem)
    if setting.bias:
        inputs = np.append(inputs, d)
    d += setting.bias
    source = torch.from_numpy(inputs).repeat(k)
    target = torch.arange(k).repeat_interleave(len(inputs))
    values = torch.full((len(source),), 1e-6, dtype=torch.float64)
    hidden, readout = (
        Edges.from_dense(torch.zeros(shape, dtype=torch.float64)) for shape in ((d, 1), (1, k))
    )
    layers = (hidden, *[replace(hidden, n_sources=1)] * (setting.layers - 1))
    linear = Edges.build(source, target, values, d, k)
    return SparseNet(layers, readout, linear, fused=False, linear_counts=True)


def _taken_first(problem: Problem) -> np.ndarray:
    """Return the inputs, increasing, of the largest model on the lasso path that is not too large.

    Outputs share them; classes are fitted as zeros and ones.
    """
    y = np.eye(problem.n_classes)[problem.y] if problem.loss == "softmax" else problem.y
    _, taken = lasso_supports(problem.X, y)
    sizes = taken.sum(axis=0)
    return np.flatnonzero(taken[:, np.flatnonzero(sizes <= _MOST_INPUTS)[-1]])
