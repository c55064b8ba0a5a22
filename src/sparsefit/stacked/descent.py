"""Levenberg-Marquardt steps and surgery, on all networks of a stack at once."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsefit.stacked.nets import Stack
from sparsefit.stacked.objective import Active, StackObjective
from sparsefit.stacked.profiles import DESCENT

# Makes matrices of networks that nothing enters invertible.
_TINY = 1e-20


def refit(stack: Stack, objective: StackObjective, steps: int) -> Stack:
    """Lower the objective of each network over its support by Levenberg-Marquardt steps.

    Each network has a damping of its own, and takes a step only if that lowers its objective.

    Parameters
    ----------
    stack : Stack
    objective : StackObjective
    steps : int
    """
    active = Active.of(stack.support)
    damping = torch.full((len(stack),), DESCENT.damping)
    value = objective.value(stack)
    for _ in range(steps):
        gram, gradient = objective.equations(stack, active)
        factor = _factor(gram, damping)
        step = torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
        trial = _moved(stack, active, stack.weights.gather(1, active.places) - step)
        found = objective.value(trial)
        is_better = found < value
        stack, value = trial.where(is_better, stack), torch.where(is_better, found, value)
        damping = torch.where(is_better, damping / DESCENT.fall, damping * DESCENT.growth)
        damping = damping.clamp(DESCENT.least, DESCENT.most)
    return stack


def contract(stack: Stack, objective: StackObjective, size: int) -> Stack:
    """Drop weights of each network until at most `size` are left, and move the others for it.

    The weights that go are those of least w^2 / (K^-1)_ii for the matrix K of the Gauss-Newton
    equations, and the others go to the minimum of the quadratic without them (optimal brain
    surgeon), in stages.

    Parameters
    ----------
    stack : Stack
    objective : StackObjective
    size : int

    References
    ----------
    B. Hassibi and D. Stork, Second order derivatives for network pruning: optimal brain surgeon,
    Advances in Neural Information Processing Systems 5 (1992).
    """
    largest = int(stack.sizes.max())
    while largest > size:
        fewer = max(size, int((1 - DESCENT.share) * largest))
        stack = _without_least(stack.balanced(), objective, fewer)
        largest = min(fewer, int(stack.sizes.max()))
    return stack


def _without_least(stack: Stack, objective: StackObjective, size: int) -> Stack:
    active = Active.of(stack.support)
    gram, gradient = objective.equations(stack, active)
    damping = torch.full((len(stack),), DESCENT.damping)
    factor = _factor(gram, damping)
    weights = stack.weights.gather(1, active.places) * active.is_real
    best = weights - torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
    uncertainty = torch.cholesky_inverse(factor).diagonal(dim1=1, dim2=2)
    scores = torch.where(active.is_real, best.square() / uncertainty, -1.0)
    kept = scores.topk(size, dim=1).indices.sort(dim=1).values
    left = Active(active.places.gather(1, kept), active.is_real.gather(1, kept))
    support = torch.zeros_like(stack.support).scatter_(1, left.places, left.is_real)
    moved = _minimum_on(kept, _damped(gram, damping), weights, gradient)
    moved_stack = _moved(stack, left, moved).on(support)
    # Of a loss that is no quadratic, the minimum of one may be far off.
    plain = stack.on(support)
    return moved_stack.where(objective.value(moved_stack) < objective.value(plain), plain)


def _minimum_on(kept: Tensor, gram: Tensor, weights: Tensor, gradient: Tensor) -> Tensor:
    """Return where the quadratic about `weights` is least if only those in `kept`, (B, q), are."""
    size = kept.shape[1]
    aim = (gram @ weights[:, :, None])[:, :, 0] - gradient
    rows = gram.gather(1, kept[:, :, None].expand(-1, -1, gram.shape[2]))
    part = rows.gather(2, kept[:, None, :].expand(-1, size, -1))
    root, _ = torch.linalg.cholesky_ex(part)
    return torch.cholesky_solve(aim.gather(1, kept)[:, :, None], root)[:, :, 0]


def _damped(gram: Tensor, damping: Tensor) -> Tensor:
    diagonal = gram.diagonal(dim1=1, dim2=2)
    # The weights of a unit that no row enters have no curvature of their own.
    least = DESCENT.least_curvature * diagonal.mean(dim=1, keepdim=True) + _TINY
    return gram + torch.diag_embed(damping[:, None] * diagonal + least)


def _factor(gram: Tensor, damping: Tensor) -> Tensor:
    """Return the Cholesky factor of the damped matrices."""
    factor: Tensor
    factor, info = torch.linalg.cholesky_ex(_damped(gram, damping))
    if bool(info.any()):
        # Rounding in float32: a matrix of large enough diagonal has a factor.
        most = float(gram.shape[1])
        factor, _ = torch.linalg.cholesky_ex(_damped(gram, torch.where(info > 0, most, damping)))
    return factor


def _moved(stack: Stack, active: Active, values: Tensor) -> Stack:
    """Return the networks with other values of the active weights."""
    values = torch.where(active.is_real, values, 0.0)
    weights = torch.zeros_like(stack.weights).scatter_(1, active.places, values)
    return Stack(stack.shape, weights, stack.support)
