"""Classification by a sparse network."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from sparsefit.core.errors import ParameterError
from sparsefit.estimators._base import SparseMLP
from sparsefit.estimators._merge import merge_rows


class SparseMLPClassifier(ClassifierMixin, SparseMLP):
    """Classification by a network with at most `nnz` nonzero weights."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SparseMLPClassifier:
        """Fit the network."""
        X, y, weight = self._checked(X, y, sample_weight)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, number = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ParameterError(
                f"y must have at least 2 classes, got one class: {self.classes_[0]!r}"
            )
        X, number, weight = merge_rows(X, number, weight)
        if len(self.classes_) == 2:
            network = self._fit(X, number[:, None].astype(np.float64), weight, "logistic")
        else:
            network = self._fit(X, number, weight, "softmax", len(self.classes_))
        self._set_network(network, ("y",), classes=tuple(str(label) for label in self.classes_))
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return scores, (n,) with two classes and (n, n_classes) with more."""
        scores = self._outputs(X)
        return scores[:, 0] if scores.shape[1] == 1 else scores

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, (n, n_classes)."""
        outputs = self._outputs(X)
        return self.predictor_.probabilities(outputs)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class, (n,)."""
        outputs = self._outputs(X)
        return np.asarray(self.classes_[self.predictor_.class_numbers(outputs)])
