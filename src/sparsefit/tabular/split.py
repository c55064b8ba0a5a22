"""Which rows are held out to score on."""

from __future__ import annotations

import numpy as np


def held_out(y: np.ndarray, classes: tuple[str, ...], share: float, seed: int) -> np.ndarray:
    """Return which rows are held out, (n,), about a share of them at random.

    Of each class about the same share, and at least one row is left to fit it; of numbers at least
    two rows are on either side.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Numbers, or places of classes.
    classes : tuple of str
        Empty for numbers.
    share : float
    seed : int

    Examples
    --------
    >>> held_out(np.array([0, 0, 1, 1, 2]), ("a", "b", "c"), 0.2, 0).sum()
    np.int64(2)
    """
    rng = np.random.default_rng(seed)
    groups = [np.flatnonzero(y == place) for place in range(len(classes))] or [np.arange(len(y))]
    found = np.zeros(len(y), dtype=bool)
    least = 1 if classes else 2
    for rows in groups:
        count = min(max(round(share * len(rows)), least), len(rows) - least)
        if count > 0:
            found[rng.permutation(rows)[:count]] = True
    return found


def held_out_groups(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return which rows are held out, (n,): those of groups at random, at least a share in all.

    Examples
    --------
    >>> held_out_groups(np.array([7, 7, 8, 8, 8]), 0.2, 0).sum() in (2, 3)
    True
    """
    values, place = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(values))
    sizes = np.bincount(place)[order]
    n_held = int(np.searchsorted(np.cumsum(sizes), share * len(groups))) + 1
    return np.isin(place, order[:n_held])


def held_out_last(moments: np.ndarray, share: float) -> np.ndarray:
    """Return which rows are held out, (n,): the last, and all of the same time as one of these.

    Examples
    --------
    >>> held_out_last(np.array([3.0, 1.0, 2.0, 2.0]), 0.3).tolist()
    [True, False, False, False]
    """
    n_held = max(round(share * len(moments)), 1)
    last: np.ndarray = moments >= np.sort(moments)[-n_held]
    return last
