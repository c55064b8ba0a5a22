"""Time the forms that layers can have, and take the fastest."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn

from sparsefit.compression.forms import Part, forms_of
from sparsefit.compression.graph import LAYERS, replace_module

# How often and how long, in seconds, a form is timed at least; and how much faster it has to be.
LEAST_RUNS, LEAST_TIME, GAIN = 5, 0.01, 0.95


@dataclass(frozen=True)
class LayerCompression:
    """One layer before and after.

    Attributes
    ----------
    name : str
    kind : str
        How it is stored now: ``dense``, ``dense, smaller``, ``sparse`` or blocks.
    bytes, products, milliseconds : tuple of two numbers
        Before and after: bytes of all numbers that are stored, multiply-adds for the example, and
        the median time of a call with it.
    """

    name: str
    kind: str
    bytes: tuple[int, int]
    products: tuple[int, int]
    milliseconds: tuple[float, float]


def choose_forms(
    plain: nn.Module, made: nn.Module, inputs: tuple[Any, ...]
) -> list[LayerCompression]:
    """Put each layer of a model into its fastest form, one after the other.

    What a layer is given is looked at anew each time: in which order it lies in memory, and so
    which form is fastest, depends on the layers before.
    """
    before, layers = _inputs_of_layers(plain, inputs), []
    for name in _inputs_of_layers(made, inputs):
        x = _inputs_of_layers(made, inputs)[name]
        layer, dense = made.get_submodule(name), plain.get_submodule(name)
        forms = list(forms_of(layer))
        times = time_in_turns([partial(form, x) for form in forms])
        best = min(range(len(forms)), key=lambda i: times[i] * (1 if i == 0 else 1 / GAIN))
        replace_module(made, name, forms[best])
        x_before = before.get(name, x)
        (old,) = time_in_turns([partial(dense, x_before)])
        layers.append(LayerCompression(
            name, str(getattr(forms[best], "kind", "dense")),
            (n_bytes(dense), n_bytes(forms[best])),
            (_n_products(dense, x_before), _n_products(forms[best], x)), (old, times[best]),
        ))  # fmt: skip
    return layers


def _inputs_of_layers(model: nn.Module, inputs: tuple[Any, ...]) -> dict[str, Tensor]:
    """Return what each linear layer and convolution of its own is called with.

    Those in modules of torch, such as attention, whose weights these use themselves, are left out.
    """
    found: dict[str, Tensor] = {}
    handles = [
        module.register_forward_pre_hook(partial(_take_note, found, name))
        for name, module in model.named_modules()
        if type(module) in LAYERS and not _is_inside(model.get_submodule(name.rpartition(".")[0]))
    ]
    model(*inputs)
    for handle in handles:
        handle.remove()
    return found


def _take_note(found: dict[str, Tensor], name: str, module: nn.Module, args: Any) -> None:
    found.setdefault(name, args[0])


def _is_inside(parent: nn.Module) -> bool:
    """Return whether a module is one of torch that uses the weights of its parts itself."""
    containers = (nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict)
    return type(parent).__module__.startswith("torch.nn.") and type(parent) not in containers


def time_in_turns(runs: Sequence[Any]) -> tuple[float, ...]:
    """Return the median milliseconds of some calls, which take turns."""
    times: list[list[float]] = [[] for _ in runs]
    for run in runs:
        run()
    while len(times[0]) < LEAST_RUNS or sum(map(sum, times)) < LEAST_TIME * len(runs):
        for run, seconds in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    return tuple(1e3 * sorted(one)[len(one) // 2] for one in times)


def n_bytes(model: nn.Module) -> int:
    """Return the size of all numbers that a model stores."""
    return sum(value.numel() * value.element_size() for value in model.state_dict().values())


def _n_products(layer: nn.Module, x: Tensor) -> int:
    """Count multiply-adds of a call: stored weights, once for every row or place."""
    inner = layer.layer if isinstance(layer, Part) else layer
    weights = inner.weight if hasattr(inner, "weight") else inner.values
    assert isinstance(weights, Tensor)
    z = layer(x)
    n_outputs = z.shape[-1] if x.ndim == z.ndim and z.ndim < 3 else z.shape[1]
    return int(weights.numel() * (z.numel() // n_outputs))
