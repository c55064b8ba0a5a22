"""What every method promises, for every method that discovery finds."""

import dataclasses
from functools import cache, partial

import numpy as np
import pytest

from sparsefit.core.errors import SparsefitError
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.core.setting import Setting
from sparsefit.experiments.metrics import network_scores
from sparsefit.gauss_newton import Polish
from sparsefit.methods import find_method, list_methods
from tests.contracts.trials import (
    assert_every_option_has_an_effect,
    assert_every_option_is_checked_by_name,
)

METHODS = list_methods()
BUDGETED = [name for name, cls in METHODS.items() if cls.uses_budget]
HIDDEN = 12


def make(name, **changes):
    """Return the method, quick."""
    return METHODS[name](**{**METHODS[name].quick, **changes})


@pytest.fixture(autouse=True)
def short_picks(monkeypatch):
    """Give `auto`, which has no such options, methods with short training to pick from."""
    for class_name, name in (("FisherPruning", "fisher-gmp"), ("Splice", "splice")):
        monkeypatch.setattr(f"sparsefit.methods.auto.{class_name}", partial(make, name))
    polish = partial(Polish, cycles=1, expand_steps=20, stage_steps=5, final_steps=20)
    monkeypatch.setattr("sparsefit.gauss_newton.Polish", polish)


@cache
def problem(kind, *, linear=0.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(512, 6)).astype(np.float32)
    hidden = np.maximum(X[:, :3] @ rng.normal(size=(3, 4)), 0)
    fresh = slice(384, None)
    if kind == "classes":
        y, extra = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64), {"n_classes": 3}
        extra |= {"loss": "softmax", "metric": "accuracy"}
    else:
        n_outputs = {"one output": 1, "three outputs": 3}[kind]
        y = hidden @ np.abs(rng.normal(size=(4, n_outputs))) + linear * X[:, :1]
        y = y.astype(np.float32)
        extra = {"metric": "psnr", "peak": float(np.abs(y).max())}
    return Problem(X[:384], y[:384], X_test=X[fresh], y_test=y[fresh], **extra)


KINDS = ["one output", "three outputs", "classes"]


def refusal(name, kind):
    """Return the sentence with which a method refuses a kind of problem; None if it does not."""
    try:
        make(name).check(problem(kind))
    except SparsefitError as error:
        return str(error)


PAIRS = [(name, kind) for name in METHODS for kind in KINDS if refusal(name, kind) is None]
BUDGETED_PAIRS = [(name, kind) for name, kind in PAIRS if name in BUDGETED]


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in METHODS for kind in KINDS if (name, kind) not in PAIRS],
)
def test_what_is_refused_is_refused_in_a_sentence_and_never_one_output(name, kind):
    assert kind != "one output"
    assert f"method '{name}' fits" in refusal(name, kind)
    with pytest.raises(SparsefitError, match=f"method '{name}' fits"):
        fit_all(name, kind, [5])


def fit_all(name, kind, budgets, *, linear=0.0, **setting):
    method, setting = make(name), Setting(**{"hidden": HIDDEN} | setting)
    return dict(method.path(problem(kind, linear=linear), budgets, setting))


def signature(fit):
    return [
        (layer.weight.indices.tobytes(), layer.weight.data.tobytes(),
         b"" if layer.bias is None else layer.bias.tobytes())
        for layer in fit.network.layers
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), BUDGETED_PAIRS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
def test_budget_is_kept(name, kind, bias, layers):
    fits = fit_all(name, kind, [40, 4, 1000, 11], bias=bias, layers=layers)
    assert sorted(fits) == [4, 11, 40, 1000]
    for nnz, fit in fits.items():
        assert fit.network.nnz <= nnz
        assert fit.network.n_inputs == 6
        assert fit.network.predict(problem(kind).X).shape == (384, problem(kind).n_outputs)
        assert len(fit.network.hidden_layers) == layers
        assert (fit.network.hidden_layers[0].bias is not None) == bias


