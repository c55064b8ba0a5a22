"""AIHT against the plain loop over neurons, and its behaviour at the edges."""

import numpy as np
import pytest
import torch

from sparsefit.core.batches import Batches
from sparsefit.core.datafits import Logistic, Squared
from sparsefit.core.gates import RandomGates
from sparsefit.core.problem import Problem, SensingProblem
from sparsefit.core.result import Status
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.methods.aiht import AcceleratedIHT
from sparsefit.models import GatedReLU
from sparsefit.solvers import AIHT
from sparsefit.solvers.step_rules import armijo
from tests.reference import per_neuron_iht


def planted(n=400, d=8, hidden=12, nnz=18, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    W = np.zeros(d * hidden)
    W[rng.choice(d * hidden, nnz, replace=False)] = rng.normal(size=nnz)
    return X, np.maximum(X @ W.reshape(hidden, d).T, 0).sum(axis=1)


@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize("epochs", [1, 2, 3, 8])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_plain_loop(sequential, epochs, seed):
    X, y = planted(seed=seed)
    gates = RandomGates(seed, 8)
    expected_indices, expected_values = per_neuron_iht.fit(
        X, y, 12, 18, lambda unit: gates.rows([unit])[0], epochs, sequential
    )
    model = GatedReLU(RowBlocks(X, dtype=torch.float64), 12, gates)
    solver = AIHT(epochs=epochs, sequential=sequential)
    result = solver.solve(model, Squared(), torch.from_numpy(y), 18, batches=Batches(400, 0, 0))
    assert result.coef.indices.tolist() == expected_indices.tolist()
    np.testing.assert_allclose(result.coef.values, expected_values, rtol=1e-6)


def test_an_epoch_of_batches_moves_on_every_batch():
    X, y = planted()
    model = GatedReLU(RowBlocks(X, dtype=torch.float64), 12, RandomGates(0, 8))
    result = AIHT(epochs=3).solve(
        model, Squared(), torch.from_numpy(y), 18, batches=Batches(400, 100, 0)
    )
    assert result.n_iter == 12
    assert len(result.history) == 3
    assert result.history[-1] < 0.5 * result.history[0]


def test_logistic_loss_falls():
    X, y = planted()
    labels = torch.from_numpy((y > np.median(y)).astype(float))
    model = GatedReLU(RowBlocks(X, dtype=torch.float64, bias=True), 12, RandomGates(0, 9))
    result = AIHT(epochs=12).solve(model, Logistic(), labels, 18, batches=Batches(400, 0, 0))
    assert result.history[-1] < 0.95 * np.log(2)


def test_stops_when_a_step_changes_nothing():
    X = np.random.default_rng(0).normal(size=(100, 4))
    problem = Problem(X, np.maximum(X[:, :1], 0))
    [(_, fit)] = AcceleratedIHT(epochs=500).path(problem, [1], Setting(hidden=2))
    assert fit.status is Status.CONVERGED
    assert fit.n_iter < 500


def test_more_budget_than_parameters_is_a_dense_network():
    X, y = planted()
    problem = Problem(X, y[:, None])
    [(nnz, fit)] = AcceleratedIHT().path(problem, [1000], Setting(hidden=3))
    assert nnz == 1000
    assert 0 < fit.network.nnz <= fit.network.n_params == 24


def test_infinite_targets_scale_is_reported_as_diverged():
    X, y = planted()
    problem = Problem(X, (y * 1e200)[:, None])
    [(_, fit)] = AcceleratedIHT().path(problem, [10], Setting(hidden=3))
    assert fit.status is Status.DIVERGED
    assert np.isfinite(fit.network.predict(X)).all()


def test_step_that_diverges_is_shortened_until_it_does_not():
    X, y = planted()
    problem = Problem(X, np.column_stack([y, -y]))
    length = 64.0
    [(_, fit)] = AcceleratedIHT(epochs=30, step=length).path(problem, [20], Setting(hidden=4))
    assert fit.status is Status.FINISHED
    used = float(fit.note.split("step ")[1].split(",")[0])
    assert used in {length / 4**k for k in range(1, 9)}
    assert np.mean((fit.network.predict(X) - problem.y) ** 2) < np.mean(problem.y**2)
    # The same as if that step had been asked for, and the one before was too long.
    [(_, same)] = AcceleratedIHT(epochs=30, step=used).path(problem, [20], Setting(hidden=4))
    assert same.note == ""
    np.testing.assert_array_equal(same.network.predict(X), fit.network.predict(X))
    [(_, longer)] = AcceleratedIHT(epochs=30, step=4 * used).path(problem, [20], Setting(hidden=4))
    assert longer.note == fit.note


def test_bias_is_found_where_the_target_needs_one():
    X = np.random.default_rng(1).normal(size=(500, 3))
    y = np.maximum(X[:, :1] + 2.0, 0)
    errors = {}
    for bias in (False, True):
        setting = Setting(hidden=10, bias=bias)
        [(_, fit)] = AcceleratedIHT(epochs=60).path(Problem(X, y), [12], setting)
        errors[bias] = np.mean((fit.network.predict(X) - y) ** 2)
        assert fit.network.nnz <= 12
    assert errors[True] < 0.1 * errors[False]


@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_layers_share_the_budget(layers, n_outputs):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(600, 6))
    y = np.maximum(X @ rng.normal(size=(6, n_outputs)), 0)
    [(_, fit)] = AcceleratedIHT().path(Problem(X, y), [30], Setting(hidden=8, layers=layers))
    assert len(fit.network.hidden_layers) == layers
    assert fit.network.nnz <= 30
    assert all(layer.nnz <= 30 // layers for layer in fit.network.layers)
    assert fit.network.predict(X).shape == y.shape


def test_gaussian_sensing_is_exact():
    gates = RandomGates(0, 200)
    support = np.array([3, 500, 998])
    problem = SensingProblem(gates.rows(support).sum(axis=0), 1000, 0, support, np.ones(3))
    [(_, fit)] = AcceleratedIHT(epochs=50).path(problem, [3], Setting(hidden=1000))
    found = fit.network.layers[0].weight.tocoo()
    assert sorted(found.row) == [3, 500, 998]
    np.testing.assert_allclose(found.data, 1.0, atol=1e-8)


def test_armijo_halves_until_the_decrease_is_enough():
    def value_at(length):
        return 0.5 * (1 - length * 4.0) ** 2  # slope at 0: 4, so |g|^2 would be 4

    one = torch.tensor(1.0)
    step, accepted = armijo(value_at, torch.tensor(0.5), torch.tensor(4.0), one)
    assert accepted
    assert step == 0.25  # 1 and 0.5 overshoot: f = 4.5 and 0.5
    step, accepted = armijo(lambda length: one, torch.tensor(0.5), one, one, max_halvings=3)
    assert not accepted
    assert step == 1 / 16
