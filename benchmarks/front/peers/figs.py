"""Fast interpretable greedy-tree sums of imodels, the number of rules by cross-validation."""

from typing import Any

from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table
from imodels import FIGSClassifier, FIGSRegressor
from sklearn.model_selection import GridSearchCV


def count(node: Any) -> int:
    """Return the numbers of a tree: an input and a threshold a split, a value a leaf."""
    if node is None:
        return 0
    if node.left is None and node.right is None:
        return 1
    return 2 + count(node.left) + count(node.right)


def fit(train: Table, seed: int) -> Fitted:
    """Count inputs and thresholds of splits, and values of leaves."""
    kind = FIGSClassifier if train.is_classes else FIGSRegressor
    grid = {"max_rules": [4, 8, 12, 17, 25]}
    model = GridSearchCV(kind(random_state=seed), grid, cv=5).fit(train.X, train.y).best_estimator_
    return model.predict, sum(count(tree) for tree in model.trees_)


MODELS = {"FIGS": fit}
