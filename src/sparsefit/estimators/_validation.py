"""How many weights, and how large, by rows that were held out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold

from sparsefit import dense
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.estimators._ridge import linear_start, shrink
from sparsefit.gauss_newton.conversion import from_network, to_network
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.stacked.path import falling_sizes


@dataclass(frozen=True)
class ValidationProfile:
    """What is compared on rows that are held out.

    Attributes
    ----------
    alphas : tuple of float
        Ridges to choose from, for inputs and targets of variance 1 (docs/results.md).
    """

    alphas: tuple[float, ...] = (0.0001, 0.001, 0.01, 0.1)


VALIDATION = ValidationProfile()


# In place of the budget of a candidate that reads no input.
CONSTANT = -1


class Key(NamedTuple):
    """Where a candidate comes from.

    Attributes
    ----------
    budget : int
        Of the network that it was cut down from; 0 for a linear model, `CONSTANT` for one that
        reads no input.
    size : int
        Weights at most.
    alpha : float
        Ridge.
    is_as_fitted : bool
        Whether it is the network as the method gave it.
    """

    budget: int
    size: int
    alpha: float
    is_as_fitted: bool = False


@dataclass(frozen=True)
class Candidates:
    """Candidates of many sizes, and how good they are on rows held out.

    Attributes
    ----------
    fit_of : callable
        Returns the `Fit` of a candidate to all rows.
    losses : dict of Key to list of float
        On the rows held out of each fold.
    """

    fit_of: Callable[[Key], Fit]
    losses: dict[Key, list[float]]

    def up_to(self, nnz: int) -> list[dict[str, Any]]:
        """Return the best candidate of each size, from `nnz` down.

        Each is a dict of ``nnz``, ``loss`` on rows held out and its standard error ``se`` over the
        folds, how far that is ``above`` the least with the standard error ``se_above`` of the
        difference, ``start`` ("network", "linear" or "constant") and ``alpha``.
        """
        keys = self._keys(nnz)
        best = min(keys, key=self._mean, default=None)
        return [self._entry(key, best) for key in keys if best is not None]

    def best(self, nnz: int) -> Fit | None:
        """Return the network of at most `nnz` weights of least loss; None if there is none."""
        key = min(self._keys(nnz), key=self._mean, default=None)
        return None if key is None else self._fit(key)

    def smallest(self, nnz: int) -> Fit | None:
        """Return the network of fewest weights that is within one standard error of the best.

        The error is that of the difference: folds that are hard are hard for both.
        """
        keys = self._keys(nnz)
        best = min(keys, key=self._mean, default=None)
        near = [key for key in keys if best is not None and self._is_near(key, best)]
        return self._fit(near[-1]) if near else None

    def best_size(self, nnz: int) -> int:
        """Return the size, of at most `nnz`, whose loss is least."""
        return min(self._keys(nnz), key=self._mean).size

    def losses_of_best(self, nnz: int) -> list[float]:
        """Return the losses of the best candidate of at most `nnz` weights, by fold."""
        return self.losses[min(self._keys(nnz), key=self._mean)]

    def joined(self, other: Candidates) -> Candidates:
        """Return these candidates and others; of those that both have, the other's."""

        def fit_of(key: Key) -> Fit:
            return (other if key in other.losses else self).fit_of(key)

        return Candidates(fit_of, {**self.losses, **other.losses})

    def _keys(self, nnz: int) -> list[Key]:
        """Return the best candidate of each size, from `nnz` down."""
        by_size: dict[int, Key] = {}
        for key in self.losses:
            if key.size <= nnz:
                by_size[key.size] = min(by_size.get(key.size, key), key, key=self._mean)
        return [by_size[size] for size in sorted(by_size, reverse=True)]

    def _fit(self, key: Key) -> Fit:
        """Return a candidate.

        Of the same candidate with larger ridges, the largest that is within one standard error is
        taken: the log loss tells small ridges from one another by few rows.
        """
        near = [k for k in self.losses if k[:2] == key[:2] and self._is_near(k, key)]
        return self.fit_of(max(near, key=lambda k: k.alpha))

    def _is_near(self, key: Key, best: Key) -> bool:
        above = np.array(self.losses[key]) - np.array(self.losses[best])
        return bool(above.mean() <= _standard_error(above))

    def _entry(self, key: Key, best: Key) -> dict[str, Any]:
        losses = np.array(self.losses[key])
        above = losses - np.array(self.losses[best])
        return {
            "nnz": key.size, "loss": float(losses.mean()), "se": _standard_error(losses),
            "above": float(above.mean()), "se_above": _standard_error(above),
            "start": _start_of(key), "alpha": key.alpha,
        }  # fmt: skip

    def _mean(self, key: Key) -> float:
        return float(np.mean(self.losses[key]))


