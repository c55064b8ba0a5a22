"""A torch model as a list of steps: what every format of torch models starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import functional

from sparsefit.compression.channels import remove_channels
from sparsefit.compression.graph import CONVOLUTIONS, DROPOUTS, shape_of, trace
from sparsefit.core.errors import SparsefitError
from sparsefit.nn.masking import plain_copy

Sides = tuple[tuple[int, int], ...]
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One step of a model.

    Attributes
    ----------
    before, after : tuple of int
        Shapes of what it reads and makes, without the rows of a batch.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(Step):
    """Weights of shape (outputs, inputs) and biases, for the last dimension."""

    weight: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Window:
    """Where the windows of a convolution or pooling are, by dimension.

    Attributes
    ----------
    kernel, stride, dilation : tuple of int
    padding : tuple of pairs
        Before and after.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Sides


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(Step):
    """Weights of shape (outputs, inputs of a group, *kernel) and biases."""

    weight: np.ndarray
    bias: np.ndarray
    window: Window
    groups: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Step):
    """The largest value of a window, or the mean of it, with or without what is padded."""

    is_mean: bool
    counts_padding: bool
    window: Window


@dataclass(frozen=True, eq=False, kw_only=True)
class Scale(Step):
    """A factor and a term for each channel: a batch norm that no layer could take in."""

    factor: np.ndarray
    term: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Activation(Step):
    """The largest of each value and its product with a slope below 1: a ReLU if that is 0."""

    slope: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Step):
    """The same values in another shape."""


# Functions that do what a module does, and the names of their arguments after the first.
_POOLING = ("kernel_size", "stride", "padding")
_FUNCTIONS: dict[Any, tuple[Callable[..., nn.Module], tuple[str, ...]]] = {
    functional.relu: (nn.ReLU, ("inplace",)),
    torch.relu: (nn.ReLU, ()),
    torch.relu_: (nn.ReLU, ()),
    "relu": (nn.ReLU, ()),
    "relu_": (nn.ReLU, ()),
    functional.leaky_relu: (nn.LeakyReLU, ("negative_slope", "inplace")),
    functional.dropout: (nn.Dropout, ("p", "training", "inplace")),
    functional.max_pool1d: (nn.MaxPool1d, (*_POOLING, "dilation", "ceil_mode")),
    functional.max_pool2d: (nn.MaxPool2d, (*_POOLING, "dilation", "ceil_mode")),
    functional.avg_pool1d: (nn.AvgPool1d, (*_POOLING, "ceil_mode", "count_include_pad")),
    functional.avg_pool2d: (nn.AvgPool2d, (*_POOLING, "ceil_mode", "count_include_pad")),
    functional.adaptive_avg_pool1d: (nn.AdaptiveAvgPool1d, ("output_size",)),
    functional.adaptive_avg_pool2d: (nn.AdaptiveAvgPool2d, ("output_size",)),
    functional.adaptive_max_pool1d: (nn.AdaptiveMaxPool1d, ("output_size",)),
    functional.adaptive_max_pool2d: (nn.AdaptiveMaxPool2d, ("output_size",)),
}
_RESHAPES = (torch.flatten, torch.reshape, "flatten", "view", "reshape")


@torch.no_grad()
def steps_of(model: nn.Module, example: Tensor) -> list[Step]:
    """Read a model as steps, masks made permanent, batch norms folded and dead channels removed.

    Parameters
    ----------
    model : Module
        Stays as it is.
    example : Tensor, shape (rows, ...)
        What it is called with.

    Raises
    ------
    SparsefitError
        If it is not a sequence of layers that are known here.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
    >>> [type(step).__name__ for step in steps_of(model, torch.zeros(1, 1, 4, 4))]
    ['Convolution', 'Activation', 'Reshape', 'Linear']
    """
    plain: nn.Module = plain_copy(model).cpu().float()
    traced = trace(nn.Sequential(plain), (example.cpu().float(),))
    if traced is None:
        raise SparsefitError(
            "the model cannot be exported: it takes no such example, or its course is not fixed"
        )
    remove_channels(traced)
    # The shapes of what is left.
    ShapeProp(traced).propagate(example.cpu().float())
    steps = [step for node in _chain(traced) for step in _step(traced, node)]
    if not steps:
        raise SparsefitError("the model cannot be exported: it has no layer")
    return steps


def _chain(graph: fx.GraphModule) -> list[fx.Node]:
    """Return the nodes from the input to the output, each of which reads the one before it."""
    end = next(node for node in graph.graph.nodes if node.op == "output").args[0]
    found: list[fx.Node] = []
    while isinstance(end, fx.Node) and end.op != "placeholder":
        found.append(end)
        end = end.args[0] if end.args else None
    if not isinstance(end, fx.Node):
        raise SparsefitError("the model cannot be exported: it does not return one tensor")
    return found[::-1]


