"""Drop weights with the least harm: the optimal brain surgeon on the support of a network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.levenberg_marquardt import refit, with_unit_diagonal, without_scalings
from sparsefit.gauss_newton.sparse_net import SQUARED, SparseNet

_RIDGE = 1e-10
_TINY = 1e-300


def slack(n: int) -> float:
    """Return by what part |r|^2 may rise in a step that simplifies: 100 rows' worth of residuals.

    If the residuals are noise, the right step raises it by a few rows' worth for each weight, so
    that more would let wrong steps pass.
    """
    return min(0.1, 100 / n)


def contract(
    net: SparseNet,
    rows: RowBlocks,
    y: Tensor,
    nnz: int,
    max_units: int,
    *,
    refitted: Callable[[SparseNet], SparseNet] | None = None,
    share: float = 0.3,
    least: float = 0.0,
    ridge: float = 0.0,
    datafit: Datafit = SQUARED,
) -> SparseNet:
    """Drop weights in stages until at most `nnz` weights and `max_units` units a layer are left.

    A stage drops a share of what is too much, or more where the quadratic model promises that the
    loss hardly rises, and refits what is left.

    Parameters
    ----------
    net : SparseNet
        The linear term is neither counted nor dropped.
    rows : RowBlocks
    y : Tensor of shape (k, n)
    nnz, max_units : int
    refitted : callable, optional
        What is done after each stage; default two Levenberg-Marquardt steps.
    share, least : float, optional
        A stage drops `share` of what is too much, and no less than the share `least` of all.
    ridge : float, optional
        Added to the diagonal of K, as a share of its mean: a belief that weights are small.
    datafit : Datafit, optional
    """
    if refitted is None:
        refitted = partial(_two_steps, rows=rows, y=y)
    while net.n_weights > nnz or net.n_units > max_units:
        net = net.balanced()
        gram, _, total = net.normal_equations(rows, y, datafit)
        gram.diagonal().add_(ridge * gram.diagonal().mean())
        inverse = _inverse(without_scalings(net, gram))
        if net.n_weights > nnz:
            first = max(int(share * (net.n_weights - nnz)), int(least * net.n_weights), 1)
            drop = _least(net, inverse, nnz, first, slack(rows.n) * total)
        else:
            drop = _least_unit(net, inverse)
        net = refitted(remove(net, inverse, drop))
    return net


def _two_steps(net: SparseNet, rows: RowBlocks, y: Tensor) -> SparseNet:
    return refit(net, rows, y, steps=2, gain=0.01).net


def saliencies(net: SparseNet, rows: RowBlocks, y: Tensor) -> Tensor:
    """Return w^2 / [K^-1]_ii of every weight that counts: what |r|^2 rises by without it."""
    gram, _, _ = net.normal_equations(rows, y)
    return _saliencies(net, _inverse(without_scalings(net, gram)))


def _saliencies(net: SparseNet, inverse: Tensor) -> Tensor:
    return (net.values.square() / inverse.diagonal())[: net.n_weights]


def _least(net: SparseNet, inverse: Tensor, nnz: int, first: int, free: float) -> Tensor:
    """Return the positions to drop now: greedily those of least w^2 / [K^-1]_ii.

    They are `first`, or more as long as their costs stay below `free` together.

    After each drop the costs of the others are those of the quadratic model without it: of two
    equal units each can be spared, but not both.
    """
    excess = net.n_weights - nnz
    first = min(first, excess)
    cost = _saliencies(net, inverse)
    n_free = int((cost.sort().values.cumsum(0) < free).sum())
    n_candidates = min(2 * max(first, min(n_free, excess)) + 10, len(cost))
    candidates = cost.topk(n_candidates, largest=False).indices
    values, block = net.values[candidates], inverse[candidates][:, candidates]
    left = torch.ones_like(values, dtype=torch.bool)
    dropped: list[int] = []
    for _ in range(min(excess, n_candidates)):
        costs = torch.where(left, values.square() / block.diagonal().clamp(min=_TINY), torch.inf)
        least, at = costs.min(dim=0)
        free -= float(least)
        if len(dropped) >= first and free < 0:
            break
        dropped.append(int(at))
        left[at] = False
        column = block[:, at] / block[at, at].clamp(min=_TINY)
        values = values - column * values[at]
        block = block - column[:, None] * block[at]
    return candidates[dropped]


def _least_unit(net: SparseNet, inverse: Tensor) -> Tensor:
    """Return the weights into the unit of the largest layer that costs least to drop."""
    layers = list(net.hidden)
    number = max(range(len(layers)), key=lambda at: layers[at].n_targets)
    start = sum(edges.nnz for edges in layers[:number])
    costs = []
    for unit in range(layers[number].n_targets):
        into = start + (layers[number].target == unit).nonzero()[:, 0]
        costs.append((float(_cost(net.values[into], inverse, into)), unit))
    return start + (layers[number].target == min(costs)[1]).nonzero()[:, 0]


def _cost(values: Tensor, inverse: Tensor, drop: Tensor) -> Tensor:
    return values @ _solve(inverse[drop][:, drop], values)


def remove(net: SparseNet, inverse: Tensor, drop: Tensor) -> SparseNet:
    """Set weights to zero and move the others to where the quadratic model is least.

    w <- w - K^-1[:, D] (K^-1[D, D])^-1 w_D.

    Parameters
    ----------
    net : SparseNet
    inverse : Tensor of shape (p, p)
        K^-1.
    drop : Tensor of int64
        The set D.

    References
    ----------
    B. Hassibi and D. Stork, Second order derivatives for network pruning: optimal brain surgeon,
    NIPS 1992.
    """
    shift = inverse[:, drop] @ _solve(inverse[drop][:, drop], net.values[drop])
    kept = torch.ones(len(net.values), dtype=torch.bool, device=net.values.device)
    kept[drop] = False
    return net.with_values(net.values - shift).keep(kept)


def _solve(matrix: Tensor, rhs: Tensor) -> Tensor:
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if bool(failed):
        return torch.linalg.pinv(matrix, hermitian=True) @ rhs
    return torch.cholesky_solve(rhs[:, None], factor)[:, 0]


def _inverse(gram: Tensor) -> Tensor:
    """Return K^-1, with as little added to the diagonal as makes it invertible."""
    (scaled, scale), ridge = with_unit_diagonal(gram), _RIDGE
    while True:
        system = scaled.clone()
        system.diagonal().add_(ridge)
        factor, failed = torch.linalg.cholesky_ex(system)
        if not bool(failed):
            return torch.cholesky_inverse(factor) * scale[:, None] * scale
        ridge *= 10
