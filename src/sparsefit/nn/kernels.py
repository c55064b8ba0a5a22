"""A linear map with only its nonzeros: forward, and the gradients of inputs and of nonzeros.

These are products that torch has, on CPUs and on CUDA: a sparse matrix times a dense one, the
transposed sparse matrix times a dense one, and a product of two dense matrices of which only some
entries are made (`torch.sparse.sampled_addmm`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

with warnings.catch_warnings():
    # Torch says once in a process that CSR tensors are in beta: here, where nobody is to act on it.
    warnings.simplefilter("ignore")
    torch.eye(1).to_sparse_csr()


@dataclass(frozen=True)
class Pattern:
    """Where the nonzeros of a matrix are, by rows and by columns.

    Attributes
    ----------
    shape : tuple of int
        Outputs and inputs.
    starts, columns : Tensor of int32
        Where rows start among the nonzeros, and the column of each: compressed sparse rows.
    starts_t, columns_t : Tensor of int32
        The same of the transposed matrix.
    order_t : Tensor of int64
        Which nonzero each of the transposed matrix is.
    """

    shape: tuple[int, ...]
    starts: Tensor
    columns: Tensor
    starts_t: Tensor
    columns_t: Tensor
    order_t: Tensor

    def rows(self) -> Tensor:
        """Return the row of each nonzero."""
        return _rows(self.starts)

    def places(self) -> Tensor:
        """Return row times inputs plus column, in ascending order."""
        return self.rows() * self.shape[1] + self.columns


def make_pattern(shape: tuple[int, ...], starts: Tensor, columns: Tensor) -> Pattern:
    """Add what the transposed matrix needs.

    Examples
    --------
    >>> pattern = make_pattern((2, 3), torch.tensor([0, 2, 3]), torch.tensor([0, 2, 0]))
    >>> pattern.starts_t.tolist(), pattern.columns_t.tolist(), pattern.order_t.tolist()
    ([0, 2, 2, 3], [0, 1, 0], [0, 2, 1])
    """
    starts, columns = starts.int(), columns.int()
    order = columns.argsort(stable=True)
    counts = torch.bincount(columns, minlength=shape[1])
    starts_t = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return Pattern(shape, starts, columns, starts_t.int(), _rows(starts)[order].int(), order)


def pattern_of(shape: tuple[int, ...], places: Tensor) -> Pattern:
    """Return the pattern of nonzeros at ascending places, row times inputs plus column."""
    rows, columns = places // shape[1], places % shape[1]
    counts = torch.bincount(rows, minlength=shape[0])
    return make_pattern(shape, torch.cat([counts.new_zeros(1), counts.cumsum(0)]), columns)


def _rows(starts: Tensor) -> Tensor:
    counts = starts.diff().long()
    return torch.arange(len(counts), device=starts.device).repeat_interleave(counts)


def csr(shape: tuple[int, ...], starts: Tensor, columns: Tensor, values: Tensor) -> Tensor:
    """Return a CSR tensor, unchecked."""
    return torch.sparse_csr_tensor(starts, columns, values, size=shape, check_invariants=False)


def multiply(
    shape: tuple[int, ...], starts: Tensor, columns: Tensor, values: Tensor, x: Tensor
) -> Tensor:
    """Return W x for a W in compressed sparse rows.

    Parameters
    ----------
    shape : tuple of int
        Of W: outputs and inputs.
    starts, columns : Tensor of int32
    values : Tensor
    x : Tensor, shape (inputs, rows)

    Returns
    -------
    Tensor, shape (outputs, rows)

    Examples
    --------
    >>> starts, columns = torch.tensor([0, 1, 3]).int(), torch.tensor([1, 0, 1]).int()
    >>> multiply((2, 2), starts, columns, torch.tensor([2.0, 1.0, 1.0]), torch.eye(2)).tolist()
    [[0.0, 2.0], [1.0, 1.0]]
    """
    if x.shape[1] == 1:
        return torch.mv(csr(shape, starts, columns, values), x[:, 0])[:, None]
    if x.device.type == "cpu" and x.dtype == torch.float32 and len(values):
        # An output is a weighted sum of rows of x: what embeddings of bags of words are, for which
        # torch has a kernel three times as fast as the product with a CSR tensor.
        return torch.embedding_bag(
            x.contiguous(), columns, starts[:-1], mode=0, per_sample_weights=values
        )[0]
    return csr(shape, starts, columns, values) @ x


def sparse_linear(
    x: Tensor,
    values: Tensor,
    bias: Tensor | None,
    pattern: Pattern,
    on_backward: Callable[[Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Return x W^T + b for a W of few nonzeros.

    Parameters
    ----------
    x : Tensor, shape (..., inputs)
    values : Tensor
        The nonzeros, by rows.
    bias : Tensor or None
    pattern : Pattern
    on_backward : callable, optional
        Is given the inputs, shape (rows, inputs), and the gradient of the outputs.

    Returns
    -------
    Tensor, shape (..., outputs)
        Stored by outputs, as the next sparse layer reads it fastest.

    Examples
    --------
    >>> pattern = pattern_of((2, 3), torch.tensor([1, 5]))
    >>> sparse_linear(torch.eye(3), torch.tensor([2.0, 4.0]), None, pattern).tolist()
    [[0.0, 0.0], [2.0, 0.0], [0.0, 4.0]]
    """
    rows = x.reshape(-1, x.shape[-1]).to(values.dtype)
    z: Tensor = _SparseLinear.apply(rows, values, pattern, on_backward)  # type: ignore[no-untyped-call]
    if bias is not None:
        z = z + bias
    return z.reshape(*x.shape[:-1], pattern.shape[0])


class _SparseLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        values: Tensor,
        pattern: Pattern,
        on_backward: Callable[[Tensor, Tensor], None] | None,
    ) -> Tensor:
        ctx.save_for_backward(x, values)
        ctx.pattern, ctx.on_backward = pattern, on_backward
        z = multiply(pattern.shape, pattern.starts, pattern.columns, values.detach(), x.t())
        return z.t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [gradient] = gradients
        (x, values), pattern = ctx.saved_tensors, ctx.pattern
        for_x, for_values = None, None
        if ctx.needs_input_grad[0]:
            for_x = multiply(
                pattern.shape[::-1], pattern.starts_t, pattern.columns_t,
                values.detach()[pattern.order_t], gradient.t(),
            ).t()  # fmt: skip
        if ctx.needs_input_grad[1]:
            # Entries of gradient^T x where W is not zero; what it is there counts nothing.
            where = csr(pattern.shape, pattern.starts, pattern.columns, values.detach())
            sampled = torch.sparse.sampled_addmm(where, gradient.t(), x, beta=0.0)
            for_values = sampled.values()
        if ctx.on_backward is not None:
            ctx.on_backward(x, gradient)
        return for_x, for_values, None, None
