"""Where more weights help most: first-order gains of weights that are not in the support."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from sparsefit.gauss_newton.objective import Objective, Slopes
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet


def expand(
    net: SparseNet, objective: Objective, count: int, max_fresh: int, *, ridge: float = 0.0,
    first_skip: int = 0,
) -> SparseNet:  # fmt: skip
    """Add the `count` weights of largest gain, between live units or by fresh units.

    A weight between live units starts at zero; a fresh unit, which counts as two weights if its
    outgoing weight is one, starts at its best value.

    Parameters
    ----------
    net : SparseNet
    objective : Objective
    count : int
    max_fresh : int
        At most so many fresh units.
    ridge : float, optional
        Added to D, as a share of its mean over the present weights of the matrix: what few rows
        see is no great gain.
    first_skip : int, optional
        The skip connection, if it counts, gets no weights from inputs before this one.
    """
    live, fresh = objective.slopes(net)
    layers = net.trained if net.skip_counts else net.trained[:-1]
    gains = [
        *_live_gains(net, live, ridge, first_skip),
        *(_fresh_gain(net, number, slope, max_fresh) for number, slope in enumerate(fresh)),
    ]
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


def _live_gains(
    net: SparseNet, live: list[Slopes], ridge: float, first_skip: int
) -> Iterator[Tensor]:
    """Yield the gains of the places of each matrix; 0 where there is a weight or may be none."""
    layers = net.trained if net.skip_counts else net.trained[:-1]
    for edges, slope in zip(layers, live, strict=True):
        present = slope.curvature[edges.target, edges.source].sum() / max(edges.nnz, 1)
        gain = slope.damped(ridge * present).gain
        gain[edges.target, edges.source] = 0
        if edges is net.skip:
            gain[:, :first_skip] = 0
        yield gain.ravel()


def _fresh_gain(net: SparseNet, number: int, slope: Slopes, most: int) -> Tensor:
    """Return the gains of fresh units of a layer a weight; 0 but for the `most` best."""
    is_sum = net.fused and number + 1 == len(net.hidden)
    gain = slope.gain if is_sum else slope.gain / 2
    if is_sum:
        # The plain sum of units has no negative outgoing weights.
        gain = gain * (slope.gradient < 0)
    if net.biased and number:
        # A unit that only has a bias is a constant, as a bias is.
        gain[:, net.hidden[number].n_sources - 1 :: net.hidden[number].n_sources] = 0
    gain = gain.ravel()
    if most < len(gain):
        cut = gain.topk(most).values[-1] if most else float("inf")
        gain = gain * (gain >= cut)
    return gain


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
        lambda edges: edges.with_sources(into.n_targets, len(kinds)).add(unit, fed, outgoing),
    )
