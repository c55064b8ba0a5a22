"""A network on its support, against torch's derivatives of the same network written densely."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from sparsefit.core import row_blocks as rows_module
from sparsefit.core.activations import ACTIVATIONS, activation_named
from sparsefit.core.datafits import DATAFITS
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton import objective as objective_module
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet

N, D = 60, 5
# Widths of the hidden layers and number of outputs; fused; linear term; what else there is.
CASES = {
    "fused": ([6], 1, True, False),
    "fused with a linear term": ([6], 1, True, True),
    "three outputs": ([6], 3, False, False),
    "three outputs with a linear term": ([6], 3, False, True),
    "one output with weights": ([6], 1, False, True),
    "two layers, fused": ([6, 4], 1, True, True),
    "two layers, three outputs": ([6, 4], 3, False, True),
    "three layers, two outputs": ([6, 5, 4], 2, False, False),
    "biases of two layers": ([6, 4], 3, False, True, {"biased": True}),
    "biases of three layers, fused": ([6, 5, 4], 1, True, True, {"biased": True}),
    **{
        f"{name}, two layers": (
            [6, 4], 2, False, True, {"activation": activation_named(name), "biased": True}
        )
        for name in ACTIVATIONS
    },
}  # fmt: skip


def draw(*shape, seed=0, density=0.6):
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(shape, generator=generator) < density
    return torch.randn(shape, generator=generator, dtype=torch.float64) * kept


def network(case, seed=0):
    """Return a random network without idle units."""
    widths, n_outputs, fused, linear, *more = CASES[case]
    given = more[0] if more else {}
    extra = given.get("biased", False)
    hidden = [
        draw(a + (extra and at > 0), b, seed=seed + b)
        for at, (a, b) in enumerate(pairwise([D, *widths]))
    ]
    for matrix in hidden:
        matrix[torch.arange(matrix.shape[1]) % matrix.shape[0], range(matrix.shape[1])] = 0.7
    readout = (
        torch.ones(widths[-1], 1).double() if fused else draw(widths[-1], n_outputs, seed=seed)
    )
    if not fused:
        readout[:, 0] = 0.5
    term = draw(D, n_outputs, seed=seed + 1) * linear
    return SparseNet(
        tuple(Edges.from_dense(matrix) for matrix in hidden),
        Edges.from_dense(readout),
        Edges.from_dense(term),
        fused,
        **given,
    ).without_idle_units()


def data(n_outputs, n=N, seed=0):
    rng = np.random.default_rng(seed)
    rows = RowBlocks(rng.normal(size=(n, D)), dtype=torch.float64)
    return rows, torch.from_numpy(rng.normal(size=(n_outputs, n)))


def outputs(net, rows):
    return torch.cat([net.forward(block).outputs for block in rows.blocks], dim=1)


def dense_outputs(net, values, X):
    """Return the outputs (k, n) by products of dense matrices of which `values` are the entries."""
    parts = iter(values.split([edges.nnz for edges in net.trained]))

    def matrix(edges, part):
        zeros = torch.zeros(edges.n_sources, edges.n_targets, dtype=values.dtype)
        return zeros.index_put((edges.source, edges.target), part)

    a, activate = X, net.activation.module()
    for number, edges in enumerate(net.hidden):
        # The last input of the rows is constant where there are biases.
        a = torch.cat([a, X[:, -1:]], dim=1) if number and net.biased else a
        a = activate(a @ matrix(edges, next(parts)))
    readout = net.readout.dense().T if net.fused else matrix(net.readout, next(parts))
    return (a @ readout + X @ matrix(net.skip, next(parts))).T


@pytest.fixture(params=CASES)
def case(request):
    return request.param


@pytest.mark.parametrize("width", [1, 64])
def test_outputs_and_gauss_newton_equations_are_those_of_autograd(case, width, monkeypatch):
    monkeypatch.setattr(objective_module, "_LEAST_WIDTH", width)
    net = network(case)
    rows, y = data(net.n_outputs)
    X = torch.from_numpy(rows.X)
    torch.testing.assert_close(outputs(net, rows), dense_outputs(net, net.values, X))
    torch.testing.assert_close(Objective(rows, y).residuals(net), outputs(net, rows) - y)
    jacobian = torch.autograd.functional.jacobian(
        lambda values: dense_outputs(net, values, X).ravel(), net.values
    )
    residual = (outputs(net, rows) - y).ravel()
    gram, gradient, total = Objective(rows, y).equations(net)
    torch.testing.assert_close(gram, jacobian.T @ jacobian)
    torch.testing.assert_close(gradient, jacobian.T @ residual)
    assert total == pytest.approx(float(residual @ residual))
    through = net.forward(rows.blocks[0])
    one_each = torch.eye(net.n_outputs).double()[:, :, None].expand(-1, -1, rows.n)
    per_output = torch.cat([net.jacobian(through, weights) for weights in one_each], dim=1)
    torch.testing.assert_close(per_output.T, jacobian)


def labelled(loss, n_outputs, outputs):
    """Return targets (k, n) that fit a loss, and the loss of outputs (k, n) as torch has it."""
    if loss == "softmax":
        labels = outputs.argmin(dim=0)
        y = torch.nn.functional.one_hot(labels, n_outputs).T.double()
        return y, lambda z: torch.nn.functional.cross_entropy(z.T, labels, reduction="sum")
    if loss == "logistic":
        y = (outputs < 0).double()
        return y, lambda z: torch.nn.functional.binary_cross_entropy_with_logits(
            z, y, reduction="sum"
        )
    if loss == "huber":
        y = outputs + 0.9
        return y, lambda z: torch.nn.functional.huber_loss(z, y, reduction="sum")
    if loss == "poisson":
        y = (outputs / 2).exp().round()
        return y, lambda z: (z.exp() - y * z + torch.xlogy(y, y) - y).sum()
    y = outputs + 1
    return y, lambda z: (z - y).square().sum() / 2


@pytest.mark.parametrize("loss", DATAFITS)
def test_gauss_newton_equations_of_every_loss_are_those_of_autograd(case, loss):
    net, datafit = network(case), DATAFITS[loss]()
    rows, _ = data(net.n_outputs)
    X, z = torch.from_numpy(rows.X), outputs(net, rows)
    y, loss_of = labelled(loss, net.n_outputs, z)
    J = torch.autograd.functional.jacobian(
        lambda values: dense_outputs(net, values, X).ravel(), net.values
    )
    H = torch.autograd.functional.hessian(lambda flat: loss_of(flat.view_as(z)), z.ravel())
    gram, gradient, total = Objective(rows, y, datafit).equations(net)
    torch.testing.assert_close(gram, J.T @ H @ J)
    torch.testing.assert_close(
        gradient,
        torch.autograd.functional.jacobian(
            lambda values: loss_of(dense_outputs(net, values, X)), net.values
        ),
    )
    assert total == pytest.approx(2 * float(loss_of(z)))


def test_blocks_of_rows_make_no_difference(case, monkeypatch):
    net = network(case)
    whole, y = data(net.n_outputs)
    expected = [*Objective(whole, y).equations(net), Objective(whole, y).residuals(net)]
    monkeypatch.setattr(rows_module, "ROWS_PER_TILE", 7)
    cut, _ = data(net.n_outputs)
    assert len(cut.blocks) == 9
    for one, other in zip(
        expected, [*Objective(cut, y).equations(net), Objective(cut, y).residuals(net)], strict=True
    ):
        torch.testing.assert_close(one, other)


def test_balancing_leaves_the_outputs_and_makes_norms_agree(case):
    net = network(case)
    rows, _ = data(net.n_outputs)
    balanced = net
    for _ in range(60):
        balanced = balanced.balanced()
    torch.testing.assert_close(outputs(balanced, rows), outputs(net, rows))
    if not net.activation.is_homogeneous:
        assert torch.equal(balanced.values, net.values)
        return
    layers = [edges.dense() for edges in balanced.trained[: len(net.hidden) + (not net.fused)]]
    for before, after in pairwise(layers):
        units = after[:, : len(before)]
        torch.testing.assert_close(before.norm(dim=1), units.norm(dim=0), rtol=1e-5, atol=0)


def test_scalings_are_all_null_directions(case):
    net = network(case)
    rows, y = data(net.n_outputs, n=400)
    gram, gradient, _ = Objective(rows, y).equations(net)
    free = net.scalings()
    scalable = net.hidden[:-1] if net.fused else net.hidden
    scalable = scalable if net.activation.is_homogeneous else ()
    assert free.shape[1] == sum(edges.n_targets for edges in scalable)
    torch.testing.assert_close(free.norm(dim=0), torch.ones(free.shape[1]).double())
    size = float(gram.diagonal().max())
    assert float((gram @ free).abs().sum()) < 1e-10 * size
    assert float((gradient @ free).abs().sum()) < 1e-10 * size
    if free.shape[1]:
        # A step along one leaves the outputs to first order only.
        step = net.with_values(net.values + 1e-6 * free[:, 0])
        assert float((outputs(step, rows) - outputs(net, rows)).abs().max()) < 1e-10


def test_what_is_kept_is_what_is_left(case):
    net = network(case)
    rows, _ = data(net.n_outputs)
    kept = torch.rand(len(net.values), generator=torch.Generator().manual_seed(3)) < 0.6
    if net.activation.at_zero:
        pytest.skip("units without inputs are constants, which are dropped with them")
    small = net.keep(kept)
    zeroed = net.with_values(net.values * kept)
    torch.testing.assert_close(outputs(small, rows), outputs(zeroed, rows))
    assert len(small.values) <= int(kept.sum())
    for before, after in zip(small.hidden, [*small.hidden[1:], small.readout], strict=True):
        units = list(range(before.n_targets))
        assert torch.unique(before.target).tolist() == units
        # The constant one, if any, comes after the units.
        assert [at for at in torch.unique(after.source).tolist() if at in units] == units
    same = net.keep(torch.ones_like(kept))
    assert torch.equal(same.values, net.values)


def test_idle_units_go_layer_by_layer():
    # Unit 1 of the first layer feeds only unit 1 of the second, which feeds nothing.
    first, second = torch.eye(3).double(), torch.eye(3).double()
    readout = torch.tensor([[1.0], [0.0], [2.0]]).double()
    second[2, 2] = 0  # unit 2 of the second layer gets nothing
    edges = Edges.from_dense
    net = SparseNet((edges(first), edges(second)), edges(readout), edges(readout * 0), False)
    small = net.without_idle_units()
    assert [edges.nnz for edges in small.trained] == [1, 1, 1, 0]
    assert [edges.n_targets for edges in small.hidden] == [1, 1]
    block = torch.randn(3, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(small.forward(block).outputs, net.forward(block).outputs)
    nothing = replace(net, readout=net.readout.emptied()).without_idle_units()
    assert (nothing.n_units, nothing.nnz) == (0, 0)
    assert not nothing.forward(block).outputs.any()


def test_weights_are_counted_without_a_free_linear_term():
    net = network("three outputs with a linear term")
    assert net.nnz == net.hidden[0].nnz + net.readout.nnz
    assert replace(net, skip_counts=True).nnz == len(net.values)
    fused = network("fused with a linear term")
    assert fused.nnz == fused.hidden[0].nnz
    assert network("two layers, three outputs").n_units == 6


def test_edges_are_a_matrix():
    matrix = draw(4, 6, density=0.5)
    edges = Edges.from_dense(matrix)
    torch.testing.assert_close(edges.dense(), matrix.T)
    more = edges.add(torch.tensor([0, 0, 3]), torch.tensor([5, 5, 0]), torch.ones(3).double())
    expected = matrix.clone()
    expected[0, 5] += 2
    expected[3, 0] += 1
    torch.testing.assert_close(more.dense(), expected.T)
    order = more.target * 4 + more.source
    assert torch.equal(order, order.sort().values)
    sources, targets = torch.tensor([1, 3]), torch.tensor([0, 2, 5])
    torch.testing.assert_close(
        edges.renumber(sources, targets).dense(), matrix[sources][:, targets].T
    )
    used = torch.unique(edges.source)
    torch.testing.assert_close(edges.dense(used), matrix[used].T)
    assert edges.emptied().nnz == 0
