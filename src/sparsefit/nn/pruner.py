"""Make the layers of a model sparse: once, along a schedule, or while it is trained."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from sparsefit.core.errors import OptionError, SparsefitError, near_match
from sparsefit.nn.budget import ALLOCATIONS, Allocation, Candidate, choose
from sparsefit.nn.masks import Magnitude, MaskRule, OneShot
from sparsefit.nn.parametrization import Masked
from sparsefit.nn.schedules import Constant, Cubic, Schedule
from sparsefit.nn.structure import NM, Structure, Unstructured

M = TypeVar("M", bound=nn.Module)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
DEFAULT_SPARSITY = 0.9


@dataclass(frozen=True)
class Target:
    """A weight that is masked.

    Attributes
    ----------
    layer : str
        Name of the module in the model; empty for the model itself.
    module : Module
    tensor : str
        ``weight`` or ``bias``.
    masked : Masked
    """

    layer: str
    module: nn.Module
    tensor: str
    masked: Masked

    @property
    def name(self) -> str:
        """Name of the weight, as in ``state_dict`` of the plain model."""
        return f"{self.layer}.{self.tensor}" if self.layer else self.tensor

    @property
    def original(self) -> nn.Parameter:
        """The weight behind the mask; when that is made permanent, the weight."""
        if parametrize.is_parametrized(self.module, self.tensor):
            return self.module.parametrizations[self.tensor].original  # type: ignore
        return getattr(self.module, self.tensor)


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
    allocation : {"global", "uniform", "erk"}, optional
        How layers share the budget: one ranking, one density, or denser where layers are small.
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
        allocation: Allocation = "global",
        layers: Sequence[str] | None = None,
        biases: bool = False,
    ):
        _check(allocation, "allocation", ALLOCATIONS)
        rule = Magnitude(gradient="masked") if mask is None else mask
        self.structure = structure or Unstructured()
        self.schedule = schedule or Cubic()
        self.allocation: Allocation = allocation
        found = list(_find(model, layers, biases=biases))
        if isinstance(structure, Mapping):
            _check_names("structure", structure, [layer for layer, _, _ in found])
        for layer, tensor, module in found:
            shape = tuple(getattr(module, tensor).shape)
            self._structure_of(layer, tensor).check(shape, layer or "model")
        self.n_weights = sum(getattr(module, tensor).numel() for _, tensor, module in found)
        self.keep = self._final_count(model, sparsity, nnz)
        masks = [
            Masked(getattr(module, tensor), rule, self._structure_of(layer, tensor), self)
            for layer, tensor, module in found
        ]
        self.targets = [_attach(*place, masked) for place, masked in zip(found, masks, strict=True)]
        self.n_steps, self._is_finished = 0, False
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
            most = -(-self.structure.n * self.n_weights // self.structure.m)
        if nnz is not None:
            if sparsity is not None:
                raise OptionError("nnz", nnz, f"left out if sparsity is given, here {sparsity}")
            dense = sum(parameter.numel() for parameter in model.parameters()) - self.n_weights
            if not _is_integer(nnz) or not dense < nnz <= dense + self.n_weights:
                words = f"an integer from {dense + 1} to {dense + self.n_weights}"
                words += f" ({dense} parameters have no mask)" if dense else ""
                raise OptionError("nnz", nnz, words)
            keep = nnz - dense
            return keep if most is None else min(keep, most)
        if sparsity is None:
            sparsity = DEFAULT_SPARSITY if fixed is None else 1 - fixed
        if not isinstance(sparsity, (int, float)) or not 0 <= sparsity < 1:
            raise OptionError("sparsity", sparsity, "a number >= 0 and < 1")
        if fixed is not None and abs(sparsity - (1 - fixed)) > 1e-9:
            raise OptionError("sparsity", sparsity, f"{1 - fixed:g} with this n:m structure")
        return max(1, round((1 - sparsity) * self.n_weights)) if most is None else most

    @property
    def sparsity(self) -> float:
        """The present share of masked weights that are zero."""
        kept = sum(
            int(target.masked.mask.count_nonzero())
            * target.masked.structure.group_size(tuple(target.original.shape))
            for target in self.targets
        )
        return 1 - kept / self.n_weights

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
        return self.schedule.count(self.n_steps, self.keep, self.n_weights)

    @torch.no_grad()
    def _set_masks(self, keep: int, stop: int | None, optimizer: Optimizer | None) -> None:
        candidates = [
            Candidate(
                tuple(target.original.shape),
                target.masked.structure,
                target.masked.rule.importance(
                    target.masked.evidence(target.original, self.n_steps, stop)
                ),
            )
            for target in self.targets
        ]
        chosen = choose(candidates, keep, self.allocation)
        for target, kept in zip(self.targets, chosen, strict=True):
            stayed = target.masked.mask * kept
            target.masked.set_mask(kept, self.n_steps)
            _forget(target, stayed, optimizer)

    def is_trained_by(self, parameters: set[int]) -> bool:
        """Return whether any of its weights or scores is among those, given by ``id``."""
        own = (p for at in self.targets for p in (at.original, at.masked.scores))
        return any(id(parameter) in parameters for parameter in own if parameter is not None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Follow the optimiser of a copied model as the original does."""
        self.__dict__.update(state)
        if state.get("_is_automatic"):
            follow_optimizers(self)


