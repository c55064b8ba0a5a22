"""Smaller networks on the way down from a fitted one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.rows import Rows
from sparsefit.solvers.levenberg_marquardt import refit
from sparsefit.solvers.sparse_net import SparseNet
from sparsefit.solvers.surgeon import contract

_LEAST_RIDGE = 1e-3


def shrink(
    net: SparseNet, rows: Rows, y: Tensor, sizes: Sequence[int], alpha: float, datafit: Datafit
) -> Iterator[tuple[int, SparseNet]]:
    """Drop weights by the surgeon and refit the others with a ridge, size by size.

    Parameters
    ----------
    net : SparseNet
    rows : Rows
    y : Tensor of shape (k, n)
    sizes : sequence of int
        Falling.
    alpha : float
        See `refit`.
    datafit : Datafit

    Yields
    ------
    size : int
    net : SparseNet
        Of at most `size` weights.
    """
    again = partial(refit, rows=rows, y=y, datafit=datafit, alpha=alpha)
    net = again(net, steps=20, gain=1e-3).net
    for size in sizes:
        net = contract(
            net, rows, y, size, net.n_units, datafit=datafit, ridge=max(alpha, _LEAST_RIDGE),
            refitted=lambda net: again(net, steps=2, gain=0.01).net,
        )  # fmt: skip
        net = again(net, steps=10, gain=1e-3).net
        yield size, net
