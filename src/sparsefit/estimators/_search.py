"""From a problem to networks of some budgets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy import sparse

from sparsefit import dense
from sparsefit.core.exact import is_exact
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting, no_progress
from sparsefit.estimators._shared import Found, refit
from sparsefit.estimators._stacked import Compared, Comparison
from sparsefit.estimators._validation import CONSTANT, Candidates, Key, split_rows, validate
from sparsefit.methods import Method
from sparsefit.stacked.path import falling_sizes


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
    least_start : int
        Networks of fewer weights are compared beside those of so many, from which they are cut
        down: few weights alone are rarely the right ones.
    first, growth : int
        Side by side, "auto" compares networks of up to `first` weights, the default budget, and of
        so many times as many as long as the largest are best; so does a fit of more than
        `most_rows`. Not tuned.
    in_reach, binding, near : float
        Where networks that are trained side by side leave more than a share `in_reach` of the
        targets' variance, or those of less than a share `binding` of the budget are best and
        leave more than `near`, a search for an exact network is hopeless or needless. Planted
        networks leave .0001 to .04 and use all of the budget, or leave less; diabetes leaves .5,
        and Friedman 1 uses a third (docs/maths.md).
    rows_a_weight, least_rows : int
        Rows, for each weight and at least, that an exact network is searched for on: each step
        sees all of them, and if there is one, few rows settle it. Not tuned.
    compared, searched : float
        Shares of the progress at which networks have been trained side by side and the search for
        an exact one begins, and where what that found is tried on a fold. Searches take from none
        of the time to two thirds of it: so the whole is never more than about twice off.
    least_seconds : float
        What a method gets when the time is up and a network is needed still.
    """

    most_rows: int = 20_000
    n_below: int = 2
    ratio: int = 3
    least_below: int = 5
    least_start: int = 20
    first: int = 100
    growth: int = 2
    in_reach: float = 0.15
    binding: float = 0.4
    near: float = 0.005
    rows_a_weight: int = 20
    least_rows: int = 2000
    compared: float = 0.5
    searched: float = 0.8
    least_seconds: float = 0.001


SEARCH = SearchProfile()


def few_of(problem: Problem, seed: int) -> Problem:
    """Return the problem or, of very many rows, a draw that is here."""
    return problem.sample(SEARCH.most_rows, seed)


