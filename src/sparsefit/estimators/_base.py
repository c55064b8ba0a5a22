"""What the estimators share: the way from rows to a fit, and on to more rows."""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_X_y,
    validate_data,
)

from sparsefit.core.device import limited_threads
from sparsefit.core.errors import SparsefitError
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.progress import forward, show_progress
from sparsefit.core.setting import Setting, no_progress
from sparsefit.core.team import ALONE, Share, Team
from sparsefit.estimators._budget import most_weights
from sparsefit.estimators._first_rows import FittedRows, NoRows, Sample
from sparsefit.estimators._inspection import Inspection, shares
from sparsefit.estimators._merge import MOST_MERGED
from sparsefit.estimators._online import Online
from sparsefit.estimators._parameters import Parameters, check_budgets
from sparsefit.estimators._profiles import FOLDS
from sparsefit.estimators._resolution import resolution
from sparsefit.estimators._scaling import InputScale
from sparsefit.estimators._search import Search, few_of
from sparsefit.estimators._shared import Found, follow, lead
from sparsefit.estimators._validation import VALIDATION
from sparsefit.estimators.encoder import TableEncoder, names_of, needs_encoder
from sparsefit.methods import Method, find_method
from sparsefit.methods.auto import suited_method
from sparsefit.predictor import Column, Predictor

if TYPE_CHECKING:
    from typing_extensions import Self


# On which it is looked how much each feature matters.
_MOST_ROWS = 2000
# With fewer numbers in X, threads wait for one another longer than they work.
_MANY_NUMBERS = 1 << 22


def _threads(problem: Problem) -> contextlib.AbstractContextManager[None]:
    """Compute with one thread where more would be slower, and results are to be the same."""
    is_small = problem.X.size < _MANY_NUMBERS
    return limited_threads(1) if is_small else contextlib.nullcontext()


