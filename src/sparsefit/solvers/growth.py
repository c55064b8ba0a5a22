"""Where more weights help most: first-order gains of weights that are not in the support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from sparsefit.core.rows import Rows
from sparsefit.solvers.sparse_net import Edges, SparseNet

_TINY = 1e-300


class Slopes(NamedTuple):
    """Sums over rows for one matrix of possible weights, (targets, sources).

    Attributes
    ----------
    gradient : Tensor
        G, the derivative of 1/2 |r|^2.
    curvature : Tensor
        D, the diagonal of J^T J.
    """

    gradient: Tensor
    curvature: Tensor

    @property
    def gain(self) -> Tensor:
        """How much |r|^2 falls if the weight alone is set to its best value, G^2 / D."""
        return self.gradient.square() / self.curvature.clamp(min=_TINY)

    @property
    def best(self) -> Tensor:
        """The best value for the weight alone, -G / D."""
        return -self.gradient / self.curvature.clamp(min=_TINY)


def slopes(net: SparseNet, rows: Rows, y: Tensor) -> tuple[list[Slopes], list[Slopes]]:
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
    live = [_zeros(edges, net) for edges in net.hidden]
    fed = [*net.hidden[1:], net.readout]
    fresh = [
        _zeros(replace(into, n_targets=out.n_targets), net, double=number == 0)
        for number, (into, out) in enumerate(zip(net.hidden, fed, strict=True))
    ]
    last, straight = _zeros(net.readout, net), _zeros(net.linear, net)
    for span, block in zip(rows.spans, rows.blocks, strict=True):
        through = net.forward(block)
        residual = through.outputs - y[:, span]
        for output, r in enumerate(residual):
            back = [
                sensitivity * active
                for sensitivity, active in zip(
                    net.sensitivities(through, output), through.active, strict=True
                )
            ]
            for number in range(n_layers):
                _add(live[number], back[number], r, through.inputs[number])
                source = through.inputs[number]
                if number == 0:
                    source = torch.cat([source.clamp(min=0), (-source).clamp(min=0)])
                if number + 1 < n_layers:
                    _add(fresh[number], back[number + 1], r, source)
                else:
                    _add(fresh[number], None, r, source, output)
            _add(last, None, r, through.inputs[-1], output)
            _add(straight, None, r, block, output)
    return [
        *live,
        *([] if net.fused else [last]),
        *([straight] if net.linear_counts else []),
    ], fresh


def _zeros(edges: Edges, net: SparseNet, *, double: bool = False) -> Slopes:
    shape = edges.n_targets, edges.n_sources * (2 if double else 1)
    return Slopes(net.values.new_zeros(shape), net.values.new_zeros(shape))


def _add(to: Slopes, back: Tensor | None, r: Tensor, source: Tensor, output: int = 0) -> None:
    """Add one block of rows; without `back`, the target is an output itself."""
    if back is None:
        to.gradient[output] += source @ r
        to.curvature[output] += source.square().sum(dim=1)
    else:
        to.gradient.addmm_(back * r, source.T)
        to.curvature.addmm_(back.square(), source.square().T)


def expand(net: SparseNet, rows: Rows, y: Tensor, count: int, max_fresh: int) -> SparseNet:
    """Add the `count` weights of largest gain, between live units or by fresh units.

    A weight between live units starts at zero; a fresh unit, which counts as two weights if its
    outgoing weight is one, starts at its best value.

    Parameters
    ----------
    net : SparseNet
    rows : Rows
    y : Tensor of shape (k, n)
    count : int
    max_fresh : int
        At most so many fresh units.
    """
    live, fresh = slopes(net, rows, y)
    layers = net.trained if net.linear_counts else net.trained[:-1]
    gains = []
    for edges, slope in zip(layers, live, strict=True):
        gain = slope.gain
        gain[edges.target, edges.source] = 0
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
