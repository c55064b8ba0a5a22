"""Many networks side by side: each must go as it would alone, whatever the others do."""

import itertools
from dataclasses import replace
from functools import partial

import pytest
import torch

from sparsefit.core.datafits import DATAFITS
from sparsefit.stacked.descent import contract, refit
from sparsefit.stacked.growth import exchange, expand
from sparsefit.stacked.nets import Shape, Stack
from sparsefit.stacked.objective import Active, StackObjective
from sparsefit.stacked.path import falling_sizes, shrink
from sparsefit.stacked.start import linear_start, trained_start

LOSSES = ["squared", "huber", "poisson", "logistic", "softmax"]
SHAPE = Shape(inputs=4, units=5, outputs=2)


def objective_of(loss="squared", alphas=(0.0, 0.01, 0.0), n=120, k=2, seed=0):
    """Three networks: of all rows, of all with a ridge, and of the first half of the rows."""
    draw = torch.Generator().manual_seed(seed)
    X = torch.randn(4, n, generator=draw)
    X[3] = 1
    z = (X[:2] - X[1:3]).relu()[:k] + 0.3 * torch.randn(k, n, generator=draw)
    if loss in ("logistic", "softmax"):
        z = torch.nn.functional.one_hot(z.argmax(0), k).float().T.contiguous()
    if loss == "poisson":
        z = z.exp().round()
    row_weights = torch.ones(3, n)
    row_weights[2, n // 2 :] = 0
    return StackObjective(
        X, z.T, DATAFITS[loss](), row_weights, torch.tensor(alphas), torch.Generator()
    )


def stack_of(shape=SHAPE, share=0.6, seed=1):
    draw = torch.Generator().manual_seed(seed)
    flat = torch.randn(3, shape.count, generator=draw)
    support = torch.rand(3, shape.count, generator=draw) < share
    return Stack(shape, flat, shape.allowed & support).on(shape.allowed & support)


def outputs(shape, flat, X):
    """Return the outputs of one network, (k, n), written out."""
    hidden, out, skip = (part[0] for part in shape.split(flat[None]))
    return out @ (hidden @ X).relu() + skip @ X


def slow_value(objective, shape, at, flat):
    """Return the objective of one network, row by row."""
    z = outputs(shape, flat, objective.X.double())
    total = 0
    for row, weight in enumerate(objective.row_weights[at].double()):
        y = objective.y[row : row + 1].double()
        total = total + weight * objective.datafit.value(z[:, row][None], y)
    return total + 0.5 * objective.ridges[at].double() * flat.square().sum()


@pytest.mark.parametrize("loss", LOSSES)
def test_values_and_slopes_are_those_of_each_network_alone(loss):
    objective, stack = objective_of(loss), stack_of()
    through = objective.forward(stack)
    slopes = objective.slopes(stack, through, objective.pulls(through))
    slopes += objective.ridges[:, None] * stack.weights
    for at in range(3):
        flat = stack.weights[at].double().requires_grad_()
        value = slow_value(objective, SHAPE, at, flat)
        [expected] = torch.autograd.grad(value, flat)
        assert objective.value(stack)[at].item() == pytest.approx(value.item(), rel=1e-5)
        torch.testing.assert_close(slopes[at].double(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_equations_are_those_of_gauss_and_newton_on_the_support(loss):
    objective, stack = objective_of(loss), stack_of()
    active = Active.of(stack.support)
    gram, gradient = objective.equations(stack, active)
    curvatures = objective.curvatures(stack, objective.forward(stack))
    for at in range(3):
        flat = stack.weights[at].double()
        X, y = objective.X.double(), objective.y.double()
        J = torch.func.jacrev(lambda flat, X=X: outputs(SHAPE, flat, X))(flat)
        z = outputs(SHAPE, flat, X).T
        expected = objective.ridges[at].double() * torch.eye(SHAPE.count)
        for row, weight in enumerate(objective.row_weights[at]):
            rows = J[:, row]
            if loss == "huber":
                H = torch.diag(objective.datafit.curvature(z[row], y[row]))
            else:
                loss_of_row = partial(objective.datafit.value, y=y[row : row + 1])
                H = torch.autograd.functional.hessian(loss_of_row, z[row : row + 1])[0, :, 0]
            expected = expected + weight * rows.T @ H @ rows
        on = active.places[at][active.is_real[at]]
        real = int(active.is_real[at].sum())
        torch.testing.assert_close(
            gram[at, :real, :real].double(), expected[on][:, on], rtol=1e-3, atol=1e-2
        )
        assert torch.equal(gram[at, real:, real:], torch.eye(len(gram[at]) - real))
        assert not gram[at, :real, real:].any()
        assert not gradient[at, real:].any()
        diagonal = expected.diagonal() - objective.ridges[at]
        torch.testing.assert_close(curvatures[at].double(), diagonal, rtol=1e-3, atol=1e-2)


def test_many_outputs_are_seen_in_random_directions_that_are_right_in_the_mean():
    objective = objective_of("squared", k=2)
    y = objective.y.repeat(1, 3)
    objective = replace(objective, y=y.T.contiguous().T)
    shape = Shape(inputs=4, units=5, outputs=6)
    stack = stack_of(shape)
    through = objective.forward(stack)
    exact = objective.curvatures(stack, through)
    whole = sum(root.square() for root in objective.roots(through, most=6))
    drawn = [sum(root.square() for root in objective.roots(through, 2)) for _ in range(300)]
    torch.testing.assert_close(torch.stack(drawn).mean(0), whole, rtol=0.1, atol=0.1)
    assert exact.shape == (3, shape.count)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_refit_lowers_each_objective_on_the_support_as_it_is(loss):
    objective, stack = objective_of(loss, alphas=(0.01, 0.1, 0.03)), stack_of(share=0.4)
    found = refit(stack, objective, 20)
    assert (objective.value(found) < objective.value(stack)).all()
    assert torch.equal(found.support, stack.support)
    assert not found.weights[~found.support].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_refit_of_a_linear_model_ends_at_its_minimum(loss):
    objective = objective_of(loss, alphas=(0.01, 0.1, 0.03))
    stack = linear_start(objective, replace(SHAPE, units=1), 6)
    start = objective.equations(stack, Active.of(stack.support)).gradient
    found = refit(stack, objective, 30)
    end = objective.equations(found, Active.of(found.support)).gradient
    assert (end.norm(dim=1) < 1e-3 * start.norm(dim=1)).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_contracting_keeps_a_budget_and_costs_less_than_dropping_the_least_weights(loss):
    objective = objective_of(loss, alphas=(0.001, 0.01, 0.001))
    stack = refit(stack_of(share=0.9), objective, 20).balanced()
    fewer = contract(stack, objective, 12)
    assert (fewer.sizes <= 12).all()
    assert not (fewer.support & ~stack.support).any()
    by_magnitude = stack.largest(stack.weights.abs(), 12)
    assert objective.value(fewer).sum() < objective.value(by_magnitude).sum()


def test_growth_adds_weights_of_live_units_only_and_an_exchange_never_harms():
    objective = objective_of(alphas=(0.001,) * 3)
    small = contract(refit(stack_of(share=0.9), objective, 20), objective, 8)
    small = refit(small, objective, 5)
    more = expand(small, objective, 4)
    assert (more.sizes <= small.sizes + 4).all()
    assert (more.sizes > small.sizes).all()
    added = more.support & ~small.support
    assert not (added & ~small.of_live_units()).any()
    torch.testing.assert_close(more.weights, small.weights)
    changed = exchange(small, objective, 8)
    assert (changed.sizes <= 8).all()
    assert (objective.value(changed) <= objective.value(small)).all()


def test_balancing_and_compacting_leave_outputs_as_they_are():
    objective, stack = objective_of(), stack_of(share=0.25)
    z = objective.forward(stack).z
    torch.testing.assert_close(objective.forward(stack.balanced()).z, z, rtol=1e-4, atol=1e-4)
    compact = stack.compact()
    assert compact.shape.units == max(1, int(stack.live_units().sum(1).max()))
    assert torch.equal(compact.sizes, stack.sizes)
    torch.testing.assert_close(objective.forward(compact).z, z, rtol=1e-4, atol=1e-4)
    for at in range(3):
        found = stack.net(at).forward(objective.X.double()).outputs
        torch.testing.assert_close(found.float(), z[at].T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_weights_are_where_the_architecture_has_them(bias, skip):
    shape = Shape(inputs=3 + bias, units=6, outputs=2, bias=bias, skip=skip)
    objective = objective_of()
    if not bias:
        objective = replace(objective, X=objective.X[:3])
    stack = trained_start(objective, shape, 20, seed=0, is_over=lambda share: False)
    assert (stack.sizes <= 20).all()
    _, _, direct = shape.split(stack.support)
    assert skip or not direct[:, :, :3].any()
    for _, small in shrink(stack, objective, [12, 5, 1]):
        assert not (small.support & ~small.shape.allowed).any()


def test_rows_that_a_network_does_not_see_do_not_change_it():
    objective = objective_of("squared")
    other = objective.y.T.clone()
    other[:, 60:] = 7
    changed = replace(objective, y=other.T)
    stacks = []
    for one in (objective, changed):
        start = trained_start(one, SHAPE, 20, seed=0, is_over=lambda share: False)
        linear = refit(linear_start(one, replace(SHAPE, units=1), 6), one, 5)
        stacks.append([*shrink(start, one, [10, 6, 3]), (0, linear)])
    for (_, mine), (_, its) in zip(*stacks, strict=True):
        # Rounding may differ, as what the others need settles how sums are laid out.
        torch.testing.assert_close(mine.weights[2], its.weights[2], rtol=0.05, atol=0.05)
        assert (mine.weights[0] - its.weights[0]).abs().max() > 0.5


def test_a_stack_without_time_is_thinned_to_size_all_the_same():
    stack = trained_start(objective_of(), SHAPE, 9, seed=0, is_over=lambda share: True)
    assert (stack.sizes <= 9).all()


@pytest.mark.parametrize("nnz", [1, 2, 3, 7, 100, 500])
def test_sizes_fall_to_one(nnz):
    sizes = falling_sizes(nnz)
    assert sizes[0] == nnz
    assert sizes[-1] == 1
    assert all(a > b for a, b in itertools.pairwise(sizes))
