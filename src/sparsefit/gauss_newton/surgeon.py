"""Drop weights with the least harm: the optimal brain surgeon on the support of a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.linear_algebra import inverse, with_gauge
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import SURGEON
from sparsefit.gauss_newton.sparse_net import SparseNet

# Keeps quotients of numbers that are both zero finite.
_TINY = 1e-300


def slack(n: int) -> float:
    """Return by what part |r|^2 may rise in a step that simplifies; see `SurgeonProfile`."""
    return min(SURGEON.slack, SURGEON.slack_rows / n)


@dataclass(frozen=True, kw_only=True)
class Stages:
    """The stages in which a network is contracted.

    Attributes
    ----------
    share, least : float
        A stage drops `share` of what is too much, and no less than the share `least` of all.
    ridge : float
        Added to the diagonal of K, as a share of its mean: a belief that weights are small.
    refitted : callable or None
        What is done after each stage; None for two Levenberg-Marquardt steps.
    """

    share: float = 0.3
    least: float = 0.0
    ridge: float = 0.0
    refitted: Callable[[SparseNet], SparseNet] | None = None


def contract(
    net: SparseNet, objective: Objective, nnz: int, max_units: int, stages: Stages | None = None
) -> SparseNet:
    """Drop weights in stages until at most `nnz` weights and `max_units` units a layer are left.

    A stage drops a share of what is too much, or more where the quadratic model promises that the
    loss hardly rises, and refits what is left.

    Parameters
    ----------
    net : SparseNet
        A skip connection that does not count is not dropped.
    objective : Objective
        The surgeon looks at its loss alone, without penalties.
    nnz, max_units : int
    stages : Stages, optional
    """
    how = stages or Stages()
    while net.nnz > nnz or net.n_units > max_units:
        net = net.balanced()
        gram, _, total = objective.equations(net)
        gram.diagonal().add_(how.ridge * gram.diagonal().mean())
        inverted = inverse(with_gauge(net, gram), SURGEON.ridge)
        if net.nnz > nnz:
            first = max(int(how.share * (net.nnz - nnz)), int(how.least * net.nnz), 1)
            drop = _least(net, inverted, nnz, first, slack(objective.n) * total)
        else:
            drop = _least_unit(net, inverted)
        net = remove(net, inverted, drop)
        if how.refitted is None:
            net = levenberg_marquardt(net, objective, steps=2, gain=0.01).net
        else:
            net = how.refitted(net)
    return net


def saliencies(net: SparseNet, objective: Objective) -> Tensor:
    """Return w^2 / [K^-1]_ii of every weight that counts: what |r|^2 rises by without it."""
    gram, _, _ = objective.equations(net)
    return _saliencies(net, inverse(with_gauge(net, gram), SURGEON.ridge))


def _saliencies(net: SparseNet, inverted: Tensor) -> Tensor:
    return (net.values.square() / inverted.diagonal())[: net.nnz]


def _least(net: SparseNet, inverted: Tensor, nnz: int, first: int, free: float) -> Tensor:
    """Return the positions to drop now: greedily those of least w^2 / [K^-1]_ii.

    They are `first`, or more as long as their costs stay below `free` together.

    After each drop the costs of the others are those of the quadratic model without it: of two
    equal units each can be spared, but not both.
    """
    excess = net.nnz - nnz
    first = min(first, excess)
    cost = _saliencies(net, inverted)
    n_free = int((cost.sort().values.cumsum(0) < free).sum())
    n_wanted = max(first, min(n_free, excess))
    n_candidates = min(SURGEON.spare_share * n_wanted + SURGEON.spare, len(cost))
    candidates = cost.topk(n_candidates, largest=False).indices
    values, block = net.values[candidates], inverted[candidates][:, candidates]
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


def _least_unit(net: SparseNet, inverted: Tensor) -> Tensor:
    """Return the weights into the unit of the largest layer that costs least to drop."""
    layers = list(net.hidden)
    number = max(range(len(layers)), key=lambda at: layers[at].n_targets)
    start = sum(edges.nnz for edges in layers[:number])
    costs = []
    for unit in range(layers[number].n_targets):
        into = start + (layers[number].target == unit).nonzero()[:, 0]
        costs.append((float(_cost(net.values[into], inverted, into)), unit))
    return start + (layers[number].target == min(costs)[1]).nonzero()[:, 0]


def _cost(values: Tensor, inverted: Tensor, drop: Tensor) -> Tensor:
    return values @ _solve(inverted[drop][:, drop], values)


def remove(net: SparseNet, inverted: Tensor, drop: Tensor) -> SparseNet:
    """Set weights to zero and move the others to where the quadratic model is least.

    w <- w - K^-1[:, D] (K^-1[D, D])^-1 w_D.

    Parameters
    ----------
    net : SparseNet
    inverted : Tensor of shape (p, p)
        K^-1.
    drop : Tensor of int64
        The set D.

    References
    ----------
    B. Hassibi and D. Stork, Second order derivatives for network pruning: optimal brain surgeon,
    NIPS 1992.
    """
    shift = inverted[:, drop] @ _solve(inverted[drop][:, drop], net.values[drop])
    kept = torch.ones(len(net.values), dtype=torch.bool, device=net.values.device)
    kept[drop] = False
    return net.with_values(net.values - shift).keep(kept)


def _solve(matrix: Tensor, rhs: Tensor) -> Tensor:
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if bool(failed):
        pseudo_inverse: Tensor = torch.linalg.pinv(matrix, hermitian=True)
        return pseudo_inverse @ rhs
    return torch.cholesky_solve(rhs[:, None], factor)[:, 0]
