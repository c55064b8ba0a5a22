"""What the linear maps of a network are given: moments of their inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
# Patches of a convolution that are looked at, of each batch.
MOST_PATCHES = 4096

Batch = tuple[Any, ...]


@dataclass
class Moments:
    """Sums over rows of products of a map's inputs, with a one behind them for the bias.

    Attributes
    ----------
    own : Tensor, shape (inputs + 1, inputs + 1)
        Of the inputs that the map is given.
    cross : Tensor, shape (inputs + 1, inputs + 1)
        Of these with what the map is given in the dense network.
    n : int
        Rows.
    """

    own: Tensor
    cross: Tensor
    n: int = 0

    def add(self, x: Tensor, dense: Tensor) -> None:
        """Add rows."""
        self.own += x.t() @ x
        self.cross += x.t() @ dense
        self.n += len(x)


def read_batches(data: Any) -> list[Batch]:
    """Return what a model is called with, batch by batch.

    Parameters
    ----------
    data : Tensor, or iterable of Tensor or of (inputs, ...)
        Inputs, or a loader of batches, of which the first part is the inputs.
    """
    if isinstance(data, Tensor):
        return [(data,)]
    return [(batch[0],) if isinstance(batch, (tuple, list)) else (batch,) for batch in data]


def rows_of(module: nn.Module, tensor: str, args: Sequence[Any]) -> Tensor | None:
    """Return the inputs of a weight as rows, from what its module is called with.

    None for weights that are no linear map of what the module is given.
    """
    x = args[0]
    if isinstance(module, nn.Linear):
        rows = x.reshape(-1, x.shape[-1])
    elif isinstance(module, CONVOLUTIONS) and module.groups == 1:
        rows = _patches(module, x)
    elif isinstance(module, nn.MultiheadAttention) and tensor == "in_proj_weight":
        if any(other is not x for other in args[1:3]):
            return None
        rows = x.reshape(-1, x.shape[-1])
    else:
        return None
    return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)


def _patches(module: Any, x: Tensor) -> Tensor:
    """Return the patches that a convolution sees, as rows; of many, evenly spaced ones."""
    if module.padding_mode != "zeros":
        x = functional.pad(x, module._reversed_padding_repeated_twice, mode=module.padding_mode)
        padding: Any = [0] * (x.ndim - 2)
    elif module.padding == "valid":
        padding = [0] * (x.ndim - 2)
    elif module.padding == "same":
        x = functional.pad(x, module._reversed_padding_repeated_twice)
        padding = [0] * (x.ndim - 2)
    else:
        padding = module.padding
    x = functional.pad(x, [side for one in reversed(padding) for side in (one, one)])
    for dim, (size, stride, dilation) in enumerate(
        zip(module.kernel_size, module.stride, module.dilation, strict=True), start=2
    ):
        x = x.unfold(dim, dilation * (size - 1) + 1, stride)[..., ::dilation]
    n_dims = len(module.kernel_size)
    # (batch, channels, *places, *kernel) to (batch, *places, channels, *kernel).
    x = x.movedim(1, 1 + n_dims)
    rows = x.reshape(-1, x[(0,) * (1 + n_dims)].numel())
    return rows[:: -(-len(rows) // MOST_PATCHES)]


@contextmanager
def watched(
    model: nn.Module, places: Iterable[tuple[str, nn.Module, str]], taken: dict[str, list[Tensor]]
) -> Iterator[None]:
    """Take down the rows that each weight is given, while a model runs.

    Parameters
    ----------
    model : Module
    places : iterable of (name, module, tensor)
    taken : dict of str to list of Tensor
        What is taken down, by name.
    """
    handles, fast = [], torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it goes past the modules
    around = {m.out_proj: m for m in model.modules() if isinstance(m, nn.MultiheadAttention)}
    for name, module, tensor in places:
        # Attention uses the weight of its output layer, and does not call that.
        called = around.get(module, module)  # type: ignore[call-overload]
        hook = partial(_on_call, taken.setdefault(name, []), tensor, called is not module)
        handles.append(called.register_forward_pre_hook(hook, with_kwargs=True))
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for handle in handles:
            handle.remove()
        for name in [name for name, rows in taken.items() if not rows]:
            del taken[name]


def _on_call(
    taken: list[Tensor], tensor: str, is_output: bool, module: nn.Module, args: Any, kwargs: Any
) -> None:
    if isinstance(module, nn.MultiheadAttention):
        if is_output:
            args, module = (_heads(module, args, kwargs),), module.out_proj
        else:
            args = (*args, *(kwargs[key] for key in ("query", "key", "value") if key in kwargs))
    if args and isinstance(args[0], Tensor):
        rows = rows_of(module, tensor, args)
        if rows is not None:
            taken.append(rows)


def _heads(attention: nn.MultiheadAttention, args: Any, kwargs: Any) -> Tensor:
    """Return what the output layer of attention is given: its outputs, were that the identity."""
    own = attention.out_proj._parameters
    before = dict(own)
    weight = before["weight"]
    assert weight is not None
    own["weight"] = nn.Parameter(torch.eye(len(weight), dtype=weight.dtype, device=weight.device))
    own["bias"] = None
    try:
        heads: Tensor = attention.forward(*args, **kwargs)[0]
    finally:
        own.update(before)
    return heads
