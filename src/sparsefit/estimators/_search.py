"""From a problem to networks of some budgets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from sparsefit import dense
from sparsefit.core.exact import is_exact
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.estimators._ridge import with_ridge
from sparsefit.estimators._validation import Candidates, falling_sizes, validate
from sparsefit.methods import Method


@dataclass(frozen=True)
class SearchProfile:
    """How networks are searched for.

    Attributes
    ----------
    most_rows : int
        With more rows than these, networks are found on a draw of them, and refitted on all
        (docs/results.md, a million rows).
    n_below, ratio, least_below : int
        Budgets below the largest, each so many times smaller, and none below the least, that
        "auto" fits networks of: a search of a large budget may miss a small network. Not tuned.
    """

    most_rows: int = 20_000
    n_below: int = 2
    ratio: int = 3
    least_below: int = 5


SEARCH = SearchProfile()


class Found(NamedTuple):
    """A network, and what it was chosen by: see `Candidates.path`."""

    fit: Fit
    path: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Search:
    """How networks are found for a problem.

    Attributes
    ----------
    problem : Problem
    setting : Setting
    method : Method
    alphas : tuple of float
        Ridges to choose from; with no folds, the first is used.
    n_folds : int
        Of cross-validation; 0 takes networks as they are fitted.
    """

    problem: Problem
    setting: Setting
    method: Method
    alphas: tuple[float, ...]
    n_folds: int

    def of_budgets(self, budgets: Sequence[int]) -> list[Found]:
        """Return the best network of each budget."""
        if self._has_nothing_to_fit():
            return [Found(self._empty(), []) for _ in budgets]
        if not self.n_folds:
            return [Found(self._unvalidated(nnz), []) for nnz in budgets]
        fits = self._fits(budgets)
        exact = {nnz: self._fewest_exact(nnz, fit) for nnz, fit in fits.items()}
        if all(exact.values()):
            return [Found(exact[nnz] or fits[nnz], []) for nnz in budgets]
        choice = self._validated(fits)
        return [
            Found(exact[nnz] or choice.best(nnz), [] if exact[nnz] else choice.up_to(nnz))
            for nnz in budgets
        ]

    def fewest(self, most: int) -> Found:
        """Return the smallest network within one standard error of the best of at most `most`."""
        if self._has_nothing_to_fit():
            return Found(self._empty(), [])
        if not self.n_folds:
            return Found(self._unvalidated(most), [])
        below = (most // SEARCH.ratio**at for at in range(1, SEARCH.n_below + 1))
        fits = self._fits([most, *(nnz for nnz in below if nnz >= SEARCH.least_below)])
        exact = self._fewest_exact(most, fits[most])
        if exact is not None:
            return Found(exact, [])
        choice = self._validated(fits)
        return Found(choice.smallest(), choice.up_to(most))

    def _has_nothing_to_fit(self) -> bool:
        return self.problem.loss in ("squared", "huber") and not self.problem.y.any()

    def _empty(self) -> Fit:
        """Return a network of zeros."""
        setting, bias = self.setting, self.setting.bias
        widths = [self.problem.n_features, *[setting.hidden] * setting.layers]
        widths.append(self.problem.n_outputs)
        layers = tuple(
            Layer(sparse.csc_array((a, b)), np.zeros(b) if bias else None)
            for a, b in itertools.pairwise(widths)
        )
        skip = Layer(sparse.csc_array((widths[0], widths[-1]))) if setting.skip else None
        return Fit(Network(layers, skip=skip), Status.CONVERGED, 0)

    def _fits(self, budgets: Sequence[int]) -> dict[int, Fit]:
        setting = self.setting.part(0, 1 / (self.n_folds + 1))
        return dict(self.method.path(self.problem, list(dict.fromkeys(budgets)), setting))

    def _validated(self, fits: dict[int, Fit]) -> Candidates:
        return validate(
            fits, self.problem, self.setting.part(1 / (self.n_folds + 1), 1.0), self.method,
            alphas=self.alphas, n_folds=self.n_folds,
        )  # fmt: skip

    def _fewest_exact(self, nnz: int, fit: Fit) -> Fit | None:
        """Return the smallest exact network, if there is one that interpolation does not explain.

        So many weights as there are targets fit anything: an exact network says something if it
        has at most half of them.
        """
        best = None
        for size in falling_sizes(nnz):
            if size < nnz:
                fit = dict(self.method.path(self.problem, [size], self.setting.part(0, 0)))[size]
            if not self._is_exact(fit):
                break
            if 2 * fit.network.nnz <= self.problem.y.size:
                best = fit
        return best

    def _is_exact(self, fit: Fit) -> bool:
        if self.problem.loss != "squared":
            return False
        scale = float(np.square(self.problem.y).mean())
        return is_exact(dense.mean_loss(fit.network, self.problem), scale)

    def _unvalidated(self, nnz: int) -> Fit:
        problem = few = self.problem
        if problem.loss == "squared":
            # Every step of a least squares search sees all rows: some of them do.
            few = problem.sample(SEARCH.most_rows, self.setting.seed)
        [(_, fit)] = self.method.path(few, [nnz], self.setting)
        setting, alpha = self.setting, self.alphas[0]
        if few is not problem:
            setting = replace(setting, dtype="float32")
        if alpha or few is not problem:
            fit = replace(fit, network=with_ridge(fit.network, problem, setting, alpha))
        return fit
