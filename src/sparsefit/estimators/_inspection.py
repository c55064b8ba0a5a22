"""What is read off a fitted model."""

from __future__ import annotations

from typing import cast

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sparsefit.core.layer import Layer
from sparsefit.estimators._scaling import InputScale
from sparsefit.predictor import Predictor


class Inspection:
    """Weights, inputs and scales of an estimator that has a `predictor_`."""

    predictor_: Predictor
    _input_scale: InputScale

    @property
    def mean_(self) -> np.ndarray:
        """What is subtracted from the inputs, (n_features,)."""
        check_is_fitted(self, "predictor_")
        return self._input_scale.mean

    @property
    def scale_(self) -> np.ndarray:
        """What the inputs are divided by, (n_features,)."""
        check_is_fitted(self, "predictor_")
        return self._input_scale.scale

    @property
    def n_nonzero_(self) -> int:
        """Nonzero weights and biases."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.network.nnz

    @property
    def coefs_(self) -> list[sparse.csc_array]:
        """Weights of each layer, (n_in, n_out), the skip connection last."""
        check_is_fitted(self, "predictor_")
        return [layer.weight for layer in self.predictor_.network.all_layers]

    @property
    def intercepts_(self) -> list[np.ndarray]:
        """Biases of each layer, (n_out,)."""
        check_is_fitted(self, "predictor_")
        network = self.predictor_.network
        biases = [_biases(layer) for layer in network.layers]
        if self.predictor_.intercepts and not network.fused:
            biases[-1] = biases[-1] + np.array(self.predictor_.intercepts)
        return biases

    @property
    def support_(self) -> np.ndarray:
        """The inputs that have a weight, increasing."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.network.live_inputs

    @property
    def feature_importances_(self) -> np.ndarray:
        """Sizes of the weights on all paths from an input to an output, (n_features,), sum 1."""
        check_is_fitted(self, "predictor_")
        network = self.predictor_.network
        paths = abs(network.layers[0].weight)
        for layer in network.layers[1:]:
            paths = paths @ abs(layer.weight)
        sums = np.asarray(paths.sum(axis=1), dtype=np.float64).ravel()
        if network.skip is not None:
            sums += np.asarray(abs(network.skip.weight).sum(axis=1)).ravel()
        return cast(np.ndarray, sums / (sums.sum() or 1.0))


def _biases(layer: Layer) -> np.ndarray:
    return np.zeros(layer.n_units) if layer.bias is None else layer.bias
