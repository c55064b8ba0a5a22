"""Classification by a sparse network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets

from sparsefit.core.errors import ParameterError
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.team import Share
from sparsefit.estimators._base import SparseMLP
from sparsefit.estimators._first_rows import Sample
from sparsefit.estimators._merge import merge_rows
from sparsefit.estimators._parameters import Rule
from sparsefit.methods import Method
from sparsefit.predictor import Predictor


class SparseMLPClassifier(ClassifierMixin, SparseMLP):
    """Classification by a network with at most `nnz` nonzero weights.

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
    loss : {"auto", "log_loss", "squared_error"}, default "auto"
        What is minimised; "auto" is the log loss. The squared error is that of scores of -1 and 1
        or, for several classes, 0 and 1; it gives no probabilities.
    class_weight : dict, "balanced" or None, default None
        What the rows of a class count for, by label, 1 where none is given; "balanced" for as much
        in all classes together. Of the first rows, if more come by `partial_fit`.
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
        Biases of each layer.
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
    classes_ : ndarray
        The labels.

    Notes
    -----
    Two classes share one output, the log odds of the second. Rows that are alike are one row of
    more weight, so a fit depends on neither the order of the rows nor on whether one is repeated
    or weighs double.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SparseMLPClassifier((5,), nnz=10, folds=0, random_state=0, method="fisher-gmp")
    >>> model.fit(X, y).score(X, y) > 0.9, model.n_nonzero_
    (True, 10)
    """

    _losses = {"auto": "logistic", "log_loss": "logistic", "squared_error": "squared"}  # noqa: RUF012
    _frees_constant = False
    # What rows count for by class, of the first rows; None for 1.
    _class_weights: np.ndarray | None

    def __init__(
        self,
        hidden_layer_sizes: tuple[int, ...] = (100,),
        *,
        nnz: int | float | Literal["auto"] = 100,
        method: str | Method = "auto",
        loss: str = "auto",
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        alpha: float | Literal["auto"] = "auto",
        skip: bool = True,
        activation: str = "relu",
        fit_intercept: bool = True,
        standardize: bool = True,
        folds: int | Literal["auto"] = "auto",
        time_limit: float | None = None,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
        verbose: bool | Callable[[float, str], None] = False,
    ):
        super().__init__(
            hidden_layer_sizes, nnz=nnz, method=method, loss=loss, alpha=alpha, skip=skip,
            activation=activation, fit_intercept=fit_intercept, standardize=standardize,
            folds=folds, time_limit=time_limit, random_state=random_state, device=device,
            verbose=verbose,
        )  # fmt: skip
        self.class_weight = class_weight

    @property
    def _rules(self) -> dict[str, Rule]:
        constraints = [None, dict, StrOptions({"balanced"})]
        allowed = "None, 'balanced' or a dict from labels to numbers >= 0"
        return {**super()._rules, "class_weight": Rule(constraints, allowed)}

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> SparseMLPClassifier:
        """Fit the network or, if it is fitted, change its weights for more rows.

        Which weights are nonzero, and how inputs are standardised, is settled by the first rows.
        Later ones are fitted together with what earlier ones said, as far as a quadratic tells it:
        recursive Gauss-Newton.

        Parameters
        ----------
        X, y, sample_weight
            See `fit`.
        classes : array of shape (n_classes,), optional
            All labels that will be seen, where the first y lacks some.

        Raises
        ------
        ParameterError
            If y has a label that is not among the classes.
        SparsefitError
            If the network has more than 1000 weights.
        """
        self._validate_params()
        if hasattr(self, "predictor_"):
            return self._update(self._sample(X, y, sample_weight, first=False))
        return self._begin(self._sample(X, y, sample_weight, classes=classes))

    def _sample(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool = True, classes: Any = None,
        share: Share | None = None,
    ) -> Sample:  # fmt: skip
        X, y, weight, total = self._checked(X, y, sample_weight, first=first)
        y = column_or_1d(y, warn=True)
        every = y if share is None else share.gathered(y)
        if first:
            check_classification_targets(y)
            self.classes_ = np.unique(every if classes is None else classes)
        self._check_labels(y)
        number = np.searchsorted(self.classes_, y)
        if first:
            self._class_weights = self._weights_of_classes(every)
        if self._class_weights is not None:
            by_row = self._class_weights[number]
            weight = by_row if weight is None else weight * by_row
            total = float(weight.sum())
        if share is None:
            X, number, weight = merge_rows(X, number, weight)
        elif weight is not None:
            raise ParameterError(f"class_weight must be None for a team, got {self.class_weight!r}")
        X = self._scaled(X, weight, first=first, share=share)
        problem = replace(self._problem(X, number, weight), share=share)
        return Sample(problem, share.n if share else total)

    def _check_labels(self, y: np.ndarray) -> None:
        if len(self.classes_) < 2:
            raise ParameterError(
                f"y must have at least 2 classes, got one class: {self.classes_.tolist()[0]!r}"
            )
        if not np.isin(y, self.classes_).all():
            strange = y[~np.isin(y, self.classes_)].tolist()[0]
            raise ParameterError(f"y must hold the labels in classes_ only, got {strange!r}")

    def _weights_of_classes(self, y: np.ndarray) -> np.ndarray | None:
        given = self.class_weight
        if given is None:
            return None
        if given == "balanced":
            counts = np.array([(y == label).sum() for label in self.classes_])
            return np.asarray(len(y) / (len(counts) * counts.clip(min=1)))
        strange = [label for label in given if label not in self.classes_]
        good = all(isinstance(w, Real) and 0 <= w < np.inf for w in given.values())
        if strange or not good or not sum(given.get(label, 1) for label in self.classes_):
            raise self._rules["class_weight"].error("class_weight", given)
        return np.array([given.get(label, 1.0) for label in self.classes_], dtype=np.float64)

    def _problem(self, X: np.ndarray, number: np.ndarray, weight: np.ndarray | None) -> Problem:
        """Return the problem of rows that are of the class of that number, (n,)."""
        n_classes = len(self.classes_)
        if self._problem_loss == "squared":
            scores = np.eye(n_classes)[number] if n_classes > 2 else 2.0 * number[:, None] - 1
            return Problem(X, scores, sample_weight=weight)
        if n_classes == 2:
            labels = number[:, None].astype(np.float64)
            return Problem(X, labels, loss="logistic", sample_weight=weight)
        return Problem(X, number, loss="softmax", n_classes=n_classes, sample_weight=weight)

    def _make_predictor(self, network: Network) -> Predictor:
        classes = tuple(str(label) for label in self.classes_)
        targets = self._target_names or ("y",)
        return Predictor(network=network, columns=self._columns, targets=targets, classes=classes)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores, (n,) with two classes and (n, n_classes) with more."""
        scores = self._outputs(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    @available_if(lambda self: self.loss != "squared_error")
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, (n, n_classes); not for the squared error."""
        outputs = self._outputs(X)
        return self.predictor_.probabilities(outputs)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class, (n,)."""
        outputs = self._outputs(X)
        return np.asarray(self.classes_[self.predictor_.class_numbers(outputs)])