def _step(graph: fx.GraphModule, node: fx.Node) -> Iterator[Step]:
    before, after = shape_of(node.all_input_nodes[0]), shape_of(node)
    if before is None or after is None or before[:1] != after[:1]:
        raise _refused(node, "it does not make one tensor of as many rows")
    shapes = {"before": tuple(before[1:]), "after": tuple(after[1:])}
    if node.target in _RESHAPES:
        yield Reshape(**shapes)
        return
    others = [one for one in node.all_input_nodes[1:] if shape_of(one) is not None]
    if others:
        raise _refused(node, "layers must follow one another, and it reads more than one tensor")
    module = _module(graph, node)
    if isinstance(module, (nn.Flatten, nn.Unflatten)):
        yield Reshape(**shapes)
    elif type(module) is nn.Linear:
        yield Linear(**shapes, weight=_numbers(module.weight), bias=_bias(module))
    elif type(module) in CONVOLUTIONS:
        yield _convolution(node, module, shapes)
    elif type(module) in NORMS and getattr(module, "running_mean", None) is not None:
        yield _scale(module, shapes)
    elif type(module) is nn.ReLU:
        yield Activation(**shapes, slope=0.0)
    elif type(module) is nn.LeakyReLU and module.negative_slope <= 1:
        yield Activation(**shapes, slope=module.negative_slope)
    elif "Pool" in type(module).__name__:
        yield _pool(node, module, shapes)
    elif not isinstance(module, (nn.Identity, *DROPOUTS)):
        raise _refused(node, f"there is no export of {type(module).__name__}")


def _module(graph: fx.GraphModule, node: fx.Node) -> nn.Module:
    """Return the module that a node calls, or one that does what its function does."""
    if node.op == "call_module":
        return graph.get_submodule(str(node.target))
    name = getattr(node.target, "__name__", str(node.target))
    if node.target not in _FUNCTIONS:
        raise _refused(node, f"there is no export of {name}")
    kind, names = _FUNCTIONS[node.target]
    given = {**dict(zip(names, node.args[1:], strict=False)), **node.kwargs}
    if given.pop("return_indices", False) or given.pop("training", False) not in (False, None):
        raise _refused(node, f"{name} does more than compute values")
    return kind(**{key: value for key, value in given.items() if key != "inplace"})


def _refused(node: fx.Node, reason: str) -> SparsefitError:
    name = str(node.target) if node.op == "call_module" else node.name
    return SparsefitError(f"layer {name.removeprefix('0.')!r} cannot be exported: {reason}")


def _numbers(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy()


def _bias(layer: nn.Module) -> np.ndarray:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    return _numbers(bias) if isinstance(bias, Tensor) else np.zeros(len(weight))


def _convolution(node: fx.Node, layer: Any, shapes: dict[str, Any]) -> Convolution:
    if layer.padding_mode != "zeros":
        raise _refused(node, f"there is no export of padding_mode {layer.padding_mode!r}")
    kernel, dilation = layer.kernel_size, layer.dilation
    if layer.padding == "same":
        extra = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        padding = tuple((total // 2, total - total // 2) for total in extra)
    else:
        sides = (0,) * len(kernel) if layer.padding == "valid" else layer.padding
        padding = tuple((side, side) for side in sides)
    window = Window(kernel=kernel, stride=layer.stride, dilation=dilation, padding=padding)
    return Convolution(
        **shapes, weight=_numbers(layer.weight), bias=_bias(layer), window=window,
        groups=layer.groups,
    )  # fmt: skip


def _scale(norm: Any, shapes: dict[str, Any]) -> Scale:
    factor = 1 / np.sqrt(_numbers(norm.running_var) + norm.eps)
    term = np.zeros_like(factor)
    if norm.affine:
        factor, term = factor * _numbers(norm.weight), _numbers(norm.bias)
    return Scale(**shapes, factor=factor, term=term - factor * _numbers(norm.running_mean))


def _pool(node: fx.Node, pool: Any, shapes: dict[str, Any]) -> Pool:
    name = type(pool).__name__
    sizes, made = shapes["before"][1:], shapes["after"][1:]
    is_known = name.startswith(("MaxPool", "AvgPool", "Adaptive"))
    if not is_known or getattr(pool, "divisor_override", None):
        raise _refused(node, f"there is no export of such a {name}")
    if name.startswith("Adaptive"):
        if any(size % parts for size, parts in zip(sizes, made, strict=True)):
            raise _refused(node, f"{list(sizes)} cannot be divided into {list(made)} equal windows")
        kernel = stride = tuple(size // parts for size, parts in zip(sizes, made, strict=True))
        starts, dilation = (0,) * len(sizes), (1,) * len(sizes)
    else:
        kernel, stride, starts, dilation = (
            _by_dimension(value, len(sizes))
            for value in (pool.kernel_size, pool.stride, pool.padding, getattr(pool, "dilation", 1))
        )
    # With ceil_mode the last windows reach further than the padding does.
    ends = tuple(
        max((m - 1) * s + d * (k - 1) + 1 - size - start, 0)
        for m, s, d, k, size, start in zip(
            made, stride, dilation, kernel, sizes, starts, strict=True
        )
    )
    counts = getattr(pool, "count_include_pad", False) and any(starts)
    if counts and any(end > start for start, end in zip(starts, ends, strict=True)):
        raise _refused(node, "ceil_mode=True goes with count_include_pad=False only")
    window = Window(
        kernel=kernel, stride=stride, dilation=dilation,
        padding=tuple(zip(starts, ends, strict=True)),
    )  # fmt: skip
    return Pool(**shapes, is_mean="Avg" in name, counts_padding=counts, window=window)


def _by_dimension(value: Any, n: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
