"""How good answers are: what people ask for, in units that they know."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparsefit.estimators._inspection import shuffled

# What is shown, best first where only one is: the measure and its name.
OF_NUMBERS = {"r2": "R2", "mae": "MAE", "rmse": "RMSE"}
OF_CLASSES = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "auc": "AUC",
    "log_loss": "log loss",
}  # fmt: skip
# Of more columns than these, each is shuffled once.
_MANY_COLUMNS = 50


class ModelScore(NamedTuple):
    """How good a model is on the test rows.

    Attributes
    ----------
    name : str
    measures : dict of str to float or None
        ``r2``, ``mae`` and ``rmse``, the last two in units of the target; or ``accuracy``,
        ``balanced_accuracy``, ``auc`` and ``log_loss``, None where it says nothing.
    size : int or None
        Numbers that the model stores, where that says something.
    """

    name: str
    measures: dict[str, float | None]
    size: int | None = None

    @property
    def score(self) -> float:
        """R^2, or accuracy."""
        return float(next(iter(self.measures.values())) or 0.0)


def of_numbers(truth: np.ndarray, found: np.ndarray) -> dict[str, float | None]:
    """Return R^2, mean absolute error and root mean square error.

    Examples
    --------
    >>> of_numbers(np.array([0.0, 2.0]), np.array([0.0, 1.0]))
    {'r2': 0.5, 'mae': 0.5, 'rmse': 0.7071067811865476}
    """
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    return {
        "r2": float(r2_score(truth, found)),
        "mae": float(mean_absolute_error(truth, found)),
        "rmse": float(root_mean_squared_error(truth, found)),
    }


def of_classes(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float | None]:
    """Return accuracy, its mean over the classes, the area under ROC curves, and the log loss.

    The area is the mean over classes against the rest, of those that some test rows have.

    Parameters
    ----------
    truth : ndarray of shape (n,)
        Places of classes, as integers or floats.
    probabilities : ndarray of shape (n, n_classes)

    Examples
    --------
    >>> found = of_classes(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]))
    >>> round(found["accuracy"], 3), found["balanced_accuracy"], found["auc"]
    (0.667, 0.75, 1.0)
    """
    from sklearn.metrics import log_loss

    truth = truth.astype(np.int64)
    recalls = recall(truth, probabilities)
    there = [value for value in recalls if value is not None]
    labels = np.arange(probabilities.shape[1])
    return {
        "accuracy": float((probabilities.argmax(axis=1) == truth).mean()),
        "balanced_accuracy": float(np.mean(there)),
        "auc": _auc(truth, probabilities),
        "log_loss": float(log_loss(truth, probabilities, labels=labels)),
    }


def recall(truth: np.ndarray, probabilities: np.ndarray) -> list[float | None]:
    """Return the share of the rows of each class that are found; None for one without rows."""
    found = probabilities.argmax(axis=1)
    rows = [truth == place for place in range(probabilities.shape[1])]
    return [float((found[is_of] == place).mean()) if is_of.any() else None
            for place, is_of in enumerate(rows)]  # fmt: skip


def _auc(truth: np.ndarray, probabilities: np.ndarray) -> float | None:
    from sklearn.metrics import roc_auc_score

    places = range(1 if probabilities.shape[1] == 2 else 0, probabilities.shape[1])
    sides = [(truth == place, probabilities[:, place]) for place in places]
    areas = [roc_auc_score(side, scores) for side, scores in sides if 0 < side.sum() < len(truth)]
    return float(np.mean(areas)) if areas else None


def losses_without(model: Any, X: np.ndarray, y: np.ndarray, groups: dict[str, list[int]], *,
                   seed: int, repeats: int = 5) -> list[dict[str, Any]]:  # fmt: skip
    """Return how much the score falls when a column is shuffled between rows, largest first.

    Parameters
    ----------
    model : estimator
    X : ndarray of shape (n, n_inputs)
    y : ndarray of shape (n,)
    groups : dict of str to list of int
        The inputs of each column, which are shuffled together.
    seed, repeats : int
        Of more than 50 columns each is shuffled once.

    Returns
    -------
    list of dict
        Each with ``name`` and ``loss``, the mean over the repeats.
    """
    rng, whole, found = np.random.default_rng(seed), model.score(X, y), []
    repeats = repeats if len(groups) <= _MANY_COLUMNS else 1
    for name, inputs in groups.items():
        falls = [whole - model.score(shuffled(X, inputs, rng), y) for _ in range(repeats)]
        found.append({"name": name, "loss": float(np.mean(falls))})
    return sorted(found, key=lambda entry: -entry["loss"])
