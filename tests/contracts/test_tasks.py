"""What every task promises, for every task that discovery finds.

They run in a folder that has files of every format that tasks read, and other ones in ``again``.
"""

import dataclasses

import numpy as np
import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import option_infos
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.core.setting import Setting
from sparsefit.experiments.metrics import METRICS
from sparsefit.tasks import find_task, list_tasks
from tests.contracts.trials import (
    assert_every_option_has_an_effect,
    assert_every_option_is_checked_by_name,
)
from tests.image_files import write_all

TASKS = list_tasks()
BUDGET = 8


@pytest.fixture(autouse=True, scope="module")
def _files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_all(folder)
    write_all(folder / "again", seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def load(task, seed=0):
    return task.load(Setting(hidden=10, seed=seed), BUDGET)


def make(name):
    return TASKS[name](**TASKS[name].quick)


def content(problem):
    """Return all that a problem says, by name, as bytes where it is an array."""
    values = {item.name: getattr(problem, item.name) for item in dataclasses.fields(problem)}
    return {
        name: (value.dtype.str, value.shape, value.tobytes())
        if isinstance(value, np.ndarray)
        else repr(value)
        for name, value in values.items()
        if name != "truth"
    }


@pytest.mark.parametrize("name", TASKS)
def test_data_are_finite_and_of_one_shape(name):
    problem = load(make(name))
    assert problem.metric in METRICS
    if isinstance(problem, SensingProblem):
        assert np.isfinite(problem.measurements).all()
        assert len(problem.support) == len(problem.values) == BUDGET
        return
    assert isinstance(problem, Problem)
    for X, y in ((problem.X, problem.y), (problem.X_test, problem.y_test)):
        if X is None:
            assert y is None
            continue
        assert X.ndim == 2
        assert X.shape[1] == problem.n_features
        assert len(X) == len(y) > 0
        assert np.isfinite(X).all()
        assert np.isfinite(y).all()
        assert y.shape[1:] == (() if problem.loss == "softmax" else (problem.n_outputs,))


@pytest.mark.parametrize("name", TASKS)
def test_same_seed_same_bytes_and_another_seed_other_data(name):
    first = content(load(make(name), seed=3))
    assert content(load(make(name), seed=3)) == first
    assert (content(load(make(name), seed=4)) != first) == TASKS[name].draws_seed


@pytest.mark.parametrize("name", TASKS)
def test_data_that_depend_on_width_and_budget_are_declared(name):
    small = content(make(name).load(Setting(hidden=10), BUDGET))
    others = [
        content(make(name).load(Setting(hidden=hidden), nnz))
        for hidden, nnz in ((20, BUDGET), (10, BUDGET - 2))
    ]
    assert (small not in others) == TASKS[name].draws_truth
    assert (others.count(small) == 2) != TASKS[name].draws_truth


@pytest.mark.parametrize("name", TASKS)
def test_the_fingerprint_is_text_and_tells_files_apart(name):
    fingerprint = make(name).fingerprint
    assert isinstance(fingerprint, str)
    assert make(name).fingerprint == fingerprint
    if "data_dir" in TASKS[name].quick:
        other = dataclasses.replace(make(name), data_dir="again")
        assert "" != other.fingerprint != fingerprint != ""


@pytest.mark.parametrize("name", TASKS)
def test_every_option_is_checked_by_name(name):
    assert_every_option_is_checked_by_name(TASKS[name], TASKS[name].quick)


@pytest.mark.parametrize("name", TASKS)
def test_every_option_changes_the_data(name):
    def loaded(task, kind):
        return content(load(task))

    assert_every_option_has_an_effect(TASKS[name], TASKS[name].quick, loaded)


@pytest.mark.parametrize("name", TASKS)
def test_found_by_name_alias_and_spelling(name):
    cls = TASKS[name]
    for spelling in (name, name.upper(), name.replace("-", "_"), *cls.aliases):
        assert find_task(spelling) is cls
    for preset, options in cls.presets.items():
        assert find_task(preset)() == cls(**options)
    assert dataclasses.is_dataclass(cls)
    assert cls.__doc__
    assert not cls.__doc__.startswith(cls.__name__ + "(")
    assert all(info.help for info in option_infos(cls))


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(SparsefitError, match="did you mean 'planted'"):
        find_task("plantd")
