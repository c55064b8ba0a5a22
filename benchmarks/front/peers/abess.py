"""Best subsets of the inputs by abess, their number by cross-validation."""

import numpy as np
from abess import LinearRegression, LogisticRegression, MultinomialRegression
from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table


def fit(train: Table, seed: int) -> Fitted:
    """Count coefficients and intercepts that are not zero."""
    kind = LinearRegression
    if train.is_classes:
        kind = LogisticRegression if train.y.max() == 1 else MultinomialRegression
    model = kind(support_size=range(min(train.X.shape[1], 50) + 1), cv=5).fit(train.X, train.y)
    parts = np.asarray(model.coef_), np.asarray(model.intercept_)
    return model.predict, sum(int(np.count_nonzero(part)) for part in parts)


MODELS = {"abess": fit}
