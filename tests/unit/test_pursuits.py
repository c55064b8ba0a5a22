"""The pursuits against their plain forms on a matrix in memory, and what they promise."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsefit.core.batches import Batches
from sparsefit.core.datafits import Logistic, Squared
from sparsefit.core.errors import SparsefitError
from sparsefit.core.gates import RandomGates
from sparsefit.core.problem import Problem
from sparsefit.core.result import Status
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.methods import find_method
from sparsefit.models import FactoredReLU, GatedReLU
from sparsefit.solvers import HTP, OMP, SubspacePursuit
from sparsefit.solvers.pursuit import best_atoms, least_squares
from tests.reference import pursuits as reference
from tests.reference.dense_matrix import DenseMatrix
from tests.unit.test_iht import planted

N, HIDDEN, NNZ = 400, 12, 18
BATCHES = Batches(N, 0, 0)
CASES = {
    "htp": (HTP, reference.htp_step),
    "subspace pursuit": (SubspacePursuit, reference.subspace_step),
}


def gated(X, seed=0):
    return GatedReLU(RowBlocks(X, dtype=torch.float64), HIDDEN, RandomGates(seed, X.shape[1]))


def solve(solver, model, y, nnz=NNZ):
    return solver.solve(model, Squared(), torch.from_numpy(y), nnz, batches=BATCHES)


def drawn(seed, d=8):
    return lambda unit: RandomGates(seed, d).rows([unit])[0]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sequential", [True, False])
@pytest.mark.parametrize("epochs", [1, 2, 3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_plain_form(name, sequential, epochs, seed):
    X, y = planted(seed=seed)
    solver, step = CASES[name]
    expected = reference.fit(step, X, y, HIDDEN, NNZ, drawn(seed), epochs, sequential)
    result = solve(solver(epochs=epochs, sequential=sequential), gated(X, seed), y)
    assert result.coef.indices.tolist() == np.flatnonzero(expected).tolist()
    np.testing.assert_allclose(result.coef.to_dense(), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("atoms", [1, 4, 100])
@pytest.mark.parametrize("seed", range(3))
def test_omp_equals_the_plain_form(atoms, seed):
    X, y = planted(seed=seed)
    steps = -(-NNZ // atoms)
    step = partial(reference.omp_step, atoms=atoms)
    expected = reference.fit(step, X, y, HIDDEN, NNZ, drawn(seed), steps, False)
    result = solve(OMP(epochs=steps, atoms=atoms), gated(X, seed), y)
    assert result.coef.indices.tolist() == np.flatnonzero(expected).tolist()
    np.testing.assert_allclose(result.coef.to_dense(), expected, rtol=1e-4, atol=1e-5)


def test_atoms_are_ranked_by_correlation_not_by_length():
    A = torch.tensor([[9.0, 0.1, 0.0], [9.0, 0.0, 0.0]], dtype=torch.float64)
    model, r = DenseMatrix(A), torch.tensor([1.0, 0.2], dtype=torch.float64)
    assert best_atoms(model, model.zeros(), r, 1).tolist() == [1]
    assert best_atoms(model, model.zeros(), r, 3).tolist() == [0, 1]  # never a zero column


matrices = st.tuples(st.integers(1, 8), st.integers(1, 6), st.integers(0, 2**32 - 1))


@settings(max_examples=60, deadline=None)
@given(matrices)
def test_least_squares_is_optimal_and_nearest_whatever_the_columns(shape):
    n, s, seed = shape
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, s)) * 10.0 ** rng.integers(-4, 4, size=s)
    A[:, rng.random(s) < 0.2] = 0
    A = A[:, rng.integers(0, s, size=s)]  # equal columns
    y, start = rng.normal(size=n), rng.normal(size=s)
    columns = DenseMatrix(torch.from_numpy(A)).support(torch.arange(s))
    v, z = least_squares(columns, torch.from_numpy(y), torch.from_numpy(start))
    np.testing.assert_allclose(z, A @ v.numpy(), atol=1e-8 * (1 + np.abs(A @ start).max()))
    norms, B = reference.unit_columns(A)
    best = norms * start + np.linalg.lstsq(B, y - A @ start, rcond=1e-10)[0]
    np.testing.assert_allclose(B @ (norms * v.numpy()), B @ best, atol=1e-5 * (1 + abs(best).max()))
    assert (v.numpy()[norms == 0] == start[norms == 0]).all()


def test_equal_columns_share_their_weight():
    A = torch.tensor([[1.0, 1.0], [2.0, 2.0]]).double()
    columns = DenseMatrix(A).support(torch.arange(2))
    v, _ = least_squares(columns, 3 * A[:, 0], torch.zeros(2).double())
    np.testing.assert_allclose(v, [1.5, 1.5])


def test_weights_do_not_run_away_along_nearly_equal_columns():
    """Where rounding is all that is left of the residual, in float32."""
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        A = rng.normal(size=(3, 3))[:, rng.integers(0, 3, size=6)] + 1e-6 * rng.normal(size=(3, 6))
        columns = DenseMatrix(torch.from_numpy(A).float()).support(torch.arange(6))
        y = torch.from_numpy(rng.normal(size=3)).float()
        assert least_squares(columns, y, torch.zeros(6))[0].abs().max() < 1000


def test_a_solution_is_returned_bit_for_bit():
    A = torch.from_numpy(np.random.default_rng(0).normal(size=(30, 5)))
    columns, y = DenseMatrix(A).support(torch.arange(5)), torch.randn(30).double()
    v, _ = least_squares(columns, y, torch.zeros(5).double())
    assert torch.equal(least_squares(columns, y, v)[0], v)


@pytest.mark.parametrize("solver", [HTP(epochs=50), SubspacePursuit(epochs=50), OMP(epochs=3)])
def test_recovers_a_sparse_vector_exactly_and_stops(solver):
    rng = np.random.default_rng(1)
    A, truth = rng.normal(size=(N, 60)), np.zeros(60)
    truth[[4, 17, 40]] = [1.0, -2.0, 0.5]
    result = solve(solver, DenseMatrix(torch.from_numpy(A)), A @ truth, nnz=3)
    np.testing.assert_allclose(result.coef.to_dense(), truth, atol=1e-12)
    if not isinstance(solver, OMP):
        assert result.status is Status.CONVERGED
        assert result.n_iter < 6


def test_omp_leaves_budget_over_once_the_fit_is_exact():
    rng = np.random.default_rng(1)
    A = rng.normal(size=(N, 60))
    y = A[:, [7, 9, 30]] @ np.array([1.0, -2.0, 0.3])
    result = solve(OMP(epochs=10), DenseMatrix(torch.from_numpy(A)), y, nnz=10)
    assert result.coef.indices.tolist() == [7, 9, 30]
    assert result.status is Status.CONVERGED


def test_subspace_pursuit_never_loses_under_fixed_gates():
    X, y = planted(seed=2)
    losses = solve(SubspacePursuit(epochs=20, sequential=False), gated(X), y).history
    assert all(after <= before * (1 + 1e-9) for before, after in pairwise(losses))


@pytest.mark.parametrize("solver", [HTP(epochs=1), SubspacePursuit(epochs=1), OMP(epochs=1)])
def test_what_least_squares_cannot_fit_is_refused(solver):
    X, y = planted()
    with pytest.raises(TypeError, match="squared loss"):
        solver.solve(gated(X), Logistic(), torch.from_numpy(y), 5, batches=BATCHES)
    factored = FactoredReLU(RowBlocks(X, dtype=torch.float64), 3, 2, RandomGates(0, 8))
    with pytest.raises(TypeError, match="linear"):
        solve(solver, factored, np.stack([y, y], axis=1))
    with pytest.raises(TypeError, match="linear"):
        next(factored.atoms(torch.from_numpy(y)))


@pytest.mark.parametrize("name", ["htp", "subspace-pursuit", "omp"])
def test_methods_refuse_what_they_cannot_fit_in_a_sentence(name):
    X, y = planted()
    method = find_method(name)()
    labels = (y > 1).astype(float)[:, None]
    with pytest.raises(SparsefitError, match=f"'{name}' fits the squared loss; .* logistic loss"):
        next(method.path(Problem(X, labels, loss="logistic"), [5], Setting(hidden=3)))
    with pytest.raises(SparsefitError, match=f"'{name}' fits networks of one output.* 2 outputs"):
        next(method.path(Problem(X, np.stack([y, y], axis=1)), [5], Setting(hidden=3)))


@pytest.mark.parametrize("name", ["htp", "subspace-pursuit"])
def test_finds_more_of_a_planted_network_than_any_constant_does(name):
    X, y = planted(n=1000)
    [(_, fit)] = find_method(name)(keep_best=True).path(
        Problem(X, y[:, None]), [NNZ], Setting(hidden=HIDDEN)
    )
    assert np.square(fit.network.predict(X)[:, 0] - y).mean() < 0.1 * y.var()


def test_omp_takes_at_most_fifty_passes_unless_told():
    make = find_method("omp")
    for nnz, asked, expected in ((20, None, (20, 1)), (120, None, (40, 3)), (20, 7, (3, 7))):
        solver = make(atoms=asked).make_solver(nnz, Setting())
        assert (solver.epochs, solver.atoms) == expected
