"""A weight times its mask, as a parametrization of torch.nn.utils.parametrize."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sparsefit.nn.masks import Evidence, HardTopK, MaskRule, SoftRule
from sparsefit.nn.structure import Structure


class Masked(nn.Module):
    """Multiplies a weight by a mask of zeros and ones.

    Parameters
    ----------
    weight : Tensor
        The weight that is masked; its values are not changed.
    rule : MaskRule
    structure : Structure
    driver : Pruner
        What makes the masks.

    Attributes
    ----------
    mask : Tensor
        0 or 1 for every group, in the dtype of the weight.
    scores : Parameter, Tensor or None
        What groups are ranked by, where the rule has scores.
    gain : Tensor or None
        What the gradient of the masked weight is multiplied by for the weight: 1 where the mask is,
        less elsewhere; None is 1 everywhere.
    is_soft : bool
        While True, training sees gates between 0 and 1; evaluation always sees the mask.
    """

    mask: Tensor
    gain: Tensor | None
    threshold: Tensor
    temperature: Tensor

    def __init__(self, weight: Tensor, rule: MaskRule, structure: Structure, driver: Any):
        super().__init__()
        self.rule, self.structure = rule, structure
        self.is_soft, self.driver = False, driver
        groups = structure.group_shape(tuple(weight.shape))
        self.register_buffer("mask", weight.new_ones(groups))
        self.register_buffer("gain", None, persistent=False)
        scores = rule.initial_scores(self.evidence(weight, 0, None))
        if isinstance(rule, HardTopK):
            assert scores is not None
            self.scores = nn.Parameter(scores, requires_grad=rule.trained)
        else:
            self.register_buffer("scores", None if scores is None else scores.detach())
        if isinstance(rule, SoftRule):
            self.register_buffer("threshold", weight.new_zeros(()))
            self.register_buffer("temperature", weight.new_ones(()))

    def evidence(
        self, weight: Tensor, step: int, stop: int | None, memory: Mapping[str, Any] | None = None
    ) -> Evidence:
        """Return what the rule may look at."""
        scores = getattr(self, "scores", None)
        return Evidence(
            weight.detach(), weight.grad if weight.is_leaf else None,
            None if scores is None else scores.detach(), self.mask, self.structure, step, stop,
            memory,
        )  # fmt: skip

    def forward(self, weight: Tensor) -> Tensor:
        """Return the masked weight."""
        if self.is_soft and self.training:
            assert isinstance(self.rule, SoftRule)
            gates = self.rule.gates((self.scores - self.threshold) / self.temperature)
            return self.structure.scale(weight, gates)
        scores = self.scores if isinstance(self.rule, HardTopK) else None
        masked: Tensor = _StraightThrough.apply(  # type: ignore[no-untyped-call]
            weight, scores, self.mask, self.gain, self.structure
        )
        return masked

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Let an assignment to the layer's weight set the weight behind the mask."""
        return weight

    @torch.no_grad()
    def set_mask(self, kept: Tensor, step: int) -> None:
        """Take a new mask, and the gates that belong to it.

        Parameters
        ----------
        kept : Tensor of bool
            In the shape of the groups.
        step : int
            Optimiser steps taken, which the temperature of soft gates depends on.
        """
        self.mask.copy_(kept)
        self._leak = -1.0
        self.is_soft = step < self.rule.anneal
        if self.is_soft:
            assert isinstance(self.rule, SoftRule)
            # Halfway between the lowest score that is kept and the highest that is not.
            lowest = torch.where(kept, self.scores, torch.inf).min()
            highest = torch.where(kept, -torch.inf, self.scores).max()
            middle = (lowest + highest) / 2
            self.threshold.copy_(torch.where(middle.isfinite(), middle, self.scores.min() - 1))
            self.temperature.fill_(self.rule.temperature_at(step))

    def prepare(self, *, due: bool) -> None:
        """Set `gain` for the coming step.

        Parameters
        ----------
        due : bool
            Whether a mask will be made after it.
        """
        leak = self.rule.pruned_gradient(due=due)
        if leak == self._leak:
            return
        self._leak = leak
        if leak == 0:
            self.gain = self.mask
        else:
            self.gain = None if leak == 1 else self.mask.lerp(torch.ones_like(self.mask), leak)

    def get_extra_state(self) -> Tensor:
        """Return the number of steps taken, which belongs to a checkpoint."""
        return torch.tensor(self.driver.n_steps)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from the step of a checkpoint, with the mask that was read before this."""
        self._leak = -1.0
        self.driver.go_to(int(state))


class _StraightThrough(torch.autograd.Function):
    """Weight times mask; backward treats the mask as if it were differentiable."""

    @staticmethod
    def forward(
        weight: Tensor,
        scores: Tensor | None,
        mask: Tensor,
        gain: Tensor | None,
        structure: Structure,
    ) -> Tensor:
        return structure.scale(weight, mask)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        weight, scores, _, gain, ctx.structure = inputs
        ctx.save_for_backward(None if scores is None else weight, gain)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [gradient] = gradients
        weight, gain = ctx.saved_tensors
        for_weight, for_scores = None, None
        if ctx.needs_input_grad[0]:
            for_weight = gradient if gain is None else ctx.structure.scale(gradient, gain)
        if ctx.needs_input_grad[1]:
            for_scores = ctx.structure.total(gradient * weight)
        return for_weight, for_scores, None, None, None
