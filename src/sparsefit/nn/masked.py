"""A mask beside a weight: what lives in the layer, and what its forward pass sees.

The weight stays the layer's own parameter, with zeros where the mask is, under its own name: it can
be initialised, copied, averaged, saved and loaded as in any model. What rules remember of pruned
weights lies in a buffer beside it. While the layer runs, hooks put the product of weight and mask
in the place of the weight, so that a forward pass sees the mask whatever was written there.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sparsefit.core.errors import SparsefitError
from sparsefit.nn.driven import Driven
from sparsefit.nn.masks import Evidence, HardTopK, MaskRule, SoftRule
from sparsefit.nn.stored import StoredLinear, restore
from sparsefit.nn.structure import Structure
from sparsefit.nn.through import gated_weight, masked_weight


class Masked(Driven):
    """The mask of a weight, as a submodule of its layer.

    Parameters
    ----------
    owner : Module
        The layer.
    tensor : str
        Name of the weight in it.
    structure : Structure
    name, group, rule, driver
        As of `Driven`.

    Attributes
    ----------
    mask : Tensor of bool
        In the shape of the groups.
    behind : Tensor or None
        Values of pruned weights, zero elsewhere, where the rule keeps them.
    scores : Parameter, Tensor or None
        What groups are ranked by, where the rule has scores.
    gain : Tensor or None
        What the gradient is multiplied by: 1 where the mask is, less elsewhere; None is 1
        everywhere.
    is_soft : bool
        While True, training sees gates between 0 and 1; evaluation always sees the mask.
    is_released : bool
        While an optimiser steps, the weight holds the values of pruned weights as well.
    """

    mask: Tensor
    behind: Tensor | None
    gain: Tensor | None
    threshold: Tensor
    temperature: Tensor

    def __init__(
        self,
        owner: nn.Module,
        tensor: str,
        *,
        name: str,
        group: str,
        rule: MaskRule,
        structure: Structure,
        driver: Any,
    ):
        shape = getattr(owner, tensor).shape
        super().__init__(shape, name=name, group=group, rule=rule, driver=driver)
        # In a list, as the layer is no part of this module.
        self._owner = [owner]
        self.tensor, self.structure = tensor, structure
        self.is_soft, self.is_released = False, False
        self._swapped: list[nn.Parameter] = []
        weight = self.weight
        groups = structure.group_shape(tuple(weight.shape))
        self.register_buffer("mask", torch.ones(groups, dtype=torch.bool, device=weight.device))
        behind = torch.zeros_like(weight, requires_grad=False) if rule.keeps_pruned else None
        self.register_buffer("behind", behind)
        self.register_buffer("gain", None, persistent=False)
        # What the gain was made from: the leak, and a mask in one of its versions.
        self._gain_from: tuple[float, Tensor | None, int] = (1.0, None, 0)
        self._held_version = weight._version
        scores = rule.initial_scores(self.evidence(0, None))
        if isinstance(rule, HardTopK):
            assert scores is not None
            self.scores = nn.Parameter(scores, requires_grad=rule.trained)
        else:
            self.register_buffer("scores", None if scores is None else scores.detach())
        if isinstance(rule, SoftRule):
            self.register_buffer("threshold", scores.new_zeros(()))  # type: ignore[union-attr]
            self.register_buffer("temperature", scores.new_ones(()))  # type: ignore[union-attr]

    @property
    def weight(self) -> nn.Parameter:
        """The layer's parameter."""
        if self._swapped:
            return self._swapped[-1]
        return self._whole(self._owner[0]._parameters.get(self.tensor))

    def is_in(self, parameters: Container[int]) -> bool:
        """Return whether the weight is among parameters given by ``id``."""
        return id(self._owner[0]._parameters.get(self.tensor)) in parameters

    def _whole(self, weight: Any) -> nn.Parameter:
        """Refuse what FSDP makes of a weight: a piece of it, nothing, or a distributed tensor."""
        if weight is None or weight.shape != self.shape or hasattr(weight, "device_mesh"):
            raise SparsefitError(
                f"{self.name} is split over processes (FSDP), which masks do not support: shard "
                "the model after finalize, or train with DistributedDataParallel"
            )
        return weight  # type: ignore[no-any-return]

    @torch.no_grad()
    def dense(self) -> Tensor:
        """Return all values, those of pruned weights included."""
        weight = self.weight.detach()
        return weight if self.behind is None or self.is_released else weight + self.behind

    def expanded(self) -> Tensor:
        """Return the mask in the shape of the weight."""
        return self.structure.expand(self.mask, self.shape)

    @property
    def n_kept(self) -> int:
        """How many weights are kept."""
        size = self.structure.group_size(tuple(self.weight.shape))
        return int(self.mask.count_nonzero()) * size

    @property
    def _factors(self) -> Tensor:
        # Products with bytes are several times faster than with booleans.
        return self.mask.view(torch.uint8)

    def evidence(
        self, step: int, stop: int | None, memory: Mapping[str, Any] | None = None
    ) -> Evidence:
        """Return what the rule may look at."""
        scores, gradient = getattr(self, "scores", None), self.weight.grad
        if gradient is not None and gradient.is_sparse:
            gradient = gradient.to_dense()
        return Evidence(
            self.dense(), gradient, None if scores is None else scores.detach(), self.mask,
            self.structure, step, stop, memory,
        )  # fmt: skip

    def forward(self, weight: Tensor) -> Tensor:
        """Return what the layer's forward pass sees in place of the weight."""
        if self.is_soft and self.training:
            assert isinstance(self.rule, SoftRule)
            return gated_weight(
                weight, self.behind, self.scores, self.threshold, self.temperature, self.structure,
                self.rule,
            )  # fmt: skip
        scored = isinstance(self.rule, HardTopK)
        return masked_weight(
            weight, self.behind if scored else None, self.scores if scored else None,
            self._factors, self.gain, self.structure,
        )  # fmt: skip

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
        dense = self.dense()
        self.mask.copy_(kept)
        self._store(dense)
        self.is_soft = step < self.rule.anneal
        if self.is_soft:
            assert isinstance(self.rule, SoftRule)
            # Halfway between the lowest score that is kept and the highest that is not.
            lowest = torch.where(kept, self.scores, torch.inf).min()
            highest = torch.where(kept, -torch.inf, self.scores).max()
            middle = (lowest + highest) / 2
            self.threshold.copy_(torch.where(middle.isfinite(), middle, self.scores.min() - 1))
            self.temperature.fill_(self.rule.temperature_at(step))

    def prepare(self, leak: float, *, is_soft: bool) -> None:
        """Set what the gradient of pruned weights is multiplied by in the coming step."""
        self.is_soft = is_soft
        before, mask, version = self._gain_from
        if leak == before and mask is self.mask and version == mask._version:
            return
        self._gain_from = leak, self.mask, self.mask._version
        if leak == 1:
            self.gain = None
        elif leak == 0:
            self.gain = self._factors.clone()
        else:
            self.gain = self.mask.to(self.weight.dtype).mul_(1 - leak).add_(leak)

    def _store(self, dense: Tensor) -> None:
        """Put values into the weight where the mask is, and behind it elsewhere."""
        weight = self.weight
        if self.behind is None:
            weight.copy_(self.structure.scale(dense, self._factors))
        else:
            self.structure.scale(dense, self._factors ^ 1, out=self.behind)
            torch.sub(dense, self.behind, out=weight)
        self.is_released, self._held_version = False, weight._version

    @torch.no_grad()
    def release(self) -> None:
        """Let an optimiser see the values of pruned weights, as it sees those of others."""
        self.settle()
        if self.behind is not None:
            self.weight.add_(self.behind)
            self.is_released = True

    @torch.no_grad()
    def hold(self) -> None:
        """Apply the mask to the weight; what it holds elsewhere has been learned by pruned ones."""
        self._store(self.dense())

    @torch.no_grad()
    def settle(self) -> None:
        """Apply the mask to what a user, a checkpoint or an average has written into the weight."""
        weight = self.weight
        if weight._version == self._held_version and not self.is_released:
            return
        if self.behind is not None and not self.is_released:
            written = self.structure.scale(weight, self._factors) != weight
            self.behind.masked_fill_(written, 0)
        self.hold()

    @torch.no_grad()
    def take_over(self) -> None:
        """Apply the mask of a checkpoint; of one without masks, all values are there to rank."""
        if self.source != "weights":
            self.settle()
        elif self.behind is not None:
            self.behind.zero_()

    def enter(self, module: nn.Module) -> None:
        """Put the masked weight into a layer that is about to run."""
        if not torch.compiler.is_compiling():
            self.driver.on_forward(self)
        weight = self._whole(module._parameters.get(self.tensor))
        self._swapped.append(weight)
        _put(module, self.tensor, self(weight))

    def leave(self, module: nn.Module) -> None:
        """Put the weight back."""
        if self._swapped:
            _put(module, self.tensor, self._swapped.pop())

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *others: Any) -> None:
        """Read a mask; a checkpoint without masks is one of the dense model, and lacks nothing."""
        has_mask = any(key.startswith(prefix) for key in state_dict)
        if has_mask:
            super()._load_from_state_dict(state_dict, prefix, *others)
        self._held_version = -1
        self.source = "mask" if has_mask else "weights"
        self.driver.is_stale = True


