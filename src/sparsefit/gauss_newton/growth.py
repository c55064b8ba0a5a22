"""Where more weights help most: first-order gains of weights that are not in the support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.sparse_net import SQUARED, Edges, Forward, SparseNet

_TINY = 1e-300


class Slopes(NamedTuple):
    """Sums over rows for one matrix of possible weights, (targets, sources).

    Attributes
    ----------
    gradient : Tensor
        G, the derivative of the loss, which is 1/2 |r|^2 unless it is another.
    curvature : Tensor
        D, the diagonal of its Gauss-Newton matrix, J^T J.
    """

    gradient: Tensor
    curvature: Tensor

    @property
    def gain(self) -> Tensor:
        """By what twice the loss falls if the weight alone is set to its best value, G^2 / D."""
        return self.gradient.square() / self.curvature.clamp(min=_TINY)

    def damped(self, amount: Tensor) -> Slopes:
        """Return the same with `amount` added to the curvature."""
        return self._replace(curvature=self.curvature + amount)

    @property
    def best(self) -> Tensor:
        """The best value for the weight alone, -G / D."""
        return -self.gradient / self.curvature.clamp(min=_TINY)


def slopes(
    net: SparseNet, rows: RowBlocks, y: Tensor, datafit: Datafit = SQUARED
) -> tuple[list[Slopes], list[Slopes]]:
    """Return the slopes of all weights between live units, and of all fresh units with one input.

    Returns
    -------
    live : list of Slopes
        For W_1, ..., W_L, unless fused U, and C if it counts.
    fresh : list of Slopes
        For each hidden layer the slopes, by what the new unit feeds and by its input and sign, of
        its outgoing weight: inputs first with a positive weight of 1, then, in the first layer,
        with a negative one. Inputs of later layers are never negative.
    """
    n_layers = len(net.hidden)
    live = [_zeros(edges, net) for edges in (*net.hidden, net.readout, net.linear)]
    fed = [*net.hidden[1:], net.readout]
    fresh = [
        _zeros(replace(into, n_targets=out.n_targets), net, double=number == 0)
        for number, (into, out) in enumerate(zip(net.hidden, fed, strict=True))
    ]
    for span, block in zip(rows.spans, rows.blocks, strict=True):
        through = net.forward(block)
        pulls, squares = _pulls_and_squares(net, through, y[:, span], datafit)
        # The linear term feeds the outputs, as the readout does.
        targets = [*range(n_layers + 1), n_layers]
        for slope, source, at in zip(live, [*through.inputs, block], targets, strict=True):
            _add(slope, pulls[at], squares[at], source)
        for number, slope in enumerate(fresh):
            source = through.inputs[number]
            if number == 0:
                source = torch.cat([source.clamp(min=0), (-source).clamp(min=0)])
            _add(slope, pulls[number + 1], squares[number + 1], source)
    *hidden, last, straight = live
    readouts = [*([] if net.fused else [last]), *([straight] if net.linear_counts else [])]
    return [*hidden, *readouts], fresh


def _pulls_and_squares(
    net: SparseNet, through: Forward, y: Tensor, datafit: Datafit
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the derivatives of the loss by what enters each unit, and then each output.

    First and second ones, for each layer in shape (units, rows).
    """

    def deltas(weights: Tensor) -> list[Tensor]:
        back = net.sensitivities(through, weights)
        return [*(b * a for b, a in zip(back, through.active, strict=True)), weights]

    z = through.outputs.T
    pulls = deltas(datafit.gradient(z, y.T).T)
    squares = [torch.zeros_like(pull) for pull in pulls]
    for root in datafit.curvature_roots(z, y.T):
        for square, delta in zip(squares, deltas(root.T), strict=True):
            square.addcmul_(delta, delta)
    return pulls, squares


def _zeros(edges: Edges, net: SparseNet, *, double: bool = False) -> Slopes:
    shape = edges.n_targets, edges.n_sources * (2 if double else 1)
    return Slopes(net.values.new_zeros(shape), net.values.new_zeros(shape))


def _add(to: Slopes, pull: Tensor, square: Tensor, source: Tensor) -> None:
    """Add one block of rows."""
    to.gradient.addmm_(pull, source.T)
    to.curvature.addmm_(square, source.square().T)


