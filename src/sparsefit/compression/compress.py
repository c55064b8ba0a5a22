"""Return a smaller and faster module that computes the same."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from sparsefit.compression.channels import remove_channels
from sparsefit.compression.choosing import LayerCompression, choose_forms, n_bytes, time_in_turns
from sparsefit.compression.graph import LAYERS, lighten, trace
from sparsefit.core.errors import OptionError
from sparsefit.core.text_table import html_table, text_table
from sparsefit.nn.masking import plain_copy


@dataclass(frozen=True)
class Compression:
    """What compressing has done; printing it gives a table.

    Attributes
    ----------
    layers : tuple of LayerCompression
    bytes : tuple of int
        Of the whole model's numbers, before and after.
    milliseconds : tuple of float
        Of a call of the whole model with the example, before and after.
    error : float
        Largest difference of outputs for the example, relative to the largest output.
    note : str
        What could not be done, and why; else empty.
    """

    layers: tuple[LayerCompression, ...]
    bytes: tuple[int, int]
    milliseconds: tuple[float, float]
    error: float
    note: str = ""

    def __str__(self) -> str:
        """Return the table."""
        table = text_table(self._rows, n_text_columns=2)
        return f"{table}\n{self.note}" if self.note else table

    def _repr_html_(self) -> str:
        return html_table(self._rows, n_text_columns=2) + self.note

    @property
    def _rows(self) -> list[tuple[str, ...]]:
        head = ("layer", "now", "bytes", "after", "products", "after", "ms", "after")
        rows = [
            (one.name, one.kind, *map(str, (*one.bytes, *one.products)),
             *(f"{ms:.3f}" for ms in one.milliseconds))
            for one in self.layers
        ]  # fmt: skip
        totals = [sum(one.products[i] for one in self.layers) for i in (0, 1)]
        whole = (*self.bytes, *totals)
        rows.append(("model", "", *map(str, whole), *(f"{ms:.3f}" for ms in self.milliseconds)))
        return [head, *rows]


@torch.no_grad()
def compress(model: nn.Module, example: Any) -> nn.Module:
    """Remove what is dead from a sparse model, and store each layer in its fastest form.

    Batch norms are folded into the layers before them. Units and channels that are zero, constant
    or read by nobody are taken out of all layers that share them, through activations, pooling,
    sums and flattening, where `torch.fx` can read the model. Each layer is then timed on this
    machine as dense, dense without its dead inputs and outputs, by its nonzeros, and by blocks, and
    the fastest is taken.

    Parameters
    ----------
    model : Module
        Stays as it is. Masks are made permanent in the copy (`finalize`).
    example : Tensor or tuple
        A batch of inputs, of the size that matters: what is fastest depends on it.

    Returns
    -------
    Module
        For evaluation, on the same inputs. Its ``state_dict`` holds nonzeros and where they are.
        ``print(compressed.compression)`` shows what has become of each layer (`Compression`).

    Raises
    ------
    OptionError
        If the model cannot be called with the example.

    Examples
    --------
    >>> from sparsefit.nn import prune
    >>> model = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    >>> small = compress(prune(model, sparsity=0.99), torch.randn(64, 512))
    >>> [layer.name for layer in small.compression.layers], small.compression.error < 1e-4
    (['0', '2'], True)
    """
    inputs = example if isinstance(example, tuple) else (example,)
    plain: nn.Module = plain_copy(model).requires_grad_(False)
    if type(plain) in LAYERS:
        plain = nn.Sequential(plain)
    wanted = _call(plain, inputs)
    traced = trace(copy.deepcopy(plain), inputs)
    made: nn.Module = copy.deepcopy(plain) if traced is None else traced
    note = ""
    if traced is None:
        note = "The course of the model is not fixed, so that no channels could be removed."
    else:
        remove_channels(traced)
    layers = choose_forms(plain, made, inputs)
    if traced is not None:
        lighten(traced)
    found = _call(made, inputs)
    before, after = time_in_turns([partial(plain, *inputs), partial(made, *inputs)])
    sizes = n_bytes(plain), n_bytes(made)
    error = _difference(wanted, found)
    # Not a submodule, parameter or buffer: it is no part of the state.
    made.__dict__["compression"] = Compression(tuple(layers), sizes, (before, after), error, note)
    return made


def _call(model: nn.Module, inputs: tuple[Any, ...]) -> Any:
    try:
        return model(*inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        first = str(error).splitlines()[0]
        raise OptionError("example", type(inputs[0]).__name__, f"what the model can be called "
                          f"with ({first})") from error  # fmt: skip


def _difference(wanted: Any, found: Any) -> float:
    """Return the largest difference of two outputs, relative to the largest of the first."""
    if isinstance(wanted, Tensor):
        scale = float(wanted.abs().max()) if wanted.numel() else 0.0
        return float((wanted - found).abs().max()) / (scale or 1.0) if wanted.numel() else 0.0
    if isinstance(wanted, dict):
        return max(_difference(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, (tuple, list)):
        return max(_difference(*pair) for pair in zip(wanted, found, strict=True))
    return 0.0
