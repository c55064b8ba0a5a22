"""Explainable boosting machines of interpret-core."""

import numpy as np
from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor


def fit(train: Table, seed: int) -> Fitted:
    """Count scores of bins that are not zero, and the cuts between bins."""
    kind = ExplainableBoostingClassifier if train.is_classes else ExplainableBoostingRegressor
    model = kind(random_state=seed, n_jobs=1).fit(train.X, train.y)
    scores = sum(int(np.count_nonzero(term)) for term in model.term_scores_)
    cuts = sum(len(cut) for bins in model.bins_ for cut in bins)
    return model.predict, scores + cuts


MODELS = {"EBM": fit}
