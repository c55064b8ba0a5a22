"""The weights of a model that get a mask, and those that have one."""

from __future__ import annotations

import fnmatch
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sparsefit.core.errors import OptionError, SparsefitError, near_match
from sparsefit.nn.driven import Driven
from sparsefit.nn.masked import Masked
from sparsefit.nn.stored import Stored

NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
SEVERAL = "is made of several parameters, which masks do not support"
MASKED_ALREADY = "has a mask already: finalize the model first"
TRANSPOSED = nn.modules.conv._ConvTransposeNd


@dataclass(frozen=True)
class Place:
    """A weight, and where it is.

    Attributes
    ----------
    layer : str
        Name of the layer in the model; empty for the model itself.
    tensor : str
        Name of the weight in the layer.
    owners : dict of Module to str
        The layer, and others that have the same tensor, with what they call it.
    """

    layer: str
    tensor: str
    owners: dict[nn.Module, str] = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the weight in the model."""
        return _join(self.layer, self.tensor)

    @property
    def module(self) -> nn.Module:
        """The layer."""
        return next(iter(self.owners))

    @property
    def parameter(self) -> nn.Parameter:
        """The weight."""
        parameter = self.module._parameters[self.tensor]
        assert parameter is not None
        return parameter

    @property
    def is_bias(self) -> bool:
        """Whether it is a vector: a bias, or what scales a norm."""
        return self.parameter.ndim < 2


@dataclass(frozen=True)
class Target:
    """A weight that is masked.

    Attributes
    ----------
    layer : str
        Name of the module in the model; empty for the model itself.
    module : Module
    tensor : str
        Name of the weight in the module.
    masked : Masked or Stored
        Its mask, or its nonzeros.
    """

    layer: str
    module: nn.Module
    tensor: str
    masked: Masked | Stored

    @property
    def name(self) -> str:
        """Name of the weight, as in ``state_dict``."""
        return _join(self.layer, self.tensor)

    @property
    def weight(self) -> nn.Parameter:
        """The parameter, which is zero where the mask is; or its nonzeros alone."""
        return self.masked.weight

    def dense(self) -> Tensor:
        """Return all values, those of pruned weights included, where the rule keeps them."""
        return self.masked.dense()


def _join(layer: str, tensor: str) -> str:
    return f"{layer}.{tensor}" if layer else tensor


def masked_weights(model: nn.Module) -> Iterator[Target]:
    """List the masked weights of a model, each once.

    Examples
    --------
    >>> from sparsefit.nn import sparsify
    >>> model = sparsify(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)))
    >>> [target.name for target in masked_weights(model)]
    ['0.weight', '2.weight']
    """
    seen = set()
    for layer, module in model.named_modules():
        for child in module._modules.values():
            if isinstance(child, (Masked, Stored)) and child not in seen:
                seen.add(child)
                yield Target(layer, module, child.tensor, child)


def find_weights(
    model: nn.Module,
    layers: Sequence[str] | None,
    exclude: Sequence[str],
    *,
    biases: bool,
) -> list[Place]:
    """List what is to be masked: every parameter of two or more dimensions, but those of norms.

    Parameters
    ----------
    model : Module
    layers : sequence of str or None
        Names of layers or weights, of what contains them, or patterns such as
        ``encoder.*.linear1``; None for all.
    exclude : sequence of str
        Of those, which not; in the same form.
    biases : bool
        Whether the vectors called bias of layers with weights are masked as well.

    Raises
    ------
    SparsefitError
        If a name matches nothing, or what it names cannot be masked.

    Warns
    -----
    UserWarning
        Of weights that cannot be masked, by name, if `layers` does not ask for them.
    """
    places, reasons = _maskable(model, biases=biases)
    if not places and not reasons:
        raise OptionError("model", type(model).__name__, "one with a linear layer or convolution")
    named = {place.name: place.layer for place in places}
    known = {**named, **{name: name.rpartition(".")[0] for name in reasons}}
    wanted = set(known) if layers is None else _named("layers", layers, known)
    left_out = _named("exclude", exclude, known) if len(exclude) else set()
    chosen = [place for place in places if place.name in wanted - left_out]
    impossible = [name for name in reasons if name in wanted - left_out]
    if impossible and (layers is not None or not chosen):
        raise SparsefitError(f"{impossible[0]} {reasons[impossible[0]]}")
    if not chosen:
        raise OptionError("exclude", list(exclude), "such that something is left to mask")
    for name in impossible:
        if reasons[name] != MASKED_ALREADY:
            warnings.warn(f"{name} gets no mask: it {reasons[name]}", stacklevel=4)
    return chosen


def matches(option: str, patterns: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """Say of every weight which pattern names it, the last one that does.

    Parameters
    ----------
    option : str
        What the patterns were given as.
    patterns : iterable of str
    known : mapping of str to str
        Names of weights to those of their layers.

    Raises
    ------
    SparsefitError
        With a near match, for a pattern that names nothing.

    Examples
    --------
    >>> matches("layers", ["a", "*.out"], {"a.0.weight": "a.0", "b.out.weight": "b.out"})
    {'a.0.weight': 'a', 'b.out.weight': '*.out'}
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        names = [name for name, layer in known.items() if _fits(pattern, name, layer)]
        if not names:
            there = list(dict.fromkeys(layer or name for name, layer in known.items()))
            raise SparsefitError(
                f"{option} must name layers of the model, got {pattern!r}"
                f"{near_match(str(pattern), there)}; there are {', '.join(there)}"
            )
        found.update(dict.fromkeys(names, pattern))
    return {name: found[name] for name in known if name in found}


