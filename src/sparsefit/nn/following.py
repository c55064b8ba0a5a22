"""Pruners that follow the optimisers of their models.

Hooks of torch tell of every step of every optimiser: only there is it known that weights are about
to move or have moved, be it in a compiled graph, with accumulated gradients or under a scaler that
skips steps; fused optimisers do not even count up a tensor's version.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Protocol

from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)


class Follower(Protocol):
    """What follows optimisers: a `Pruner`."""

    def before_step(self, parameters: set[int]) -> None:
        """Prepare for the step of an optimiser of parameters, given by ``id``."""

    def after_step(self, optimizer: Optimizer, parameters: set[int], *, counts: bool) -> None:
        """Apply the masks to what an optimiser has changed, and count its step."""


# A dictionary, as its order is that in which pruners came: they may draw random numbers.
_FOLLOWING: weakref.WeakKeyDictionary[Follower, None] = weakref.WeakKeyDictionary()
_hooks: list[Any] = []


def follow_optimizers(pruner: Follower) -> None:
    """Tell a pruner of every step of every optimiser."""
    if not _hooks:
        _hooks.append(register_optimizer_step_pre_hook(_before_step))
        _hooks.append(register_optimizer_step_post_hook(_after_step))
    _FOLLOWING[pruner] = None


def unfollow(pruner: Follower) -> None:
    """Leave a pruner alone from now on."""
    _FOLLOWING.pop(pruner, None)


def _before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
    if not _FOLLOWING:
        return None
    _prepare(optimizer)
    # A closure runs the model, which is to see its masks, in the middle of the step.
    if kwargs.get("closure") is not None:
        return args, {**kwargs, "closure": _Closure(kwargs["closure"], optimizer)}
    if len(args) > 1 and callable(args[1]):
        return (args[0], _Closure(args[1], optimizer), *args[2:]), kwargs
    return None


class _Closure:
    """A closure that sees the model as it is outside of a step."""

    def __init__(self, closure: Callable[[], Any], optimizer: Optimizer):
        self._closure, self._optimizer = closure, optimizer

    def __call__(self) -> Any:
        parameters = _parameters(self._optimizer)
        for pruner in list(_FOLLOWING):
            pruner.after_step(self._optimizer, parameters, counts=False)
        loss = self._closure()
        _prepare(self._optimizer)
        return loss


def _prepare(optimizer: Optimizer) -> None:
    parameters = _parameters(optimizer)
    for pruner in list(_FOLLOWING):
        pruner.before_step(parameters)


def _after_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    if not _FOLLOWING:
        return
    # Fused optimisers themselves skip the steps in which a gradient scaler has found infinities.
    found_inf = getattr(optimizer, "found_inf", None)
    counts = found_inf is None or not found_inf.item()
    parameters = _parameters(optimizer)
    for pruner in list(_FOLLOWING):
        pruner.after_step(optimizer, parameters, counts=counts)


def _parameters(optimizer: Optimizer) -> set[int]:
    return {id(p) for group in optimizer.param_groups for p in group["params"]}
