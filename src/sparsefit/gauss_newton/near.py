"""Supports that are nearly as good as one that was found: its exchanges of one weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparsefit.gauss_newton.certificate import Place, PlaceNames, Weight
from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
from sparsefit.gauss_newton.linear_algebra import inverse, with_gauge
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import SURGEON
from sparsefit.gauss_newton.sparse_net import SparseNet

# For each weight so many places are tried in its stead, if the quadratic model takes what the
# exchange costs to be below so many times the slack; then it is refitted by so many steps.
_PLACES, _REACH, _STEPS = 5, 3.0, 15


@dataclass(frozen=True)
class Exchange:
    """A support that differs in one weight.

    Attributes
    ----------
    dropped : Weight
    entered : Place or None
        What came in its stead; None if the others do without.
    change : float
        Of |r|^2, refitted, as a share of what it was.
    """

    dropped: Weight
    entered: Place | None
    change: float


def exchanges(
    net: SparseNet, objective: Objective, slack: float, units: Sequence[np.ndarray] | None = None
) -> Iterator[Exchange]:
    """Yield the exchanges of one weight that raise |r|^2 by at most the share `slack`, refitted.

    After each weight is dropped, and the others moved to where the quadratic model is least
    without it, the places of largest gain G^2 / D are tried in its stead, and none. Memory is that
    of n k p numbers, for n rows, k outputs and p weights.

    Parameters
    ----------
    net : SparseNet
        At a minimum.
    objective : Objective
        Of the squared loss.
    slack : float
    units : sequence of ndarray of int, optional
        See `certify`.

    Examples
    --------
    >>> from sparsefit.core.row_blocks import RowBlocks
    >>> from sparsefit.gauss_newton.sparse_net import Edges
    >>> generator = torch.Generator().manual_seed(0)
    >>> x, noise = torch.randn(2, 200, 1, generator=generator).double()
    >>> twins = torch.cat([x, x + 0.01 * noise.flip(0)], dim=1)  # either does
    >>> y = (2 * x.clamp(min=0) + 0.3 * noise).T
    >>> first, unit = torch.tensor([[2.0], [0.0]]).double(), torch.ones(1, 1).double()
    >>> none = Edges.from_dense(torch.zeros(2, 1).double())
    >>> net = SparseNet((Edges.from_dense(first),), Edges.from_dense(unit), none, fused=True)
    >>> objective = Objective(RowBlocks(twins.numpy(), dtype=torch.float64), y)
    >>> best = levenberg_marquardt(net, objective, steps=10).net
    >>> [(one.dropped.input, one.entered.input) for one in exchanges(best, objective, 0.05)]
    [(0, 1)]
    """
    names = PlaceNames(net, objective.rows, units)
    gram, _, total = objective.equations(net)
    inverted = inverse(with_gauge(net, gram), SURGEON.ridge)
    # Column i is what the weights lose when weight i is dropped.
    shifts = inverted * (net.values / inverted.diagonal())
    costs = net.values.square() / inverted.diagonal()
    moved = _outputs_lost(net, objective, shifts)
    for at in range(net.nnz):
        values = net.values - shifts[:, at]
        values[at] = 0.0
        less, dropped = net.with_values(values), names.weight(at)
        without = replace(objective, y=objective.y + moved[:, at])
        for entry in (None, *_entries(net, without)):
            gain = 0.0 if entry is None else entry.gain
            if float(costs[at]) - gain > _REACH * slack * total:
                continue
            trial = less if entry is None else entry.added_to(less)
            trial = trial.keep(trial.values != 0)
            left = levenberg_marquardt(trial, objective, steps=_STEPS, gain=1e-6).loss
            change = left * objective.n_targets / total - 1
            if change <= slack:
                entered = None if entry is None else names.place(*entry.place)
                yield Exchange(dropped, entered, change)


class _Entry(NamedTuple):
    """A weight that may come in: matrix, target and source; its best value and its gain."""

    place: tuple[int, int, int]
    value: float
    gain: float

    def added_to(self, net: SparseNet) -> SparseNet:
        """Return the network with it."""
        number, target, source = self.place
        trained = list(net.trained)
        edges = trained[number]
        places = edges.target.new_tensor([source]), edges.target.new_tensor([target])
        trained[number] = edges.add(*places, edges.values.new_tensor([self.value]))
        return net.with_trained(trained)


def _entries(net: SparseNet, objective: Objective) -> list[_Entry]:
    """Return the weights between live units of largest gain, G^2 / D."""
    found = []
    for number, (edges, slope) in enumerate(
        zip(net.trained, objective.slopes(net)[0], strict=False)
    ):
        gain, best = slope.gain, slope.best
        gain[edges.target, edges.source] = 0
        top = gain.ravel().topk(min(_PLACES, gain.numel()))
        for place in top.indices[top.values > 0].tolist():
            target, source = divmod(place, edges.n_sources)
            values = float(best[target, source]), float(gain[target, source])
            found.append(_Entry((number, target, source), *values))
    return sorted(found, key=lambda entry: -entry.gain)[:_PLACES]


def _outputs_lost(net: SparseNet, objective: Objective, shifts: Tensor) -> Tensor:
    """Return what the outputs lose by each column of shifts, to first order, (k, p, n)."""
    parts = []
    for block in objective.rows.blocks:
        through = net.forward(block)
        eye = torch.eye(net.n_outputs, dtype=block.dtype, device=block.device)
        of_outputs = [
            shifts.T @ net.jacobian(through, one[:, None].expand(-1, block.shape[1])) for one in eye
        ]
        parts.append(torch.stack(of_outputs))
    return torch.cat(parts, dim=2)
