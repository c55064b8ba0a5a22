"""The ways in which a layer with many zeros can be stored and computed, in evaluation."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsefit.nn.kernels import csr, multiply

# Blocks whose density is at most this many times that of single weights are worth a try.
BLOCKS, MOST_FILLED = (32, 16, 8, 4), 2.0
# From which density on, and below which share of dead inputs or outputs, others are not tried.
MOST_DENSITY, LEAST_DEAD = 0.5, 0.05


class SparseLinear(nn.Module):
    """A linear layer with its nonzeros in compressed sparse rows.

    Attributes
    ----------
    values : Parameter, shape (nonzeros,)
    starts, columns : Tensor of int32
    bias : Parameter or None
    """

    kind = "sparse"
    values: nn.Parameter
    starts: Tensor
    columns: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None):
        super().__init__()
        self.shape = tuple(weight.shape)
        self._made: tuple[Any, Any] = (None, None)
        _register(self, weight)
        self.bias = _frozen(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        if x.ndim == 2 and x.shape[0] == 1:
            bias = self.bias
            z = torch.mv(self._matrix(), x[0]) if bias is None else torch.addmv(
                bias, self._matrix(), x[0]
            )  # fmt: skip
            return z.unsqueeze(0)
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        z = multiply(self.shape, self.starts, self.columns, self.values, rows.t()).t()
        if self.bias is not None:
            z = z.add_(self.bias)
        return z if x.ndim == 2 else z.reshape(*x.shape[:-1], self.shape[0])

    def _matrix(self) -> Tensor:
        """Return the weight as a tensor, made once: for one row that would take a fifth of it."""
        values, made = self._made
        if values is not self.values:
            made = csr(self.shape, self.starts, self.columns, self.values.detach())
            self._made = self.values, made
        return made  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is made from the rest."""
        return {**self.__dict__, "_made": (None, None)}


class TransposedLinear(nn.Linear):
    """A linear layer that makes its outputs one after the other, for all rows.

    Sparse layers do so as well, and what they make is slow to read by rows.
    """

    kind = "dense"

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        rows = x.reshape(-1, x.shape[-1]).t()
        z = self.weight @ rows if self.bias is None else torch.addmm(
            self.bias[:, None], self.weight, rows
        )  # fmt: skip
        return z.t().reshape(*x.shape[:-1], len(self.weight))


class BlockLinear(nn.Module):
    """A linear layer with its nonzero blocks.

    Attributes
    ----------
    values : Parameter, shape (blocks, rows of a block, columns of a block)
    starts, columns : Tensor of int32
        Compressed rows of blocks.
    bias : Parameter or None
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, size: int):
        super().__init__()
        self.shape, self.kind = tuple(weight.shape), f"{size}x{size} blocks"
        blocks = weight.detach().to_sparse_bsr((size, size))
        self.values = nn.Parameter(blocks.values().clone(), requires_grad=False)
        self.starts: Tensor
        self.columns: Tensor
        self.register_buffer("starts", blocks.crow_indices().int())
        self.register_buffer("columns", blocks.col_indices().int())
        self.bias = _frozen(bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b."""
        matrix = torch.sparse_bsr_tensor(
            self.starts, self.columns, self.values, size=self.shape, check_invariants=False
        )
        z = (matrix @ x.reshape(-1, x.shape[-1]).t()).t()
        if self.bias is not None:
            z = z + self.bias
        return z.reshape(*x.shape[:-1], self.shape[0])


class Part(nn.Module):
    """A smaller layer that reads some channels and makes some; others it makes are constant.

    Attributes
    ----------
    layer : Module
        Linear or a convolution.
    reads, makes : Tensor of int64, or None
        Which channels of the input and of the output; None is all.
    others : Tensor
        What the output is where nothing is made.
    """

    kind = "dense, smaller"
    reads: Tensor | None
    makes: Tensor | None
    others: Tensor

    def __init__(self, layer: nn.Module, inputs: Tensor, outputs: Tensor):
        super().__init__()
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor)
        self.layer = copy.deepcopy(layer)
        self.layer.weight = nn.Parameter(weight.detach()[outputs][:, inputs], requires_grad=False)
        if isinstance(bias, Tensor):
            self.layer.bias = nn.Parameter(bias.detach()[outputs], requires_grad=False)
        sizes = ("in_features", "out_features")
        if not isinstance(layer, nn.Linear):
            sizes = ("in_channels", "out_channels")
        for name, mask in zip(sizes, (inputs, outputs), strict=True):
            setattr(self.layer, name, int(mask.sum()))
        self.n_outputs, self.dim = len(outputs), -1 if isinstance(layer, nn.Linear) else 1
        self.register_buffer("reads", None if inputs.all() else inputs.nonzero()[:, 0])
        self.register_buffer("makes", None if outputs.all() else outputs.nonzero()[:, 0])
        still = (
            bias.detach().clone() if isinstance(bias, Tensor) else weight.new_zeros(len(outputs))
        )
        self.register_buffer("others", None if outputs.all() else still)

    def forward(self, x: Tensor) -> Tensor:
        """Return what the whole layer would."""
        if self.reads is not None:
            x = x.index_select(self.dim, self.reads)
        made: Tensor = self.layer(x)
        if self.makes is None:
            return made
        shape = [1] * made.ndim
        shape[self.dim] = self.n_outputs
        whole = list(made.shape)
        whole[self.dim] = self.n_outputs
        filled = self.others.view(shape).expand(whole).contiguous()
        return filled.index_copy_(self.dim % made.ndim, self.makes, made)


