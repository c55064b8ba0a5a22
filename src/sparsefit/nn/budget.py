"""How a budget is shared out among the weights of several layers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from sparsefit.core.choices import Allocation as Allocation
from sparsefit.core.hard_threshold import largest
from sparsefit.nn.structure import NM, Shape, Structure

ALLOCATIONS: tuple[str, ...] = get_args(Allocation)


@dataclass(frozen=True)
class Candidate:
    """The groups of one weight, with how much each is worth.

    Attributes
    ----------
    shape : tuple of int
        Of the weight.
    structure : Structure
    importance : Tensor
        In the shape of the groups.
    """

    shape: Shape
    structure: Structure
    importance: Tensor


# In place of a named allocation: which groups to keep, from all of them and the number to keep.
Choice = Callable[[Sequence[Candidate], int], list[Tensor]]


def choose(candidates: Sequence[Candidate], keep: int, allocation: Allocation) -> list[Tensor]:
    """Mark the groups to keep: at most `keep` weights in all, exactly if groups are single weights.

    Parameters
    ----------
    candidates : sequence of Candidate
    keep : int
        Weights to keep over all candidates together.
    allocation : {"global", "uniform", "erk"}
        One ranking over all weights; the same density everywhere; or denser where layers are small
        (see `shares`). Weights of an `NM` structure always have the same density.

    Returns
    -------
    list of bool Tensor
        One per candidate, in the shape of its groups.

    Examples
    --------
    >>> from sparsefit.nn.structure import Unstructured
    >>> weights = [torch.tensor([[3.0, 2.0]]), torch.tensor([[1.0, 0.0]])]
    >>> ranked = [Candidate((1, 2), Unstructured(), weight) for weight in weights]
    >>> [mask.tolist() for mask in choose(ranked, 2, "global")]
    [[[True, True]], [[False, False]]]
    >>> [mask.tolist() for mask in choose(ranked, 2, "uniform")]
    [[[True, False]], [[True, False]]]
    """
    if any(isinstance(candidate.structure, NM) for candidate in candidates):
        counts = _shares_with_places(candidates, keep)
    elif allocation == "global" and len(candidates) > 1:
        return _choose_globally(candidates, keep)
    else:
        counts = shares([candidate.shape for candidate in candidates], keep, allocation)
    return [
        _choose_in(candidate, count) for candidate, count in zip(candidates, counts, strict=True)
    ]


def shares(shapes: Sequence[Shape], keep: int, allocation: Allocation) -> list[int]:
    """Share `keep` out among weights of the given shapes.

    ``uniform``: in proportion to their sizes. ``erk`` (Erdős-Rényi-kernel, Evci et al., 2020,
    arXiv:1911.11134): in proportion to the sum of their dimensions, so that small layers stay
    denser; no share exceeds its weight, and what is over goes to the others. Rounded by largest
    remainders, at least 1 each if there is enough.

    Examples
    --------
    >>> shares([(64, 10), (1, 64)], 35, "uniform"), shares([(64, 10), (1, 64)], 35, "erk")
    ([32, 3], [19, 16])
    """
    sizes = [math.prod(shape) for shape in shapes]
    pulls = [sum(shape) for shape in shapes] if allocation == "erk" else sizes
    exact = _capped_proportions(pulls, sizes, keep)
    counts = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(shapes)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: min(keep, sum(sizes)) - sum(counts)]:
        counts[i] += 1
    for i in range(len(counts)):
        largest_count = max(range(len(counts)), key=counts.__getitem__)
        if counts[i] == 0 and counts[largest_count] > 1:
            counts[i], counts[largest_count] = 1, counts[largest_count] - 1
    return counts


def _capped_proportions(pulls: Sequence[float], caps: Sequence[int], total: float) -> list[float]:
    """Return shares of `total` in proportion to `pulls`, none above its cap."""
    full: set[int] = set()
    while True:
        rest = total - sum(caps[i] for i in full)
        pull = sum(pulls[i] for i in range(len(pulls)) if i not in full)
        found = [caps[i] if i in full else rest * pulls[i] / pull for i in range(len(pulls))]
        over = {i for i in range(len(pulls)) if found[i] >= caps[i]}
        if over <= full or len(over) == len(pulls):
            return [min(share, cap) for share, cap in zip(found, caps, strict=True)]
        full |= over


def _shares_with_places(candidates: Sequence[Candidate], keep: int) -> list[int]:
    """Give weights with n:m one density, and the others, which are biases, what that leaves."""
    total = sum(math.prod(candidate.shape) for candidate in candidates)
    counts, others = [0] * len(candidates), []
    for i, candidate in enumerate(candidates):
        size = math.prod(candidate.shape)
        if isinstance(candidate.structure, NM):
            counts[i] = candidate.structure.attainable(candidate.shape, keep * size // total)
        else:
            others.append(i)
    shapes = [candidates[i].shape for i in others]
    most = math.ceil(keep * sum(map(math.prod, shapes)) / total)
    rest = shares(shapes, min(most, keep - sum(counts)), "uniform")
    for i, count in zip(others, rest, strict=True):
        counts[i] = count
    return counts


def _choose_in(candidate: Candidate, count: int) -> Tensor:
    structure, shape = candidate.structure, candidate.shape
    size = 1 if isinstance(structure, NM) else structure.group_size(shape)
    return structure.select(candidate.importance, count // size)


def _choose_globally(candidates: Sequence[Candidate], keep: int) -> list[Tensor]:
    flat = torch.cat([candidate.importance.reshape(-1) for candidate in candidates])
    sizes = [candidate.structure.group_size(candidate.shape) for candidate in candidates]
    lengths = [candidate.importance.numel() for candidate in candidates]
    if len(set(sizes)) == 1:
        kept = largest(flat, keep // sizes[0])
    else:
        kept = _fill(flat, sizes, lengths, keep)
    return [
        part.view_as(candidate.importance)
        for part, candidate in zip(kept.split(lengths), candidates, strict=True)
    ]


def _fill(flat: Tensor, sizes: Sequence[int], lengths: Sequence[int], keep: int) -> Tensor:
    """Take groups of different sizes in the order of importance, each that still fits."""
    weights = list(itertools.chain.from_iterable(map(itertools.repeat, sizes, lengths)))
    kept, left, smallest = torch.zeros(len(flat), dtype=torch.bool), keep, min(sizes)
    for place in flat.argsort(descending=True, stable=True).tolist():
        if left < smallest:
            break
        if weights[place] <= left:
            kept[place] = True
            left -= weights[place]
    return kept.to(flat.device)
