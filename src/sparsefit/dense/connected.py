"""Spend a budget on connections that lie on a path from an input to an output."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sparsefit.core.hard_threshold import largest
from sparsefit.nn import Allocation, Candidate, choose

# A connection: layer, output, input.
_Edge = tuple[int, int, int]


def choose_connected(
    candidates: Sequence[Candidate], keep: int, *, allocation: Allocation, n_layers: int
) -> list[Tensor]:
    """Choose as `choose` does, then move what half-connected units have to others.

    A hidden unit without a path from an input, or without one to an output, adds nothing but a
    constant. What it has kept goes, and the most important others between units that have both
    come instead; where those have no more, further units are connected.

    Parameters
    ----------
    candidates : sequence of Candidate
        Single weights of a network: of each layer the matrix, outputs by inputs, and the bias if it
        has one; then the matrix of a skip connection from inputs to outputs, if there is one.
    keep : int
        How many are kept; one may be left over if all connected units are full, as a further one
        takes two, and a path of more layers more.
    allocation : {"global", "uniform", "erk"}
        Of the first choice.
    n_layers : int
        Layers of the network, that of the outputs included.

    Returns
    -------
    list of bool Tensor

    Examples
    --------
    >>> from sparsefit.nn import Unstructured
    >>> scores = torch.tensor([[9.0, 2.0], [1.0, 8.0]]), torch.tensor([[0.0, 5.0]])
    >>> candidates = [Candidate(tuple(s.shape), Unstructured(), s) for s in scores]
    >>> masks = choose_connected(candidates, 3, allocation="global", n_layers=2)
    >>> [mask.tolist() for mask in masks]
    [[[False, False], [True, True]], [[False, True]]]
    """
    kept = choose(candidates, keep, allocation)
    scores = [candidate.importance for candidate in candidates]
    chain = [i for i, score in enumerate(scores) if score.ndim == 2][:n_layers]
    while True:
        live = _live_units([kept[i] for i in chain])
        allowed = _between(live, scores, chain)
        kept = [mask & among for mask, among in zip(kept, allowed, strict=True)]
        if _count(allowed) >= keep:
            return _fill(kept, allowed, scores, keep)
        path = _new_path([scores[i] for i in chain], live)
        if not path or _count(kept) + len(path) > keep:
            return allowed
        for layer, row, column in path:
            kept[chain[layer]][row, column] = True


def _live_units(masks: Sequence[Tensor]) -> list[Tensor]:
    """Mark, from the inputs to the outputs, the units on a path between both; the ends all are."""
    reached, reaching = [masks[0].new_ones(masks[0].shape[1])], [masks[-1].new_ones(len(masks[-1]))]
    for mask in masks[:-1]:
        reached.append((mask & reached[-1]).any(dim=1))
    for mask in reversed(masks[1:]):
        reaching.append((mask & reaching[-1][:, None]).any(dim=0))
    hidden = [a & b for a, b in zip(reached[1:], reversed(reaching[1:]), strict=True)]
    return [reached[0], *hidden, reaching[0]]


def _between(
    live: Sequence[Tensor], scores: Sequence[Tensor], chain: Sequence[int]
) -> list[Tensor]:
    """Mark connections between live units, their biases, and the skip connection."""
    allowed = [torch.ones_like(score, dtype=torch.bool) for score in scores]
    for i, (sources, units) in zip(chain, itertools.pairwise(live), strict=True):
        allowed[i] = units[:, None] & sources
        if i + 1 < len(scores) and scores[i + 1].ndim == 1:
            allowed[i + 1] = units
    return allowed


def _fill(
    kept: Sequence[Tensor], allowed: Sequence[Tensor], scores: Sequence[Tensor], keep: int
) -> list[Tensor]:
    """Add the most important of what is allowed, until `keep` are kept."""
    ranked = [
        score.masked_fill(mask, math.inf).masked_fill(~among, -math.inf).ravel()
        for mask, among, score in zip(kept, allowed, scores, strict=True)
    ]
    parts = largest(torch.cat(ranked), keep).split([len(part) for part in ranked])
    return [part.view_as(mask) for part, mask in zip(parts, kept, strict=True)]


def _new_path(scores: Sequence[Tensor], live: Sequence[Tensor]) -> list[_Edge]:
    """Return what connects one more unit, the one whose two best connections are worth most."""
    found: list[tuple[float, list[_Edge]]] = [(-math.inf, [])]
    for layer, (before, after) in enumerate(itertools.pairwise(scores)):
        sources, units, targets = live[layer : layer + 3]
        into = before.masked_fill(~sources, -math.inf).max(dim=1)
        out = after.masked_fill(~targets[:, None], -math.inf).max(dim=0)
        gain = (into.values + out.values).masked_fill(units, -math.inf)
        unit = int(gain.argmax())
        edges = [(layer, unit, int(into.indices[unit])), (layer + 1, int(out.indices[unit]), unit)]
        found.append((float(gain[unit]), edges))
    has_path = all(units.any() for units in live)
    return max(found)[1] if has_path or len(scores) == 2 else _best_path(scores)


def _best_path(scores: Sequence[Tensor]) -> list[_Edge]:
    """Return a path through all layers, each connection chosen with a look at the next."""
    edges: list[_Edge] = []
    for layer, score in enumerate(scores):
        gain = score if layer + 1 == len(scores) else score + scores[layer + 1].amax(0)[:, None]
        columns = [edges[-1][1]] if edges else range(score.shape[1])
        best = int(gain[:, columns].argmax())
        row, column = divmod(best, len(columns))
        edges.append((layer, row, columns[column]))
    return edges


def _count(masks: Sequence[Tensor]) -> int:
    return sum(int(mask.count_nonzero()) for mask in masks)
