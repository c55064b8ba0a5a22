"""Every implicit model against its own dense matrix, its adjoint and autograd."""

import numpy as np
import pytest
import torch

from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import ROWS_PER_TILE, Workspace
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models import FactoredReLU, GatedReLU, GaussianSensing
from tests.reference.dense_matrix import DenseMatrix

N, D, HIDDEN, K = 37, 5, 6, 3


def make_rows(bias=False):
    X = np.random.default_rng(0).normal(size=(N, D))
    return RowBlocks(X, bias=bias, dtype=torch.float64)


def linear_models():
    rows = make_rows()
    gated = GatedReLU(rows, HIDDEN, RandomGates(1, D))
    return {
        "gated": gated,
        "gated with bias": GatedReLU(make_rows(bias=True), HIDDEN, RandomGates(1, D + 1)),
        "gated by weights": gated.refresh(random_coef(gated, 7)),
        "gated by weights and draws": gated.refresh(random_coef(gated, 3), fresh=4),
        "gated without memory": GatedReLU(rows, HIDDEN, RandomGates(1, D), Workspace(0)),
        "sensing": GaussianSensing(N, 20, seed=2, dtype=torch.float64),
        "sensing without memory": GaussianSensing(
            N, 20, seed=2, dtype=torch.float64, memory=Workspace(0)
        ),
        "dense": DenseMatrix(torch.randn(N, 9, dtype=torch.float64)),
    }


def random_coef(model, nnz, seed=0):
    rng = np.random.default_rng(seed)
    indices = np.sort(rng.choice(model.n_params, nnz, replace=False))
    values = torch.from_numpy(rng.normal(size=nnz))
    return SparseVector(torch.from_numpy(indices), values, model.n_params)


def matrix_of(model):
    """Return A column by column, through the public interface."""
    eye = [
        SparseVector(torch.tensor([i]), torch.ones(1, dtype=torch.float64), model.n_params)
        for i in range(model.n_params)
    ]
    return torch.stack([model.forward(unit) for unit in eye], dim=1)


def gradient_of(model, coef, cotangent):
    gradient = torch.zeros(model.n_params, dtype=torch.float64)
    seen = torch.zeros(model.n_params, dtype=torch.bool)
    for block in model.blocks(coef, cotangent):
        assert not seen[block.indices].any(), "an index in two blocks"
        seen[block.indices] = True
        assert torch.equal(block.values, coef.to_dense()[block.indices])
        gradient[block.indices] = block.gradient
    assert seen[coef.indices].all(), "a nonzero weight that no block shows"
    return gradient


@pytest.fixture(params=list(linear_models()))
def linear_model(request, monkeypatch):
    # Three blocks of rows, the last one shorter.
    monkeypatch.setattr("sparsefit.core.row_blocks.ROWS_PER_TILE", 16)
    return linear_models()[request.param]


def test_forward_is_the_matrix_times_the_coefficients(linear_model):
    coef = random_coef(linear_model, 4)
    expected = matrix_of(linear_model) @ coef.to_dense()
    torch.testing.assert_close(linear_model.forward(coef), expected)


def test_blocks_are_the_transposed_matrix_times_the_cotangent(linear_model):
    coef, r = random_coef(linear_model, 4), torch.randn(N, dtype=torch.float64)
    expected = matrix_of(linear_model).T @ r
    torch.testing.assert_close(gradient_of(linear_model, coef, r), expected)


def test_support_is_those_columns_and_their_adjoint(linear_model):
    coef = random_coef(linear_model, 4)
    A = matrix_of(linear_model)[:, coef.indices]
    columns, r = linear_model.support(coef.indices), torch.randn(N, dtype=torch.float64)
    torch.testing.assert_close(columns.matvec(coef.values), A @ coef.values)
    torch.testing.assert_close(columns.rmatvec(r), A.T @ r)


def test_both_products_in_one_pass_are_the_products_one_by_one(linear_model):
    coef = random_coef(linear_model, 7)
    y = torch.randn(len(linear_model.forward(coef)), dtype=torch.float64)
    columns = linear_model.support(coef.indices)
    for _ in range(2):  # the first pass makes the columns
        z, adjoint = columns.both(coef.values, lambda z, rows: z.square() - y[rows])
        torch.testing.assert_close(z, linear_model.forward(coef))
        torch.testing.assert_close(adjoint, columns.rmatvec(z.square() - y))


def test_norms_of_columns(linear_model):
    indices = random_coef(linear_model, 7).indices
    expected = matrix_of(linear_model)[:, indices].square().sum(dim=0)
    torch.testing.assert_close(linear_model.support(indices).squares(), expected)


