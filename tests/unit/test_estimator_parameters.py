"""Which values the parameters of the estimators take, and what is said of others."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from sparsefit.core.errors import ParameterError, SparsefitError
from sparsefit.estimators import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.methods.splice import Splice

QUICK = {"hidden_layer_sizes": (8,), "nnz": 20, "folds": 0, "random_state": 0}
REGRESSOR = SparseMLPRegressor(**QUICK, method=Splice(restarts=0, cycles=1, start_steps=100))
CLASSIFIER = SparseMLPClassifier(**QUICK, method=FisherPruning(epochs=20))
BOTH = [REGRESSOR, CLASSIFIER]
NAN = float("nan")


def rows(n=30):
    """Return inputs and targets that have two values, as both estimators take them."""
    X = np.random.default_rng(0).normal(size=(n, 6))
    return X, (X[:, 0] > X[:, 1]).astype(float)


SWITCHES = ("skip", "fit_intercept", "standardize")
WRONG_VALUES = [
    *(("hidden_layer_sizes", value) for value in
      (0, -1, 2.5, True, (), (3, 0), (3, 4), (3, 3.0), (3, True), "8", None, [[3], [3]], 2**31)),
    *(("nnz", value) for value in (0, -3, 1.5, 0.0, NAN, np.inf, True, "many", None, [5])),
    *(("method", value) for value in (None, 3, True, Splice, ["splice"])),
    *(("loss", value) for value in ("l1", "squared", None, True, ["huber"])),
    *(("alpha", value) for value in (-1, -1e-9, NAN, np.inf, False, "none", None, [0.1])),
    *((name, value) for name in SWITCHES for value in (2, 0, 1.0, "maybe", None, NAN)),
    *(("activation", value) for value in ("step", "a", "", 3, None, True, ["tanh"])),
    *(("folds", value) for value in (1, -1, 2.0, NAN, True, "all", None)),
    *(("time_limit", value) for value in (0, -1.0, NAN, True, "1 s", [5])),
    *(("random_state", value) for value in (-1, 2**32, 0.5, True, NAN, "seed")),
    *(("device", value) for value in ("gpu", "cuda:7", "cuda:x", "", 0, None, True)),
    *(("verbose", value) for value in (3, 1.0, "yes", None, NAN)),
]  # fmt: skip


@pytest.mark.parametrize("estimator", BOTH, ids=["regressor", "classifier"])
@pytest.mark.parametrize(("name", "value"), WRONG_VALUES, ids=repr)
def test_a_wrong_value_is_refused_in_one_sentence_that_names_parameter_and_value(
    estimator, name, value
):
    X, y = rows(30)
    model = clone(estimator).set_params(**{name: value})
    sentence = rf"^{name} must be .*, got {re.escape(repr(value))}$"
    with pytest.raises(ValueError, match=sentence) as info:
        model.fit(X, y)
    assert isinstance(info.value, SparsefitError)
    for call in (lambda: model.partial_fit(X, y), lambda: model.path(X, y, [3])):
        with pytest.raises(ValueError, match=f"^{name} must be "):
            call()


@pytest.mark.parametrize(
    ("estimator", "changes", "message"),
    [
        (REGRESSOR, {"nnz": 0}, "an integer >= 1, a fraction in (0, 1] or 'auto', got 0"),
        (REGRESSOR, {"loss": "log_loss"}, "or 'huber' or 'poisson', got 'log_loss'"),
        (CLASSIFIER, {"loss": "huber"}, "'auto' or 'log_loss' or 'squared_error', got 'huber'"),
        (REGRESSOR, {"alpha": -1}, "'auto' or a number >= 0, got -1"),
        (REGRESSOR, {"folds": 1}, "'auto', 0 or an integer >= 2, got 1"),
        (REGRESSOR, {"device": "gpu"}, "cpu, cuda, cuda:N or mps, got 'gpu'"),
        (
            REGRESSOR,
            {"activation": "cosine"},
            "'gelu' or 'sine', got 'cosine' (did you mean 'sine'?)",
        ),
        (REGRESSOR, {"verbose": 3}, "True, False or a function of a share and a text, got 3"),
    ],
)
def test_the_sentence_says_what_is_allowed(estimator, changes, message):
    [name] = changes
    with pytest.raises(ValueError, match=f"^{name} must be .*{re.escape(message)}$"):
        clone(estimator).set_params(**changes).fit(*rows(30))


@pytest.mark.parametrize("name", ["splic", "missing.py"])
def test_an_unknown_method_is_named_with_the_nearest(name):
    with pytest.raises(ParameterError, match=name) as info:
        clone(REGRESSOR).set_params(method=name).fit(*rows(30))
    assert ("'splice'" in str(info.value)) == (name == "splic")


@pytest.mark.parametrize("budgets", [[], "auto", 5, [3, 0], [3, True], [0.5, NAN], None])
def test_budgets_of_a_path_are_checked_like_nnz(budgets):
    with pytest.raises(ParameterError, match=r"^budgets must be integers >= 1"):
        REGRESSOR.path(*rows(30), budgets)


def test_numbers_and_switches_of_numpy_are_as_good_as_those_of_python():
    X, y = rows(60)
    model = clone(REGRESSOR).set_params(skip=False, nnz=9, alpha=0.5, folds=2)
    of_numpy = clone(REGRESSOR).set_params(
        hidden_layer_sizes=np.array([8]), skip=np.bool_(False), fit_intercept=np.bool_(True),
        standardize=np.bool_(True), nnz=np.int64(9), alpha=np.float32(0.5), folds=np.int64(2),
        random_state=np.int64(0), verbose=np.bool_(False),
    )  # fmt: skip
    expected = model.fit(X, y).predict(X)
    np.testing.assert_array_equal(of_numpy.fit(X, y).predict(X), expected)


def test_every_parameter_has_a_rule_that_allows_its_default():
    for kind in (SparseMLPRegressor, SparseMLPClassifier):
        model = kind()
        assert set(model._parameter_constraints) == set(model.get_params())
        assert {name for name, _ in WRONG_VALUES} == set(model.get_params()) - {"class_weight"}
        model._validate_params()


def test_the_two_estimators_describe_what_they_share_in_the_same_words():
    def described(kind):
        text = kind.__doc__.split("Parameters\n")[1].split("Attributes\n")[0]
        entries = re.split(r"\n    (?=\w+ : )", text)
        return {entry.split(" : ")[0].strip(): entry.strip() for entry in entries[1:]}

    first, second = described(SparseMLPRegressor), described(SparseMLPClassifier)
    assert set(first) == set(second) - {"class_weight"} == set(REGRESSOR.get_params())
    assert set(second) == set(CLASSIFIER.get_params())
    assert {name for name in first if first[name] != second[name]} == {"loss"}


def test_a_random_state_gives_one_number_a_fit():
    X, y = rows(60)
    random, expected = np.random.RandomState(5), np.random.RandomState(5)
    model = clone(REGRESSOR).set_params(random_state=random)
    for call in (model.fit, model.partial_fit, model.fit):
        call(X, y)
        expected.randint(2**31 - 1)
        assert random.get_state()[2] == expected.get_state()[2]