def sparsify(
    model: M, *, mask: MaskRule | None = None, schedule: Schedule | None = None, **options: Any
) -> M:
    """Give a model masks that look after themselves while it is trained.

    Every ``step()`` of a torch optimiser that holds the model's weights counts as a step of the
    schedule; nothing is to be called in the training loop. Skipped steps of a gradient scaler and
    accumulated gradients are thus counted rightly. Of several optimisers that take turns on one
    model, each turn counts once.

    Parameters
    ----------
    model : Module
        Changed in place.
    mask : MaskRule, optional
        Default `Magnitude`, which lets pruned weights come back.
    schedule : Schedule, optional
        Default `Constant`.
    **options
        As of `Pruner`: sparsity, nnz, structure, allocation, layers, biases.

    Returns
    -------
    Module
        The same model.

    Examples
    --------
    >>> model = sparsify(nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1)), sparsity=0.9)
    >>> int((model[0].weight != 0).sum() + (model[2].weight != 0).sum())
    14
    """
    pruner = Pruner(model, mask=mask or Magnitude(), schedule=schedule or Constant(), **options)
    follow_optimizers(pruner)
    return model


def prune(model: M, *, sparsity: float | None = None, nnz: int | None = None, **options: Any) -> M:
    """Prune once: keep the largest weights, and hold the others at zero.

    Parameters
    ----------
    model : Module
        Changed in place. It can be trained on; `finalize` makes it a plain model again.
    sparsity, nnz, **options
        As of `Pruner`.

    Examples
    --------
    >>> model = prune(nn.Linear(8, 4), nnz=10)
    >>> sum(int((p != 0).sum()) for p in (model.weight, model.bias))
    10
    """
    options = {"mask": OneShot(), "schedule": Constant(stop=0), **options}
    return sparsify(model, sparsity=sparsity, nnz=nnz, **options)


def finalize(model: M) -> M:
    """Make the masks permanent: the model is plain again, with zeros where the masks were.

    Whatever the schedule had left to do is done first, so the budget holds exactly. The
    optimiser must be made anew if the model is trained on.

    Parameters
    ----------
    model : Module
        Changed in place; layers of this package become torch's own.

    Examples
    --------
    >>> model = finalize(sparsify(nn.Linear(8, 4), sparsity=0.5))
    >>> type(model).__name__, int((model.weight != 0).sum())
    ('Linear', 16)
    """
    found = [*masked_weights(model)]
    for driver in {id(target.masked.driver): target.masked.driver for target in found}.values():
        driver.finish()
        _FOLLOWING.pop(driver, None)
    for target in found:
        parametrize.remove_parametrizations(target.module, target.tensor, leave_parametrized=True)
        if "bias" in target.module._parameters:
            # Behind the weight, as it was: optimisers and vectors of parameters go by the order.
            target.module._parameters["bias"] = target.module._parameters.pop("bias")
    for module in model.modules():
        module.__class__ = getattr(type(module), "plain_class", type(module))
    return model


def masked_weights(model: nn.Module) -> Iterator[Target]:
    """List the masked weights of a model."""
    for layer, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for tensor, chain in module.parametrizations.items():
            for masked in chain:
                if isinstance(masked, Masked):
                    yield Target(layer, module, tensor, masked)


