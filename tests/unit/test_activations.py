"""Activations: NumPy, torch and texts agree, and every part of the package takes them."""

import itertools
import math

import numpy as np
import pytest
import torch

from sparsefit import Setting, SparseMLPRegressor
from sparsefit.core.activations import ACTIVATIONS, RELU, LeakyReLU, activation_named
from sparsefit.core.errors import DataError, OptionError, ParameterError, SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.experiments.support import parameter_distance, support_overlap
from sparsefit.methods import list_methods
from sparsefit.methods.splice import Splice
from sparsefit.tasks.planted import Planted

NAMES = [*ACTIVATIONS, "leaky-relu:0.3"]
OTHERS = [name for name in NAMES if name != "relu"]
Z = np.linspace(-6, 6, 241)


@pytest.fixture(params=NAMES)
def activation(request):
    return activation_named(request.param)


def test_numpy_and_torch_agree_and_the_slope_is_that_of_autograd(activation):
    z = torch.from_numpy(Z.copy()).requires_grad_()
    expected = activation.module()(z)
    expected.sum().backward()
    value, slope = activation.with_slope(torch.from_numpy(Z.copy()))
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(slope, z.grad)
    np.testing.assert_allclose(activation(Z), value, atol=1e-12)
    assert activation(Z.astype(np.float32)).dtype == np.float32


def test_what_is_said_of_an_activation_holds(activation):
    f = activation
    if f.is_homogeneous:
        np.testing.assert_allclose(f(3.5 * Z), 3.5 * f(Z))
    if f.is_odd:
        np.testing.assert_allclose(f(-Z), -f(Z))
    if f.turn is not None:
        np.testing.assert_allclose(f(Z), f(-Z) + f.turn * Z, atol=1e-12)
    assert f(np.zeros(1))[0] == f.at_zero
    assert np.abs(f(Z)).max() <= f.bound


