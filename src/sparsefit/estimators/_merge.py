"""Rows that are alike are one row that counts for more."""

from __future__ import annotations

import numpy as np

MOST_MERGED = 50_000
# Rows of few categories come again and again: where each does so often on average, it stays there
# so often at most, so that each part of the rows has it.
_OFTEN, _MOST_COPIES = 5, 10
# An odd number near 2^64 over the golden ratio: products spread over all bits.
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def merge_rows(
    X: np.ndarray, y: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Make one of equal rows, drop those of weight 0, and bring the rest to an order of its own.

    So a fit depends on neither the order of the rows nor on whether one is there twice or counts
    twice. More than 50000 rows without weights stay as they are, as a copy would take memory; of
    rows that come five times and more on average up to ten copies stay, which share the weight.

    Parameters
    ----------
    X : ndarray of shape (n, d)
    y : ndarray of shape (n, k) or (n,)
    weight : ndarray of shape (n,), optional

    Returns
    -------
    X, y : ndarray
    weight : ndarray, or None if all are alike

    Examples
    --------
    >>> X, y, weight = merge_rows(np.array([[1.0], [2.0], [1.0]]), np.zeros((3, 1)), None)
    >>> sorted(zip(X.ravel().tolist(), weight.tolist()))
    [(1.0, 2.0), (2.0, 1.0)]
    """
    if weight is None and len(X) > MOST_MERGED:
        return X, y, None
    is_plain = weight is None
    weight = np.ones(len(X)) if weight is None else weight
    if (weight == 0).any():
        kept = np.flatnonzero(weight)
        X, y, weight = X[kept], y[kept], weight[kept]
    key = _hash(X, _hash(y, np.zeros(len(X), dtype=np.uint64)))
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    alike = first[place]
    if not (_equal(X, alike) and _equal(y, alike)):  # two rows share a hash: leave all as they are
        first, place = np.argsort(key, kind="stable"), np.zeros(0, dtype=np.int64)
    summed = np.bincount(place, weight) if len(place) else weight[first]
    if is_plain and len(X) >= _OFTEN * len(first):
        copies = np.minimum(summed, _MOST_COPIES).astype(np.int64)
        first, summed = np.repeat(first, copies), np.repeat(summed / copies, copies)
    all_alike = bool((summed == summed[:1]).all())
    return X[first], y[first], None if all_alike else summed


def _hash(columns: np.ndarray, key: np.ndarray) -> np.ndarray:
    for column in columns.reshape(len(columns), -1).T:
        # Adding 0 makes -0 and 0 the same.
        bits = (column.astype(np.float64) + 0.0).view(np.uint64)
        key = (key ^ bits) * _MULTIPLIER
        key ^= key >> np.uint64(29)
    return key


def _equal(columns: np.ndarray, alike: np.ndarray) -> bool:
    by_column = columns.reshape(len(columns), -1).T
    return all(bool((column == column[alike]).all()) for column in by_column)
