"""What the parts of `splice` promise, each by itself."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from sparsefit.core.activations import RELU
from sparsefit.core.datafits import DATAFITS
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.elimination import eliminate_by_risk
from sparsefit.gauss_newton.growth import expand
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.relaxed import RelaxedStart, relaxed_start
from sparsefit.gauss_newton.signs import resolve_signs, with_skip_as_pairs
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet
from sparsefit.gauss_newton.splits import merge, mirror, split
from sparsefit.gauss_newton.surgeon import Stages, contract, remove, slack
from tests.unit.test_sparse_net import CASES, D, data, dense_outputs, draw, network, outputs

FUSED = [name for name, (widths, *_) in CASES.items() if len(widths) == 1 and "fused" in name]


def shaken(net, size, seed=5):
    return net.with_values(net.values * (1 + size * draw(len(net.values), seed=seed, density=2)))


def one_layer(weights, readout=None, linear=None):
    """Return a network of units with these weights, one a row; summed up without a readout."""
    weights = torch.as_tensor(weights, dtype=torch.float64)
    fused = readout is None
    fed = torch.ones(len(weights), 1) if fused else torch.as_tensor(readout)
    term = torch.zeros(weights.shape[1], fed.shape[1]) if linear is None else linear
    edges = [Edges.from_dense(matrix.double()) for matrix in (weights.T, fed, term)]
    return SparseNet((edges[0],), edges[1], edges[2], fused)


def planted(net, n=400, seed=0):
    rows, _ = data(net.n_outputs, n=n, seed=seed)
    return rows, outputs(net, rows)


def jacobian(net, rows):
    """Return the derivative of all outputs, (k n, p), by autograd."""
    X = torch.from_numpy(rows.X)
    return torch.autograd.functional.jacobian(
        lambda values: dense_outputs(net, values, X).ravel(), net.values
    )


# Levenberg-Marquardt


@pytest.mark.parametrize("case", FUSED)
def test_refit_of_summed_units_is_least_squares_on_its_patterns(case):
    net = network(case)
    rows, y = planted(net)
    y = y + 0.001 * draw(*y.shape, seed=8, density=2)
    found = levenberg_marquardt(shaken(net, 0.02), Objective(rows, y), steps=60).net
    expected = torch.linalg.lstsq(jacobian(found, rows), y.ravel()[:, None]).solution[:, 0]
    torch.testing.assert_close(found.values, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
def test_refit_gets_to_a_planted_network(case):
    net = network(case)
    rows, y = planted(net)
    start = shaken(net, 0.02)
    result = levenberg_marquardt(start, Objective(rows, y), steps=40)
    assert Objective(rows, y).value(start) > 1e-5
    assert result.loss < 1e-24
    assert result.net.hidden[0].nnz == net.hidden[0].nnz


@pytest.mark.parametrize("case", CASES)
def test_refit_never_raises_the_loss_and_tells_it(case):
    net = network(case)
    rows, y = data(net.n_outputs, n=80)
    losses = [Objective(rows, y).value(net)]
    for steps in range(5):
        result = levenberg_marquardt(net, Objective(rows, y), steps=steps)
        assert result.loss == pytest.approx(Objective(rows, y).value(result.net), rel=1e-9)
        assert result.n_steps <= steps
        losses.append(result.loss)
    assert all(after <= before * (1 + 1e-9) for before, after in itertools.pairwise(losses))
    assert losses[-1] < 0.95 * losses[0]
    assert (
        levenberg_marquardt(net, Objective(rows, y), steps=9, enough=losses[0] * 1.01).n_steps == 0
    )
    assert levenberg_marquardt(net, Objective(rows, y), steps=30, gain=0.99).n_steps == 1


# The surgeon


@pytest.mark.parametrize("case", FUSED)
def test_removal_is_least_squares_with_the_weights_at_zero(case):
    net = network(case)
    rows, y = planted(net)
    y = y + 0.001 * draw(*y.shape, seed=8, density=2)
    net = levenberg_marquardt(net, Objective(rows, y), steps=60).net
    J = jacobian(net, rows)
    drop = torch.tensor([1, 4, 5])
    left = torch.tensor([at for at in range(len(net.values)) if at not in drop])
    small = remove(net, torch.linalg.inv(J.T @ J), drop)
    expected = torch.linalg.lstsq(J[:, left], y.ravel()[:, None]).solution[:, 0]
    torch.testing.assert_close(small.values, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_the_surgeon_drops_the_weight_whose_loss_is_cheapest_to_mend(seed):
    net = network("fused", seed)
    rows, y = planted(net)
    J, n_params = jacobian(net, rows), net.nnz
    costs = []
    for weight in range(n_params):
        left = [at for at in range(n_params) if at != weight]
        values = torch.linalg.lstsq(J[:, left], y.ravel()[:, None]).solution
        costs.append(float((J[:, left] @ values - y.ravel()[:, None]).square().sum()))
    small = contract(net, Objective(rows, y), n_params - 1, 6, Stages(refitted=lambda net: net))
    edges, best = net.hidden[0], int(np.argmin(costs))
    kept = torch.arange(n_params) != best
    assert torch.equal(small.hidden[0].source, edges.source[kept])
    assert torch.equal(small.hidden[0].target, edges.target[kept])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize(("nnz", "max_units"), [(9, 6), (14, 3), (1, 6), (1000, 2)])
def test_contraction_keeps_both_limits(case, counts, nnz, max_units):
    net = replace(network(case), skip_counts=counts)
    rows, y = data(net.n_outputs)
    result = contract(net, Objective(rows, y), nnz, max_units)
    assert result.nnz <= nnz
    assert result.n_units <= max_units
    if net.fused and len(net.hidden) == 1 and max_units == 6:
        assert result.nnz == min(nnz, net.nnz)
    if not counts:
        assert result.skip.nnz == net.skip.nnz


def test_contraction_drops_what_was_added_to_a_planted_network():
    net = network("fused")
    rows, y = planted(net)
    free = (net.hidden[0].dense().T == 0).nonzero(as_tuple=True)
    added = net.hidden[0].add(*free, 0.005 * torch.ones(len(free[0])).double())
    result = contract(replace(net, hidden=(added,)), Objective(rows, y), net.nnz, 6)
    assert levenberg_marquardt(result, Objective(rows, y), steps=20).loss < 1e-24
    assert torch.equal(result.hidden[0].source, net.hidden[0].source)
    within = contract(net, Objective(rows, y), net.nnz, 6)
    assert torch.equal(within.values, net.values)


def test_of_equal_units_contraction_keeps_one_each():
    """Each weight of a pair costs nothing to drop; both at once are all there is."""
    single = one_layer(torch.eye(D)[:4])
    rows, y = planted(single)
    double = one_layer(torch.cat([0.5 * torch.eye(D)[:4], 0.5 * torch.eye(D)[:4]]))
    small = contract(double, Objective(rows, y), 4, 8)
    assert sorted(small.hidden[0].source.tolist()) == [0, 1, 2, 3]


def test_a_simplification_may_cost_less_the_more_rows_there_are():
    assert slack(500) == slack(1000) == pytest.approx(0.1)
    assert slack(10_000) == pytest.approx(0.01)


def with_useless_weights(noise, n=2000):
    """Return a planted network, one that also has useless weights, and noisy rows."""
    right = one_layer(torch.eye(D)[:2] + 2 * torch.eye(D)[1:3])
    rows, y = planted(right, n)
    y = y + noise * draw(*y.shape, seed=9, density=2)
    wide = right.hidden[0].dense().T
    wide = wide + 1e-3 * (wide == 0)
    return (
        right,
        levenberg_marquardt(
            replace(right, hidden=(Edges.from_dense(wide),)), Objective(rows, y), steps=20
        ),
        rows,
        y,
    )


def test_weights_that_noise_explains_are_dropped():
    right, wide, rows, y = with_useless_weights(0.1)
    proven = eliminate_by_risk(wide, Objective(rows, y))
    assert torch.equal(proven.net.hidden[0].source, right.hidden[0].source)
    assert torch.equal(proven.net.hidden[0].target, right.hidden[0].target)
    assert proven.loss == pytest.approx(Objective(rows, y).value(proven.net))


def test_proven_params_stay():
    right, _, rows, y = with_useless_weights(0.1)
    fitted = levenberg_marquardt(right, Objective(rows, y), steps=20)
    assert eliminate_by_risk(fitted, Objective(rows, y)).net is fitted.net


# Growth


def full(edges):
    """Return the matrix with all its places stored."""
    place = torch.arange(edges.n_sources * edges.n_targets)
    zeros = torch.zeros(len(place), dtype=torch.float64)
    return edges.add(place % edges.n_sources, place // edges.n_sources, zeros)


@pytest.mark.parametrize("loss", DATAFITS)
def test_slopes_of_every_loss_are_those_of_its_gauss_newton_equations(loss):
    net = replace(network("three outputs"), skip_counts=True)
    datafit, rows = DATAFITS[loss](), data(3)[0]
    y = torch.eye(3).double()[torch.arange(rows.n) % 3].T
    whole = net.with_trained([full(edges) for edges in net.trained])
    gram, gradient, _ = Objective(rows, y, datafit).equations(whole)
    live, _ = Objective(rows, y, datafit).slopes(net)
    torch.testing.assert_close(torch.cat([slope.gradient.ravel() for slope in live]), gradient)
    torch.testing.assert_close(
        torch.cat([slope.curvature.ravel() for slope in live]), gram.diagonal()
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("counts", [False, True])
def test_slopes_of_weights_between_live_units(case, counts):
    net = replace(network(case), skip_counts=counts)
    rows, y = data(net.n_outputs)
    live, _ = Objective(rows, y).slopes(net)
    whole = net.with_trained([full(edges) for edges in net.trained])
    J = jacobian(whole, rows)
    expected = [
        (J.T @ Objective(rows, y).residuals(net).ravel()).split([e.nnz for e in whole.trained]),
        J.square().sum(dim=0).split([e.nnz for e in whole.trained]),
    ]
    assert len(live) == len(net.trained) - (not counts)
    for slope, gradient, curvature in zip(live, *expected, strict=False):
        torch.testing.assert_close(slope.gradient.ravel(), gradient)
        torch.testing.assert_close(slope.curvature.ravel(), curvature)


@pytest.mark.parametrize("case", CASES)
def test_slopes_of_fresh_units(case):
    net = network(case)
    rows, y = data(net.n_outputs)
    for number, slope in enumerate(Objective(rows, y).slopes(net)[1]):
        layers = [*net.hidden, net.readout]
        into, behind = layers[number : number + 2]
        # After a ReLU nothing is negative, and an odd function of -z is that of z.
        is_relu, is_odd = net.activation == RELU, net.activation.is_odd
        signs = [1.0, -1.0] if not is_odd and (number == 0 or not is_relu) else [1.0]
        kinds = [(source, sign) for sign in signs for source in range(into.n_sources)]
        source, sign = (torch.tensor(part) for part in zip(*kinds, strict=True))
        n_units = into.n_targets + len(kinds)
        unit = torch.arange(into.n_targets, n_units)
        # All fresh units at once, which feed everything behind them by weights of zero.
        wider = replace(into, n_targets=n_units).add(source, unit, sign.double())
        more = behind.with_sources(into.n_targets, len(kinds))
        layers[number : number + 2] = wider, full(more)
        wide = replace(net, hidden=tuple(layers[:-1]), readout=layers[-1], fused=False)
        J = jacobian(wide, rows).split([edges.nnz for edges in wide.trained], dim=1)[number + 1]
        source = layers[number + 1].source
        J = J[:, (source >= into.n_targets) & (source < n_units)]
        gradient = J.T @ Objective(rows, y).residuals(net).ravel()
        torch.testing.assert_close(slope.gradient.ravel(), gradient)
        torch.testing.assert_close(slope.curvature.ravel(), J.square().sum(dim=0))


@pytest.mark.parametrize("case", CASES)
def test_expansion_adds_the_weights_of_largest_gain_at_zero(case):
    net = replace(network(case), skip_counts=True)
    rows, y = data(net.n_outputs)
    wide = expand(net, Objective(rows, y), 5, 0)
    torch.testing.assert_close(outputs(wide, rows), outputs(net, rows))
    gains, added = [], []
    for before, after, slope in zip(
        net.trained, wide.trained, Objective(rows, y).slopes(net)[0], strict=True
    ):
        absent = before.dense() == 0
        places = torch.zeros_like(absent)
        places[after.target, after.source] = True
        gains.append(slope.gain[absent])
        added.append((places & absent)[absent])
    gain, is_new = torch.cat(gains), torch.cat(added)
    assert int(is_new.sum()) == 5
    assert float(gain[is_new].min()) >= float(gain[~is_new].max())


def test_expansion_leaves_the_linear_term_of_early_inputs_alone():
    net = replace(network("three outputs"), skip_counts=True)
    rows, y = data(3)
    wide = expand(net, Objective(rows, y), 1000, 0, first_skip=D - 1)
    added = set(wide.skip.source.tolist()) - set(net.skip.source.tolist())
    assert added == {D - 1} - set(net.skip.source.tolist())
    assert wide.skip.nnz > net.skip.nnz


def test_a_ridge_keeps_expansion_from_inputs_that_one_row_shows():
    X = draw(400, D, seed=3, density=2).numpy()
    X[:, 4] = 0
    X[7, 0], X[7, 4] = 1, 1e-3
    net = one_layer(torch.eye(D)[:1])
    rows = RowBlocks(X, dtype=torch.float64)
    y = Objective(rows, torch.zeros(1, 400).double()).residuals(net)
    y += 0.3 * torch.from_numpy(X[:, 1]) * (torch.from_numpy(X[:, 0]) > 0)
    y[0, 7] += 5
    plain, damped = (
        expand(net, Objective(rows, y), 1, 0, ridge=ridge).hidden[0].source.tolist()
        for ridge in (0.0, 0.01)
    )
    assert (plain, damped) == ([0, 4], [0, 1])


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("case", ["fused", "three outputs"])
def test_expansion_finds_a_missing_unit_with_one_input(case, sign):
    net = network(case)
    rows, y = planted(net)
    y[-1] += 3 * (sign * torch.from_numpy(rows.X)[:, 2]).clamp(min=0)
    wide = expand(net, Objective(rows, y), 1, 1)
    assert wide.n_units == net.n_units + 1
    assert Objective(rows, y).value(wide) < 1e-24


def test_a_plain_sum_gets_no_negative_units():
    net = one_layer(torch.eye(D)[:2])
    rows, y = planted(net)
    x = torch.from_numpy(rows.X)[:, 4]
    y = y - 3 * x.clamp(min=0) + 2 * (-x).clamp(min=0)
    added = expand(net, Objective(rows, y), 4, 1).hidden[0]
    is_fresh = added.target == 2
    assert added.source[is_fresh].tolist() == [4]
    assert added.values[is_fresh].tolist() == pytest.approx([-2])


# Units that are one, and units that are two


PARALLEL = torch.tensor([[1.0, 2, 0, 0, 1], [3, 6, 0, 0, 3], [0, 1, 1, 0, 0], [-2, -4, 0, 0, -2]])


@pytest.mark.parametrize("readout", [None, draw(4, 3, density=2)])
@pytest.mark.parametrize(("mirrored", "n_units"), [(False, 3), (True, 2)])
def test_merging_parallel_and_opposite_units_leaves_the_outputs(readout, mirrored, n_units):
    net = one_layer(PARALLEL, readout)
    rows, y = planted(net)
    merged = merge(net, 0.999, mirrored=mirrored)
    assert merged.n_units == n_units
    assert (merged.skip.nnz > 0) == mirrored
    torch.testing.assert_close(outputs(merged, rows), y)


def test_merging_reaches_every_layer():
    first, second = PARALLEL.double(), torch.tensor([[1.0, 2], [1, 2], [0, 0], [3, 6]]).double()
    edges = [Edges.from_dense(matrix) for matrix in (first.T, second, torch.ones(2, 1).double())]
    net = SparseNet(
        (edges[0], edges[1]), edges[2], Edges.from_dense(torch.zeros(D, 1).double()), True
    )
    net = net.without_idle_units()
    rows, y = planted(net)
    merged = merge(net, 0.999)
    assert [layer.n_targets for layer in merged.hidden] == [2, 1]
    torch.testing.assert_close(outputs(merged, rows), y)


@pytest.mark.parametrize("readout", [None, [[1.0, -2.0]]])
def test_a_pair_fitted_by_one_unit_is_split(readout):
    one, two = [1.0, 0.6, 0, 0, -1], [1.0, 0.2, 0, 0, -1]
    truth = one_layer([one, two], None if readout is None else readout * 2)
    rows, y = planted(truth, n=1000)
    middle = one_layer([[2.0, 0.8, 0, 0, -2]], readout)
    middle = levenberg_marquardt(middle, Objective(rows, y), steps=20).net
    parted = split(middle, Objective(rows, y), 5)
    assert parted.n_units == 2
    assert Objective(rows, y).value(parted) < 0.5 * Objective(rows, y).value(middle)
    exact = levenberg_marquardt(parted, Objective(rows, y), steps=40)
    assert exact.loss < 1e-20
    assert split(exact.net, Objective(rows, outputs(exact.net, rows)), 5) is exact.net


@pytest.mark.parametrize("readout", [None, draw(3, 2, density=2)])
def test_a_missing_mirror_image_is_found(readout):
    weights = draw(3, D, density=2, seed=2)
    net = one_layer(weights, readout)
    rows, y = planted(net)
    y[-1] += 2 * (-torch.from_numpy(rows.X) @ weights[1]).clamp(min=0)
    wide = mirror(net, Objective(rows, y), 1)
    assert wide.n_units == 4
    assert Objective(rows, y).value(wide) < 1e-24


# Signs


def turned(weights, readout, flips):
    """Return the same function with some units turned around and a linear term instead."""
    fed = torch.ones(len(weights), 1).double() if readout is None else readout
    linear = (weights * flips[:, None]).T @ (fed * flips[:, None])
    return one_layer(torch.where(flips[:, None], -weights, weights), readout, linear)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_outputs", [0, 3])
def test_random_flips_are_undone(seed, n_outputs):
    weights = draw(8, 12, seed=seed, density=0.4)
    weights[torch.arange(8), torch.arange(8)] += 1
    weights[torch.arange(8), torch.arange(8) + 2] -= 1
    readout = draw(8, n_outputs, seed=seed, density=2) if n_outputs else None
    flips = torch.rand(8, generator=torch.Generator().manual_seed(seed)) < 0.5
    found = resolve_signs(turned(weights, readout, flips))
    ours, expected = (sorted(part.tolist()) for part in (found.hidden[0].dense(), weights))
    np.testing.assert_allclose(ours, expected, atol=1e-10)
    assert float(found.skip.values.abs().sum()) < 1e-10


def test_flips_are_undone_where_some_weights_are_next_to_nothing():
    """HiGHS, with presolve, called a sum of .2 optimal here."""
    random = np.random.default_rng(393)
    weights = np.zeros((60, 30))
    for row in weights:
        row[random.choice(30, random.integers(1, 4), replace=False)] = random.normal(size=1)
        if random.random() < 0.3:
            row[random.integers(30)] += 10 ** random.uniform(-9, -4) * random.normal()
    flips = torch.from_numpy(random.integers(0, 2, 60)).bool()
    upright = torch.from_numpy(np.where(flips[:, None], -weights, weights))
    found = resolve_signs(turned(upright, None, flips))
    assert float(found.skip.values.abs().sum()) < 1e-5


def test_a_summed_unit_with_one_input_may_become_two():
    both_sides = torch.tensor([[3.0, 0, 0], [-1.0, 0, 0]])
    rest = torch.tensor([[1.0, 2.0, 0], [0, -1.0, 3.0], [0, 2.0, 0]])
    truth = one_layer(torch.cat([both_sides, rest]))
    # 3 relu(x) + relu(-x) = 4 relu(x) - x
    weights = torch.cat([torch.tensor([[4.0, 0, 0]]), rest]).double()
    net = turned(weights, None, torch.tensor([False, True, False, True]))
    net = replace(
        net,
        skip=net.skip.add(torch.tensor([0]), torch.tensor([0]), torch.tensor([-1.0]).double()),
    )
    found = resolve_signs(net)
    assert float(found.skip.values.abs().sum()) < 1e-10
    ours, expected = (sorted(n.hidden[0].dense().tolist()) for n in (found, truth))
    np.testing.assert_allclose(ours, expected, atol=1e-10)


def test_units_with_one_input_take_up_their_row_of_the_linear_term():
    weights = torch.tensor([[2.0, 0, 0], [0, 1.0, 1.0]])
    linear = torch.tensor([[1.0, -3.0], [0, 0], [0, 0]])
    net = one_layer(weights, [[1.0, 2.0], [-1.0, 1.0]], linear)
    rows = RowBlocks(np.random.default_rng(0).normal(size=(50, 3)), dtype=torch.float64)
    found = resolve_signs(net)
    assert found.skip.nnz == 0
    torch.testing.assert_close(outputs(found, rows), outputs(net, rows))


def test_without_units_there_is_nothing_to_turn_around():
    net = one_layer(torch.eye(3), torch.zeros(3, 2), torch.ones(3, 2)).without_idle_units()
    assert net.n_units == 0
    assert resolve_signs(net) is net


def test_the_linear_term_is_a_pair_of_units_an_output():
    net = network("three outputs with a linear term")
    rows, y = planted(net)
    found = with_skip_as_pairs(net, 1000)
    assert found.skip.nnz == 0
    assert found.n_units == net.n_units + 6
    torch.testing.assert_close(outputs(found, rows), y)
    few = with_skip_as_pairs(net, 2)
    assert few.hidden[0].nnz == net.hidden[0].nnz + 4


# The start


def start(rows, y, seed=0, **how):
    how = {"steps": 150, "batch": 64} | how
    how = RelaxedStart(fused=len(y) == 1, **how)
    return relaxed_start(Objective(rows, y), [7], 10, seed, how)


@pytest.mark.parametrize("case", ["fused", "three outputs"])
def test_the_start_depends_on_its_seed_alone(case):
    rows, y = planted(network(case))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = start(rows, y)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(start(rows, y).values, one.values)
    assert not torch.equal(start(rows, y, seed=1).hidden[0].values, one.hidden[0].values)
    assert Objective(rows, y).value(one) < 0.1 * float(y.var())
    assert start(rows, y, skip=False).skip.nnz == 0


@pytest.mark.parametrize("case", ["fused", "three outputs"])
def test_the_start_does_not_depend_on_the_scale_of_the_data(case):
    rows, y = planted(network(case))
    large = RowBlocks(rows.X * 8, dtype=torch.float64)
    small, wide = outputs(start(rows, y), rows), outputs(start(large, 32 * y), large)
    torch.testing.assert_close(wide, 32 * small)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_start_beyond_the_memory_comes_in_blocks_of_units(n_outputs):
    rows, y = data(n_outputs)

    def start_in(room):
        how = RelaxedStart(fused=n_outputs == 1, steps=200, penalty=0.0, room=room)
        return relaxed_start(Objective(rows, y), [7], 10, 0, how)

    blocks, whole = start_in(3 * D), start_in(7 * D)
    assert whole.n_units == 7
    assert whole.hidden[0].nnz == 7 * D
    assert blocks.n_units <= 7
    assert blocks.hidden[0].nnz <= 3 * D // 2
    empty = blocks.keep(torch.zeros(len(blocks.values), dtype=torch.bool))
    assert Objective(rows, y).value(blocks) < Objective(rows, y).value(empty)


def test_deeper_starts_are_as_wide_as_there_is_room_for():
    rows, y = data(2)
    how = RelaxedStart(fused=False, steps=1, room=3 * D)
    net = relaxed_start(Objective(rows, y), [7, 7], 10, 0, how)
    assert [edges.n_targets for edges in net.hidden] == [3, 3]