def test_atoms_are_the_distinct_columns_with_their_inner_products_and_norms(linear_model):
    A, r = matrix_of(linear_model), torch.randn(N, dtype=torch.float64)
    seen = []
    for atoms in linear_model.atoms(r):
        torch.testing.assert_close(atoms.inner, A[:, atoms.indices].T @ r)
        torch.testing.assert_close(atoms.squares, A[:, atoms.indices].square().sum(dim=0))
        assert (atoms.indices.diff() > 0).all()
        seen += atoms.indices.tolist()
    assert len(set(seen)) == len(seen)
    left_out = sorted(set(range(linear_model.n_params)) - set(seen))
    for index in left_out:
        equal = [i for i in seen if i < index and torch.equal(A[:, i], A[:, index])]
        assert equal or not A[:, index].any()


def test_atoms_show_one_of_the_units_that_share_a_pattern():
    gates = SparseVector(torch.tensor([1, 11, 20]), torch.tensor([2.0, 0.5, 1.0]).double(), 30)
    model = GatedReLU(make_rows(), HIDDEN, gates)
    shown = torch.cat([atoms.indices for atoms in model.atoms(torch.randn(N).double())])
    assert sorted(shown.tolist()) == [0, 1, 2, 3, 4, *range(20, 25)]  # unit 2 is as unit 0


def test_gated_columns_are_masked_inputs():
    """The definition, written out: column (j, i) of A is 1[X h_j > 0] * X_i."""
    rows, gates = make_rows(), RandomGates(1, D)
    X = torch.from_numpy(rows.X)
    H = torch.from_numpy(gates.rows(range(HIDDEN)))
    expected = torch.cat([(X @ h > 0)[:, None] * X for h in H], dim=1)
    torch.testing.assert_close(matrix_of(GatedReLU(rows, HIDDEN, gates)), expected)


def test_refreshed_gates_make_the_relu_network():
    rows = make_rows()
    model = GatedReLU(rows, HIDDEN, RandomGates(1, D))
    coef = random_coef(model, 9)
    W = coef.to_dense().view(HIDDEN, D)
    expected = (torch.from_numpy(rows.X) @ W.T).relu().sum(dim=1)
    torch.testing.assert_close(model.refresh(coef).forward(coef), expected)


def factored(gates=None, **kwargs):
    return FactoredReLU(make_rows(), HIDDEN, K, gates or RandomGates(1, D), **kwargs)


def test_factored_forward_and_gradient_against_autograd():
    model = factored()
    coef = random_coef(model, 25)
    dense = coef.to_dense().requires_grad_()
    X = torch.from_numpy(model.rows.X)
    W = dense[: HIDDEN * D].view(HIDDEN, D)
    U = dense[HIDDEN * D :].view(HIDDEN, K)
    active = X @ torch.from_numpy(RandomGates(1, D).rows(range(HIDDEN))).T > 0
    z = (active * (X @ W.T)) @ U
    torch.testing.assert_close(model.forward(coef), z.detach())
    cotangent = torch.randn(N, K, dtype=torch.float64)
    (z * cotangent).sum().backward()
    torch.testing.assert_close(gradient_of(model, coef, cotangent), dense.grad)


def test_factored_fill_replaces_only_empty_rows():
    model = factored(fill=RandomGates(3, D + K))
    coef = SparseVector(torch.tensor([0]), torch.tensor([-2.0]).double(), model.n_params)
    blocks = list(model.blocks(coef, torch.zeros(N, K, dtype=torch.float64)))
    W = blocks[0].values.view(HIDDEN, D)
    assert W[0].tolist() == [-2.0, 0, 0, 0, 0]  # all negative is not empty
    assert (W[1:] != 0).all()
    assert W[1:].abs().max() <= 1 / np.sqrt(HIDDEN * D)
    assert (blocks[1].values != 0).all()


@pytest.mark.parametrize("n", [1, ROWS_PER_TILE - 1, ROWS_PER_TILE, ROWS_PER_TILE + 1, 20_000])
def test_row_blocks_cover_all_rows_once(n):
    X = np.arange(2.0 * n).reshape(n, 2)
    rows = RowBlocks(X, bias=True, dtype=torch.float64)
    together = torch.cat(rows.blocks, dim=1).T
    assert torch.equal(together[:, :2], torch.from_numpy(X))
    assert (together[:, 2] == 1).all()


def test_gates_of_dead_units_stay_dead_and_their_weights_visible():
    """In minibatch mode the weights can outlive their gate for a step."""
    model = GatedReLU(make_rows(), HIDDEN, RandomGates(1, D))
    gate = SparseVector(torch.tensor([0, 7]), torch.tensor([1.0, 1.0]).double(), HIDDEN * D)
    coef = SparseVector(torch.tensor([1, 12]), torch.tensor([1.0, 2.0]).double(), HIDDEN * D)
    refreshed = model.refresh(gate)
    r = torch.randn(N, dtype=torch.float64)
    gradient = gradient_of(refreshed, coef, r)
    assert (gradient[10:] == 0).all()
    expected = (torch.from_numpy(refreshed.rows.X)[:, 0] > 0) * torch.from_numpy(refreshed.rows.X)[
        :, 1
    ]
    torch.testing.assert_close(refreshed.forward(coef), expected)
