"""Regression by a sparse network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from sparsefit.core.errors import ParameterError
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.team import Share
from sparsefit.estimators._base import SparseMLP
from sparsefit.estimators._first_rows import Sample
from sparsefit.estimators._merge import merge_rows
from sparsefit.estimators._scaling import TargetScale
from sparsefit.predictor import Predictor


class SparseMLPRegressor(MultiOutputMixin, RegressorMixin, SparseMLP):
    """Regression by a network with at most `nnz` nonzero weights.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int, default (100,)
        Units of each hidden layer, all the same; a network uses at most so many.
    nnz : int, float or "auto", default 100
        The most nonzero weights and biases: a number, a fraction of those of the dense network, or
        "auto" for the fewest whose loss on held-out rows is above the least by at most one standard
        error of the difference.
    method : str or Method, default "auto"
        How networks are fitted: a name that ``sparsefit methods`` lists, or an instance with
        options of its own.
    loss : {"auto", "squared_error", "huber", "poisson"}, default "auto"
        What is minimised; "auto" is the squared error. "huber" takes residuals beyond one median
        absolute deviation of y by their size, not its square, so that outliers pull less. "poisson"
        is for counts, and other y >= 0 whose variance grows with their mean: half the deviance of
        a mean that is the exponential of the network.
    alpha : float or "auto", default "auto"
        Ridge: ``alpha |w|^2`` is added to twice the mean over rows of the loss, for standardised
        inputs. "auto" chooses on held-out rows; where none are held out it is 0.
    skip : bool, default True
        A skip connection, linear from the inputs to the outputs, counted in `nnz`.
    activation : str, default "relu"
        What hidden units make of their sums: "relu", "leaky-relu" (or "leaky-relu:0.2" for another
        slope than 0.01), "tanh", "sigmoid", "gelu" or "sine".
    fit_intercept : bool, default True
        Biases of the hidden units and of the outputs, counted in `nnz`.
    standardize : bool, default True
        Bring inputs to mean 0 and standard deviation 1 first; `coefs_` are for these.
    folds : int or "auto", default "auto"
        Of the cross-validation that chooses, among the fitted network, a linear model and what is
        left of both when weights are dropped, the one to return; 0 returns the fitted network.
        "auto": 5 up to 1000 rows and 3 beyond; with a method other than "auto", or several hidden
        layers, none beyond 5000 rows.
    time_limit : float or None, default None
        Seconds after which the fit makes do with the networks that it has, of which there is always
        one; it may take longer, for the step that is under way and the refit.
    random_state : int, RandomState or None, default None
    device : str, default "cpu"
        Of torch.
    verbose : bool or callable, default False
        Show a progress bar, or call with the share that is done and a text.

    Attributes
    ----------
    coefs_ : list of csc_array of shape (n_in, n_out)
        Weights of each layer, and last of the skip connection.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer, the mean of y in the last.
    support_ : ndarray of int
        The inputs that have a weight.
    n_nonzero_ : int
        Nonzero weights and biases.
    feature_importances_ : ndarray of shape (n_features,)
        How much the outputs change when the values of a feature are shuffled between rows, as a
        share of the sum over the features.
    path_ : list of dict
        What the choice was made by: for each ``nnz`` the ``loss`` on held-out rows and its standard
        error ``se`` over the folds, how far that is ``above`` the least and the standard error
        ``se_above`` of the difference, and ``start`` and ``alpha`` of the best candidate; empty
        with no folds.
    mean_, scale_ : ndarray of shape (n_features,)
        What is subtracted from the inputs, and what they are divided by.
    predictor_ : Predictor
        The model to save, and to export.
    n_iter_ : int
    status_ : str
        How the fit ended, such as "converged" for an exact one.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Where X has names.

    Notes
    -----
    A constant that is added to the outputs of a regression (the mean of y) is not counted, as in
    other linear models. Rows that are alike are one row of more weight, so a fit depends on
    neither the order of the rows nor on whether one is repeated or weighs double.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = np.maximum(X[:, 0] - X[:, 3], 0)
    >>> model = SparseMLPRegressor((4,), nnz=6, random_state=0).fit(X, y)
    >>> round(model.score(X, y), 6), model.support_.tolist(), model.n_nonzero_ <= 6
    (1.0, [0, 3], True)
    """

    _losses = {  # noqa: RUF012
        "auto": "squared", "squared_error": "squared", "huber": "huber", "poisson": "poisson",
    }  # fmt: skip
    _frees_constant = True
    # Of the first rows.
    _target_scale: TargetScale
    _has_columns: bool

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseMLPRegressor:
        """Fit the network or, if it is fitted, change its weights for more rows.

        Which weights are nonzero, and how inputs are standardised, is settled by the first rows.
        Later ones are fitted together with what earlier ones said, as far as a quadratic tells it:
        exactly for a linear model, and else by recursive Gauss-Newton.

        Parameters
        ----------
        X, y, sample_weight
            See `fit`.

        Raises
        ------
        SparsefitError
            If the network has more than 1000 weights.
        """
        self._validate_params()
        is_first = not hasattr(self, "predictor_")
        sample = self._sample(X, y, sample_weight, first=is_first)
        return self._begin(sample) if is_first else self._update(sample)

    def _sample(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool = True, share: Share | None = None
    ) -> Sample:
        X, y, weight, total = self._checked(
            X, y, sample_weight, first=first, multi_output=True, y_numeric=True
        )
        Y = y.reshape(len(y), -1).astype(np.float64)
        if not first and Y.shape[1] != self._n_targets:
            raise ParameterError(f"y must have {self._n_targets} columns, got {Y.shape[1]}")
        if share is None:
            X, Y, weight = merge_rows(X, Y, weight)
        loss = self._problem_loss
        if first:
            self._has_columns = y.ndim > 1
            self._target_scale = self._scale_of(share.gathered(Y) if share else Y, weight)
        X = self._scaled(X, weight, first=first, share=share)
        Y = self._target_scale.apply(Y)
        problem = Problem(X, Y, loss=loss, sample_weight=weight, share=share)
        return Sample(problem, share.n if share else total)

    def _scale_of(self, Y: np.ndarray, weight: np.ndarray | None) -> TargetScale:
        loss = self._problem_loss
        if loss != "poisson":
            is_robust = loss == "huber"
            return TargetScale.of(Y, weight, is_centred=self.fit_intercept, is_robust=is_robust)
        if not (Y >= 0).all() or not Y.any(axis=0).all():
            raise ParameterError(f"y must be >= 0, and above it somewhere, got {Y.min():g}")
        return TargetScale.of_counts(Y, weight, is_centred=self.fit_intercept)

    @property
    def _n_targets(self) -> int:
        return len(self._target_scale.means)

    @property
    def _output_scale(self) -> float:
        spread = self._target_scale.spread
        return 1.0 if isinstance(spread, np.ndarray) else float(spread)

    def _make_predictor(self, network: Network) -> Predictor:
        means, spread = self._target_scale.means, self._target_scale.spread
        is_log = self._problem_loss == "poisson"
        if isinstance(spread, np.ndarray):
            means, spread = np.log(spread), 1.0
        network, bias = network.without_output_bias()
        return Predictor(
            network=network.times(spread), columns=self._columns, exponential=is_log,
            targets=self._target_names or tuple(f"y{at}" for at in range(self._n_targets)),
            intercepts=tuple((means + spread * bias).tolist()),
        )  # fmt: skip

    def predict(self, X: Any) -> np.ndarray:
        """Return predicted values, (n,) or, for several targets, (n, k)."""
        values = self._outputs(X)
        return values if self._has_columns else values[:, 0]
