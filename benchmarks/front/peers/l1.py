"""Lasso and l1 logistic regression, the penalty by cross-validation."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table
from sklearn.linear_model import Lasso, LogisticRegression, lasso_path
from sklearn.model_selection import cross_val_score
from sklearn.multiclass import OneVsRestClassifier

PENALTIES = 15


def path(train: Table) -> Iterator[Any]:
    """Yield models from none to many weights."""
    if not train.is_classes:
        yield from (Lasso(alpha=a) for a in lasso_path(train.X, train.y, n_alphas=50)[0])
        return
    for C in np.geomspace(1e-3, 1e2, PENALTIES):
        yield OneVsRestClassifier(LogisticRegression(C=C, l1_ratio=1.0, solver="liblinear"))


def fit(most: float, train: Table, seed: int) -> Fitted:
    """Count nonzero coefficients and intercepts."""
    best: tuple[float, Any, int] = (-np.inf, None, 0)
    for model in path(train):
        model.fit(train.X, train.y)
        parts = model.estimators_ if train.is_classes else [model]
        count = sum(np.count_nonzero(p.coef_) + np.count_nonzero(p.intercept_) for p in parts)
        if count > most:
            break
        found = cross_val_score(model, train.X, train.y, cv=5).mean()
        if found > best[0]:
            best = found, model, int(count)
    return best[1].predict, best[2]


MODELS = {"l1": partial(fit, np.inf), "l1 50": partial(fit, 50)}