def _fits(pattern: str, name: str, layer: str) -> bool:
    if pattern in (layer, name) or name.startswith(f"{pattern}."):
        return True
    return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(layer, pattern)


def _named(option: str, names: Collection[str], known: Mapping[str, str]) -> set[str]:
    if isinstance(names, str):
        raise OptionError(option, names, "a list of names")
    if not names:
        raise OptionError(option, list(names), "one or more names of layers")
    return set(matches(option, names, known))


def _maskable(model: nn.Module, *, biases: bool) -> tuple[list[Place], dict[str, str]]:
    """List the weights, and of those that cannot be masked why."""
    owners = _owners(model)
    places, reasons, seen = [], {}, set()
    for layer, module in model.named_modules():
        if isinstance(module, (Driven, *NORMS)):
            continue
        parameters = {t: p for t, p in module._parameters.items() if p is not None}
        has_weight = any(_is_weight(parameter) for parameter in parameters.values())
        for tensor, parameter in parameters.items():
            is_wanted = _is_weight(parameter) or (biases and has_weight and "bias" in tensor)
            if not is_wanted or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            place = Place(layer, tensor, owners[id(parameter)])
            reason = _reason(module, tensor, parameter)
            if reason and isinstance(module, parametrize.ParametrizationList):
                reasons[layer.replace("parametrizations.", "")] = reason
            elif reason:
                reasons[place.name] = reason
            else:
                places.append(place)
    return places, reasons


def _is_weight(parameter: nn.Parameter) -> bool:
    return nn.parameter.is_lazy(parameter) or parameter.ndim > 1


def _owners(model: nn.Module) -> dict[int, dict[nn.Module, str]]:
    """List the layers that have a parameter, by its ``id``."""
    owners: dict[int, dict[nn.Module, str]] = {}
    for module in model.modules():
        for tensor, parameter in module._parameters.items():
            owners.setdefault(id(parameter), {})[module] = tensor
    return owners


def _reason(module: nn.Module, tensor: str, parameter: nn.Parameter) -> str:
    """Return why a parameter cannot be masked; empty if it can."""
    mask = f"{tensor}_mask"
    if isinstance(getattr(module, mask, None), Masked):
        return MASKED_ALREADY
    if hasattr(module, mask):
        return f"cannot be masked, as its layer has something else called {mask}"
    if nn.parameter.is_lazy(parameter):
        return "has no shape yet: run the model once before masking it"
    if isinstance(module, parametrize.ParametrizationList):
        if tensor != "original":
            return SEVERAL
        if not _keeps_zeros(module):
            return "has a parametrization that fills zeros in, which masks do not support"
    # What torch.nn.utils.weight_norm makes of a weight.
    if tensor[-2:] in ("_g", "_v") and {tensor[:-1] + "g", tensor[:-1] + "v"} <= {
        *module._parameters
    }:
        return SEVERAL
    return ""


@torch.no_grad()
def _keeps_zeros(chain: Any) -> bool:
    """Return whether zeros of the parameter are zeros of what a parametrization makes of it."""
    original, was_training = chain.original, chain.training
    before = original.detach().clone()
    where = torch.arange(original.numel(), device=original.device).reshape(original.shape) % 2 == 0
    chain.eval()
    original.masked_fill_(where, 0)
    made = chain()
    original.copy_(before)
    chain.train(was_training)
    return bool(made.shape == original.shape and not made[where].any())


def forget(masked: Masked, stayed: Tensor, memory: Mapping[str, Any] | None) -> None:
    """Set to zero what an optimiser remembers of pruned and new weights.

    Rules that let pruned weights learn are spared that.
    """
    if memory is None or masked.is_soft or masked.rule.pruned_gradient(due=False) > 0:
        return
    for name, value in memory.items():
        if name in masked.rule.remembers:
            continue
        if isinstance(value, Tensor) and value.shape == masked.shape:
            value.copy_(masked.structure.scale(value, stayed.view(torch.uint8)))