class SparseMLP(Inspection, Parameters):
    """Base of the estimators; parameters and attributes are described there."""

    # Whether a constant is added to the outputs that is not counted.
    _frees_constant: ClassVar[bool]
    # Of data frames with columns that are no numbers, and the names that targets came with.
    _encoder: TableEncoder | None
    _target_names: tuple[str, ...]
    # The least and the largest value of each input, (2, n_inputs).
    _ranges: np.ndarray
    # What `partial_fit` goes on from.
    _online: FittedRows | NoRows | Online

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, n_features)
        y : array of shape (n,) or, of a regressor, (n, n_targets)
        sample_weight : array of shape (n,), optional
            What rows count for, >= 0.

        Raises
        ------
        ParameterError
            If a parameter has a value that is not allowed.
        """
        self._validate_params()
        return self._fit(self._sample(X, y, sample_weight))

    def path(
        self, X: Any, y: Any, budgets: Sequence[int | float], sample_weight: Any = None
    ) -> list[Self]:
        """Return models of several budgets, whose validation is shared.

        Parameters
        ----------
        X, y, sample_weight
            See `fit`.
        budgets : sequence of int or float
            Values of `nnz`.

        Returns
        -------
        list
            Fitted models, in the order of `budgets`. Each is the best on held-out rows of all
            networks of at most so many weights that were met on the way to any budget.

        Raises
        ------
        ParameterError
            If a parameter or a budget has a value that is not allowed.
        """
        budgets = check_budgets(budgets)
        self._validate_params()
        shared = clone(self)
        sample, setting = shared._sample(X, y, sample_weight), shared._setting()
        problem, drawn = sample.problem, sample.drawn(setting.seed)
        with _threads(problem), shared._search(problem, setting) as search:
            found = search.of_budgets([most_weights(nnz, problem, setting) for nnz in budgets])
            return [
                copy(shared).set_params(nnz=nnz)._take(one, drawn, setting)
                for nnz, one in zip(budgets, found, strict=True)
            ]

    def fit_part(self, X: Any, y: Any, team: Team) -> Self:
        """Fit the network to rows of which each process of a team has a part.

        All processes call this, with their own rows, and end with the same model. Up to 50,000
        rows in all it is that of one process; beyond, the first process searches on a draw, as one
        process does, and the final refit is summed over the rows of all.

        Parameters
        ----------
        X : array of shape (n, n_features)
        y : array of shape (n,) or, of a regressor, (n, n_targets)
        team : Team
            See `sparsefit.core.team.present_team`.

        Raises
        ------
        ParameterError
            If a parameter has a value that is not allowed.
        """
        self._validate_params()
        X, y = np.asarray(X), np.asarray(y)
        share = Share.of(team, len(X))
        if share.n <= MOST_MERGED:
            return self._fit(self._sample(share.gathered(X), share.gathered(y), None), team)
        return self._fit(self._sample(X, y, None, share=share), team)

    @abstractmethod
    def _sample(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool = True, share: Share | None = None
    ) -> Sample:
        """Check the data and return what is fitted.

        What predictions need of them is remembered or, unless `first`, taken as it is.
        """

    @property
    def _output_scale(self) -> float:
        """What outputs of the fitted network are multiplied by."""
        return 1.0

    @abstractmethod
    def _make_predictor(self, network: Network) -> Predictor:
        """Return the model of a fitted network."""

    def _fit(self, sample: Sample, team: Team = ALONE) -> Self:
        problem, setting = sample.problem, self._setting()
        nnz, drawn = most_weights(self.nnz, problem, setting), sample.drawn(setting.seed)

        def best() -> Found:
            return search.fewest(nnz) if self.nnz == "auto" else search.of_budgets([nnz])[0]

        with _threads(problem), self._search(problem, setting) as search:
            found = follow(problem, setting, team) if team.rank else lead(best, team)
            return self._take(found, drawn, setting)

    def _take(self, found: Found, drawn: Sample, setting: Setting) -> Self:
        """Make a model of what was found; `drawn` are rows that `partial_fit` may need."""
        network = found.fit.network
        self.path_ = found.path
        self.n_iter_, self.status_ = found.fit.n_iter, found.fit.status.value
        self._describe(network, drawn, setting)
        self._online = FittedRows(
            network=network, sample=drawn, setting=setting,
            free_constant=self._frees_constant and setting.bias,
        )  # fmt: skip
        return self

    def _begin(self, sample: Sample) -> Self:
        """Fit the network to the first of several parts of the rows."""
        self._fit(sample)
        # A network that cannot be changed is an error only if there is a second part.
        if isinstance(self._online, FittedRows):
            with contextlib.suppress(SparsefitError):
                self._online = self._online.start()
        return self

    def _update(self, sample: Sample) -> Self:
        """Change the weights of a fitted network for more rows."""
        setting = self._setting()
        with _threads(sample.problem):
            self._online = self._online.update(sample.problem, setting, sample.total)
            self._describe(self._online.network(setting), sample, setting)
        return self

    def _describe(self, network: Network, sample: Sample, setting: Setting) -> None:
        """Make the predictor, and find what matters and how finely, on rows that were fitted."""
        found = resolution(network, sample.problem, sample.total) * self._output_scale
        live = self._ranges[:, network.live_inputs].T.tolist()
        self.predictor_ = replace(
            self._make_predictor(network), resolution=tuple(found.tolist()),
            ranges=tuple((low, high) for low, high in live),
        )  # fmt: skip
        self._importances = self._shares(sample.problem, setting)

    def _shares(self, problem: Problem, setting: Setting) -> np.ndarray:
        """Return the importance of each feature on some of the rows that were fitted."""
        rows = problem.sample(_MOST_ROWS, setting.seed)
        return shares(self.predictor_, rows.X, self._features, setting.seed)

    @property
    def _features(self) -> list[list[int]]:
        """The inputs of the network that each feature becomes."""
        names = getattr(self, "feature_names_in_", None)
        if self._encoder is None or names is None:
            return [[at] for at in range(self.n_features_in_)]
        return [self.predictor_.inputs_by_source.get(str(name), []) for name in names]

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, **how: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, float]:
        """Return X (n, d), y, weights and their sum, dense and in float64, or float32 if X is."""
        if first:
            self._encoder = TableEncoder().fit(X) if needs_encoder(X) else None
            self._target_names = names_of(y)
        if self._encoder is not None:
            validate_data(self, X=X, reset=first, skip_check_array=True)
            X, y = check_X_y(self._encoder.transform(X), y, dtype=np.float64, **how)
        else:
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=first, **how
            )
        X = X.toarray() if sparse.issparse(X) else X
        if sample_weight is None:
            return X, y, None, float(len(X))
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        return X, y, weight, float(weight.sum())

    def _scaled(
        self, X: np.ndarray, weight: np.ndarray | None, *, first: bool, share: Share | None
    ) -> np.ndarray:
        """Return inputs of a common scale: that of these rows, if they are the first."""
        if first and self.standardize and self._encoder is None:
            self._input_scale = InputScale.of(X, weight, share)
        elif first:
            self._input_scale = InputScale.none(X.shape[1])
        X = self._input_scale.apply(X)
        ranges = np.stack([X.min(axis=0), X.max(axis=0)])
        if share is not None:
            lows, highs = share.gathered(ranges[None]).swapaxes(0, 1)
            ranges = np.stack([lows.min(axis=0), highs.max(axis=0)])
        if not first:
            low, high = self._ranges
            ranges = np.stack([np.minimum(ranges[0], low), np.maximum(ranges[1], high)])
        self._ranges = ranges
        return X

    @contextlib.contextmanager
    def _search(self, problem: Problem, setting: Setting) -> Iterator[Search]:
        n_folds = self._n_folds(problem, setting)
        method = self._method(problem, quick=n_folds > 0)
        method.check(problem)
        automatic = VALIDATION.alphas if n_folds else (0.0,)
        alphas = automatic if self.alpha == "auto" else (float(self.alpha),)
        with self._progress() as progress:
            setting = replace(setting, progress=forward(progress))
            yield Search(
                problem=problem, few=few_of(problem, setting.seed),
                setting=setting, method=method, alphas=alphas, n_folds=n_folds,
                is_stacked=self.method == "auto", time_limit=self.time_limit,
            )  # fmt: skip

    def _n_folds(self, problem: Problem, setting: Setting) -> int:
        n = problem.n
        if self.folds != "auto":
            return min(int(self.folds), n)
        return FOLDS.count(n, is_slow=self.method != "auto" or setting.layers > 1)

    def _method(self, problem: Problem, *, quick: bool) -> Method:
        """Return the method; a quick one if what it finds is validated and mended anyway."""
        if isinstance(self.method, Method):
            return self.method
        if self.method == "auto" and quick:
            return suited_method(problem, quick=True)
        return find_method(self.method)()

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Callable[[float, str], None]]:
        if callable(self.verbose) or not self.verbose:
            yield self.verbose or no_progress
            return
        with show_progress(lines=True) as report:
            yield report

    @property
    def _columns(self) -> tuple[Column, ...]:
        if self._encoder is not None:
            return self._encoder.columns_
        names = getattr(self, "feature_names_in_", [f"x{at}" for at in range(self.n_features_in_)])
        return self._input_scale.columns(names)

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        if self._encoder is not None:
            return self.predictor_.outputs(self._encoder.rows(X))
        # As in a fit: a copy of rows in float32 may not fit into memory.
        kinds = [np.float64, np.float32]
        X = validate_data(self, X, accept_sparse="csr", dtype=kinds, reset=False)
        return self.predictor_.outputs(X.toarray() if sparse.issparse(X) else X)
