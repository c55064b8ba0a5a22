"""Scores of a prediction, and of the best constant in its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sparsefit.core.network import Network
from sparsefit.core.problem import Problem, SensingProblem

# Where float64 is exact the error is 0 or so, and its decibels say nothing more; float64's own
# rounding is at 320 dB.
PSNR_CAP = 350.0


@dataclass(frozen=True)
class MetricInfo:
    """How a metric is read.

    Attributes
    ----------
    label : str
        Name and unit, for axes.
    success : float
        What counts as a success unless the user says otherwise.
    digits : str
        Format of a value where space is scarce.
    higher_is_better : bool
    log : bool
        Whether values spread over decades.
    """

    label: str
    success: float
    digits: str
    higher_is_better: bool = True
    log: bool = False


METRICS = {
    "psnr": MetricInfo("PSNR (dB)", success=30.0, digits=".1f"),
    "accuracy": MetricInfo("accuracy", success=0.9, digits=".3f"),
    "r2": MetricInfo("R²", success=0.9, digits=".2f"),
    "relative-error": MetricInfo(
        "relative error", success=1e-6, digits=".0e", higher_is_better=False, log=True
    ),
}


def score(problem: Problem, y: np.ndarray, outputs: np.ndarray) -> float:
    """Return the problem's metric.

    Parameters
    ----------
    problem : Problem
        Its metric, loss and peak are used; its rows are not.
    y : ndarray
        Targets, in the shape of ``problem.y``.
    outputs : ndarray of shape (n, k)
        Raw outputs of a network.

    Returns
    -------
    float
        PSNR in dB within ±350, accuracy in [0, 1], or R² over all outputs together; NaN if an
        output is not finite, or too large to be squared.

    Examples
    --------
    >>> problem = Problem(np.zeros((2, 1)), np.array([[1.0], [0.0]]), peak=1.0)
    >>> round(score(problem, problem.y, np.array([[1.1], [0.1]])), 9)
    20.0
    """
    if not np.isfinite(outputs).all():
        return math.nan
    if problem.metric == "accuracy":
        return float(np.mean(_classes(problem, outputs) == np.asarray(y).reshape(len(y))))
    with np.errstate(over="ignore"):
        errors = np.square(outputs.astype(np.float64) - y)
    if not np.isfinite(errors).all():
        return math.nan
    if problem.metric == "psnr":
        return psnr(problem.peak, float(np.mean(errors)))
    spread = float(np.square(y - np.mean(y, axis=0, dtype=np.float64)).sum())
    missed = float(errors.sum())
    # A constant y leaves nothing to explain.
    return 1 - missed / spread if spread else float(missed == 0)


def psnr(peak: float, mse: float) -> float:
    """Return 20 log10(peak) - 10 log10(mse), cut to ±350 dB.

    Examples
    --------
    >>> psnr(10.0, 1.0), psnr(1.0, 0.0)
    (20.0, 350.0)
    """
    if mse == 0:
        return PSNR_CAP
    if peak == 0:
        return -PSNR_CAP
    value = 20 * math.log10(peak) - 10 * math.log10(mse)
    return min(max(value, -PSNR_CAP), PSNR_CAP)


def _classes(problem: Problem, outputs: np.ndarray) -> np.ndarray:
    if problem.loss == "softmax":
        classes: np.ndarray = outputs.argmax(axis=1)
        return classes
    threshold = 0.0 if problem.loss == "logistic" else 0.5
    return (outputs[:, 0] > threshold).astype(np.int64)


def constant_outputs(problem: Problem, y: np.ndarray) -> np.ndarray:
    """Return the best constant output for the training rows, shape (1, k).

    The mean of `y`, all training targets; for accuracy, outputs that select the commonest class.
    """
    if problem.metric != "accuracy":
        mean: np.ndarray = np.asarray(y, dtype=np.float64).mean(axis=0)[None, :]
        return mean
    labels = np.asarray(y).reshape(len(y)).astype(np.int64)
    commonest = np.bincount(labels).argmax()
    if problem.loss == "softmax":
        return np.eye(problem.n_classes)[[commonest]]
    return np.array([[1.0 if commonest else -1.0]])


def network_scores(problem: Problem, network: Network) -> dict[str, float]:
    """Score a network and the best constant, on the training rows and on fresh rows.

    Returns
    -------
    dict
        ``value`` and ``constant_value`` are on fresh rows where the problem has them, else on the
        training rows; ``train_value`` and ``constant_train_value`` are on the training rows.
    """
    y, outputs = problem.y, network.predict(problem.X)
    if problem.share is not None:
        y, outputs = (problem.share.gathered(array) for array in (y, outputs))
    constant = constant_outputs(problem, y)

    def both(y: np.ndarray, outputs: np.ndarray) -> tuple[float, float]:
        repeated = np.broadcast_to(constant, (len(y), constant.shape[1]))
        return score(problem, y, outputs), score(problem, y, repeated)

    train_value, constant_train_value = both(y, outputs)
    value, constant_value = train_value, constant_train_value
    if problem.X_test is not None and problem.y_test is not None:
        value, constant_value = both(problem.y_test, network.predict(problem.X_test))
    return {
        "value": value,
        "train_value": train_value,
        "constant_value": constant_value,
        "constant_train_value": constant_train_value,
    }


def sensing_scores(problem: SensingProblem, network: Network) -> dict[str, float]:
    """Return the relative error ||x' - x|| / ||x|| of a recovered vector; the zero vector has 1.

    Parameters
    ----------
    problem : SensingProblem
    network : Network
        One linear layer of shape (length, 1) that holds x'.
    """
    found = network.layers[0].weight.toarray().ravel().astype(np.float64)
    truth = np.zeros(problem.length)
    truth[problem.support] = problem.values
    error = float(np.linalg.norm(found - truth) / np.linalg.norm(truth))
    return {
        "value": error,
        "train_value": error,
        "constant_value": 1.0,
        "constant_train_value": 1.0,
    }
