"""LassoNet, its penalty by its own cross-validation."""

import numpy as np
from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table
from lassonet import LassoNetClassifierCV, LassoNetRegressorCV


def fit(train: Table, seed: int) -> Fitted:
    """Count weights and biases that are not zero."""
    mean, scale = (0, 1) if train.is_classes else (train.y.mean(), train.y.std())
    y = train.y if train.is_classes else (train.y - mean) / scale
    kind = LassoNetClassifierCV if train.is_classes else LassoNetRegressorCV
    model = kind(random_state=seed, torch_seed=seed, verbose=0).fit(train.X, y)

    def predict(X: np.ndarray) -> np.ndarray:
        found = np.asarray(model.predict(X)).ravel()
        return found if train.is_classes else found * scale + mean

    return predict, sum(int((part != 0).sum()) for part in model.model.state_dict().values())


MODELS = {"LassoNetCV": fit}
