"""The rows of X in blocks, laid out for products over many units at a time."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.memory import ROWS_PER_TILE


class RowBlocks:
    """Rows of a data matrix, cut into blocks and stored feature-major.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        In memory or memory-mapped; it is read, not kept in another order, until `blocks` is used.
    bias : bool, optional
        Append the constant input 1, whose weights are biases.
    dtype : torch.dtype
        Precision of the blocks.
    device : torch.device or str, optional
        Where the blocks live.
    weights : ndarray of shape (n,), optional
        Rows are multiplied by the square roots, the constant input too. Multiply targets as well,
        and squared errors are weighted: relu(c z) = c relu(z).

    Examples
    --------
    >>> rows = RowBlocks(np.ones((5, 2), dtype=np.float32), bias=True, dtype=torch.float64)
    >>> rows.n, rows.d, rows.blocks[0].shape
    (5, 3, torch.Size([3, 5]))
    """

    def __init__(
        self,
        X: np.ndarray,
        *,
        bias: bool = False,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
        weights: np.ndarray | None = None,
    ):
        self.X, self.bias, self.dtype, self.device = X, bias, dtype, torch.device(device)
        self.weights = weights

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.X)

    @property
    def d(self) -> int:
        """Number of inputs, the constant one included."""
        return int(self.X.shape[1]) + self.bias

    @property
    def spans(self) -> list[slice]:
        """The rows of each block."""
        return [slice(i, min(i + ROWS_PER_TILE, self.n)) for i in range(0, self.n, ROWS_PER_TILE)]

    @cached_property
    def blocks(self) -> list[Tensor]:
        """Blocks of shape (d, rows): inputs are rows here, so that picking inputs is a copy."""
        return [self._block(span) for span in self.spans]

    def _block(self, span: slice) -> Tensor:
        x = self.X[span]
        block = torch.empty(self.d, len(x), dtype=self.dtype, device=self.device)
        block[: x.shape[1]] = torch.tensor(x.T)
        block[x.shape[1] :] = 1
        if self.weights is not None:
            block *= torch.from_numpy(np.sqrt(self.weights[span])).to(block)
        return block

    def take(self, index: np.ndarray) -> RowBlocks:
        """Return the rows at `index`, in that order."""
        weights = None if self.weights is None else self.weights[index]
        return RowBlocks(
            self.X[index], bias=self.bias, dtype=self.dtype, device=self.device, weights=weights
        )
