"""What a solver may ask of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from torch import Tensor

from sparsefit.core.memory import Workspace
from sparsefit.core.sparse_vector import SparseVector


class Block(NamedTuple):
    """A stretch of parameters with what a gradient step there needs.

    Attributes
    ----------
    indices : Tensor of int64, shape (block,)
        Parameter numbers, increasing.
    values : Tensor of shape (block,)
        The parameters there.
    gradient : Tensor of shape (block,)
        The derivative there.
    """

    indices: Tensor
    values: Tensor
    gradient: Tensor


class Atoms(NamedTuple):
    """A stretch of columns of A, as a greedy choice among them sees them.

    Attributes
    ----------
    indices : Tensor of int64, shape (block,)
        Parameter numbers, increasing.
    inner : Tensor of shape (block,)
        a_j . r, the inner products with a vector of outputs.
    squares : Tensor of shape (block,)
        |a_j|^2.
    """

    indices: Tensor
    inner: Tensor
    squares: Tensor


# From outputs z on some rows, and the slice of these rows, to numbers of the shape of z.
RowMap = Callable[[Tensor, slice], Tensor]


class SupportMatrix(Protocol):
    """The columns A_S of a linear model on a support S."""

    def matvec(self, v: Tensor) -> Tensor:
        """Return A_S v, shape (n,), for v of shape (s,)."""

    def rmatvec(self, r: Tensor) -> Tensor:
        """Return A_S^T r, shape (s,), for r of shape (n,)."""

    def both(self, v: Tensor, cotangent: RowMap) -> tuple[Tensor, Tensor]:
        """Return z = A_S v and A_S^T cotangent(z), in one pass over the columns.

        The columns are the largest thing in memory, and reading them takes longer than the
        products do.
        """

    def squares(self) -> Tensor:
        """Return the squared norms of the columns, shape (s,)."""

    def square(self, v: Tensor) -> Tensor:
        """Return |v|^2 for v of shape (n,), the rows of other processes included."""

    def norm(self, v: Tensor) -> Tensor:
        """Return |v|, likewise."""


class BlockModel(Protocol):
    """Outputs z as a function of a long parameter vector, which is only ever held sparsely.

    Attributes
    ----------
    n_params : int
        Length of the parameter vector.
    is_linear : bool
        Whether z = A coef with A fixed between calls of `refresh`; then `support` and `atoms`
        work.
    """

    n_params: int
    is_linear: bool
    memory: Workspace

    @property
    def n_rows(self) -> int:
        """Rows in all, those of other processes included."""

    def zeros(self) -> SparseVector:
        """Return the zero parameter vector in the model's dtype and on its device."""

    def forward(self, coef: SparseVector) -> Tensor:
        """Return z, shape (n,) or (n, k); touches only the units that `coef` uses."""

    def blocks(self, coef: SparseVector, cotangent: Tensor, beyond: float = 0.0) -> Iterator[Block]:
        """Stream J(coef)^T cotangent.

        Units in which `coef` is zero throughout may be left out if their gradient is zero as well,
        or smaller than `beyond` by more than rounding changes gradients.
        """

    def support(self, indices: Tensor) -> SupportMatrix:
        """Return the columns of A at `indices`."""

    def atoms(self, r: Tensor) -> Iterator[Atoms]:
        """Stream the inner products of the columns of A with r, and their norms.

        Of columns that are equal because units share a pattern, only the first is shown.
        """

    def take(self, index: np.ndarray) -> BlockModel:
        """Return the model on some of its rows."""

    def refresh(self, coef: SparseVector, fresh: int | None = None) -> BlockModel:
        """Return the model whose gates are the weights in `coef` (sequential convex).

        With a seed `fresh`, units without weights get random gates; else their gate is zero.
        """
