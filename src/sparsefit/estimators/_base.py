"""What the estimators share: parameters, the way to a fit, and what is read off it."""

from __future__ import annotations

import contextlib
import itertools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from sparsefit.core.errors import ParameterError, SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Loss, Problem
from sparsefit.core.progress import show_progress
from sparsefit.core.setting import LARGEST_SEED, Setting, no_progress
from sparsefit.estimators._online import Online
from sparsefit.estimators._search import Found, Search
from sparsefit.estimators._validation import VALIDATION
from sparsefit.methods import Method, find_method
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.methods.splice import Splice
from sparsefit.predictor import Column, Predictor

if TYPE_CHECKING:
    from typing_extensions import Self

# With more rows than these, nothing is held out: overfitting is no concern at few weights.
_MOST_VALIDATED = 5000
# nnz="auto" considers a weight for so many targets, and so many weights at most.
_TARGETS_A_WEIGHT, _MOST_AUTO = 8, 500
# Optimiser steps, about, where a method's result is mended and validated anyway.
_STEPS, _BATCH = 600, 256


class SparseMLP(BaseEstimator):
    """Base of the estimators; parameters and attributes are described there."""

    # What `loss` may be, and what it is called in a `Problem`.
    _losses: ClassVar[dict[str, Loss]]
    # Whether a constant is added to the outputs that is not counted.
    _frees_constant: ClassVar[bool]
    # The state that `partial_fit` goes on from, or why it cannot.
    _online: Online | str
    # Of the rows of the last call.
    _total_weight: float

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        *,
        nnz: int | float | Literal["auto"] = 100,
        method: str | Method = "auto",
        loss: str = "auto",
        alpha: float | Literal["auto"] = "auto",
        skip: bool = True,
        fit_intercept: bool = True,
        standardize: bool = True,
        folds: int | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        verbose: bool | Callable[[float, str], None] = False,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.nnz = nnz
        self.method = method
        self.loss = loss
        self.alpha = alpha
        self.skip = skip
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.folds = folds
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool, **how: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return X (n, d), y and weights, dense and in float64, or float32 if X is."""
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32], reset=first, **how
        )
        X = X.toarray() if sparse.issparse(X) else X
        self._total_weight = float(len(X))
        if sample_weight is None:
            return X, y, None
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        self._total_weight = float(weight.sum())
        return X, y, weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array, sparse matrix or data frame of shape (n, n_features)
        y : array of shape (n,) or, of a regressor, (n, n_targets)
        sample_weight : array of shape (n,), optional
            What rows count for, >= 0.
        """
        return self._fit(self._problem(X, y, sample_weight))

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
        """
        shared = clone(self)
        problem = shared._problem(X, y, sample_weight)
        models = [copy(shared).set_params(nnz=nnz) for nnz in budgets]
        with shared._search(problem) as search:
            found = search.of_budgets([shared._budget(problem, nnz) for nnz in budgets])
        return [model._take(one, problem) for model, one in zip(models, found, strict=True)]

    @abstractmethod
    def _problem(self, X: Any, y: Any, sample_weight: Any, *, first: bool = True) -> Problem:
        """Check the data and return what is fitted.

        What predictions need of them is remembered or, unless `first`, taken as it is.
        """

    def _fit(self, problem: Problem) -> Self:
        with self._search(problem) as search:
            if isinstance(self.nnz, str):
                found = search.fewest(self._budget(problem, self.nnz))
            else:
                [found] = search.of_budgets([self._budget(problem, self.nnz)])
        return self._take(found, problem)

    def _update(self, problem: Problem) -> Self:
        """Change the weights of a fitted network for more rows."""
        setting = self._setting()
        if isinstance(self._online, str):
            raise SparsefitError(self._online)
        self._online = self._online.update(problem, setting, self._total_weight)
        self._set_network(self._online.network(setting))
        return self

    @abstractmethod
    def _set_network(self, network: Network) -> None:
        """Make a model of a fitted network."""

    def _take(self, found: Found, problem: Problem) -> Self:
        self.path_ = found.path
        self.n_iter_, self.status_ = found.fit.n_iter, found.fit.status.value
        self._set_network(found.fit.network)
        try:
            self._online = Online.start(
                found.fit.network, problem, self._setting(), total=self._total_weight,
                free_constant=self._frees_constant and self.fit_intercept,
            )  # fmt: skip
        except SparsefitError as error:
            # It matters only if `partial_fit` is called.
            self._online = f"partial_fit cannot change this network: {error}"
        return self

    def _standardized(self, X: np.ndarray, weight: np.ndarray | None, *, first: bool) -> np.ndarray:
        """Set `mean_` and `scale_`, if `first`, and return inputs of mean 0 and variance 1."""
        if first:
            self.mean_, self.scale_ = _moments(X, weight if self.standardize else np.zeros(0))
        if not self.standardize:
            return X
        return ((X - self.mean_) / self.scale_).astype(X.dtype, copy=False)

    @contextlib.contextmanager
    def _search(self, problem: Problem) -> Iterator[Search]:
        setting = self._setting()
        n_folds = self._n_folds(problem, setting)
        method = self._method(problem, quick=n_folds > 0)
        method.check(problem)
        automatic = VALIDATION.alphas if n_folds else (0.0,)
        alphas = automatic if self.alpha == "auto" else (float(self.alpha),)
        with self._progress() as progress:
            setting = replace(setting, progress=progress)
            yield Search(
                problem=problem, setting=setting, method=method, alphas=alphas, n_folds=n_folds
            )

    def _method(self, problem: Problem, *, quick: bool) -> Method:
        """Return the method; a quick one if what it finds is validated and mended anyway."""
        if isinstance(self.method, Method):
            return self.method
        if self.method != "auto" or not quick:
            return find_method(self.method)()
        if problem.loss == "squared":
            return Splice(restarts=0, cycles=5)
        # Outliers make for noisy steps.
        steps = _STEPS * (2 if problem.loss == "huber" else 1)
        return FisherPruning(epochs=max(20, steps * _BATCH // max(len(problem.X), _BATCH)))

    def _n_folds(self, problem: Problem, setting: Setting) -> int:
        if self.folds != "auto":
            if isinstance(self.folds, (int, np.integer)) and (self.folds == 0 or self.folds >= 2):
                return min(int(self.folds), len(problem.X))
            raise ParameterError(f"folds must be 'auto', 0 or an integer >= 2, got {self.folds!r}")
        n = len(problem.X)
        if (setting.bias and setting.layers > 1) or n > _MOST_VALIDATED or n < 2:
            return 0
        return min(n, 5 if n <= 1000 else 3)

    def _problem_loss(self) -> Loss:
        if self.loss not in self._losses:
            raise ParameterError(
                f"loss must be {' or '.join(map(repr, self._losses))}, got {self.loss!r}"
            )
        return self._losses[self.loss]

    def _setting(self) -> Setting:
        sizes = np.atleast_1d(self.hidden_layer_sizes).tolist()
        if not sizes or any(size != sizes[0] or size < 1 for size in sizes):
            raise ParameterError(
                "hidden_layer_sizes must be sizes >= 1, all the same, "
                f"got {self.hidden_layer_sizes!r}"
            )
        if self.alpha != "auto" and not (isinstance(self.alpha, (int, float)) and self.alpha >= 0):
            raise ParameterError(f"alpha must be 'auto' or a number >= 0, got {self.alpha!r}")
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        return Setting(
            hidden=sizes[0], layers=len(sizes), bias=self.fit_intercept, skip=self.skip,
            device=self.device, seed=seed,
        )  # fmt: skip

    def _budget(self, problem: Problem, nnz: int | float | str) -> int:
        """Return the number of weights that a value of `nnz` allows at most."""
        n_params = self._n_params(problem)
        if isinstance(nnz, str) and nnz == "auto":
            # Scores of classes are free but for a constant.
            n_free = problem.n_outputs - (problem.loss == "softmax")
            supported = len(problem.X) * n_free // _TARGETS_A_WEIGHT
            return min(n_params, max(10, supported), _MOST_AUTO)
        if isinstance(nnz, (int, np.integer)) and nnz >= 1:
            return int(nnz)
        if isinstance(nnz, (float, np.floating)) and 0 < nnz <= 1:
            return max(1, round(nnz * n_params))
        raise ParameterError(
            f"nnz must be an integer >= 1, a fraction in (0, 1] or 'auto', got {nnz!r}"
        )

    def _n_params(self, problem: Problem) -> int:
        widths = [problem.n_features, *np.atleast_1d(self.hidden_layer_sizes), problem.n_outputs]
        layers = [(a + self.fit_intercept) * b for a, b in itertools.pairwise(widths)]
        return int(sum(layers) + self.skip * problem.n_features * problem.n_outputs)

    @contextlib.contextmanager
    def _progress(self) -> Iterator[Callable[[float, str], None]]:
        if callable(self.verbose) or not self.verbose:
            yield self.verbose or no_progress
            return
        with show_progress(lines=True) as report:
            yield report

    def _set_predictor(
        self, network: Network, targets: tuple[str, ...], *, classes: tuple[str, ...] = (),
        intercepts: tuple[float, ...] = (),
    ) -> None:  # fmt: skip
        names = getattr(self, "feature_names_in_", [f"x{at}" for at in range(self.n_features_in_)])
        columns = tuple(
            Column(name=str(name), mean=float(mean), scale=float(scale))
            for name, mean, scale in zip(names, self.mean_, self.scale_, strict=True)
        )
        self.predictor_ = Predictor(
            network=network, columns=columns, targets=targets, classes=classes,
            intercepts=intercepts,
        )  # fmt: skip
        self.n_nonzero_ = network.nnz

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return self.predictor_.outputs(X.toarray() if sparse.issparse(X) else X)

    @property
    def coefs_(self) -> list[sparse.csc_array]:
        """Weights of each layer, (n_in, n_out), the skip connection last."""
        check_is_fitted(self, "predictor_")
        return [layer.weight for layer in self.predictor_.network.all_layers]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, (n_out,)."""
        check_is_fitted(self, "predictor_")
        network = self.predictor_.network
        biases = [_biases(layer) for layer in network.layers]
        if self.predictor_.intercepts and not network.fused:
            biases[-1] = biases[-1] + np.array(self.predictor_.intercepts)
        return biases

    @property
    def support_(self) -> np.ndarray:
        """The inputs that have a weight, increasing."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.live_inputs

    @property
    def feature_importances_(self) -> np.ndarray:
        """Sizes of the weights on all paths from an input to an output, (n_features,), sum 1."""
        check_is_fitted(self, "predictor_")
        network = self.predictor_.network
        paths = abs(network.layers[0].weight)
        for layer in network.layers[1:]:
            paths = paths @ abs(layer.weight)
        sums = np.asarray(paths.sum(axis=1), dtype=np.float64).ravel()
        if network.skip is not None:
            sums += np.asarray(abs(network.skip.weight).sum(axis=1)).ravel()
        return cast(np.ndarray, sums / (sums.sum() or 1.0))


def _biases(layer: Layer) -> np.ndarray:
    return np.zeros(layer.n_units) if layer.bias is None else layer.bias


def _moments(X: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return weighted means and standard deviations; 0 and 1 for no weights at all."""
    if weight is not None and not len(weight):
        return np.zeros(X.shape[1]), np.ones(X.shape[1])
    mean = np.average(X, axis=0, weights=weight)
    spread = np.sqrt(np.average(np.square(X - mean), axis=0, weights=weight))
    # What is constant but for rounding is not blown up.
    constant = spread <= 1e-12 * np.abs(mean).clip(min=1e-300)
    return mean, np.where(constant, 1.0, spread)
