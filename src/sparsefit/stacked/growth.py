"""Supports improved by exchange: weights that help most come in, those that help least go."""

from __future__ import annotations

from dataclasses import replace

import torch

from sparsefit.stacked.descent import contract, refit
from sparsefit.stacked.nets import Stack
from sparsefit.stacked.objective import StackObjective
from sparsefit.stacked.profiles import PATH

# Share of the mean curvature that is added, so that what a row or two show is not believed.
_LEAST_CURVATURE = 1e-3


def exchange(stack: Stack, objective: StackObjective, size: int) -> Stack:
    """Add weights, refit, and drop as many; a network that is no better for it stays as it was.

    Parameters
    ----------
    stack : Stack
        Of at most `size` weights each.
    objective : StackObjective
    size : int
    """
    value = objective.value(stack)
    for _ in range(PATH.cycles):
        more = max(PATH.fewest, int(PATH.share * size))
        wide = refit(expand(stack, objective, more), objective, PATH.exchange_steps)
        trial = refit(contract(wide, objective, size), objective, PATH.exchange_steps)
        found = objective.value(trial)
        stack = trial.where(found < value, stack)
        value = torch.minimum(found, value)
    return stack


def expand(stack: Stack, objective: StackObjective, count: int) -> Stack:
    """Add, at zero, the `count` weights between live units of largest gain G^2 / D.

    G and D are the first and second derivative of the objective by the weight alone.

    Parameters
    ----------
    stack : Stack
    objective : StackObjective
    count : int
    """
    through = objective.forward(stack)
    slopes = objective.slopes(stack, through, objective.pulls(through))
    curvatures = objective.curvatures(stack, through) + objective.ridges[:, None]
    gain = slopes.square() / (
        curvatures + _LEAST_CURVATURE * curvatures.mean(dim=1, keepdim=True) + 1e-20
    )
    possible = stack.shape.allowed & stack.of_live_units() & ~stack.support
    best = torch.where(possible, gain, 0.0).topk(min(count, gain.shape[1]), dim=1)
    added = torch.zeros_like(stack.support).scatter_(1, best.indices, best.values > 0)
    return replace(stack, support=stack.support | added)