def _put(module: nn.Module, tensor: str, weight: Any) -> None:
    module._parameters[tensor] = weight
    if isinstance(module, nn.RNNBase):
        # What recurrent layers pass on is a list of their own.
        module._flat_weights[module._flat_weights_names.index(tensor)] = weight


def _run_by(module: nn.Module) -> Iterator[tuple[nn.Module, Masked]]:
    """List the masks of the weights that the forward pass of a module uses itself."""
    for child in module._modules.values():
        if isinstance(child, Masked):
            yield module, child
        elif isinstance(module, nn.MultiheadAttention) and child is not None:
            # Attention uses the weight of its output layer, and does not call that.
            yield from _run_by(child)


def _before_forward(module: nn.Module, args: Any) -> None:
    for owner, masked in _run_by(module):
        masked.enter(owner)


def _after_forward(module: nn.Module, args: Any, output: Any) -> None:
    for owner, masked in _run_by(module):
        masked.leave(owner)


def _after_load(module: nn.Module, incompatible: Any) -> None:
    drivers = {id(m.driver): m.driver for m in module.modules() if isinstance(m, Driven)}
    for driver in drivers.values():
        driver.recount()


_HOOKS = (_before_forward, _after_forward, _after_load)


def count_after_loading(root: nn.Module) -> None:
    """Let masks be counted when a model has read a checkpoint."""
    if _after_load not in root._load_state_dict_post_hooks.values():
        root.register_load_state_dict_post_hook(_after_load)