class SparseConv2d(nn.Module):
    """A convolution by its nonzeros: a sparse matrix times the patches of the image.

    Attributes
    ----------
    values, starts, columns, bias
        As of `SparseLinear`, for the weight as (outputs, inputs x kernel).
    """

    kind = "sparse"
    values: nn.Parameter
    starts: Tensor
    columns: Tensor

    def __init__(self, layer: nn.Conv2d):
        super().__init__()
        self.shape = (layer.out_channels, layer.weight[0].numel())
        self.kernel, self.stride = layer.kernel_size, layer.stride
        self.padding, self.dilation = layer.padding, layer.dilation
        _register(self, layer.weight.flatten(1))
        self.bias = _frozen(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        padding = self.padding
        assert not isinstance(padding, str)
        patches = functional.unfold(x, self.kernel, self.dilation, padding, self.stride)
        rows = patches.transpose(0, 1).reshape(patches.shape[1], -1)
        z = multiply(self.shape, self.starts, self.columns, self.values, rows)
        if self.bias is not None:
            z = z.add_(self.bias[:, None])
        size = [
            (x.shape[2 + i] + 2 * padding[i] - self.dilation[i] * (self.kernel[i] - 1) - 1)
            // self.stride[i] + 1
            for i in (0, 1)
        ]  # fmt: skip
        return z.view(self.shape[0], len(x), *size).transpose(0, 1)


def _frozen(bias: Tensor | None) -> nn.Parameter | None:
    return None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)


def _register(module: nn.Module, weight: Tensor) -> None:
    sparse = weight.detach().to_sparse_csr()
    module.values = nn.Parameter(sparse.values().clone(), requires_grad=False)
    module.register_buffer("starts", sparse.crow_indices().int())
    module.register_buffer("columns", sparse.col_indices().int())


def forms_of(layer: nn.Module) -> Iterator[nn.Module]:
    """List the forms that a linear layer or convolution may be faster in, itself first.

    Examples
    --------
    >>> layer = nn.Linear(64, 64)
    >>> layer.weight.data *= torch.eye(64)
    >>> [type(form).__name__ for form in forms_of(layer)]
    ['Linear', 'TransposedLinear', 'SparseLinear']
    """
    yield layer
    weight = layer.weight
    assert isinstance(weight, Tensor)
    if isinstance(layer, nn.Linear):
        turned = copy.copy(layer)
        turned.__class__ = TransposedLinear
        yield turned
    if getattr(layer, "groups", 1) != 1:
        return
    inputs = (weight.transpose(0, 1).flatten(1) != 0).any(1)
    outputs = (weight.flatten(1) != 0).any(1)
    dead = 1 - float(inputs.float().mean() * outputs.float().mean())
    if dead >= LEAST_DEAD and inputs.any():
        yield Part(layer, inputs, outputs)
    density = float((weight != 0).float().mean())
    if density > MOST_DENSITY or not density:
        return
    bias = layer.bias if isinstance(layer.bias, Tensor) else None
    if isinstance(layer, nn.Linear):
        yield SparseLinear(weight, bias)
        yield from _in_blocks(weight, bias, density)
    is_plain = isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros"
    if is_plain and not isinstance(layer.padding, str):
        assert isinstance(layer, nn.Conv2d)
        yield SparseConv2d(layer)


def _in_blocks(weight: Tensor, bias: Tensor | None, density: float) -> Iterator[nn.Module]:
    """List forms in blocks that are nearly filled."""
    n_rows, n_columns = weight.shape
    for size in BLOCKS:
        if n_rows % size or n_columns % size:
            continue
        blocks = weight.view(n_rows // size, size, n_columns // size, size)
        filled = float((blocks != 0).any(3).any(1).float().mean())
        if filled <= MOST_FILLED * density:
            yield BlockLinear(weight, bias, size)
