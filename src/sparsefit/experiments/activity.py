"""On which rows the units of the first hidden layer are active, and how far patterns are apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from sparsefit.core.memory import ROWS_PER_TILE
from sparsefit.core.network import Network


class Activity(NamedTuple):
    """Activation patterns of the units that have weights or a bias.

    Attributes
    ----------
    units : ndarray of int, shape (m,)
        Their numbers.
    active : ndarray of bool, shape (n, m)
        Where they are active; units without weights are so nowhere.
    """

    units: np.ndarray
    active: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """Share of the rows on which each is active, shape (m,)."""
        shares: np.ndarray = self.active.mean(axis=0)
        return shares

    @property
    def live(self) -> Activity:
        """Those that are active on some row."""
        somewhere = self.active.any(axis=0)
        return Activity(self.units[somewhere], self.active[:, somewhere])


def patterns(network: Network, X: np.ndarray) -> Activity:
    """Return the activation patterns of the first hidden layer.

    Parameters
    ----------
    network : Network
        With a hidden layer.
    X : ndarray of shape (n, d)

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> network = Network((Layer(np.array([[0.0, 1.0, -1.0]])),), fused=True)
    >>> found = patterns(network, np.array([[2.0], [-2.0], [3.0]]))
    >>> found.units.tolist(), found.shares.round(3).tolist()
    ([1, 2], [0.667, 0.333])
    """
    layer = network.hidden_layers[0]
    gates, bias = layer.weight, layer.bias
    filled = np.diff(gates.indptr) > 0
    units = np.flatnonzero(filled if bias is None else filled | (bias != 0))
    gates, bias = gates[:, units], None if bias is None else bias[units]
    if network.gates is not None and len(network.hidden_layers) == 1:
        drawn = network.gates.rows(units).astype(gates.dtype)
        gates, bias = drawn[:, : layer.n_inputs].T, None if bias is None else drawn[:, -1]
    active = np.empty((len(X), len(units)), dtype=bool)
    for start in range(0, len(X), ROWS_PER_TILE):
        z = np.asarray(X[start : start + ROWS_PER_TILE] @ gates)
        active[start : start + ROWS_PER_TILE] = (z if bias is None else z + bias) > 0
    return Activity(units, active)


def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return on how many rows the columns of two boolean matrices differ, (columns, columns).

    Parameters
    ----------
    a, b : ndarray of bool, shapes (n, p) and (n, q)

    Examples
    --------
    >>> differences(np.array([[True], [False]]), np.array([[True, False], [True, True]])).tolist()
    [[1, 2]]
    """
    both = np.zeros((a.shape[1], b.shape[1]))
    for start in range(0, len(a), ROWS_PER_TILE):
        rows = slice(start, start + ROWS_PER_TILE)
        both += a[rows].T.astype(np.float32) @ b[rows].astype(np.float32)  # whole, and so exact
    distances: np.ndarray = (a.sum(axis=0)[:, None] + b.sum(axis=0) - 2 * both).astype(np.int64)
    return distances


class Closest(NamedTuple):
    """The two units whose patterns are nearest, and the share of rows on which they differ."""

    share: float
    units: tuple[int, int]


def closest(found: Activity) -> Closest | None:
    """Return the nearest two of some patterns; None if there are fewer.

    Examples
    --------
    >>> active = np.array([[True, True, False], [False, False, True], [True, False, False]])
    >>> closest(Activity(np.array([4, 7, 9]), active))
    Closest(share=0.3333333333333333, units=(4, 7))
    """
    if len(found.units) < 2:
        return None
    apart = differences(found.active, found.active)
    np.fill_diagonal(apart, len(found.active) + 1)
    i, j = np.unravel_index(apart.argmin(), apart.shape)
    pair = int(found.units[i]), int(found.units[j])
    return Closest(float(apart[i, j] / len(found.active)), pair)


@dataclass
class GateDrift:
    """How much the patterns of a fit change from one iterate to the next.

    Called with every iterate, as `Setting.observe`. Units are matched so that as few bits as
    possible differ, as their order means nothing; a unit that is in one iterate only is compared
    with one that is active nowhere.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    shares : list of float
        For each iterate but the first, the share of bits (a row, a live unit) that differ from the
        one before.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> drift = GateDrift(np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]))
    >>> for weight in ([[1.0], [0.0]], [[0.0], [1.0]], [[0.0], [2.0]]):
    ...     drift(Network((Layer(np.array(weight)),), fused=True))
    >>> drift.shares
    [0.5, 0.0]
    """

    X: np.ndarray
    shares: list[float] = field(default_factory=list)
    _before: np.ndarray | None = field(default=None, repr=False)

    def __call__(self, network: Network) -> None:
        """Take the next iterate."""
        now = patterns(network, self.X).live.active
        if self._before is not None:
            self.shares.append(_changed(self._before, now))
        self._before = now


def _changed(before: np.ndarray, now: np.ndarray) -> float:
    width = max(before.shape[1], now.shape[1])
    if width == 0:
        return 0.0
    padded = [np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in (before, now)]
    apart = differences(*padded)
    return float(apart[linear_sum_assignment(apart)].sum() / (len(now) * width))
