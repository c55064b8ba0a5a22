"""Targets are the functions that they say, and the task draws their rows."""

import typing

import numpy as np
import pytest

from sparsefit.core.errors import OptionError
from sparsefit.core.setting import Setting
from sparsefit.study.config import StudyConfig
from sparsefit.tasks._targets import TARGETS
from sparsefit.tasks.regression import Regression


def test_values_by_hand():
    X = np.array([[1.0, 2.0, -3.0, 0.5, 7.0], [0.0, 0.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    assert TARGETS["sum"](X).tolist() == [7.5, 0.0]
    assert TARGETS["product"](X).tolist() == [2.0 - 1.5, 0.0]
    assert TARGETS["radial"](X) == pytest.approx([np.sqrt(1 + 4 + 9 + 0.25 + 49), 0.0])
    assert TARGETS["sine"](X) == pytest.approx([sum(np.sin(2 * x) for x in X[0]), 0.0])
    # At zero all five uniforms are 1/2.
    assert TARGETS["friedman"](X)[1] == pytest.approx(10 * np.sin(np.pi / 4) + 5 + 2.5)


def test_friedman_takes_uniform_inputs_and_ignores_those_after_the_fifth():
    X = np.random.default_rng(0).normal(size=(200_000, 7))
    values = TARGETS["friedman"](X)
    # The integrals of its terms over the unit cube.
    u = (np.arange(1000) + 0.5) / 1000
    waves = 10 * np.sin(np.pi * u[:, None] * u).mean()
    assert values.mean() == pytest.approx(waves + 20 / 12 + 5 + 2.5, abs=0.05)
    X[:, 5:] = 0
    assert (TARGETS["friedman"](X) == values).all()


@pytest.mark.parametrize("owner", [Regression, StudyConfig])
def test_every_target_can_be_asked_for(owner):
    assert set(typing.get_args(typing.get_type_hints(owner)["target"])) == set(TARGETS)


@pytest.mark.parametrize("owner", [Regression, StudyConfig])
def test_a_target_needs_its_inputs(owner):
    with pytest.raises(OptionError, match="n_features must be an integer >= 5 for target friedman"):
        owner(target="friedman", n_features=4)
    owner(target="friedman", n_features=5)


def test_rows_depend_on_the_seed_and_only_training_values_are_noisy():
    task = Regression(target="sum", n_features=3, n_samples=4000, n_test=30, noise=0.5)
    problem, again, other = (task.load(Setting(seed=seed), 1) for seed in (0, 0, 1))
    assert problem.X.dtype == problem.y.dtype == np.float32
    assert (problem.X == again.X).all()
    assert (problem.y == again.y).all()
    assert (problem.X_test == again.X_test).all()
    assert (problem.X != other.X).any()
    assert (problem.X_test != problem.X[:30]).all()
    errors = problem.y - problem.X.sum(axis=1, keepdims=True)
    assert errors.std() == pytest.approx(0.5, rel=0.1)
    assert problem.y_test == pytest.approx(problem.X_test.sum(axis=1, keepdims=True), abs=1e-5)


def test_no_test_rows():
    problem = Regression(n_samples=5, n_test=0).load(Setting(), 1)
    assert (problem.X_test, problem.y_test, problem.metric) == (None, None, "r2")
