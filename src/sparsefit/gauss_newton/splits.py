"""Units that should be one, and units that should be two."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import SPLITS
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet


def merge(net: SparseNet, cosine: float, *, mirrored: bool = False) -> SparseNet:
    """Make one unit of units whose incoming weights are nearly parallel.

    Where the scale of a unit matters, they must be nearly equal.

    Parameters
    ----------
    net : SparseNet
    cosine : float
        Of the angle below which units are one.
    mirrored : bool, optional
        Take opposite weights as parallel too: g(-z) = -g(z), or g(-z) = g(z) - t z, whose second
        part goes into the skip connection; the latter for one hidden layer only.
    """
    for number in range(len(net.hidden)):
        net = _merge_layer(net, number, cosine, mirrored=mirrored)
    return net.without_idle_units()


def _merge_layer(net: SparseNet, number: int, cosine: float, *, mirrored: bool) -> SparseNet:
    weights, activation = net.hidden[number].dense(), net.activation
    owner, ratio = _owners(weights, cosine, mirrored=mirrored, scaled=activation.is_homogeneous)
    if bool((owner == torch.arange(len(owner), device=owner.device)).all()):
        return net
    flipped = ratio < 0
    outgoing = net.readout if number + 1 == len(net.hidden) else net.hidden[number + 1]
    fed = outgoing.dense().T
    fed, constant = fed.split([len(weights), len(fed) - len(weights)])
    if activation.turn is not None and bool(flipped.any()):
        linear = (weights * flipped[:, None]).T @ (fed * flipped[:, None])
        skip = net.skip.dense().T + activation.turn * linear
        net = replace(net, skip=Edges.from_dense(skip))
    if net.fused and number + 1 == len(net.hidden):
        summed = torch.zeros_like(weights).index_add_(0, owner, weights * ratio.sign()[:, None])
        return _set(net, number, Edges.from_dense(summed.T))
    alone = owner == torch.arange(len(owner), device=owner.device)
    factor = ratio if activation.is_odd else ratio.abs()
    moved = torch.zeros_like(fed).index_add_(0, owner, fed * factor[:, None])
    net = _set(net, number, Edges.from_dense((weights * alone[:, None]).T))
    return _set(net, number + 1, Edges.from_dense(torch.cat([moved, constant])))


def _owners(
    weights: Tensor, cosine: float, *, mirrored: bool, scaled: bool
) -> tuple[Tensor, Tensor]:
    """Return for every unit the one it goes to, and the signed ratio of their norms.

    Unless units may be `scaled` the ratio is only a sign, and likeness is 1 for equal weights only:
    2 v.w / (|v|^2 + |w|^2), the cosine if they are of one norm.
    """
    norms = weights.norm(dim=1)
    if scaled:
        directions = weights / norms[:, None]
        cosines = directions @ directions.T
    else:
        squares = norms.square()
        cosines = 2 * (weights @ weights.T) / (squares[:, None] + squares)
    owner = torch.full((len(norms),), -1, device=norms.device)
    ratio = torch.ones_like(norms)
    for unit in norms.argsort(descending=True, stable=True).tolist():
        if owner[unit] >= 0:
            continue
        row = cosines[unit].abs() if mirrored else cosines[unit]
        near = (row > cosine) & (owner < 0)
        near[unit] = True
        owner[near] = unit
        size = norms[near] / norms[unit] if scaled else 1.0
        ratio[near] = cosines[unit][near].sign() * size
    return owner, ratio


def split(net: SparseNet, objective: Objective, count: int) -> SparseNet:
    """Split the units of the last hidden layer where that lowers the loss most.

    relu(z) becomes relu(cz + e) + relu((1-c)z - e), which differs from it near the boundary z = 0
    only. The direction of e is the most negative one of sum r x x^T over the rows there, on its
    largest inputs. For homogeneous activations; others have no such boundary, and nothing is split.

    Parameters
    ----------
    net : SparseNet
    objective : Objective
    count : int
        At most so many units; see `SplitProfile` for those that are not worth it.
    """
    if not net.activation.is_homogeneous:
        return net
    found = sorted(_splits(net, objective), key=lambda item: -item[0])[:count]
    found = [item for item in found if item[0] > SPLITS.least_gain * found[0][0]]
    if not found:
        return net
    last, fed = net.hidden[-1], net.readout.dense().T
    weights = last.dense()
    units = torch.tensor([unit for _, unit, _ in found], device=weights.device)
    part = torch.stack([part for _, _, part in found])
    weights = torch.cat([weights, weights[units] - part])
    weights[units] = part
    net = replace(net, readout=Edges.from_dense(torch.cat([fed, fed[units]])))
    return _set(net, len(net.hidden) - 1, Edges.from_dense(weights.T))


def mirror(net: SparseNet, objective: Objective, count: int) -> SparseNet:
    """Add units g(-z) beside units g(z) of the last hidden layer where that helps most.

    A unit found the wrong way around leaves a linear function to be made up for, which g(-z)
    can, as t z = g(z) - g(-z).

    Parameters
    ----------
    net : SparseNet
    objective : Objective
    count : int
        At most so many units.
    """
    weights = net.hidden[-1].dense()
    slope = square = weights.new_zeros(())
    for span, block in zip(objective.rows.spans, objective.rows.blocks, strict=True):
        through = net.forward(block)
        image, _ = net.activation.with_slope(-(weights @ through.inputs[-2]))
        slope = slope + image @ (through.outputs - objective.y[:, span]).T
        square = square + image.square().sum(dim=1)
    slope, square = objective.rows.total(slope), objective.rows.total(square)
    value = -slope / square.clamp(min=1e-300)[:, None]
    gain = value.square() * square[:, None]
    if net.fused:
        gain = gain * (value > 0)
    gain, output = gain.max(dim=1)
    units = gain.topk(min(count, len(gain))).indices
    units = units[gain[units] > 0].sort().values
    value = value[units, output[units]]
    fed = net.readout.dense().T
    if net.fused:
        added, outgoing = -weights[units] * value[:, None], fed[units]
    else:
        added, outgoing = -weights[units], torch.zeros_like(fed[units])
        outgoing[torch.arange(len(units)), output[units]] = value
    net = replace(net, readout=Edges.from_dense(torch.cat([fed, outgoing])))
    return _set(net, len(net.hidden) - 1, Edges.from_dense(torch.cat([weights, added]).T))


def _splits(net: SparseNet, objective: Objective) -> Iterator[tuple[float, int, Tensor]]:
    """Yield for each unit how much |r|^2 falls by its best split, and one of the two parts."""
    # Rows are looked at one by one.
    objective = objective.here()
    blocks = objective.rows.blocks
    inputs = torch.cat([net.forward(block).inputs[-2] for block in blocks], dim=1)
    fed = net.readout.dense().T
    pull = fed @ objective.residuals(net)
    n = inputs.shape[1]
    activate = net.activation.module()
    n_near = min(max(SPLITS.least_near, int(SPLITS.near * n)), n)
    for unit, weight in enumerate(net.hidden[-1].dense()):
        z = weight @ inputs
        whole = activate(z)
        near = z.abs().topk(n_near, largest=False).indices
        x = inputs[:, near]
        curvature = fed[unit].square().sum()
        best = 0.0, unit, weight
        for direction in _descents(x, pull[unit, near], weight):
            across = direction @ inputs
            lengths = weight.norm() * weight.new_tensor(SPLITS.lengths)
            for share, length in itertools.product(SPLITS.shares, lengths):
                one = share * z + length * across
                bump = activate(one) + activate(z - one) - whole
                gain = float(-2 * (pull[unit] @ bump) - curvature * (bump @ bump))
                if gain > best[0]:
                    best = gain, unit, share * weight + length * direction
        if best[0] > 0:
            yield best


def _descents(x: Tensor, pull: Tensor, weight: Tensor) -> Iterator[Tensor]:
    """Yield unit vectors of negative curvature of sum pull x x^T across `weight`, on few inputs."""
    along = weight / weight.norm()
    x = x - along[:, None] * (along @ x)
    # On fewer rows than inputs, all that matters lies in the span of the rows.
    basis = torch.linalg.qr(x).Q if x.shape[0] > x.shape[1] else None
    seen = x if basis is None else basis.T @ x
    curvature, vectors = torch.linalg.eigh((seen * pull) @ seen.T)
    if curvature[0] >= 0:
        return
    vector = vectors[:, 0] if basis is None else basis @ vectors[:, 0]
    for width in SPLITS.widths:
        kept = vector.abs().topk(min(width, len(vector))).indices
        sparse = torch.zeros_like(vector)
        sparse[kept] = vector[kept]
        yield sparse / sparse.norm()


def _set(net: SparseNet, number: int, edges: Edges) -> SparseNet:
    if number == len(net.hidden):
        return replace(net, readout=edges)
    return replace(net, hidden=(*net.hidden[:number], edges, *net.hidden[number + 1 :]))
