"""Find channels that nobody needs, and take them out of the layers that make and read them.

A *space* is a set of channels that several layers share: what a layer makes, its activation, its
pooling, and whatever is added to it, channel by channel. A channel of a space can go if no layer
reads it; and a channel that is constant, since its layer has only zeros for it, is not read once
the constant has been moved into the biases of its readers.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from sparsefit.compression.graph import CONVOLUTIONS, DROPOUTS, calls, shape_of

ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.ELU, nn.Hardtanh,
    nn.Hardswish, nn.Hardsigmoid, nn.Softplus, nn.Mish, nn.Identity, *DROPOUTS,
)  # fmt: skip
POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
ACTIVATION_FUNCTIONS = {
    functional.relu, functional.relu6, functional.leaky_relu, functional.gelu, functional.silu,
    functional.tanh, functional.sigmoid, functional.elu, functional.hardtanh, functional.hardswish,
    torch.relu, torch.tanh, torch.sigmoid, functional.dropout,
}  # fmt: skip
POOL_FUNCTIONS = {
    functional.max_pool1d, functional.max_pool2d, functional.avg_pool1d, functional.avg_pool2d,
    functional.adaptive_avg_pool1d, functional.adaptive_avg_pool2d,
}  # fmt: skip
ACTIVATION_METHODS = {"relu", "relu_", "tanh", "sigmoid", "contiguous"}
ADDITIONS = {operator.add, operator.iadd, torch.add}


@dataclass(eq=False)
class Space:
    """Channels that several layers share.

    Attributes
    ----------
    read : Tensor of bool
        Which of them some layer needs.
    is_pinned : bool
        Whether something reads them all that is not understood, as the output of the model is.
    makers, readers : list
        Layers that make the channels, and those that read them with how many consecutive inputs
        each channel is there.
    """

    read: Tensor
    is_pinned: bool = False
    makers: list[nn.Module] = field(default_factory=list)
    readers: list[tuple[nn.Module, int]] = field(default_factory=list)
    merged: Space | None = None

    def root(self) -> Space:
        """Return the space that this one has become part of."""
        return self if self.merged is None else self.merged.root()

    def merge(self, other: Space) -> None:
        """Make one space of two, as their channels are added to each other."""
        one, two = self.root(), other.root()
        if one is two:
            return
        one.read = one.read | two.read
        one.is_pinned |= two.is_pinned
        one.makers += two.makers
        one.readers += two.readers
        two.merged = one


@dataclass(frozen=True)
class Signal:
    """What is known of a tensor.

    Attributes
    ----------
    space : Space
        Of its channels.
    dim : int
        The dimension that runs over them.
    repeat : int
        How many consecutive entries of that dimension belong to one channel: after flattening.
    constant : Tensor, shape (channels,)
        What a channel is everywhere, or nan.
    """

    space: Space
    dim: int
    repeat: int
    constant: Tensor


@torch.no_grad()
def remove_channels(graph: fx.GraphModule) -> None:
    """Take unread channels out of all layers, constants moved into biases, until there are none."""
    while True:
        spaces = _Reading(graph).spaces()
        changed = False
        for space in spaces:
            changed |= _silence(space)
        if not changed:
            break
    for space in spaces:
        _shrink(space)


def _silence(space: Space) -> bool:
    """Set to zero what makes unread channels, so that its own inputs may be unread as well."""
    changed = False
    unread = ~space.read
    if space.is_pinned or not unread.any():
        return False
    for maker in space.makers:
        if isinstance(maker, nn.modules.batchnorm._BatchNorm):
            continue
        for values in (maker.weight, maker.bias):
            if isinstance(values, Tensor) and values[unread].any():
                values[unread] = 0
                changed = True
    return changed


def _shrink(space: Space) -> None:
    keep = space.read.nonzero()[:, 0]
    if space.is_pinned or len(keep) == len(space.read):
        return
    if not len(keep):
        keep = keep.new_zeros(1)
    for maker in space.makers:
        _keep_outputs(maker, keep)
    for reader, repeat in space.readers:
        _keep_inputs(reader, keep, repeat)


def _keep_outputs(layer: nn.Module, keep: Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        values = getattr(layer, name, None)
        if values is not None:
            _assign(layer, name, values[keep])
    for name in ("out_features", "out_channels", "num_features"):
        if hasattr(layer, name):
            setattr(layer, name, len(keep))


def _keep_inputs(layer: nn.Module, keep: Tensor, repeat: int) -> None:
    places = (keep[:, None] * repeat + torch.arange(repeat, device=keep.device)).flatten()
    weight = layer.weight
    assert isinstance(weight, Tensor)
    _assign(layer, "weight", weight[:, places])
    setattr(layer, "in_features" if isinstance(layer, nn.Linear) else "in_channels", len(places))


def _assign(layer: nn.Module, name: str, values: Tensor) -> None:
    values = values.detach().clone()
    if name in layer._parameters:
        layer._parameters[name] = nn.Parameter(values, requires_grad=False)
    else:
        layer._buffers[name] = values


class _Reading:
    """One pass over a graph, in which constants are moved into biases."""

    def __init__(self, graph: fx.GraphModule):
        self._graph, self._calls = graph, calls(graph)
        self._found: list[Space] = []
        self._signals: dict[fx.Node, Signal] = {}

    def spaces(self) -> list[Space]:
        """Return the spaces, each once, with what reads them."""
        for node in self._graph.graph.nodes:
            signal = self._signal(node)
            if signal is not None:
                self._signals[node] = signal
        roots = {id(space.root()): space.root() for space in self._found}
        return list(roots.values())

    def _signal(self, node: fx.Node) -> Signal | None:
        before = [self._signals.get(one) for one in node.all_input_nodes]
        after = self._understood(node, before)
        if after is None:
            for signal in before:
                if signal is not None:
                    signal.space.root().is_pinned = True
        return after

    def _understood(self, node: fx.Node, before: list[Signal | None]) -> Signal | None:
        if node.op == "call_module":
            if self._calls[str(node.target)] > 1 or len(before) != 1:
                return None
            return self._through_module(node, before[0])
        known = [signal for signal in before if signal is not None]
        if node.op not in ("call_function", "call_method") or len(known) != len(before):
            return None
        is_sum = node.target in ADDITIONS or (node.op == "call_method" and node.target in
                                              ("add", "add_"))  # fmt: skip
        if is_sum and len(node.args) == 2 and not node.kwargs:
            return self._sum(node, known)
        if not known or not isinstance(node.args[0], fx.Node):
            return None
        return self._through_call(node, known[0])

    def _through_module(self, node: fx.Node, signal: Signal | None) -> Signal | None:
        module, shape = self._graph.get_submodule(str(node.target)), shape_of(node)
        if type(module) is nn.Linear or type(module) in CONVOLUTIONS:
            return self._through_layer(module, signal, shape)
        if signal is None:
            return None
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and signal.dim == 1:
            if signal.repeat != 1 or module.running_mean is None:
                return None
            signal.space.root().makers.append(module)
            return replace(signal, constant=_normed(module, signal.constant))
        if type(module) in ACTIVATIONS:
            return replace(signal, constant=module(signal.constant))
        if type(module) in POOLS and signal.dim == 1 and signal.repeat == 1:
            return _pooled(signal, getattr(module, "padding", 0), type(module).__name__)
        if type(module) is nn.Flatten and (module.start_dim, module.end_dim) == (1, -1):
            return _flattened(signal, shape_of(node.all_input_nodes[0]))
        return None

    def _through_layer(
        self, layer: nn.Module, signal: Signal | None, shape: torch.Size | None
    ) -> Signal | None:
        if shape is None or getattr(layer, "groups", 1) != 1:
            return None
        is_linear = isinstance(layer, nn.Linear)
        if signal is not None:
            if signal.dim != (len(shape) - 1 if is_linear else 1):
                return None
            _fold(layer, signal)
            space = signal.space.root()
            space.readers.append((layer, signal.repeat))
            space.read |= _read(layer, signal.repeat)
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor)
        dead = (weight.flatten(1) == 0).all(1)
        value = bias.detach() if isinstance(bias, Tensor) else weight.new_zeros(len(weight))
        constant = torch.where(dead, value, torch.nan)
        space = Space(torch.zeros_like(dead), makers=[layer])
        self._found.append(space)
        return Signal(space, len(shape) - 1 if is_linear else 1, 1, constant)

    def _sum(self, node: fx.Node, known: list[Signal]) -> Signal | None:
        if len(known) == 1:
            other = next((one for one in node.args if not isinstance(one, fx.Node)), None)
            if other is None:  # something is added to itself
                return replace(known[0], constant=2 * known[0].constant)
            if not isinstance(other, (int, float)):
                return None
            return replace(known[0], constant=known[0].constant + other)
        one, two = known
        shapes = [shape_of(n) for n in node.all_input_nodes]
        if (one.dim, one.repeat) != (two.dim, two.repeat) or shapes[0] != shapes[1]:
            return None
        one.space.merge(two.space)
        return replace(one, constant=one.constant + two.constant)

    def _through_call(self, node: fx.Node, signal: Signal) -> Signal | None:
        target, others = node.target, node.args[1:]
        if target in ACTIVATION_FUNCTIONS:
            if target is functional.dropout:
                return signal
            assert callable(target)
            kwargs = {k: v for k, v in node.kwargs.items() if k != "inplace"}
            return replace(signal, constant=target(signal.constant, *others, **kwargs))
        if target in ACTIVATION_METHODS:
            if target == "contiguous":
                return signal
            return replace(signal, constant=getattr(signal.constant, str(target).rstrip("_"))())
        if target in POOL_FUNCTIONS and signal.dim == 1 and signal.repeat == 1:
            padding = node.kwargs.get("padding", others[2] if len(others) > 2 else 0)
            return _pooled(signal, padding, getattr(target, "__name__", ""))
        before, after = shape_of(node.all_input_nodes[0]), shape_of(node)
        if before is None or after is None:
            return None
        is_mean = target in (torch.mean, "mean") and signal.dim == 1 and signal.repeat == 1
        if is_mean and len(before) > 2 and after.numel() == before[0] * before[1]:
            return signal if len(after) == len(before) or len(after) == 2 else None
        is_flat = target in (torch.flatten, "flatten", "view", "reshape")
        if is_flat and len(after) == 2 and after[0] == before[0]:
            return _flattened(signal, before)
        return None


def _normed(norm: nn.modules.batchnorm._BatchNorm, constant: Tensor) -> Tensor:
    made = functional.batch_norm(
        constant[None], norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
    return made[0]


def _pooled(signal: Signal, padding: Any, name: str) -> Signal:
    """Averages over a padded edge are no longer constant, but of zeros; maxima are."""
    sides = padding if isinstance(padding, tuple) else (padding,)
    if any(sides) and "avg" in name.lower():
        zero = torch.where(signal.constant == 0, signal.constant, torch.nan)
        return replace(signal, constant=zero)
    return signal


def _flattened(signal: Signal, before: torch.Size | None) -> Signal | None:
    if before is None or signal.dim != 1:
        return None
    return replace(signal, repeat=signal.repeat * before[2:].numel())


def _read(layer: nn.Module, repeat: int) -> Tensor:
    """Return which channels a layer has nonzeros for."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    by_input = weight.transpose(0, 1).flatten(1)
    return (by_input != 0).any(1).view(-1, repeat).any(1)


def _fold(layer: nn.Module, signal: Signal) -> None:
    """Move constant inputs into the bias, where they are the same at every place."""
    weight = layer.weight
    assert isinstance(weight, nn.Parameter)
    constant = signal.constant.repeat_interleave(signal.repeat)
    padding = getattr(layer, "padding", 0)
    is_padded = padding == "same" or any(padding if isinstance(padding, tuple) else (padding,))
    fixed = ~constant.isnan()
    if is_padded and getattr(layer, "padding_mode", "zeros") == "zeros":
        fixed &= constant == 0
    fixed &= (weight.transpose(0, 1).flatten(1) != 0).any(1)
    if not fixed.any():
        return
    shift = weight[:, fixed].flatten(2).sum(2) if weight.ndim > 2 else weight[:, fixed]
    shift = shift @ constant[fixed]
    if layer.bias is None and shift.any():
        layer.bias = nn.Parameter(weight.new_zeros(len(weight)), requires_grad=False)
    if isinstance(layer.bias, Tensor):
        layer.bias.data += shift
    weight.data[:, fixed] = 0
