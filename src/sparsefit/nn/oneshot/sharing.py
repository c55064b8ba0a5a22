"""Share a budget among layers by what each costs the outputs of the whole network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def share_by_loss(
    sizes: Sequence[int], densities: Sequence[float], losses: np.ndarray, keep: int
) -> list[int]:
    """Say how many weights each layer keeps, so that the sum of their losses is least.

    Parameters
    ----------
    sizes : sequence of int
        Weights of each layer.
    densities : sequence of float
        At which losses were measured, falling from 1.
    losses : ndarray, shape (layers, densities)
        What the whole network loses if one layer is pruned to a density.
    keep : int
        Weights to keep in all.

    Returns
    -------
    list of int
        They add up to `keep`.

    Notes
    -----
    Between the densities the logarithm of a loss is taken as linear in the logarithm of the
    density. The layer whose next weights cost least goes on, a percent at a time, which is optimal
    for convex losses.

    Examples
    --------
    >>> losses = np.array([[0.0, 1.0, 4.0], [0.0, 0.01, 0.04]])
    >>> share_by_loss([100, 100], [1.0, 0.5, 0.25], losses, 100)
    [57, 43]
    """
    counts = np.array(sizes, dtype=float)
    logs = np.log(np.maximum(np.maximum.accumulate(losses, axis=1), 1e-12))
    at = -np.log(np.array(densities))

    def loss(layer: int, count: float) -> float:
        place = -np.log(max(count, 1.0) / sizes[layer])
        if place > at[-1]:  # beyond what was measured, as steep as at its end
            steepness = (logs[layer, -1] - logs[layer, -2]) / (at[-1] - at[-2])
            return float(np.exp(logs[layer, -1] + max(steepness, 1.0) * (place - at[-1])))
        return float(np.exp(np.interp(place, at, logs[layer])))

    def price(layer: int) -> float:
        fewer = _fewer(counts[layer])
        if fewer < 1:
            return float("inf")
        more = loss(layer, fewer) - loss(layer, counts[layer])
        return float(more / (counts[layer] - fewer))

    prices = np.array([price(layer) for layer in range(len(sizes))])
    while counts.sum() > keep and np.isfinite(prices).any():
        layer = int(prices.argmin())
        counts[layer] = max(_fewer(counts[layer]), counts[layer] - (counts.sum() - keep))
        prices[layer] = price(layer)
    return _whole(counts, keep, sizes)


def _fewer(count: float) -> float:
    return min(0.99 * count, count - 1)


def _whole(counts: np.ndarray, keep: int, sizes: Sequence[int]) -> list[int]:
    found = np.floor(counts).astype(int)
    for layer in np.argsort(found - counts, kind="stable"):
        if found.sum() < keep and found[layer] < sizes[layer]:
            found[layer] += 1
    return [int(count) for count in found]
