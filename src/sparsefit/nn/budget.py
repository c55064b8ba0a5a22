"""How a budget is shared out among the weights of several layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from sparsefit.core.choices import Allocation as Allocation
from sparsefit.core.hard_threshold import largest
from sparsefit.nn.structure import Shape, Structure

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

    Examples
    --------
    >>> from sparsefit.nn.structure import Rows
    >>> Candidate((4, 8), Rows(), torch.ones(4)).group_size
    8
    """

    shape: Shape
    structure: Structure
    importance: Tensor

    @property
    def group_size(self) -> int:
        """Weights of a group."""
        return self.structure.group_size(self.shape)


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
        (see `shares`). Weights of an `NM` structure always have the same density. Each weight of
        two or more dimensions keeps a group at least, if there is enough for all.

    Returns
    -------
    list of bool Tensor
        One per candidate, in the shape of its groups.

    Examples
    --------
    >>> from sparsefit.nn.structure import Unstructured
    >>> weights = [torch.tensor([[4.0, 3.0, 2.0]]), torch.tensor([[1.0, 0.0, 0.0]])]
    >>> ranked = [Candidate((1, 3), Unstructured(), weight) for weight in weights]
    >>> [mask.tolist() for mask in choose(ranked, 4, "global")]
    [[[True, True, True]], [[True, False, False]]]
    >>> [mask.tolist() for mask in choose(ranked, 4, "uniform")]
    [[[True, True, False]], [[True, True, False]]]
    """
    if any(candidate.structure.density is not None for candidate in candidates):
        counts = _shares_with_places(candidates, keep)
    elif allocation == "global" and len(candidates) > 1:
        return _choose_globally(candidates, keep)
    else:
        counts = shares([candidate.shape for candidate in candidates], keep, allocation)
        counts = _in_groups(candidates, counts, keep)
    return [
        choose_in(candidate, count) for candidate, count in zip(candidates, counts, strict=True)
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
    counts = _rounded(exact, min(keep, sum(sizes)))
    for i in range(len(counts)):
        largest_count = max(range(len(counts)), key=counts.__getitem__)
        if counts[i] == 0 and counts[largest_count] > 1:
            counts[i], counts[largest_count] = 1, counts[largest_count] - 1
    return counts


def proportions(pulls: Sequence[float], total: int) -> list[int]:
    """Share `total` out in proportion to `pulls`, rounded by largest remainders.

    Examples
    --------
    >>> proportions([1, 1, 2], 9)
    [2, 2, 5]
    """
    whole = sum(pulls)
    if not whole:
        return proportions([1] * len(pulls), total)
    return _rounded([total * pull / whole for pull in pulls], total)


def _rounded(exact: Sequence[float], total: int) -> list[int]:
    counts = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    return counts


def within(counts: Sequence[int], most: Sequence[int]) -> list[int]:
    """Give what is above a limit to the first counts that have room.

    Examples
    --------
    >>> within([5, 4, 3], [3, 9, 5])
    [3, 6, 3]
    """
    found = [min(count, limit) for count, limit in zip(counts, most, strict=True)]
    for i, limit in enumerate(most):
        found[i] += min(limit - found[i], sum(counts) - sum(found))
    return found


def _in_groups(candidates: Sequence[Candidate], counts: Sequence[int], keep: int) -> list[int]:
    """Round counts to whole groups, one at least, and give what is left over to other weights.

    The group that goes or comes next is that of the weight which is furthest from its count.
    """
    sizes = [candidate.group_size for candidate in candidates]
    if max(sizes) == 1:
        return list(counts)
    most = [math.prod(candidate.shape) for candidate in candidates]
    found = [max(count // size, 1) * size for count, size in zip(counts, sizes, strict=True)]

    def missing(i: int) -> float:
        return (counts[i] - found[i]) / sizes[i]

    while sum(found) > keep:
        reducible = [i for i in range(len(sizes)) if found[i] > sizes[i]]
        if not reducible:
            break
        i = min(reducible, key=missing)
        found[i] -= sizes[i]
    while True:
        room = [i for i in range(len(sizes))
                if found[i] + sizes[i] <= most[i] and sum(found) + sizes[i] <= keep]  # fmt: skip
        if not room:
            break
        i = max(room, key=missing)
        found[i] += sizes[i]
    return _emptied(found, sizes, keep)


def _emptied(found: list[int], sizes: Sequence[int], keep: int) -> list[int]:
    """Leave weights empty, those of the largest groups first, if there is not a group for each."""
    for i in sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True):
        if sum(found) > keep:
            found[i] = 0
    return found


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
        if candidate.structure.density is not None:
            counts[i] = candidate.structure.attainable(candidate.shape, keep * size // total)
        else:
            others.append(i)
    shapes = [candidates[i].shape for i in others]
    most = math.ceil(keep * sum(map(math.prod, shapes)) / total)
    rest = shares(shapes, min(most, keep - sum(counts)), "uniform")
    for i, count in zip(others, rest, strict=True):
        counts[i] = count
    return counts


def choose_in(candidate: Candidate, count: int) -> Tensor:
    """Mark the groups of one weight to keep."""
    size = 1 if candidate.structure.density is not None else candidate.group_size
    return candidate.structure.select(candidate.importance, count // size)


def _choose_globally(candidates: Sequence[Candidate], keep: int) -> list[Tensor]:
    parts = [candidate.importance.reshape(-1).float() for candidate in candidates]
    sizes = [candidate.group_size for candidate in candidates]
    # The best group of every weight comes first, so that no layer is empty; biases may be.
    weights = [i for i, candidate in enumerate(candidates) if len(candidate.shape) > 1]
    if sum(sizes[i] for i in weights) <= keep:
        for i in weights:
            parts[i] = parts[i].clone()
            parts[i][parts[i].argmax()] = math.inf
    flat, lengths = torch.cat(parts), [len(part) for part in parts]
    if len(set(sizes)) == 1:
        kept = largest(flat, keep // sizes[0])
    else:
        kept = _fill(flat, torch.tensor(sizes).repeat_interleave(torch.tensor(lengths)), keep)
    return [
        part.view_as(candidate.importance)
        for part, candidate in zip(kept.split(lengths), candidates, strict=True)
    ]


def _fill(flat: Tensor, sizes: Tensor, keep: int) -> Tensor:
    """Take groups of different sizes in the order of importance, each that still fits."""
    order = flat.cpu().argsort(descending=True, stable=True)
    kept, left = torch.zeros(len(flat), dtype=torch.bool), keep
    while len(order):
        # Those that fit one after the other; the first that does not is passed over.
        ends = sizes[order].cumsum(0)
        n_fitting = int((ends <= left).sum())
        kept[order[:n_fitting]] = True
        left -= int(ends[n_fitting - 1]) if n_fitting else 0
        order = order[n_fitting + 1 :]
        order = order[sizes[order] <= left]
    return kept.to(flat.device)
