"""Drive the masks of a model along a schedule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sparsefit.core.errors import OptionError
from sparsefit.nn.budget import ALLOCATIONS, Allocation, Candidate, Choice, choose
from sparsefit.nn.following import follow_optimizers
from sparsefit.nn.masks import Magnitude, MaskRule
from sparsefit.nn.parametrization import Masked
from sparsefit.nn.schedules import Cubic, Schedule
from sparsefit.nn.structure import NM, Structure, Unstructured
from sparsefit.nn.targets import attach, check_names, find_weights, forget

DEFAULT_SPARSITY = 0.9


class Pruner:
    """Masks the weights of a model and makes the masks anew along a schedule.

    Parameters
    ----------
    model : Module
        Changed in place: its linear layers and convolutions get a mask by parametrization, and the
        values behind it stay. Numbers that get no mask stay dense.
    sparsity : float, optional
        Final share of masked weights that are zero, in [0, 1); default 0.9, or what an `NM`
        structure fixes.
    nnz : int, optional
        In place of `sparsity`: how many nonzero parameters the whole model may have in the end,
        those without a mask (biases, norms) included.
    mask : MaskRule, optional
        Default `Magnitude` that does not revive what is pruned.
    structure : Structure or mapping, optional
        What is pruned together, everywhere or by the name of the layer; default `Unstructured`.
        Biases are always unstructured.
    schedule : Schedule, optional
        Default `Cubic`: to the final sparsity in 1000 steps.
    allocation : {"erk", "uniform", "global"} or callable, optional
        How layers share the budget: denser where layers are small (the default), one density, or
        one ranking of all weights; or a function that is called as `choose` is, but for its last
        argument, and says which weights to keep.
    layers : sequence of str, optional
        Names of the layers to mask; default: every linear layer and convolution.
    biases : bool, optional
        Mask their biases as well.

    Raises
    ------
    OptionError
        If a value is not allowed, or the model has no such layers.

    Examples
    --------
    >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> pruner = Pruner(model, sparsity=0.75, schedule=Cubic(end=20, period=5))
    >>> for _ in range(20):
    ...     optimizer.zero_grad()
    ...     model(torch.randn(4, 8)).square().mean().backward()
    ...     optimizer.step()
    ...     pruner.step(optimizer)
    >>> int((model[0].weight != 0).sum() + (model[2].weight != 0).sum())
    36
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        sparsity: float | None = None,
        nnz: int | None = None,
        mask: MaskRule | None = None,
        structure: Structure | Mapping[str, Structure] | None = None,
        schedule: Schedule | None = None,
        allocation: Allocation | Choice = "erk",
        layers: Sequence[str] | None = None,
        biases: bool = False,
    ):
        if not callable(allocation) and allocation not in ALLOCATIONS:
            words = f"one of {', '.join(ALLOCATIONS)}, or a function"
            raise OptionError("allocation", allocation, words)
        _check_types(model, mask, structure, schedule)
        rule = Magnitude(gradient="masked") if mask is None else mask
        self.structure = structure or Unstructured()
        self.schedule = schedule or Cubic()
        self._choose: Choice = (
            allocation if callable(allocation) else partial(choose, allocation=allocation)
        )
        found = list(find_weights(model, layers, biases=biases))
        if isinstance(structure, Mapping):
            check_names("structure", structure, [layer for layer, _, _ in found])
        for layer, tensor, module in found:
            shape = tuple(getattr(module, tensor).shape)
            self._structure_of(layer, tensor).check(shape, layer or "model")
        self.n_maskable = sum(getattr(module, tensor).numel() for _, tensor, module in found)
        self.keep = self._final_count(model, sparsity, nnz)
        masks = [
            Masked(getattr(module, tensor), rule, self._structure_of(layer, tensor), self)
            for layer, tensor, module in found
        ]
        self.targets = [attach(*place, masked) for place, masked in zip(found, masks, strict=True)]
        self.n_steps, self._is_finished, self._is_automatic = 0, False, False
        self.refresh()
        self.go_to(0)

    def _structure_of(self, layer: str, tensor: str) -> Structure:
        if tensor == "bias":
            return Unstructured()
        if isinstance(self.structure, Mapping):
            return self.structure.get(layer, Unstructured())
        return self.structure

    def _final_count(self, model: nn.Module, sparsity: float | None, nnz: int | None) -> int:
        """Return how many of the masked weights are kept in the end."""
        fixed, most = None, None
        if isinstance(self.structure, NM):
            fixed = self.structure.density
            # Rounded up for biases, which m need not divide, so that weights get their n places.
            most = -(-self.structure.n * self.n_maskable // self.structure.m)
        if nnz is not None:
            if sparsity is not None:
                raise OptionError("nnz", nnz, f"left out if sparsity is given, here {sparsity}")
            dense = sum(parameter.numel() for parameter in model.parameters()) - self.n_maskable
            if not _is_integer(nnz) or not dense < nnz <= dense + self.n_maskable:
                words = f"an integer from {dense + 1} to {dense + self.n_maskable}"
                words += f" ({dense} parameters have no mask)" if dense else ""
                raise OptionError("nnz", nnz, words)
            keep = nnz - dense
            return int(keep if most is None else min(keep, most))
        if sparsity is None:
            sparsity = DEFAULT_SPARSITY if fixed is None else 1 - fixed
        if not isinstance(sparsity, (int, float)) or not 0 <= sparsity < 1:
            raise OptionError("sparsity", sparsity, "a number >= 0 and < 1")
        if fixed is not None and abs(sparsity - (1 - fixed)) > 1e-9:
            raise OptionError("sparsity", sparsity, f"{1 - fixed:g} with this n:m structure")
        return int(max(1, round((1 - sparsity) * self.n_maskable)) if most is None else most)

    @property
    def sparsity(self) -> float:
        """The present share of masked weights that are zero."""
        kept = sum(
            int(target.masked.mask.count_nonzero())
            * target.masked.structure.group_size(tuple(target.original.shape))
            for target in self.targets
        )
        return float(1 - kept / self.n_maskable)

    def masks(self) -> dict[str, Tensor]:
        """Return the present masks by name of the weight, as bool in its shape."""
        return {
            target.name: target.masked.structure.scale(
                torch.ones_like(target.original), target.masked.mask
            ).bool()
            for target in self.targets
        }

    def step(self, optimizer: Optimizer | None = None) -> None:
        """Count an optimiser step, and make the masks anew if the schedule says so.

        Call it after ``optimizer.step()`` and before ``zero_grad()``.

        Parameters
        ----------
        optimizer : Optimizer, optional
            Where pruned weights do not learn, what the optimiser remembers of them is set to zero,
            so that no momentum revives them.
        """
        self.n_steps += 1
        if self._is_finished:
            return
        if self._is_due(self.n_steps):
            self.refresh(optimizer)
        due = self._is_due(self.n_steps + 1)
        for target in self.targets:
            target.masked.prepare(due=due)

    def _is_due(self, step: int) -> bool:
        return self.schedule.is_due(step) or step == self.targets[0].masked.rule.anneal

    def go_to(self, step: int) -> None:
        """Go on from a step of a checkpoint, with the masks that it holds."""
        self.n_steps = step
        due = self._is_due(step + 1)
        for target in self.targets:
            target.masked.prepare(due=due)
            target.masked.is_soft = step < target.masked.rule.anneal

    @torch.no_grad()
    def refresh(self, optimizer: Optimizer | None = None) -> None:
        """Make the masks anew for the present step."""
        self._set_masks(self._count(), self.schedule.stop, optimizer)

    def finish(self) -> None:
        """Bring the masks to the final sparsity, hard, whatever the schedule says; they stay so."""
        target = self.targets[0]
        if self._count() > self.keep or target.masked.is_soft:
            # The mask stops here, so that rules that drop and grow exchange nothing more.
            self._set_masks(self.keep, self.n_steps, None)
        for target in self.targets:
            target.masked.is_soft = False
        self._is_finished = True

    def _count(self) -> int:
        return self.schedule.count(self.n_steps, self.keep, self.n_maskable)

    @torch.no_grad()
    def _set_masks(self, keep: int, stop: int | None, optimizer: Optimizer | None) -> None:
        candidates = [
            Candidate(
                tuple(target.original.shape),
                target.masked.structure,
                target.masked.rule.importance(
                    target.masked.evidence(
                        target.original, self.n_steps, stop, target.memory(optimizer)
                    )
                ),
            )
            for target in self.targets
        ]
        chosen = self._choose(candidates, keep)
        for target, kept in zip(self.targets, chosen, strict=True):
            stayed = target.masked.mask * kept
            target.masked.set_mask(kept, self.n_steps)
            forget(target, stayed, optimizer)

    def is_trained_by(self, parameters: set[int]) -> bool:
        """Return whether any of its weights or scores is among those, given by ``id``."""
        own = (p for at in self.targets for p in (at.original, at.masked.scores))
        return any(id(parameter) in parameters for parameter in own if parameter is not None)

    def follow(self) -> None:
        """Step from now on whenever an optimiser steps the model's weights."""
        self._is_automatic = True
        follow_optimizers(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Follow the optimiser of a copied model as the original does."""
        self.__dict__.update(state)
        if self._is_automatic:
            self.follow()


def _check_types(model: object, mask: object, structure: object, schedule: object) -> None:
    structures = structure.values() if isinstance(structure, Mapping) else [structure]
    given = [
        ("model", model, nn.Module, "a torch module"),
        ("mask", mask, MaskRule, "a mask rule such as HardTopK()"),
        ("schedule", schedule, Schedule, "a schedule such as Cubic()"),
        *(("structure", one, Structure, "a structure such as Rows()") for one in structures),
    ]
    for name, value, kind, words in given:
        if not isinstance(value, kind) and (value is not None or name == "model"):
            raise OptionError(name, value, words)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
