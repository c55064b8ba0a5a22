"""What `diagnose` measures, against slow and obvious versions."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from sparsefit.core.errors import SparsefitError
from sparsefit.core.gates import RandomGates
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.experiments.activity import GateDrift, closest, differences, patterns
from sparsefit.experiments.assumptions import Inputs, check_all
from sparsefit.experiments.diagnosis import spectrum
from sparsefit.gauss_newton.certificate import certify
from sparsefit.gauss_newton.conversion import from_network, with_unit_readout
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective

N, D, M = 150, 5, 4


def rows():
    return np.random.default_rng(0).normal(size=(N, D))


def draw(rng, *shape):
    return rng.normal(size=shape) * (rng.random(shape) < 0.6)


def networks():
    rng = np.random.default_rng(1)
    hidden = draw(rng, D, M)
    return {
        "fused": Network((Layer(hidden),), fused=True),
        "fused with biases and skip": Network(
            (Layer(hidden, draw(rng, M)),), fused=True,
            skip=Layer(draw(rng, D, 1), np.array([0.5])),
        ),
        "one output": Network((Layer(hidden), Layer(rng.normal(size=(M, 1))))),
        "three outputs": Network(
            (Layer(hidden, draw(rng, M)), Layer(rng.normal(size=(M, 3)), rng.normal(size=3)))
        ),
        "two layers": Network(
            (Layer(hidden), Layer(draw(rng, M, M)), Layer(rng.normal(size=(M, 2)))),
        ),
        "two layers with biases": Network(
            (Layer(hidden, np.ones(M)), Layer(draw(rng, M, M), np.ones(M)),
             Layer(rng.normal(size=(M, 2)))),
        ),
    }  # fmt: skip


@pytest.fixture(params=networks())
def network(request):
    return networks()[request.param]


# Patterns.


def test_patterns_are_those_of_the_prediction_and_dead_units_are_left_out():
    weight = np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 1.0]])
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [1.0, 3.0]])
    found = patterns(Network((Layer(weight),), fused=True), X)
    assert found.units.tolist() == [0, 2]
    assert found.active.tolist() == [[True, False], [False, True], [False, True], [True, True]]
    shifted = patterns(Network((Layer(weight, np.array([-1.0, 5.0, 0.0])),), fused=True), X)
    assert shifted.units.tolist() == [0, 1, 2]
    assert shifted.shares.tolist() == [0.0, 1.0, 0.75]
    assert shifted.live.units.tolist() == [1, 2]


@pytest.mark.parametrize("bias", [None, np.ones(M)])
def test_random_gates_decide_where_they_are_the_gates(bias):
    gates = RandomGates(3, D if bias is None else D + 1)
    layer, X = Layer(np.eye(D, M), bias), rows()
    inputs = X if bias is None else np.hstack([X, np.ones((N, 1))])
    found = patterns(Network((layer,), fused=True, gates=gates), X)
    assert (found.active == (inputs @ gates.rows(range(M)).T > 0)).all()


def test_differences_and_the_nearest_pair():
    a, b = np.random.default_rng(0).random((2, 5000, 6)) < 0.4
    expected = (a[:, :, None] != b[:, None, :]).sum(axis=0)
    assert (differences(a, b) == expected).all()
    weight = np.array([[1.0, 1.0, -1.0], [0.0, 0.2, 0.5]])
    X = rows()[:, :2]
    active = X @ weight > 0
    shares = {
        (i, j): (active[:, i] != active[:, j]).mean()
        for i, j in itertools.combinations(range(3), 2)
    }
    nearest = min(shares, key=shares.get)
    found = closest(patterns(Network((Layer(weight),), fused=True), X))
    assert found == (pytest.approx(shares[nearest]), nearest)


def fused(*units):
    return Network((Layer(np.array(units, dtype=float).T),), fused=True)


def test_drift_by_hand():
    X = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    drift = GateDrift(X)
    drift(fused([1, 0], [0, 1]))
    drift(fused([0, 2], [3, 0]))  # in another order and scale: nothing moves
    drift(fused([1, 0], [0, -1]))  # one of two units turns around
    drift(fused([1, 0], [0, 0]))  # a unit dies: its two active rows differ
    drift(fused([0, 0], [0, 0]))
    drift(fused([0, 0], [0, 0]))
    assert drift.shares == [0.0, 4 / 8, 2 / 8, 2 / 4, 0.0]


# Conditioning.


def test_a_converted_network_is_the_same_function(network):
    found = from_network(network)
    X = RowBlocks(rows(), bias=found.bias, dtype=torch.float64)
    for net in (found.net, with_unit_readout(found.net)):
        outputs = torch.cat([net.forward(block).outputs for block in X.blocks], dim=1)
        np.testing.assert_allclose(outputs.T, network.predict(rows()), atol=1e-12)
    assert len(found.net.values) + found.n_idle == network.nnz


def test_what_no_support_equations_stand_for_is_refused():
    hidden = Layer(np.eye(D, M))
    for network, reason in (
        (Network((hidden,), fused=True, gates=RandomGates(0, D)), "gates are random"),
        (Network((Layer(np.full((D, M), np.nan)),), fused=True), "not finite"),
    ):
        with pytest.raises(SparsefitError, match=reason):
            from_network(network)


def test_units_without_a_path_are_left_out_and_the_others_keep_their_numbers():
    hidden = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    network = Network((Layer(hidden), Layer(np.array([[1.0], [1.0], [0.0], [2.0]]))))
    found = from_network(network)
    assert (found.units[0].tolist(), found.n_idle) == ([0, 3], 2)


def derivatives(network, X, step=1e-6):
    """Return A_S by differences: what each feeds is given norm 1 before, layer by layer."""
    layers = [dataclasses.replace(layer) for layer in network.layers]
    last = len(network.hidden_layers) - 1
    for number in range(last, -1, -1):
        if network.fused and number == last:
            continue
        norms = np.sqrt(np.square(layers[number + 1].weight.toarray()).sum(axis=1))
        norms[norms == 0] = 1.0
        before, after = layers[number], layers[number + 1]
        bias = None if before.bias is None else before.bias * norms
        layers[number] = Layer(before.weight.toarray() * norms, bias)
        layers[number + 1] = Layer(after.weight.toarray() / norms[:, None], after.bias)
    base = dataclasses.replace(network, layers=tuple(layers))
    columns = []

    def vary(layer, rebuild):
        places = [("weight", at) for at in zip(*layer.weight.nonzero(), strict=True)]
        places += [("bias", (j,)) for j in np.flatnonzero([] if layer.bias is None else layer.bias)]
        for kind, at in places:
            ends = []
            for sign in (1, -1):
                parts = {"weight": layer.weight.toarray(), "bias": layer.bias}
                parts[kind] = parts[kind].copy()
                parts[kind][at] += sign * step
                ends.append(rebuild(Layer(**parts)).predict(X))
            columns.append((ends[0] - ends[1]).ravel() / (2 * step))

    vary(layers[0], lambda new: dataclasses.replace(base, layers=(new, *layers[1:])))
    if network.skip is not None:
        vary(network.skip, lambda new: dataclasses.replace(base, skip=new))
    if not network.fused and layers[-1].bias is not None:
        biases = Layer(np.zeros((layers[-1].n_inputs, network.n_outputs)), layers[-1].bias)
        vary(biases, lambda new: dataclasses.replace(
            base, layers=(*layers[:-1], Layer(layers[-1].weight, new.bias))
        ))  # fmt: skip
    return np.array(columns).T


def test_extreme_eigenvalues_are_those_of_the_derivatives(network):
    # Units that reach no output have columns of zeros here, and are no part of the support there.
    A = derivatives(network, rows())
    A = A[:, np.abs(A).max(axis=0) > 0]
    values = np.linalg.eigvalsh(A.T @ A / N)
    found = spectrum(from_network(network), rows())
    assert found.columns == A.shape[1]
    assert (found.alpha, found.beta) == pytest.approx((values[0], values[-1]), rel=1e-4)


@pytest.mark.parametrize("scale", [1.0, -7.0])
def test_gated_columns_whatever_the_scale_of_a_unit(scale):
    """With one output, A_S has the columns 1[X w_j > 0] * x_i, however the unit is written."""
    weight, X = networks()["fused"].layers[0].weight.toarray(), rows()
    A = np.array([X[:, i] * (X @ weight[:, j] > 0) for i, j in zip(*weight.nonzero(), strict=True)])
    values = np.linalg.eigvalsh(A @ A.T / N)
    split = Network((Layer(weight / abs(scale)), Layer(np.full((M, 1), scale))))
    for network in (fused(*weight.T), split):
        found = spectrum(from_network(network), X)
        assert (found.alpha, found.beta) == pytest.approx((values[0], values[-1]))


def test_equal_units_have_alpha_zero():
    assert spectrum(from_network(fused([1, 2, 0, 0, 0], [2, 4, 0, 0, 0])), rows()).alpha == 0


# Assumptions.


def test_assumptions_hold_and_fail_where_they_should():
    X = np.random.default_rng(0).normal(size=(2000, D))
    good = fused([1, 0, 0, 0, 0], [0, 1, 0, 0, 0])
    bad = Network((Layer(np.array([[1.0, 1.0]] + [[0.0, 1e-4]] * 4)),), fused=True)

    def checks(network, X):
        found = patterns(network, X).live
        part = spectrum(from_network(network), X)
        near = closest(found).share
        listed = check_all(
            network, Inputs.measure(X, network), found.shares.tolist(), near, part[:2]
        )
        return {check.name: check.holds for check in listed}

    assert all(checks(good, X).values())
    # Skewed inputs of a large mean, of which one is nearly another.
    skewed = np.abs(X)
    skewed[:, 1] = skewed[:, 0] + 1e-3 * X[:, 1]
    assert not any(list(checks(bad, skewed).values())[3:5] + list(checks(bad, skewed).values())[6:])


def test_inputs_are_measured_as_numpy_does():
    X = rows() @ np.diag([1.0, 2.0, 1.0, 1.0, 0.5]) + 0.3
    values = np.linalg.eigvalsh(X.T @ X / N)
    found = Inputs.measure(X, networks()["fused"])
    assert (found.least, found.largest) == pytest.approx((values[0], values[-1]))
    assert found.mean == pytest.approx(np.abs(X.mean(axis=0) / np.sqrt((X**2).mean(axis=0))).max())
    assert Inputs.measure(X[:3], networks()["fused"]).ratio is None


@pytest.mark.parametrize(("beta", "holds"), [(1.9, [1, 1]), (2.1, [0, 1]), (3.8, [0, 0])])
def test_the_limits_of_the_ratio_are_those_of_the_theorems(beta, holds):
    inputs = Inputs.measure(rows(), networks()["fused"])
    checks = check_all(networks()["fused"], inputs, [0.5], None, (1.0, beta))
    assert [check.holds for check in checks if check.name.startswith("beta / alpha")] == holds


def test_there_is_no_ratio_of_eigenvalues_where_columns_depend():
    checks = check_all(networks()["fused"], Inputs.measure(rows(), networks()["fused"]), [], None,
                       (0.0, 1.0))  # fmt: skip
    by_name = {check.name: (check.value, check.holds) for check in checks}
    assert by_name["beta / alpha: hard thresholding pursuit"] == (None, False)
    assert by_name["least share of rows of a live unit"] == (None, None)


# The certificate.


def residual(network, X, y):
    """Return |r|^2 after a refit of a fused network on its support."""
    parts = from_network(network)
    data = RowBlocks(X, dtype=torch.float64)
    return levenberg_marquardt(parts.net, Objective(data, y), steps=50, gain=1e-12).loss * y.numel()


def test_the_named_swap_is_the_best_one_by_brute_force():
    # The last input is small, so its weight is large and yet the one to drop.
    X = np.random.default_rng(2).normal(size=(300, 4)) * [1, 1, 1, 1e-3]
    y = torch.from_numpy((np.maximum(X[:, 0] + X[:, 1], 0) + np.maximum(-2 * X[:, 2], 0))[None])
    # Of unit 2 the second weight is wrong, and unit 0 lacks one; unit 1 is dead.
    wrong = np.array([[0.5, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, -2.0], [0.0, 0.0, 30.0]])
    parts = from_network(Network((Layer(wrong),), fused=True))
    objective = Objective(RowBlocks(X, dtype=torch.float64), y)
    best = levenberg_marquardt(parts.net, objective, steps=50, gain=1e-12).net
    found = certify(best, objective, parts.units)
    losses = {}
    support = list(zip(*wrong.nonzero(), strict=True))
    free = [(i, j) for i in range(4) for j in (0, 2) if not wrong[i, j]]
    for drop, enter in itertools.product(support, free):
        weight = wrong.copy()
        weight[drop], weight[enter] = 0.0, 0.1
        losses[drop, enter] = residual(Network((Layer(weight),), fused=True), X, y)
    drop, enter = min(losses, key=losses.get)
    assert (found.swap_drop.input, found.swap_drop.unit) == drop == (3, 2)
    assert (found.swap_enter.input, found.swap_enter.unit) == enter == (1, 0)
    assert (found.swap_drop.layer, found.swap_enter.layer) == ("hidden 1", "hidden 1")
    assert found.swap_change < 0


def test_what_enters_is_outside_the_support_even_where_weights_are_far_off():
    X = rows()
    y = torch.from_numpy((3 * np.maximum(X[:, 0] + 0.1 * X[:, 2], 0))[None])
    net = from_network(fused([1, 1e-3, 0, 0, 0])).net
    # The weight that is there, at 1 and not 3, would gain most.
    assert certify(net, Objective(RowBlocks(X, dtype=torch.float64), y)).swap_enter.input not in (
        0,
        1,
    )


def test_no_fresh_unit_of_a_plain_sum_makes_outputs_smaller():
    X = rows()
    y = torch.from_numpy(-np.maximum(X[:, :1], 0).T)
    for readout, found_one in ((None, False), (np.ones((1, 1)), True)):
        hidden = Layer(np.eye(D, 1, k=-1) * 1e-3)
        layers = (hidden,) if readout is None else (hidden, Layer(readout))
        parts = from_network(Network(layers, fused=readout is None))
        found = certify(parts.net, Objective(RowBlocks(X, dtype=torch.float64), y))
        assert (found.fresh_unit is not None) == (found.fresh_change < 0) == found_one


@pytest.mark.parametrize(("sign", "source"), [(1, 3), (-1, 0)])
def test_the_named_fresh_unit_is_the_one_that_is_missing(sign, source):
    X = rows()
    y = torch.from_numpy((np.maximum(X[:, 1], 0) + np.maximum(2 * sign * X[:, source], 0))[None])
    net = from_network(fused([0, 1, 0, 0, 0], [0, 1e-3, 1e-3, 0, 0])).net
    found = certify(net, Objective(RowBlocks(X, dtype=torch.float64), y)).fresh_unit
    assert (found.layer, found.input, found.sign, found.feeds) == ("hidden 1", source, sign, 0)


def test_biases_outputs_and_the_direct_path_are_called_what_they_are():
    X = rows()
    y = np.maximum(X[:, :1] + 1, 0) @ np.array([[1.0, 2.0]]) + X[:, 4:] * [[0.0, 3.0]]
    network = Network(
        (Layer(np.eye(D, 2)[:, ::-1], np.zeros(2)), Layer(np.array([[0.1, 0.0], [1.0, 2.0]]),
                                                          np.array([0.4, 0.0]))),
        skip=Layer(np.eye(D, 2, k=-1) * 0.01),
    )  # fmt: skip
    parts = from_network(network)
    data = RowBlocks(X, bias=True, dtype=torch.float64)
    found = certify(parts.net, Objective(data, torch.from_numpy(y.T).contiguous()), parts.units)
    assert dataclasses.astuple(found.swap_enter)[:3] == ("skip", 1, 4)
    names = [dataclasses.astuple(certify_name(parts, data, at)) for at in range(network.nnz)]
    assert names[0] == ("hidden 1", 0, 1, 1.0)
    assert ("output", 0, None, 0.4) in names
    assert ("output", 0, 0, 0.1) in names
    assert ("skip", 0, 1, 0.01) in names


def certify_name(parts, data, at):
    from sparsefit.gauss_newton.certificate import PlaceNames

    return PlaceNames(parts.net, data, parts.units).weight(at)
