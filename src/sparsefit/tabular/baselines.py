"""What other models reach on the same rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from sparsefit.core.device import limited_threads
from sparsefit.estimators.lasso import lasso_supports
from sparsefit.tabular.rows import Part
from sparsefit.tabular.scores import ModelScore, of_classes, of_numbers

# To fit, and to test.
MOST_ROWS, _MOST_TESTED = 10_000, 50_000
_TOL = 1e-8
_GRID = np.geomspace(1e-3, 1e2, 16)


def baselines(some: Part, test: Part, *, n_classes: int, nnz: int, seed: int) -> list[ModelScore]:
    """Fit a constant, a linear model, an l1 linear model of at most `nnz` weights, and a dense MLP.

    On some rows to fit, and tested on at most 50000.
    """
    X, y = some.X, some.y
    held = test.X[:_MOST_TESTED], test.y[:_MOST_TESTED]
    # Some solvers work in single precision, which has no room for every unit.
    scale = 1.0 if n_classes else float(abs(y).max()) or 1.0
    with limited_threads(1), warnings.catch_warnings():
        # A solver that stops early is a baseline all the same.
        warnings.simplefilter("ignore")
        models = (_classifiers if n_classes else _regressors)(X, y / scale, nnz, seed)
        found = []
        for name, model in models:
            model.fit(X, y / scale)
            measures = _measures(model, *held, n_classes, scale)
            found.append(ModelScore(name, measures, _size(model)))
        return found


def _measures(
    model: Any, X: np.ndarray, y: np.ndarray, n_classes: int, scale: float
) -> dict[str, float | None]:
    if not n_classes:
        return of_numbers(y, scale * model.predict(X).astype(np.float64))
    # A class that no row to fit has gets no probability.
    probabilities = np.zeros((len(X), n_classes))
    probabilities[:, model.classes_.astype(np.int64)] = model.predict_proba(X)
    return of_classes(y, probabilities)


def _regressors(X: np.ndarray, y: np.ndarray, nnz: int, seed: int) -> list[tuple[str, Any]]:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Lasso, RidgeCV
    from sklearn.neural_network import MLPRegressor
    from sklearn.preprocessing import StandardScaler

    alphas, taken = lasso_supports(X, y[:, None], 100, _TOL)
    few = taken.sum(axis=0) <= nnz
    dense = MLPRegressor(early_stopping=len(X) >= 200, random_state=seed, max_iter=500)
    return [
        ("constant", DummyRegressor()),
        ("ridge", RidgeCV(_GRID)),
        (
            _l1_name(nnz),
            Lasso(float(alphas[few][-1]), tol=_TOL),
        ),
        ("dense MLP", TransformedTargetRegressor(dense, transformer=StandardScaler())),
    ]


def _classifiers(X: np.ndarray, y: np.ndarray, nnz: int, seed: int) -> list[tuple[str, Any]]:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    # Rows that are held out to stop by are some of each class.
    stops = len(X) >= 200 and np.unique(y, return_counts=True)[1].min() >= 2
    return [
        ("constant", DummyClassifier()),
        ("logistic", LogisticRegression(max_iter=1000)),
        (_l1_name(nnz), _l1_classifier(X, y, nnz)),
        ("dense MLP", MLPClassifier(early_stopping=stops, random_state=seed, max_iter=500)),
    ]


def _l1_name(nnz: int) -> str:
    return f"l1, at most {nnz} weight{'' if nnz == 1 else 's'}"


def _l1_classifier(X: np.ndarray, y: np.ndarray, nnz: int) -> Any:
    """Return the largest of a path of l1 models that has at most `nnz` weights."""
    import sklearn
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils.fixes import parse_version

    # What says l1 in one version is ignored, or warned about, in the other.
    is_new = parse_version(sklearn.__version__) >= parse_version("1.8")
    kind: dict[str, Any] = {"l1_ratio": 1.0} if is_new else {"penalty": "l1"}
    solver = "liblinear" if len(np.unique(y)) == 2 else "saga"
    best = None
    for C in _GRID:
        model = LogisticRegression(C=C, solver=solver, max_iter=100, **kind)
        if best is not None and np.count_nonzero(model.fit(X, y).coef_) > nnz:
            break
        best = model
    return best


def _size(model: Any) -> int | None:
    model = getattr(model, "regressor_", model)
    if hasattr(model, "coefs_"):
        return sum(int(part.size) for part in (*model.coefs_, *model.intercepts_))
    if not hasattr(model, "coef_"):
        return None
    return int(np.count_nonzero(model.coef_) + np.count_nonzero(model.intercept_))