def _find(
    model: nn.Module, layers: Sequence[str] | None, *, biases: bool
) -> Iterator[tuple[str, str, nn.Module]]:
    """List name of the layer, of the tensor, and the module of what is to be masked."""
    known = {name: module for name, module in model.named_modules() if isinstance(module, LAYERS)}
    if not known:
        raise OptionError("model", type(model).__name__, "one with a linear layer or convolution")
    if isinstance(layers, str):
        raise OptionError("layers", layers, "a list of names")
    _check_names("layers", layers or (), known)
    if layers is not None and not layers:
        raise OptionError("layers", list(layers), "one or more names of layers")
    owners = _owners(model)
    for name in known if layers is None else dict.fromkeys(layers):
        module = known[name]
        for tensor in ("weight", "bias") if biases else ("weight",):
            if getattr(module, tensor) is None:
                continue
            _check_parameter(module, f"{name}.{tensor}" if name else tensor, tensor, owners)
            yield name, tensor, module


def _owners(model: nn.Module) -> dict[int, list[str]]:
    """List the names that every parameter has, by its ``id``; those of one module count once."""
    owners: dict[int, list[str]] = {}
    for layer, module in model.named_modules():
        for tensor, parameter in module._parameters.items():
            owners.setdefault(id(parameter), []).append(f"{layer}.{tensor}" if layer else tensor)
    return owners


def _check_names(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise SparsefitError(
                f"{option} must name linear layers or convolutions of the model, got {name!r}"
                f"{near_match(name, known)}; there are {', '.join(known)}"
            )


def _check_parameter(
    module: nn.Module, name: str, tensor: str, owners: dict[int, list[str]]
) -> None:
    parameter = module._parameters.get(tensor)
    if parametrize.is_parametrized(module, tensor):
        chain: Any = module.parametrizations[tensor]  # type: ignore[index]
        if any(isinstance(link, Masked) for link in chain):
            raise SparsefitError(f"{name} has a mask already: finalize the model first")
        parameter = getattr(chain, "original", None)
    if parameter is None:
        raise SparsefitError(f"{name} is made of several parameters, which masks do not support")
    if nn.parameter.is_lazy(parameter):
        raise SparsefitError(f"{name} has no shape yet: run the model once before masking it")
    if len(owners[id(parameter)]) > 1:
        raise SparsefitError(f"{' and '.join(owners[id(parameter)])} are one tensor: mask neither")


def _attach(layer: str, tensor: str, module: nn.Module, masked: Masked) -> Target:
    parametrize.register_parametrization(module, tensor, masked, unsafe=True)
    masked.train(module.training)
    return Target(layer, module, tensor, masked)


def _forget(target: Target, stayed: Tensor, optimizer: Optimizer | None) -> None:
    """Set pruned and new weights to zero, and what the optimiser remembers of them.

    Rules that keep the values of pruned weights, or let them learn, are spared that.
    """
    original, masked = target.original, target.masked
    if not masked.rule.keeps_pruned:
        original.copy_(masked.structure.scale(original, stayed))
    if optimizer is None or masked.is_soft or masked.rule.pruned_gradient(due=False) > 0:
        return
    for value in optimizer.state.get(original, {}).values():
        if isinstance(value, Tensor) and value.shape == original.shape:
            value.copy_(masked.structure.scale(value, stayed))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check(value: object, name: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise OptionError(name, value, f"one of {', '.join(allowed)}")


# Pruners of sparsified models. A hook of torch tells of every step of every optimiser: only there
# is it known that weights have moved, be it in a compiled graph, with accumulated gradients or
# under a scaler that skips steps; fused optimisers do not even count up a tensor's version.
# With each, the optimisers that have stepped since the last step that was counted.
_FOLLOWING: weakref.WeakKeyDictionary[Pruner, weakref.WeakSet[Optimizer]] = (
    weakref.WeakKeyDictionary()
)
_hook: Any = None


def follow_optimizers(pruner: Pruner) -> None:
    """Let a pruner step whenever an optimiser steps its model's weights."""
    global _hook
    if _hook is None:
        _hook = register_optimizer_step_post_hook(_after_step)
    pruner._is_automatic = True  # type: ignore[attr-defined]
    _FOLLOWING[pruner] = weakref.WeakSet()


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
