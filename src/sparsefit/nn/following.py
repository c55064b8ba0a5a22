"""Pruners that follow the optimisers of their models.

A hook of torch tells of every step of every optimiser: only there is it known that weights have
moved, be it in a compiled graph, with accumulated gradients or under a scaler that skips steps;
fused optimisers do not even count up a tensor's version.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook


class Follower(Protocol):
    """What follows optimisers: a `Pruner`."""

    def is_trained_by(self, parameters: set[int]) -> bool:
        """Return whether any of its weights is among those, given by ``id``."""

    def step(self, optimizer: Optimizer) -> None:
        """Count a step of an optimiser."""


# With each pruner, the optimisers that have stepped since the last step that was counted.
_FOLLOWING: weakref.WeakKeyDictionary[Follower, weakref.WeakSet[Optimizer]] = (
    weakref.WeakKeyDictionary()
)
_hook: Any = None


def follow_optimizers(pruner: Follower) -> None:
    """Let a pruner step whenever an optimiser steps its model's weights."""
    global _hook
    if _hook is None:
        _hook = register_optimizer_step_post_hook(_after_step)
    _FOLLOWING[pruner] = weakref.WeakSet()


def unfollow(pruner: Follower) -> None:
    """Leave a pruner alone from now on."""
    _FOLLOWING.pop(pruner, None)


def _after_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    # Fused optimisers themselves skip the steps in which a gradient scaler has found infinities.
    found_inf = getattr(optimizer, "found_inf", None)
    if not _FOLLOWING or (found_inf is not None and found_inf.item()):
        return
    parameters = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for pruner, stepped in list(_FOLLOWING.items()):
        if not pruner.is_trained_by(parameters):
            continue
        is_next_turn = not stepped or optimizer in stepped
        if is_next_turn:
            stepped.clear()
        stepped.add(optimizer)
        if is_next_turn:
            pruner.step(optimizer)
