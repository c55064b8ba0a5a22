"""scikit-learn's dense network, and what is left of it by magnitude."""

import numpy as np
from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

EPOCHS = 20


def dense(train: Table, seed: int) -> Fitted:
    """Count weights and biases."""
    if train.is_classes:
        net = model = MLPClassifier(random_state=seed).fit(train.X, train.y)
    else:
        whole = TransformedTargetRegressor(
            MLPRegressor(random_state=seed), transformer=StandardScaler()
        )
        model = whole.fit(train.X, train.y)
        net = model.regressor_
    return model.predict, sum(part.size for part in (*net.coefs_, *net.intercepts_))


def pruned(train: Table, seed: int, most: int = 50) -> Fitted:
    """Halve the weights by magnitude and train on, until few are left; count weights and biases."""
    mean, scale = (0, 1) if train.is_classes else (train.y.mean(), train.y.std())
    y = train.y if train.is_classes else (train.y - mean) / scale
    kind = MLPClassifier if train.is_classes else MLPRegressor
    net = kind(random_state=seed).fit(train.X, y)
    parts = [*net.coefs_, *net.intercepts_]
    count = sum(part.size for part in parts)
    while count > most:
        count = max(most, count // 2)
        sizes = np.sort(np.concatenate([abs(part).ravel() for part in parts]))
        masks = [abs(part) >= sizes[-count] for part in parts]
        for _ in range(EPOCHS):
            net.partial_fit(train.X, y)
            parts = [*net.coefs_, *net.intercepts_]
            for part, mask in zip(parts, masks, strict=True):
                part *= mask

    def predict(X: np.ndarray) -> np.ndarray:
        found = np.asarray(net.predict(X))
        return found if train.is_classes else found * scale + mean

    return predict, sum(int(np.count_nonzero(part)) for part in parts)


MODELS = {"MLP": dense, "pruned MLP 50": pruned}
