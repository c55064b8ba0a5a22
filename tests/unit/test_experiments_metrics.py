"""Scores, and the best constant."""

import math

import numpy as np
import pytest

from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.experiments.metrics import network_scores, score, sensing_scores
from sparsefit.experiments.rows import plain

X = np.zeros((4, 2))


def test_psnr_is_relative_to_the_peak():
    problem = Problem(X, np.full((4, 1), 2.0), peak=10.0)
    assert score(problem, problem.y, np.full((4, 1), 3.0)) == pytest.approx(20.0)


@pytest.mark.parametrize(("outputs", "expected"), [(2.0, 350.0), (2.0 + 1e-15, 321.0)])
def test_psnr_of_exact_recovery_is_a_finite_number(outputs, expected):
    problem = Problem(X, np.full((4, 1), 2.0), peak=10.0)
    found = score(problem, problem.y, np.full((4, 1), outputs))
    assert found == pytest.approx(expected, abs=0.1)


def test_outputs_that_are_not_finite_have_no_score():
    problem = Problem(X, np.zeros((4, 1)))
    assert math.isnan(score(problem, problem.y, np.array([[1.0], [np.inf], [0.0], [0.0]])))
    assert math.isnan(score(problem, problem.y, np.full((4, 1), 1e200)))
    assert plain({"value": math.nan, "list": [np.float64("inf"), np.int64(3)]}) == {
        "value": None,
        "list": [None, 3],
    }


@pytest.mark.parametrize(
    ("loss", "y", "outputs"),
    [
        ("squared", [[0.0], [1.0], [1.0], [0.0]], [[0.4], [0.6], [2.0], [0.6]]),
        ("logistic", [[0.0], [1.0], [1.0], [0.0]], [[-0.4], [0.1], [2.0], [0.1]]),
        ("softmax", [0, 1, 2, 0], [[3, 1, 1], [0, 9, 1], [0, 0, 1], [0, 2, 1]]),
    ],
)
def test_accuracy_thresholds(loss, y, outputs):
    classes = 3 if loss == "softmax" else 0
    problem = Problem(X, np.array(y), loss=loss, metric="accuracy", n_classes=classes)
    assert score(problem, problem.y, np.array(outputs, dtype=float)) == 0.75


def test_r2_is_one_if_exact_and_zero_for_the_mean():
    y = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 5.0], [2.0, 6.0]])
    problem = Problem(X, y, metric="r2")
    assert score(problem, y, y) == 1
    assert score(problem, y, np.broadcast_to(y.mean(axis=0), y.shape)) == 0


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax"])
def test_best_constant_for_accuracy_is_the_commonest_training_class(loss):
    y = np.array([1, 1, 1, 0]) if loss == "softmax" else np.array([[1.0], [1.0], [1.0], [0.0]])
    problem = Problem(
        X, y, loss=loss, metric="accuracy", n_classes=2 if loss == "softmax" else 0,
        X_test=X[:2], y_test=y[2:],
    )  # fmt: skip
    scores = network_scores(problem, Network((Layer(np.zeros((2, problem.n_outputs))),)))
    assert (scores["constant_train_value"], scores["constant_value"]) == (0.75, 0.5)


def test_best_constant_for_psnr_is_the_training_mean_and_fresh_rows_come_first():
    y = np.array([[0.0], [2.0], [0.0], [2.0]])
    problem = Problem(X, y, peak=1.0, X_test=X, y_test=y + 1)
    scores = network_scores(problem, Network((Layer(np.zeros((2, 1))),)))
    assert scores["constant_train_value"] == pytest.approx(0)
    assert scores["constant_value"] == pytest.approx(-10 * math.log10(2))
    assert scores["train_value"] == pytest.approx(-10 * math.log10(2))
    assert scores["value"] == pytest.approx(-10 * math.log10(5))


def test_without_fresh_rows_the_value_is_that_of_the_training_rows():
    problem = Problem(X, np.ones((4, 1)))
    scores = network_scores(problem, Network((Layer(np.zeros((2, 1))),)))
    assert scores["value"] == scores["train_value"] == pytest.approx(0)
    assert scores["constant_value"] == scores["constant_train_value"] == 350


def test_relative_error_of_a_vector():
    problem = SensingProblem(np.zeros(3), 5, 0, np.array([1, 3]), np.array([3.0, 4.0]))
    found = Network((Layer(np.array([[0.0], [3.0], [0.0], [3.0], [0.0]])),))
    scores = sensing_scores(problem, found)
    assert (scores["value"], scores["constant_value"]) == (0.2, 1.0)
