"""What the loop around all solvers does: when gates are renewed, what is redrawn and returned."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from sparsefit.core.batches import Batches
from sparsefit.core.datafits import Squared
from sparsefit.core.gates import RandomGates
from sparsefit.core.problem import Problem
from sparsefit.core.result import Status
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.methods.aiht import AcceleratedIHT
from sparsefit.models import FactoredReLU, GatedReLU
from sparsefit.models._patterns import MixedGates
from sparsefit.solvers import AIHT, SketchedIHT, Solver
from tests.unit.test_iht import planted

N, D, HIDDEN = 400, 8, 12


@dataclass(frozen=True, kw_only=True)
class Script(Solver):
    """Go through given iterates, and note the gates under which each step is made."""

    iterates: tuple = ()
    gates: list = field(default_factory=list)

    def step(self, model, datafit, y, coef, nnz, epoch):
        self.gates.append(model.patterns.gates)
        return self.iterates[epoch], datafit.value(model.forward(coef), y)


def vector(*entries):
    indices = torch.tensor([index for index, _ in entries])
    values = torch.tensor([value for _, value in entries], dtype=torch.float64)
    return SparseVector(indices, values, D * HIDDEN)


def gated(X):
    return GatedReLU(RowBlocks(X, dtype=torch.float64), HIDDEN, RandomGates(0, D))


def run(iterates, y=None, **options):
    X, planted_y = planted()
    y = torch.from_numpy(planted_y if y is None else y(X))
    solver = Script(epochs=len(iterates), iterates=tuple(iterates), **options)
    return solver, solver.solve(gated(X), Squared(), y, 3, batches=Batches(N, 0, 0))


ITERATES = [vector((number, 1.0 + number)) for number in range(7)]


def test_gates_are_renewed_after_every_step_but_the_first():
    solver, _ = run(ITERATES)
    assert all(isinstance(gates, RandomGates) for gates in solver.gates[:2])
    assert solver.gates[2:] == ITERATES[1:-1]


def test_gates_are_renewed_only_every_so_many_steps():
    solver, _ = run(ITERATES, update_every=3)
    assert all(isinstance(gates, RandomGates) for gates in solver.gates[:3])
    assert solver.gates[3:] == [ITERATES[2]] * 3 + [ITERATES[5]]


def test_a_step_that_changes_nothing_is_the_last_only_under_settled_gates():
    still = [ITERATES[1]] * 12
    assert run(still)[1].n_iter == 3
    # Gates are renewed after steps 4 and 8; only the step after shows that nothing moves.
    _, result = run(still, update_every=4)
    assert (result.n_iter, result.status) == (5, Status.CONVERGED)
    assert run(still, sequential=False)[1].n_iter == 3


def test_with_redrawn_gates_nothing_is_settled():
    assert run([ITERATES[1]] * 6, redraw=0)[1].status is Status.FINISHED


def test_redrawn_gates_are_the_weights_and_fresh_draws_elsewhere():
    solver, _ = run(ITERATES, redraw=5)
    seeds = set()
    for gates, weights in zip(solver.gates[2:], ITERATES[1:], strict=False):
        assert isinstance(gates, MixedGates)
        assert gates.weights is weights
        seeds.add(gates.fresh.seed)
    assert len(seeds) == len(solver.gates) - 2
    again, _ = run(ITERATES, redraw=5)
    assert [gates.fresh for gates in again.gates[2:]] == [g.fresh for g in solver.gates[2:]]


def test_the_best_iterate_is_that_of_the_least_loss_as_a_network():
    good = vector((0, 1.0), (1, -0.5))
    poor = vector((0, 1.0))
    iterates = [poor, good, vector((0, 40.0)), poor]

    def y(X):
        return np.maximum(X[:, 0] - 0.5 * X[:, 1], 0)

    assert run(iterates, y)[1].coef is poor
    assert run(iterates, y, keep_best=True)[1].coef is good
    # The last renewal is later than the best iterate: under stale gates others look better.
    assert run(iterates, y, keep_best=True, update_every=3)[1].coef is good


def test_the_best_iterate_survives_divergence():
    broken = vector((0, float("nan")))
    iterates = [vector((0, 1.0)), vector((0, 40.0)), broken]

    def y(X):
        return np.maximum(X[:, 0], 0)

    for keep_best, index in ((True, 0), (False, 1)):
        _, result = run(iterates, y, keep_best=keep_best)
        assert result.status is Status.DIVERGED
        assert result.coef is iterates[index]


@pytest.mark.parametrize("seed", range(3))
def test_a_dead_unit_comes_back_only_with_a_redrawn_gate(seed):
    X, y = planted(seed=seed)
    model = gated(X).refresh(vector((0, 1.0)))
    target = torch.from_numpy(y)
    kept = {int(i) // D for block in model.blocks(model.zeros(), target) for i in block.indices}
    assert kept == {0}
    redrawn = gated(X).refresh(vector((0, 1.0)), fresh=seed)
    found = {
        int(i) // D
        for block in redrawn.blocks(model.zeros(), target)
        for i in block.indices[block.gradient != 0]
    }
    assert found == set(range(HIDDEN))


def test_redrawing_and_keeping_the_best_help_on_planted_networks():
    """Where AIHT loses units for good: few weights per unit."""
    losses = {}
    for redraw, keep_best in ((None, False), (0, True)):
        for seed in range(4):
            X, y = planted(n=1000, d=20, hidden=20, nnz=40, seed=seed)
            model = GatedReLU(RowBlocks(X, dtype=torch.float64), 20, RandomGates(seed, 20))
            solver = AIHT(epochs=60, redraw=redraw, keep_best=keep_best)
            batches = Batches(1000, 0, 0)
            result = solver.solve(model, Squared(), torch.from_numpy(y), 40, batches=batches)
            z = model.refresh(result.coef).forward(result.coef).numpy()
            losses.setdefault(keep_best, []).append(np.log10(np.square(z - y).mean()))
    assert np.mean(losses[True]) < np.mean(losses[False])


def test_several_outputs_take_the_repairs_too():
    X, y = planted()
    problem = Problem(X, np.stack([y, 2 * y], axis=1))

    def losses(**options):
        method = AcceleratedIHT(epochs=20, step=0.05, **options)
        [(_, fit)] = method.path(problem, [9], Setting(hidden=HIDDEN))
        return np.square(fit.network.predict(X) - problem.y).mean()

    plain = losses()
    assert losses(keep_best=True) <= plain
    assert losses(dead_gates="redraw") != plain
    assert losses(update_every=4) != plain


@pytest.mark.parametrize("redraw", [None, 1])
def test_with_several_outputs_a_unit_without_any_weights_comes_back_only_if_redrawn(redraw):
    X, y = planted()
    model = FactoredReLU(RowBlocks(X, dtype=torch.float64), 3, 2, RandomGates(0, D))
    coef = SparseVector(torch.tensor([0, 24]), torch.ones(2).double(), model.n_params)
    solver = SketchedIHT(epochs=9, length=0.1, seed=0, redraw=redraw)
    solver.start(model, 30)
    target = torch.from_numpy(np.stack([y, 2 * y], axis=1))
    new, _ = solver.step(model.refresh(coef, redraw), Squared(), target, coef, 30, epoch=5)
    assert bool((new.indices > 7)[new.indices < 24].any()) == (redraw is not None)


def test_factored_models_redraw_gates_of_units_without_hidden_weights():
    rows = RowBlocks(planted()[0], dtype=torch.float64)
    model = FactoredReLU(rows, 3, 2, RandomGates(0, D))
    coef = SparseVector(torch.tensor([0, 24]), torch.ones(2).double(), model.n_params)
    gates = model.refresh(coef, fresh=4).patterns.gate_rows(torch.arange(3)).numpy()
    np.testing.assert_array_equal(gates[0], np.eye(D)[0])
    np.testing.assert_array_equal(gates[1:], RandomGates(4, D).rows([1, 2]))