def _start_of(key: Key) -> str:
    if key.budget == CONSTANT:
        return "constant"
    return "network" if key.budget else "linear"


def _standard_error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def validate(
    fits: dict[int, Fit], problem: Problem, setting: Setting,
    fit: Callable[[Problem, Setting], dict[int, Fit]], *,
    alphas: tuple[float, ...], n_folds: int, is_over: Callable[[], bool],
) -> Candidates:  # fmt: skip
    """Fit the same budgets on parts of the rows, shrink them and a linear model, and compare.

    Parameters
    ----------
    fits : dict of int to Fit
        Networks fitted to all rows, by budget.
    problem : Problem
    setting : Setting
    fit : callable
        Fits a network of each budget to some of the rows, as `fits` are.
    alphas : tuple of float
        Ridges to choose from.
    n_folds : int
    is_over : callable
        Whether to fit no other fold. What was held out of two folds or more is compared; of fewer
        there are no candidates.
    """
    losses: dict[Key, list[float]] = {}
    n_done = 0
    for at, (rest, held) in enumerate(split_rows(problem, n_folds, setting.seed)):
        if is_over():
            break
        some, held_out = problem.take(rest), problem.take(held)
        part = setting.part(at / n_folds, (at + 1) / n_folds)
        found = _candidates(fit(some, part), some, setting, alphas)
        rows = RowBlocks(held_out.X, bias=setting.bias, dtype=torch.float64)
        for key, net in found.items():
            outputs = torch.cat([net.forward(block).outputs for block in rows.blocks], dim=1)
            losses.setdefault(key, []).append(dense.mean_loss_of(outputs.T, held_out))
        n_done += 1
    if n_done < 2:
        return Candidates(lambda key: fits[key.budget], {})
    nets = _candidates(fits, problem, setting, alphas)

    def fit_of(key: Key) -> Fit:
        whole = fits[key.budget or max(fits)]
        return whole if key.is_as_fitted else replace(whole, network=to_network(nets[key], setting))

    # A fold may lack a candidate, as that of a network that has no weights.
    shared = {key: found for key, found in losses.items() if len(found) == n_done and key in nets}
    return Candidates(fit_of, shared)


def _candidates(
    fits: dict[int, Fit], problem: Problem, setting: Setting, alphas: tuple[float, ...]
) -> dict[Key, SparseNet]:
    starts = {
        nnz: replace(from_network(fit.network).net, skip_counts=True) for nnz, fit in fits.items()
    }
    found = {}
    if len(alphas) > 1:
        found = {Key(nnz, nnz, 0.0, is_as_fitted=True): net for nnz, net in starts.items()}
    if setting.skip:
        starts[0] = linear_start(problem, setting)
    objective = Objective.of(problem, replace(setting, dtype="float64"))
    sizes = sorted({*falling_sizes(max(fits)), *fits}, reverse=True)
    for (budget, net), alpha in itertools.product(starts.items(), alphas):
        if net.nnz == 0:
            continue
        there = [size for size in sizes if size <= budget or budget == 0]
        ridged = replace(objective, alpha=alpha)
        for size, less in shrink(net, ridged, setting.hidden, there):
            found[Key(budget, size, alpha)] = less
    return found


def split_rows(
    problem: Problem, n_folds: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, for each fold, the rows that are fitted and those that are held out."""
    if problem.loss not in ("logistic", "softmax"):
        yield from KFold(n_folds, shuffle=True, random_state=seed).split(problem.X)
        return
    y = problem.y.ravel()
    _, counts = np.unique(y, return_counts=True)
    # Of a class with fewer rows than folds, some folds have none.
    kind = StratifiedKFold if counts.min() >= n_folds else KFold
    yield from kind(n_folds, shuffle=True, random_state=seed).split(problem.X, y)