@pytest.mark.parametrize(("name", "kind"), BUDGETED_PAIRS)
@pytest.mark.parametrize("bias", [False, True])
def test_a_direct_path_is_counted_or_refused_in_a_sentence(name, kind, bias):
    plain = fit_all(name, kind, [11], bias=bias)[11].network
    if not METHODS[name].takes_skip:
        with pytest.raises(SparsefitError, match=f"method '{name}' .* leave out --skip"):
            fit_all(name, kind, [11], bias=bias, skip=True)
        return
    fits = fit_all(name, kind, [40, 4, 1000, 11], linear=-3.0, bias=bias, skip=True)
    n_outputs = problem(kind).n_outputs
    for nnz, fit in fits.items():
        assert fit.network.nnz <= nnz
        assert fit.network.skip.weight.shape == (6, n_outputs)
        assert (fit.network.skip.bias is not None) == (bias and fit.network.fused)
        own_bias = n_outputs if fit.network.skip.bias is not None else 0
        assert fit.network.n_params == plain.n_params + 6 * n_outputs + own_bias
    assert sum(fit.network.skip.nnz for fit in fits.values()) > 0


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_same_seed_same_bytes(name, kind):
    one, two = (fit_all(name, kind, [20], seed=3)[20] for _ in range(2))
    assert signature(one) == signature(two)
    other = fit_all(name, kind, [20], seed=4)[20]
    assert signature(other) != signature(one)


@pytest.mark.parametrize("name", BUDGETED)
def test_a_budget_does_not_depend_on_the_others(name):
    together = fit_all(name, "one output", [30, 8, 15])
    for nnz, fit in together.items():
        assert signature(fit) == signature(fit_all(name, "one output", [nnz])[nnz])


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_beats_the_constant_predictor(name, kind):
    fit = fit_all(name, kind, [60])[60]
    scores = network_scores(problem(kind), fit.network)
    assert scores["value"] > scores["constant_value"]


@pytest.mark.parametrize("name", [name for name, kind in PAIRS if kind == "classes"])
@pytest.mark.parametrize("scale", [4.0**-4, 4.0**4])
def test_classes_do_not_depend_on_the_size_of_the_inputs(name, scale):
    small = problem("classes")
    large = dataclasses.replace(small, X=small.X * scale, X_test=small.X_test * scale)
    method = make(name)
    fits = [
        dict(method.path(case, [30], Setting(hidden=4, bias=True)))[30] for case in (small, large)
    ]
    np.testing.assert_array_equal(
        fits[0].network.predict(small.X_test), fits[1].network.predict(large.X_test)
    )


@pytest.mark.parametrize("name", METHODS)
def test_every_option_is_checked_by_name(name):
    assert_every_option_is_checked_by_name(METHODS[name], METHODS[name].quick)


@pytest.mark.parametrize("name", METHODS)
def test_every_option_changes_something(name):
    """No dead options: each has another value that gives another network at some budget."""

    def networks(method, kind):
        path = method.path(problem(kind), [8, 14], Setting(hidden=HIDDEN))
        return [signature(fit) for _, fit in path]

    assert_every_option_has_an_effect(METHODS[name], METHODS[name].quick, networks)


@pytest.mark.parametrize("name", METHODS)
def test_sensing_is_done_or_refused_in_a_sentence(name):
    rng = np.random.default_rng(0)
    sensing = SensingProblem(rng.normal(size=20), 50, 0, np.arange(2), np.ones(2))
    method = make(name)
    if METHODS[name].recovers_vectors:
        [(_, fit)] = method.path(sensing, [2], Setting(hidden=50))
        assert fit.network.nnz <= 2
        return
    with pytest.raises(SparsefitError, match=f"method '{name}' fits networks"):
        method.check(sensing)


@pytest.mark.parametrize("name", METHODS)
def test_found_by_name_alias_and_spelling(name):
    cls = METHODS[name]
    for spelling in (name, name.upper(), name.replace("-", "_"), *cls.aliases):
        assert find_method(spelling) is cls
    for preset, options in cls.presets.items():
        assert find_method(preset)() == cls(**options)
    assert dataclasses.is_dataclass(cls)
    assert cls.__doc__
    assert not cls.__doc__.startswith(cls.__name__ + "(")


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(SparsefitError, match="did you mean 'magnitude'"):
        find_method("magnitud")
