"""Networks of at most so many weights, with default options."""

from functools import partial
from typing import Any

from benchmarks.front.peers import Fitted
from benchmarks.front.tables import Table

from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor


def fit(nnz: Any, train: Table, seed: int) -> Fitted:
    """Count weights and biases."""
    kind = SparseMLPClassifier if train.is_classes else SparseMLPRegressor
    model = kind(nnz=nnz, random_state=seed).fit(train.X, train.y)
    return model.predict, model.n_nonzero_


MODELS = {f"sparsefit {nnz}": partial(fit, nnz) for nnz in (10, 20, 50, 100, "auto")}
