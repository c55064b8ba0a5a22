"""What a forward pass sees of a masked weight, and what its gradient is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparsefit.nn.masks import SoftRule
from sparsefit.nn.structure import Structure


def masked_weight(
    weight: Tensor,
    behind: Tensor | None,
    scores: Tensor | None,
    mask: Tensor,
    gain: Tensor | None,
    structure: Structure,
) -> Tensor:
    """Return weight times mask; the gradient treats the mask as if it were differentiable.

    That of the weight is multiplied by `gain`, if there is one; scores, if there are any, get that
    of the mask, for which the values of pruned weights, `behind`, count as well.
    """
    product: Tensor = _Through.apply(weight, behind, scores, mask, gain, structure)  # type: ignore[no-untyped-call]
    return product


def gated_weight(
    weight: Tensor,
    behind: Tensor | None,
    scores: Tensor,
    threshold: Tensor,
    temperature: Tensor,
    structure: Structure,
    rule: SoftRule,
) -> Tensor:
    """Return all values of a weight times the soft gates that a rule makes of scores."""
    made: tuple[Tensor, ...] = _Gated.apply(  # type: ignore[no-untyped-call]
        weight, behind, scores, threshold, temperature, structure, rule
    )
    return made[0]


class _Through(torch.autograd.Function):
    """Weight times mask; backward treats the mask as if it were differentiable."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        weight: Tensor,
        behind: Tensor | None,
        scores: Tensor | None,
        mask: Tensor,
        gain: Tensor | None,
        structure: Structure,
    ) -> Tensor:
        return structure.scale(weight, mask)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        weight, behind, scores, _, gain, ctx.structure = inputs
        ctx.save_for_backward(None if scores is None else weight, behind, gain)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [gradient] = gradients
        weight, behind, gain = ctx.saved_tensors
        for_weight, for_scores = None, None
        if ctx.needs_input_grad[0]:
            for_weight = gradient if gain is None else ctx.structure.scale(gradient, gain)
        if ctx.needs_input_grad[2]:
            for_scores = ctx.structure.total(gradient * (weight + behind))
        return for_weight, None, for_scores, None, None, None


class _Gated(torch.autograd.Function):
    """All values of a weight times soft gates."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        weight: Tensor,
        behind: Tensor,
        scores: Tensor,
        threshold: Tensor,
        temperature: Tensor,
        structure: Structure,
        rule: SoftRule,
    ) -> tuple[Tensor, ...]:
        gates, slopes = rule.gates((scores - threshold).div_(temperature))
        dense = weight + behind
        return structure.scale(dense, gates), dense, gates, slopes.div_(temperature)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        ctx.structure = inputs[5]
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*output[1:])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        dense, gates, slopes = ctx.saved_tensors
        if gradients[0] is None:
            return (None,) * 7
        for_weight = ctx.structure.scale(gradients[0], gates)
        for_scores = ctx.structure.total(gradients[0] * dense).mul(slopes)
        return for_weight, None, for_scores, None, None, None, None
