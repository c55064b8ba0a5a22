"""Regression by a sparse network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from sparsefit.estimators._base import SparseMLP
from sparsefit.estimators._merge import merge_rows


class SparseMLPRegressor(MultiOutputMixin, RegressorMixin, SparseMLP):
    """Regression by a network with at most `nnz` nonzero weights."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseMLPRegressor:
        """Fit the network."""
        X, y, weight = self._checked(X, y, sample_weight, multi_output=True, y_numeric=True)
        self._is_column = y.ndim > 1
        Y = y.reshape(len(y), -1).astype(np.float64)
        X, Y, weight = merge_rows(X, Y, weight)
        means = np.average(Y, axis=0, weights=weight)
        if not self.fit_intercept:
            means = np.zeros_like(means)
        scale = (
            float(np.sqrt(np.average(np.square(Y - means), axis=0, weights=weight).mean())) or 1.0
        )
        network = self._fit(X, (Y - means) / scale, weight, "squared")
        self._set_network(
            network.times(scale), tuple(f"y{at}" for at in range(Y.shape[1])),
            intercepts=tuple(means.tolist()),
        )  # fmt: skip
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return predicted values, (n,) or, for several targets, (n, k)."""
        values = self._outputs(X)
        return values if self._is_column else values[:, 0]
