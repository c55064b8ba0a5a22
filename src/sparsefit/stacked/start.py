"""Dense networks, one for each set of rows, that are thinned while they are trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from sparsefit.stacked.nets import Shape, Stack
from sparsefit.stacked.objective import StackObjective
from sparsefit.stacked.profiles import START


def trained_start(
    objective: StackObjective, shape: Shape, size: int, seed: int,
    is_over: Callable[[float], bool],
) -> Stack:  # fmt: skip
    """Train dense networks by Adam on small batches, and thin them to `size` weights meanwhile.

    An L1 norm that fades draws weights to zero, but for the skip connection; those that go are of
    least w^2 D, by which the loss would rise without a refit (optimal brain damage).

    Parameters
    ----------
    objective : StackObjective
    shape : Shape
    size : int
    seed : int
        Of the first weights, which all networks have in common, and of the batches.
    is_over : callable
        Gets the share that is done; whether to stop training there.

    References
    ----------
    Y. LeCun, J. Denker and S. Solla, Optimal brain damage, Advances in Neural Information
    Processing Systems 2 (1989).
    """
    draw = torch.Generator().manual_seed(seed)
    stack, n = _first(objective, shape, draw), objective.X.shape[1]
    moments = torch.zeros_like(stack.weights), torch.zeros_like(stack.weights)
    share = n / objective.row_weights.sum(dim=1, keepdim=True)
    penalised = torch.ones(shape.count)
    penalised[-shape.sizes[2] :] = 0
    steps, largest = START.steps(n), shape.count
    for step, batch in zip(range(steps), _batches(n, draw), strict=False):
        left = 1 - step / steps
        if step % START.every == 0:
            if is_over(1 - left):
                break
            stack = _thinned(stack, objective, _count(1 - left, size, largest), batch)
        part = objective.rows(batch)
        through = part.forward(stack)
        slopes = part.slopes(stack, through, part.pulls(through)) * (share / len(batch))
        slopes += START.penalty * left * penalised * stack.weights.sign()
        _adam(stack.weights, slopes * stack.support, moments, START.rate * left, step + 1)
    return _thinned(stack, objective, size, torch.arange(min(n, START.scored_rows)))


def _first(objective: StackObjective, shape: Shape, draw: torch.Generator) -> Stack:
    """Return dense networks without a skip connection, all alike."""
    flat = torch.randn(1, shape.count, generator=draw)
    hidden, out, skip = shape.split(flat)
    hidden /= math.sqrt(shape.inputs)
    out /= math.sqrt(shape.units)
    skip.zero_()
    B = len(objective.row_weights)
    return Stack(shape, flat.repeat(B, 1), shape.allowed.repeat(B, 1))


def _batches(n: int, draw: torch.Generator) -> Iterator[Tensor]:
    size = min(START.batch, n)
    while True:
        order = torch.randperm(n, generator=draw)
        yield from order[: n // size * size].split(size)


def _count(done: float, size: int, largest: int) -> int:
    """Return how many weights are left when a share of the steps is done."""
    left = min(1.0, max(0.0, 1 - (done - START.first) / (START.last - START.first)))
    return size + int(max(0, largest - size) * left**3)


def _thinned(stack: Stack, objective: StackObjective, size: int, rows: Tensor) -> Stack:
    if size >= int(stack.sizes.max()):
        return stack
    part = objective.rows(rows)
    scores = stack.weights.square() * part.curvatures(stack, part.forward(stack))
    return stack.largest(scores, size)


def _adam(
    weights: Tensor, slopes: Tensor, moments: tuple[Tensor, Tensor], rate: float, step: int
) -> None:
    """Move weights in place; those whose slopes were always zero stay."""
    (first, second), (a, b) = moments, START.memory
    first.lerp_(slopes, 1 - a)
    second.mul_(b).addcmul_(slopes, slopes, value=1 - b)
    size = (second / (1 - b**step)).sqrt_().add_(1e-8)
    weights.addcdiv_(first, size, value=-rate / (1 - a**step))


def linear_start(objective: StackObjective, shape: Shape, size: int) -> Stack:
    """Return networks of a skip connection only, of the `size` weights of largest gain, at zero.

    Parameters
    ----------
    objective : StackObjective
    shape : Shape
    size : int
    """
    zero = torch.zeros(len(objective.row_weights), shape.count)
    none = Stack(shape, zero, zero.bool())
    through = objective.forward(none)
    slopes = objective.slopes(none, through, objective.pulls(through))
    gain = slopes.square() / objective.curvatures(none, through).clamp(min=1e-20)
    _, _, skip = shape.split(gain := gain * shape.allowed)
    return replace(none, support=shape.allowed.expand_as(gain) & (gain > 0)).largest(
        torch.where(gain > 0, gain, -1.0), min(size, skip[0].numel())
    )
