"""What is read off a fitted model."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from sparsefit.core.layer import Layer
from sparsefit.estimators._scaling import InputScale
from sparsefit.predictor import Formula, Predictor


class Inspection:
    """Weights, inputs and scales of an estimator that has a `predictor_`."""

    predictor_: Predictor
    path_: list[dict[str, Any]]
    _input_scale: InputScale
    _importances: np.ndarray

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

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        """Return what a notebook shows: of a fitted model its formula, network and score."""
        if not hasattr(self, "predictor_"):
            return super()._repr_mimebundle_(**options)  # type: ignore[misc,no-any-return]
        from sparsefit.predictor.html import snippet

        facts = {"loss on held-out rows": f"{self._held_out_loss:.4g}"} if self.path_ else {}
        return {"text/plain": repr(self), "text/html": snippet(self.predictor_, facts)}

    @property
    def _held_out_loss(self) -> float:
        """That of the size that was chosen, or of the next one that was compared."""
        near = min(self.path_, key=lambda entry: abs(entry["nnz"] - self.n_nonzero_))
        return float(near["loss"])

    def plot_path(self, ax: Any = None) -> Any:
        """Draw the loss on held-out rows against the number of weights; return the axes."""
        check_is_fitted(self, "predictor_")
        ax = _axes(ax)
        path = sorted(self.path_, key=lambda entry: entry["nnz"])
        sizes = [entry["nnz"] for entry in path]
        ax.errorbar(
            sizes, [entry["loss"] for entry in path], [entry["se"] for entry in path], marker="o",
            capsize=2,
        )  # fmt: skip
        ax.axvline(self.n_nonzero_, color="0.7", linestyle="--")
        ax.set(xlabel="nonzero weights", ylabel="loss on held-out rows", xscale="symlog")
        ax.set_xlim(left=0)
        return ax

    def plot_importances(self, ax: Any = None, *, most: int = 20) -> Any:
        """Draw how much the outputs change when a feature is shuffled; return the axes.

        The `most` features that matter most are drawn.
        """
        check_is_fitted(self, "predictor_")
        ax = _axes(ax)
        importances = self.feature_importances_
        names = list(getattr(self, "feature_names_in_", map("x{}".format, range(len(importances)))))
        order = [at for at in np.argsort(-importances)[:most] if importances[at] > 0][::-1]
        ax.barh([str(names[at]) for at in order], importances[order])
        ax.set(xlabel="share of the change of outputs")
        return ax

    def formula(self, *, rounded: bool = True) -> Formula:
        """Return the model as people would write it down; see `Predictor.formula`."""
        check_is_fitted(self, "predictor_")
        return self.predictor_.formula(rounded=rounded)

    @property
    def feature_importances_(self) -> np.ndarray:
        """How much the outputs change when a feature is shuffled, (n_features,), sum 1.

        The mean square of the change, on rows that were fitted, as a share: a total effect in the
        sense of Sobol. It says what the model does, not how well.
        """
        check_is_fitted(self, "predictor_")
        return self._importances


def shares(model: Predictor, X: np.ndarray, features: list[list[int]], seed: int) -> np.ndarray:
    """Return how much the outputs change when the inputs of a feature are shuffled between rows.

    Parameters
    ----------
    model : Predictor
    X : ndarray of shape (n, n_inputs)
        Inputs of the network.
    features : list of list of int
        The inputs that each feature becomes.
    seed : int

    Returns
    -------
    ndarray of shape (n_features,)
        Sum 1; zeros if no feature matters.
    """
    rng, live = np.random.default_rng(seed), set(model.network.live_inputs.tolist())
    whole, found = model.network.predict(X), np.zeros(len(features))
    # Relative to the largest output, as the squares of huge or tiny ones are no numbers.
    largest = float(abs(whole).max(initial=0)) or 1.0
    for at, inputs in enumerate(features):
        if not live.isdisjoint(inputs):
            change = (model.network.predict(shuffled(X, inputs, rng)) - whole) / largest
            if model.classes and change.shape[1] > 1:
                # What is added to the scores of all classes changes nothing.
                change -= change.mean(axis=1, keepdims=True)
            found[at] = np.square(change).mean()
    return cast(np.ndarray, found / (found.sum() or 1.0))


def shuffled(X: np.ndarray, inputs: list[int], rng: np.random.Generator) -> np.ndarray:
    """Return rows in which some inputs are exchanged between rows, all of them alike."""
    found = X.copy()
    found[:, inputs] = X[:, inputs][rng.permutation(len(X))]
    return found


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    from matplotlib import pyplot

    return pyplot.gca()


def _biases(layer: Layer) -> np.ndarray:
    return np.zeros(layer.n_units) if layer.bias is None else layer.bias
