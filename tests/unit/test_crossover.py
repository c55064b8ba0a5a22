"""What attempts that failed have in common is what the next one begins with."""

import itertools

import numpy as np
import pytest
import torch

from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.conversion import from_network
from sparsefit.gauss_newton.crossover import Pool, cross, narrowed, widened
from sparsefit.gauss_newton.levenberg_marquardt import Minimum
from sparsefit.gauss_newton.objective import Objective, Slopes
from sparsefit.gauss_newton.splits import merge
from sparsefit.methods import find_method
from sparsefit.tasks import find_task

D, N = 6, 40


def draw(seed, *, n_outputs=1, layers=1):
    rng = np.random.default_rng(seed)
    widths = [D, *[4] * layers] + ([n_outputs] if n_outputs > 1 else [])
    weights = [rng.normal(size=shape) for shape in itertools.pairwise(widths)]
    return from_network(Network(tuple(map(Layer, weights)), fused=n_outputs == 1)).net


def objective_of(seed=0, *, bias=False, d=D):
    rng = np.random.default_rng(seed)
    rows = RowBlocks(rng.normal(size=(N, d)), bias=bias, dtype=torch.float64)
    return Objective(rows, torch.from_numpy(rng.normal(size=(1, N))))


@pytest.mark.parametrize(
    "how", [{}, {"n_outputs": 3}, {"layers": 2}, {"layers": 2, "n_outputs": 2}]
)
def test_the_mean_of_two_networks_has_the_mean_of_their_outputs(how):
    one, two = draw(0, **how), draw(1, **how)
    objective = objective_of()
    expected = (objective.outputs(one) + objective.outputs(two)) / 2
    mean = cross(one, two)
    assert torch.allclose(objective.outputs(mean), expected, atol=1e-12)
    assert mean.nnz == one.nnz + two.nnz


@pytest.mark.parametrize("how", [{}, {"n_outputs": 3}, {"layers": 2}])
def test_what_both_have_becomes_one(how):
    """Of two equal networks nothing is left twice, in any layer."""
    net = draw(0, **how)
    merged = merge(cross(net, net), 0.999)
    assert (merged.nnz, merged.n_units) == (net.nnz, net.n_units)
    assert torch.allclose(objective_of().outputs(merged), objective_of().outputs(net), atol=1e-12)


def test_a_pool_has_the_best_and_none_twice():
    net, pool = draw(0), Pool()
    assert not pool.has_alike(Minimum(net, 1.0))
    for loss in (3.0, 1.0, 1.0001, 2.0, 5.0, 4.0, 0.9, 2.0):
        pool.add(Minimum(net, loss))
    assert [found.loss for found in pool._found] == [0.9, 1.0, 2.0, 3.0]
    assert pool.has_alike(Minimum(net, 0.9001))
    assert not pool.has_alike(Minimum(net, 0.8))
    one, two = pool.pair(torch.Generator().manual_seed(0))
    assert one is two is net


@pytest.mark.parametrize("bias", [False, True])
def test_a_network_of_some_inputs_is_one_of_all(bias):
    objective, inputs = objective_of(bias=bias), torch.tensor([1, 2, 5])
    few = narrowed(objective, inputs)
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(3 + bias, 4))
    net = from_network(Network((Layer(weight),), fused=True)).net
    assert few.rows.d == 3 + bias
    wide = widened(net, inputs, objective.rows.d)
    assert torch.allclose(objective.outputs(wide), few.outputs(net), atol=1e-12)


def test_inputs_that_good_networks_use_are_drawn():
    """The constant input is not among them: it is always there."""
    objective = objective_of(bias=True, d=30)
    weight = np.zeros((31, 4))
    weight[[3, 7, 11, 30], range(4)] = 1.0
    net = from_network(Network((Layer(weight),), fused=True)).net
    pool = Pool()
    generator = torch.Generator().manual_seed(0)
    assert pool.draw_inputs(objective, generator) is None
    pool.add(Minimum(net, 1.0))
    for _ in range(20):
        drawn = pool.draw_inputs(objective, generator).tolist()
        assert len(drawn) == 6
        assert {3, 7, 11} < set(drawn) < set(range(30))


def test_four_rows_a_weight_are_enough():
    setting = Setting(hidden=10, seed=3)
    problem = find_task("planted")(n_samples=80, n_test=100).load(setting, 20)
    [(_, found)] = find_method("splice")().path(problem, [20], setting)
    assert found.status.value == "converged"
    assert np.abs(found.network.predict(problem.X_test) - problem.y_test).max() < 1e-5


def test_a_unit_that_no_row_sees_promises_nothing():
    """Its gradient is rounding, its curvature nothing: a weight of 1e280 is no progress."""
    gradient = torch.tensor([[1e-20, -2.0, 1e-160]]).double()
    slopes = Slopes(gradient, torch.tensor([[0.0, 4.0, 1e-310]]).double())
    assert slopes.gain.tolist() == [[0.0, 1.0, 0.0]]
    assert slopes.best.tolist() == [[0.0, 0.5, 0.0]]
    none = torch.zeros(1, 2).double()
    assert Slopes(none, none).gain.tolist() == [[0.0, 0.0]]
    assert Slopes(none[:, :0], none[:, :0]).gain.shape == (1, 0)
