"""The weights of a model that get a mask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from sparsefit.core.errors import OptionError, SparsefitError, near_match
from sparsefit.nn.parametrization import Masked

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


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
        weight: nn.Parameter = getattr(self.module, self.tensor)
        return weight

    def memory(self, optimizer: Optimizer | None) -> dict[str, Any] | None:
        """Return what an optimiser remembers of the weight; None without an optimiser."""
        return None if optimizer is None else optimizer.state.get(self.original, {})


def masked_weights(model: nn.Module) -> Iterator[Target]:
    """List the masked weights of a model."""
    for layer, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for tensor, chain in module.parametrizations.items():
            for masked in chain:
                if isinstance(masked, Masked):
                    yield Target(layer, module, tensor, masked)


def find_weights(
    model: nn.Module, layers: Sequence[str] | None, *, biases: bool
) -> Iterator[tuple[str, str, nn.Module]]:
    """List name of the layer, of the tensor, and the module of what is to be masked."""
    known = {name: module for name, module in model.named_modules() if isinstance(module, LAYERS)}
    if not known:
        raise OptionError("model", type(model).__name__, "one with a linear layer or convolution")
    if isinstance(layers, str):
        raise OptionError("layers", layers, "a list of names")
    check_names("layers", layers or (), known)
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


def check_names(option: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Raise `SparsefitError` with a near match for a name that is not known."""
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


def attach(layer: str, tensor: str, module: nn.Module, masked: Masked) -> Target:
    """Put a mask before a weight."""
    parametrize.register_parametrization(module, tensor, masked, unsafe=True)
    masked.train(module.training)
    return Target(layer, module, tensor, masked)


def forget(target: Target, stayed: Tensor, optimizer: Optimizer | None) -> None:
    """Set pruned and new weights to zero, and what the optimiser remembers of them.

    Rules that keep the values of pruned weights, or let them learn, are spared that.
    """
    original, masked = target.original, target.masked
    if not masked.rule.keeps_pruned:
        original.copy_(masked.structure.scale(original, stayed))
    memory = target.memory(optimizer)
    if memory is None or masked.is_soft or masked.rule.pruned_gradient(due=False) > 0:
        return
    for name, value in memory.items():
        if name in masked.rule.remembers:
            continue
        if isinstance(value, Tensor) and value.shape == original.shape:
            value.copy_(masked.structure.scale(value, stayed))
