"""Histogram gradient boosting of scikit-learn."""

from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor


def fit(train: Table, seed: int) -> Fitted:
    """Count three numbers a node: an input, a threshold and a value."""
    kind = HistGradientBoostingClassifier if train.is_classes else HistGradientBoostingRegressor
    model = kind(random_state=seed).fit(train.X, train.y)
    return model.predict, 3 * sum(len(tree.nodes) for step in model._predictors for tree in step)


MODELS = {"boosting": fit}
