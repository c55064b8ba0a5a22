"""How many weights, and how large, by rows that were held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from sparsefit import nets
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.estimators._ridge import linear_start, shrink
from sparsefit.methods import Method
from sparsefit.solvers.conversion import from_network

# From one size to the next, and what weights may be drawn to zero by.
_STEP = 2 / 3
ALPHAS = (0.001, 0.01, 0.1)


class Key(NamedTuple):
    """Where a candidate comes from: the fitted network or a linear model, shrunk."""

    start: Literal["network", "linear"]
    size: int
    alpha: float


@dataclass(frozen=True)
class Choice:
    """The network chosen, and what it was chosen by.

    Attributes
    ----------
    fit : Fit
        Of the chosen network.
    path : list of dict
        For each size, from the largest: ``nnz``, ``loss`` on rows held out and its standard error
        ``se`` over the folds, ``start`` and ``alpha`` of the best candidate of that size.
    """

    fit: Fit
    path: list[dict[str, Any]]


def choose(
    problem: Problem, setting: Setting, method: Method, nnz: int, *, alphas: tuple[float, ...],
    n_folds: int, smallest: bool,
) -> Choice:  # fmt: skip
    """Fit a network and a linear model, shrink both, and choose among what is on the way.

    Parameters
    ----------
    problem : Problem
    setting : Setting
    method : Method
    nnz : int
        The most weights.
    alphas : tuple of float
        Ridges to choose from.
    n_folds : int
        Of cross-validation.
    smallest : bool
        Choose the fewest weights whose loss is within one standard error of the least, not those
        of least loss.
    """
    whole, *parts = (
        setting.part(at / (n_folds + 1), (at + 1) / (n_folds + 1)) for at in range(n_folds + 1)
    )
    fit = _fitted(problem, whole, method, nnz)
    if fit.status is Status.CONVERGED and not smallest:
        return Choice(fit, [])
    losses: dict[Key, list[float]] = {}
    for (rest, held), part in zip(_folds(problem, n_folds, setting.seed), parts, strict=True):
        some = problem.take(rest)
        found = _candidates(_fitted(some, part, method, nnz), some, setting, nnz, alphas)
        for key, network in found.items():
            loss = nets.mean_loss(network, problem.take(held))
            losses.setdefault(key, []).append(loss)
    candidates = _candidates(fit, problem, setting, nnz, alphas)
    means = {
        key: float(np.mean(found))
        for key, found in losses.items()
        if len(found) == n_folds and key in candidates
    }
    path = [_best_of_size(size, means, losses) for size in _sizes(nnz)]
    best = min(path, key=lambda entry: entry["loss"])
    if smallest:
        best = [entry for entry in path if entry["loss"] <= best["loss"] + best["se"]][-1]
    network = candidates[Key(best["start"], best["nnz"], best["alpha"])]
    return Choice(replace(fit, network=network), path)


def _best_of_size(
    size: int, means: dict[Key, float], losses: dict[Key, list[float]]
) -> dict[str, Any]:
    key = min((key for key in means if key.size == size), key=means.__getitem__)
    error = float(np.std(losses[key], ddof=1) / np.sqrt(len(losses[key])))
    return {
        "nnz": size, "loss": means[key], "se": error, "start": key.start, "alpha": key.alpha
    }  # fmt: skip


def _fitted(problem: Problem, setting: Setting, method: Method, nnz: int) -> Fit:
    [(_, fit)] = method.path(problem, [nnz], setting)
    return fit


def _candidates(
    fit: Fit, problem: Problem, setting: Setting, nnz: int, alphas: tuple[float, ...]
) -> dict[Key, Network]:
    starts = {"network": replace(from_network(fit.network).net, linear_counts=True)}
    if setting.skip:
        starts["linear"] = linear_start(problem, setting)
    setting, sizes, found = replace(setting, dtype="float64"), _sizes(nnz), {}
    for start, net in starts.items():
        if net.n_weights == 0:
            continue
        for alpha in alphas:
            for size, network in shrink(net, problem, setting, sizes, alpha):
                found[Key(start, size, alpha)] = network  # type: ignore[arg-type]
    return found


def _sizes(nnz: int) -> list[int]:
    """Return `nnz` and smaller sizes, to 1."""
    sizes = [nnz]
    while sizes[-1] > 1:
        sizes.append(int(_STEP * sizes[-1]))
    return sizes


def _folds(problem: Problem, n_folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if problem.loss == "squared":
        yield from KFold(n_folds, shuffle=True, random_state=seed).split(problem.X)
        return
    y = problem.y.ravel()
    _, counts = np.unique(y, return_counts=True)
    # Of a class with fewer rows than folds, some folds have none.
    kind = StratifiedKFold if counts.min() >= n_folds else KFold
    yield from kind(n_folds, shuffle=True, random_state=seed).split(problem.X, y)