def attach(masked: Masked, owners: Mapping[nn.Module, str], root: nn.Module) -> None:
    """Put a mask beside a weight.

    Parameters
    ----------
    masked : Masked
    owners : mapping of Module to str
        The layers that have the weight, and what they call it: several, if they share it.
    root : Module
        The model.
    """
    for module, tensor in owners.items():
        module.add_module(f"{tensor}_mask", masked)
        for runner in (module, *_attention_around(module, root)):
            if _before_forward not in runner._forward_pre_hooks.values():
                runner.register_forward_pre_hook(_before_forward)
                runner.register_forward_hook(_after_forward, always_call=True)
    masked.train(masked._owner[0].training)


def _attention_around(module: nn.Module, root: nn.Module) -> list[nn.Module]:
    return [
        parent for parent in root.modules()
        if isinstance(parent, nn.MultiheadAttention) and parent.out_proj is module
    ]  # fmt: skip


def detach(model: nn.Module) -> None:
    """Take all masks and their hooks from a model; the weights stay as they are."""
    for module in [*model.modules()]:
        if isinstance(module, StoredLinear):
            restore(module)
        for name, child in [*module._modules.items()]:
            if isinstance(child, Masked):
                del module._modules[name]
        for hooks in (
            module._forward_pre_hooks, module._forward_hooks, module._load_state_dict_post_hooks,
        ):  # fmt: skip
            for key in [key for key, hook in hooks.items() if hook in _HOOKS]:
                del hooks[key]
                module._forward_hooks_always_called.pop(key, None)
