"""Which weights to drop, and how many at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from sparsefit.core.hard_threshold import hard_threshold


@torch.no_grad()
def prune_to(parameters: Sequence[Tensor], masks: Sequence[Tensor], keep: int) -> list[Tensor]:
    """Keep the `keep` largest magnitudes among the unmasked entries of all parameters together.

    Parameters
    ----------
    parameters : sequence of Tensor
    masks : sequence of bool Tensor
        Same shapes; entries that are False stay out.
    keep : int
        Exactly how many masks entries are True in the result, unless fewer were to begin with.

    Examples
    --------
    >>> w = torch.tensor([[3.0, -1.0], [0.5, 2.0]])
    >>> prune_to([w], [torch.ones_like(w, dtype=torch.bool)], 2)[0].tolist()
    [[True, False], [False, True]]
    """
    active = torch.cat([mask.ravel() for mask in masks]).nonzero().squeeze(1)
    values = torch.cat([parameter.detach().ravel() for parameter in parameters])[active]
    kept = torch.zeros(sum(mask.numel() for mask in masks), dtype=torch.bool, device=values.device)
    kept[active[hard_threshold(values, keep)]] = True
    parts = kept.split([mask.numel() for mask in masks])
    return [part.view_as(mask) for part, mask in zip(parts, masks, strict=True)]


def shrinking_counts(n_params: int, fraction: float, nnz: int) -> list[int]:
    """Return how many weights are left after each round that drops `fraction` of them.

    At least one goes in each round; the last round goes to `nnz` exactly.

    Examples
    --------
    >>> shrinking_counts(100, 0.1, 75)
    [90, 81, 75]
    """
    counts, left = [], n_params
    for left in _shrink(n_params, fraction):
        if left <= nnz:
            break
        counts.append(left)
    return [*counts, nnz]


def _shrink(count: int, fraction: float) -> Iterator[int]:
    while count > 0:
        count -= max(1, round(fraction * count))
        yield count


def geometric_counts(n_params: int, rounds: int, nnz: int) -> list[int]:
    """Return how many weights are left after each of `rounds` rounds of one constant ratio.

    Examples
    --------
    >>> geometric_counts(100, 2, 25), geometric_counts(100, 1, 25)
    ([50, 25], [25])
    """
    ratio = (nnz / n_params) ** (1 / rounds)
    return [*(round(n_params * ratio**number) for number in range(1, rounds)), nnz]