def test_texts_in_python_are_the_function(activation):
    names = {"math": math}
    exec(activation.python_function(), names)
    for z in (-2.5, 0.0, 0.75):
        found = eval(activation.python_call(str(z)), names)
        assert found == pytest.approx(float(activation(np.array([z]))[0]), abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_read_and_written(name):
    assert str(activation_named(name)) == name
    assert activation_named("leaky-relu:0.01") == LeakyReLU()
    assert str(activation_named("leaky-relu:0.01")) == "leaky-relu"


@pytest.mark.parametrize("name", ["rellu", "leaky-relu:0", "leaky-relu:1.5", "leaky-relu:x", ""])
def test_what_is_no_activation_is_refused(name):
    with pytest.raises(OptionError, match="activation must be text leaky-relu:SLOPE"):
        Setting(activation=name)
    with pytest.raises(ParameterError, match="activation must be"):
        SparseMLPRegressor(activation=name).fit(np.eye(3), np.arange(3.0))


def test_a_near_miss_is_hinted_at():
    with pytest.raises(OptionError, match="did you mean 'sigmoid'"):
        Setting(activation="sigmoyd")


# Networks.


def drawn(activation, *, biases=True):
    rng = np.random.default_rng(1)
    widths = [5, 4, 3, 2]
    return Network(
        tuple(
            Layer(rng.normal(size=(a, b)) * (rng.random((a, b)) < 0.6), rng.normal(size=b) * biases)
            for a, b in itertools.pairwise(widths)
        ),
        activation=activation,
    )


def test_a_network_comes_back_from_its_file(activation, tmp_path):
    network, X = drawn(activation), np.random.default_rng(0).normal(size=(20, 5))
    network.save(tmp_path / "net.safetensors")
    again = Network.load(tmp_path / "net.safetensors")
    assert again.activation == activation
    assert np.array_equal(again.predict(X), network.predict(X))


def test_a_file_of_an_unknown_activation_is_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    drawn(activation_named("tanh")).save(path)
    path.write_bytes(path.read_bytes().replace(b"tanh", b"tang"))
    with pytest.raises(DataError, match="cannot be read as a network"):
        Network.load(path)


def test_units_without_inputs_count_where_they_are_not_zero():
    weight = np.array([[1.0, 0.0], [0.0, 0.0]])
    network = Network((Layer(weight), Layer(np.array([[0.0], [2.0]]))))
    for name in NAMES:
        found = Network(network.layers, activation=activation_named(name)).predict(np.ones((1, 2)))
        assert found.tolist() == [[1.0 if name == "sigmoid" else 0.0]]


# Methods.


# sin(z) = sin(pi - z): with biases, sines have more than one form.
FOUND = [
    (name, bias) for name in OTHERS for bias in (False, True) if (name, bias) != ("sine", True)
]


@pytest.mark.parametrize(("name", "bias"), FOUND)
def test_splice_finds_planted_networks(name, bias):
    setting = Setting(hidden=4, activation=name, bias=bias)
    task = Planted(n_samples=800, n_features=10, n_test=100, biases=2 if bias else 0)
    problem = task.load(setting, 16)
    [(_, fit)] = Splice(start_steps=1000).path(problem, [16], setting)
    error = fit.network.predict(problem.X_test) - problem.truth.predict(problem.X_test)
    assert np.abs(error).max() < 1e-4 * problem.peak
    # A planted sigmoid without inputs is a constant, which takes weights to be made up for.
    assert fit.network.nnz <= (16 if name == "sigmoid" else problem.truth.nnz)
    assert support_overlap(problem.truth, fit.network).recall == 1


def test_splice_finds_the_weights_of_two_layers_up_to_order_and_sign():
    setting = Setting(hidden=5, layers=2, bias=True, activation="tanh")
    rng = np.random.default_rng(2)
    weights = [np.zeros(shape) for shape in ((8, 5), (5, 5), (5, 1))]
    for weight, count in zip(weights, (12, 10, 5), strict=True):
        weight.flat[rng.choice(weight.size, count, replace=False)] = rng.uniform(0.5, 1.2, count)
    layers = [Layer(weights[0], rng.normal(size=5)), Layer(weights[1], rng.normal(size=5))]
    truth = Network((*layers, Layer(weights[2])), activation=activation_named("tanh"))
    X = rng.normal(size=(3000, 8))
    [(_, fit)] = Splice().path(Problem(X, truth.predict(X)), [truth.nnz], setting)
    assert fit.status.value == "converged"
    assert parameter_distance(truth, fit.network) < 1e-3


def test_methods_take_other_activations_or_refuse_them():
    rng = np.random.default_rng(0)
    problem = Problem(rng.normal(size=(60, 4)), rng.normal(size=(60, 1)))
    setting = Setting(hidden=3, activation="tanh")
    able = {name for name, cls in list_methods().items() if cls.takes_activation}
    assert {"splice", "dense", "imp", "fisher-gmp", "gmp", "static", "rigl", "auto"} <= able
    for name, cls in list_methods().items():
        method = cls(**cls.quick)
        if name in able:
            [(_, fit)] = method.path(problem, [8], setting)
            assert fit.network.activation == activation_named("tanh")
        else:
            message = f"method '{name}' is for ReLU networks, not for --activation tanh; methods"
            with pytest.raises(SparsefitError, match=message):
                list(method.path(problem, [8], setting))


# Estimators.


def test_a_formula_of_tanh_is_found_and_written():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5))
    y = 3 * np.tanh(X[:, 0] - X[:, 3] + 0.5) + np.tanh(2 * X[:, 1])
    model = SparseMLPRegressor((8,), nnz=12, random_state=0, activation="tanh").fit(X, y)
    assert model.score(X, y) == pytest.approx(1)
    assert str(model.predictor_.formula()) == "y0 = 3 tanh(x0 - x3 + 0.5) + tanh(2 x1)"
    assert r"\tanh(2\,x_{1})" in model.predictor_.formula().latex()


def test_formulas_give_what_the_network_does(activation):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.sin(X[:, 0]) + X[:, 1] ** 2
    method = Splice(restarts=0, cycles=2, start_steps=300)
    how = {"folds": 0, "random_state": 0, "activation": str(activation)}
    model = SparseMLPRegressor((6,), nnz=12, method=method, **how)
    formula = model.fit(X, y).predictor_.formula(rounded=False)
    read = [int(name[1:]) for name, _ in formula.inputs]
    np.testing.assert_allclose(formula.evaluate(X[:, read])[:, 0], model.predict(X), atol=1e-9)
    names = {}
    exec(formula.python(), names)
    one = names["predict"](**{f"x{at}": float(X[0, at]) for at in sorted(read)})
    assert one == pytest.approx(model.predict(X[:1])[0], abs=1e-9)


@pytest.mark.parametrize("name", ["tanh", "leaky-relu"])
def test_a_row_that_weighs_double_counts_as_two(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.tanh(X[:, 0]) + 0.3 * rng.normal(size=200)
    weight = rng.integers(1, 4, 200)
    method = Splice(restarts=0, cycles=2, start_steps=300)
    how = {"nnz": 4, "random_state": 0, "activation": name, "folds": 0, "method": method}
    weighted = SparseMLPRegressor((2,), **how).fit(X, y, sample_weight=weight).predict(X)
    repeated = SparseMLPRegressor((2,), **how).fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(weighted, repeated.predict(X), atol=0.1)
    assert RELU.is_homogeneous