@dataclass(frozen=True, kw_only=True)
class Search:
    """How networks are found for a problem.

    Attributes
    ----------
    problem : Problem
        Where other processes have rows of it, too, they are to `follow`.
    few : Problem
        What networks are compared on: see `few_of`.
    setting : Setting
    method : Method
    alphas : tuple of float
        Ridges to choose from; with no folds, the first is used.
    n_folds : int
        Of cross-validation; 0 takes networks as they are fitted.
    is_stacked : bool
        Whether networks of all folds and ridges may be trained side by side, in place of the
        method, which is then for networks that may be exact.
    time_limit : float or None
        Seconds after which training side by side ends, no exact network is searched for, and no
        other fold is fitted; methods that take a time limit of their own get what is left.
    """

    problem: Problem
    few: Problem
    setting: Setting
    method: Method
    alphas: tuple[float, ...]
    n_folds: int
    is_stacked: bool
    time_limit: float | None = None
    began: float = field(default_factory=time.monotonic)

    def of_budgets(self, budgets: Sequence[int]) -> list[Found]:
        """Return the best network of each budget."""
        most = max(budgets)
        if self._has_nothing_to_fit():
            return [Found(self._empty(), []) for _ in budgets]
        if not self.n_folds:
            return [Found(self._unvalidated(nnz), []) for nnz in budgets]
        if self._takes(most):
            # On very many rows, networks of more weights than serve are too dear.
            is_dear = self.few is not self.problem
            compared = self._grown(budgets, SEARCH.first if is_dear else most)
            return [self._searched(nnz, compared) for nnz in budgets]
        fits = self._fits(budgets, self._here, self._before_validation)
        exact = {nnz: self._fewest_exact(nnz, fit, self._here) for nnz, fit in fits.items()}
        choice = None if all(exact.values()) else self._validated(fits)
        return [
            _found(exact[nnz], fits[nnz], choice.best(nnz) if choice else None, choice, nnz)
            for nnz in budgets
        ]

    def fewest(self, most: int) -> Found:
        """Return the smallest network within one standard error of the best of at most `most`."""
        if self._has_nothing_to_fit():
            return Found(self._empty(), [])
        if not self.n_folds:
            return Found(self._unvalidated(most), [])
        if self._takes(most):
            return self._fewest_of_stack(most)
        below = (most // SEARCH.ratio**at for at in range(1, SEARCH.n_below + 1))
        budgets = [most, *(nnz for nnz in below if nnz >= SEARCH.least_below)]
        fits = self._fits(budgets, self._here, self._before_validation)
        exact = self._fewest_exact(most, fits[most], self._here)
        choice = None if exact else self._validated(fits)
        return _found(exact, fits[most], choice.smallest(most) if choice else None, choice, most)

    def _fewest_of_stack(self, most: int) -> Found:
        # Held-out rows, not their number, settle what few rows support: so the first networks are
        # those of the default budget, of which the smallest that are as good are never larger.
        most = max(most, SEARCH.first)
        compared = self._grown([most], SEARCH.first)
        choice = compared.candidates
        if self._is_in_reach(most, compared):
            exact = self._exact(most, self._of_draw(most))
            if exact is not None:
                return Found(exact, [])
        return Found(choice.smallest(most) or self._empty(), choice.up_to(most))

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

    def _with_constant(self, found: Candidates) -> Candidates:
        """Return candidates, and one that reads no input, so that it may be the best."""
        if not found.losses:
            return found
        parts = split_rows(self.few, self.n_folds, self.setting.seed)
        losses = [
            dense.mean_loss(self._constant(self.few.take(rest)), self.few.take(held))
            for rest, held in parts
        ]
        fit = Fit(self._constant(self.problem), Status.FINISHED, 0)
        n_done = len(next(iter(found.losses.values())))
        key = Key(CONSTANT, fit.network.nnz, 0.0)
        return found.joined(Candidates(lambda key: fit, {key: losses[:n_done]}))

    def _constant(self, rows: Problem) -> Network:
        """Return the best network of some rows that reads no input; of a regression, zeros."""
        network = self._empty().network
        if rows.loss not in ("logistic", "softmax") or not self.setting.bias:
            return network
        hits, weight = rows.targets, rows.relative_weight
        share = np.average(hits, axis=0, weights=weight).clip(1 / len(hits), 1 - 1 / len(hits))
        odds = np.log(share / (share[0] if rows.loss == "softmax" else 1 - share))
        *hidden, last = network.layers
        return replace(network, layers=(*hidden, replace(last, bias=odds)))

    @property
    def _here(self) -> Problem:
        """All rows, or those few that are here."""
        return self.problem if self.problem.share is None else self.few

    @cached_property
    def _comparison(self) -> Comparison:
        return Comparison(
            problem=self.few, setting=self.setting, alphas=self.alphas, n_folds=self.n_folds,
            is_over=self._is_over,
        )  # fmt: skip

    def _is_over(self) -> bool:
        return self.time_limit is not None and time.monotonic() > self.began + self.time_limit

    def _takes(self, nnz: int) -> bool:
        """Whether networks of so many weights are trained side by side."""
        return self.is_stacked and self._comparison.fits(nnz)

    def _grown(self, budgets: Sequence[int], first: int) -> Compared:
        """Compare networks of up to `first` weights, and larger ones as long as these are best."""
        most = max(*budgets, SEARCH.least_start)
        nnz, least, found, begin = max(min(most, first), SEARCH.least_start), 0, None, 0.0
        last = SEARCH.compared if self.problem.loss == "squared" else 1.0
        while True:
            end = last if nnz == most else (begin + last) / 2
            among = sorted({*falling_sizes(nnz), *budgets}, reverse=True)
            sizes = [size for size in among if least < size <= nnz]
            progress = self.setting.part(begin, end).progress
            now = self._comparison.of(sizes, max(budgets), self.problem, progress)
            if found is None:
                now = now._replace(candidates=self._with_constant(now.candidates))
            found = now if found is None else found.joined(now)
            if nnz == most or found.candidates.best_size(nnz) < nnz or self._is_over():
                return found
            least, nnz, begin = nnz, min(most, SEARCH.growth * nnz), end

    def _searched(self, nnz: int, compared: Compared) -> Found:
        """Return the best network of a comparison, or of the method where that may be better."""
        choice = compared.candidates
        found = Found(choice.best(nnz) or self._empty(), choice.up_to(nnz))
        if not self._is_in_reach(nnz, compared):
            return found
        fit = self._of_draw(nnz)
        exact = self._exact(nnz, fit)
        if exact is not None:
            return Found(exact, [])
        if self._is_better(nnz, choice):
            return found._replace(fit=self._refitted(fit, self._draw(nnz)))
        return found

    def _draw(self, nnz: int, rows: Problem | None = None) -> Problem:
        """Return the rows, of these or of all, that an exact network is searched for on."""
        count = max(SEARCH.least_rows, SEARCH.rows_a_weight * nnz)
        return (rows or self.few).sample(count, self.setting.seed)

    def _of_draw(self, nnz: int) -> Fit:
        """Return what the method finds on the draw."""
        setting = self.setting.part(SEARCH.compared, SEARCH.searched)
        return self._fits([nnz], self._draw(nnz), setting)[nnz]

    def _exact(self, nnz: int, fit: Fit) -> Fit | None:
        """Return the smallest exact network if that of the draw is exact on the other rows, too."""
        drawn = self._draw(nnz)
        found = self._fewest_exact(nnz, fit, drawn)
        found = found and self._refitted(found, drawn)
        return found if found and _is_exact(found, self.few) else None

    def _is_in_reach(self, nnz: int, compared: Compared) -> bool:
        if self.problem.loss != "squared" or self._is_over():
            return False
        left = compared.residual / float(np.square(self.few.y).mean())
        is_binding = compared.candidates.best_size(nnz) >= SEARCH.binding * nnz
        return left < SEARCH.near or (is_binding and left < SEARCH.in_reach)

    def _is_better(self, nnz: int, choice: Candidates) -> bool:
        """Whether the method's network is better than the best candidate on a fold's rows."""
        rest, held = next(split_rows(self.few, self.n_folds, self.setting.seed))
        setting = self.setting.part(SEARCH.searched, 1.0)
        fit = self._fits([nnz], self._draw(nnz, self.few.take(rest)), setting)[nnz]
        return dense.mean_loss(fit.network, self.few.take(held)) < choice.losses_of_best(nnz)[0]

    def _refitted(self, fit: Fit, seen: Problem, alpha: float = 0.0) -> Fit:
        """Return a network that was found on the rows seen, refitted on all."""
        if seen is self.problem and not alpha:
            return fit
        setting = self.setting
        if self.few is not self.problem:
            setting = replace(setting, dtype="float32")
        return replace(fit, network=refit(fit.network, self.problem, setting, alpha))

    @property
    def _before_validation(self) -> Setting:
        return self.setting.part(0, 1 / (self.n_folds + 1))

    @property
    def _silent(self) -> Setting:
        return replace(self.setting, progress=no_progress)

    def _fits(self, budgets: Sequence[int], problem: Problem, setting: Setting) -> dict[int, Fit]:
        method: Any = self.method
        own = getattr(method, "time_limit", False)  # None where a method takes one and has none
        if self.time_limit is not None and own is not False:
            left = max(self.began + self.time_limit - time.monotonic(), SEARCH.least_seconds)
            method = replace(method, time_limit=min(left, own or left))
        return dict(method.path(problem, list(dict.fromkeys(budgets)), setting))

    def _validated(self, fits: dict[int, Fit]) -> Candidates:
        found = validate(
            fits, self._here, self.setting.part(1 / (self.n_folds + 1), 1.0),
            partial(self._fits, list(fits)), alphas=self.alphas, n_folds=self.n_folds,
            is_over=self._is_over,
        )  # fmt: skip
        return self._with_constant(found)

    def _fewest_exact(self, nnz: int, fit: Fit, problem: Problem) -> Fit | None:
        """Return the smallest exact network, if there is one that interpolation does not explain.

        So many weights as there are targets fit anything: an exact network says something if it
        has at most half of them.
        """
        best = None
        for size in falling_sizes(nnz):
            if size < nnz:
                if fit.network.nnz <= size:
                    continue  # what is exact has as few already
                fit = self._fits([size], problem, self._silent)[size]
            if not _is_exact(fit, problem):
                break
            if 2 * fit.network.nnz <= problem.y.size:
                best = fit
        return best

    def _unvalidated(self, nnz: int) -> Fit:
        # Every step of a least squares search sees all rows: some of them do.
        few = self.few if self.problem.loss == "squared" else self._here
        fit = self._fits([nnz], few, self.setting)[nnz]
        return self._refitted(fit, few, self.alphas[0])


def _is_exact(fit: Fit, problem: Problem) -> bool:
    if problem.loss != "squared":
        return False
    return is_exact(dense.mean_loss(fit.network, problem), float(np.square(problem.y).mean()))


def _found(
    exact: Fit | None, fit: Fit, chosen: Fit | None, choice: Candidates | None, nnz: int
) -> Found:
    """Return an exact network if there is one, else what was chosen, else what was fitted."""
    if exact is not None or choice is None:
        return Found(exact or fit, [])
    return Found(chosen or fit, choice.up_to(nnz))