def expand(
    net: SparseNet, rows: RowBlocks, y: Tensor, count: int, max_fresh: int, *,
    datafit: Datafit = SQUARED, ridge: float = 0.0, first_linear: int = 0,
) -> SparseNet:  # fmt: skip
    """Add the `count` weights of largest gain, between live units or by fresh units.

    A weight between live units starts at zero; a fresh unit, which counts as two weights if its
    outgoing weight is one, starts at its best value.

    Parameters
    ----------
    net : SparseNet
    rows : RowBlocks
    y : Tensor of shape (k, n)
    count : int
    max_fresh : int
        At most so many fresh units.
    datafit : Datafit, optional
    ridge : float, optional
        Added to D, as a share of its mean over the present weights of the matrix: what few rows
        see is no great gain.
    first_linear : int, optional
        The linear term, if it counts, gets no weights from inputs before this one.
    """
    live, fresh = slopes(net, rows, y, datafit)
    layers = net.trained if net.linear_counts else net.trained[:-1]
    gains = []
    for edges, slope in zip(layers, live, strict=True):
        present = slope.curvature[edges.target, edges.source].sum() / max(edges.nnz, 1)
        gain = slope.damped(ridge * present).gain
        gain[edges.target, edges.source] = 0
        if edges is net.linear:
            gain[:, :first_linear] = 0
        gains.append(gain.ravel())
    for number, slope in enumerate(fresh):
        last = number + 1 == len(net.hidden)
        gain = slope.gain if net.fused and last else slope.gain / 2
        if net.fused and last:
            # The plain sum of units has no negative outgoing weights.
            gain = gain * (slope.gradient < 0)
        gain = gain.ravel()
        if max_fresh < len(gain):
            cut = gain.topk(max_fresh).values[-1] if max_fresh else float("inf")
            gain = gain * (gain >= cut)
        gains.append(gain)
    flat = torch.cat(gains)
    top = flat.topk(min(count, len(flat))).indices
    picked = torch.zeros_like(flat, dtype=torch.bool)
    picked[top] = flat[top] > 0
    chosen = [part.nonzero()[:, 0] for part in picked.split([len(gain) for gain in gains])]
    trained = list(net.trained)
    for number, (edges, here) in enumerate(zip(layers, chosen, strict=False)):
        target, source = here // edges.n_sources, here % edges.n_sources
        trained[number] = edges.add(source, target, torch.zeros_like(here, dtype=flat.dtype))
    net = net.with_trained(trained)
    for number, here in enumerate(chosen[len(live) :]):
        if len(here):
            net = _add_fresh(net, number, fresh[number], here)
    return net


def _with_layer(net: SparseNet, number: int, change: Callable[[Edges], Edges]) -> SparseNet:
    if number == len(net.hidden):
        return replace(net, readout=change(net.readout))
    hidden = list(net.hidden)
    hidden[number] = change(hidden[number])
    return replace(net, hidden=tuple(hidden))


def _add_fresh(net: SparseNet, number: int, slope: Slopes, picked: Tensor) -> SparseNet:
    """Add fresh units to a layer; units with the same input and sign become one."""
    into = net.hidden[number]
    width = slope.gradient.shape[1]
    fed, kind = picked // width, picked % width
    kinds, unit = torch.unique(kind, return_inverse=True)
    unit = unit + into.n_targets
    sign = 1.0 - 2.0 * (kinds >= into.n_sources).to(into.values.dtype)
    value = slope.best[fed, kind]
    n_units = into.n_targets + len(kinds)
    fresh = torch.arange(into.n_targets, n_units, device=kinds.device)
    is_sum = net.fused and number + 1 == len(net.hidden)
    weight = sign * (value if is_sum else 1.0)
    wider = replace(into, n_targets=n_units).add(kinds % into.n_sources, fresh, weight)
    net = _with_layer(net, number, lambda _: wider)
    outgoing = torch.ones_like(value) if is_sum else value
    return _with_layer(
        net,
        number + 1,
        lambda edges: replace(edges, n_sources=n_units).add(unit, fed, outgoing),
    )
