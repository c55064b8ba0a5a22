"""Whether a network on its support could be made better by one exchange, and by which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.gauss_newton.surgeon import saliencies


@dataclass(frozen=True)
class Place:
    """Where a weight is.

    Attributes
    ----------
    layer : str
        "hidden 1", "hidden 2", ..., "output" or "skip".
    unit : int
        The unit of that layer, or the output, that it goes into.
    input : int or None
        The input of that layer that it comes from; None for a bias.
    """

    layer: str
    unit: int
    input: int | None


@dataclass(frozen=True)
class Weight(Place):
    """A weight that is there, and its value."""

    value: float


@dataclass(frozen=True)
class FreshUnit:
    """A unit of one input that is not there yet.

    Attributes
    ----------
    layer : str
        The hidden layer that it would be in.
    input : int or None
        Its input in that layer; None for the constant one.
    sign : int
        1 or -1: that of the weight on its input.
    feeds : int
        The unit of the next layer, or the output, that it would go to.
    """

    layer: str
    input: int | None
    sign: int
    feeds: int


@dataclass(frozen=True)
class Certificate:
    """What the best single exchanges promise, relative to the sum of squares of the targets.

    Attributes
    ----------
    swap_change : float
        Change of |r|^2 by dropping the weight that costs least, w^2 / [K^-1]_ii, and adding the
        one between live units that gains most, G^2 / D. Negative: the swap promises progress.
    fresh_change : float
        The same with a fresh unit of one input as what is added.
    swap_drop : Weight
        The weight that costs least.
    swap_enter : Place or None
        The one that gains most; None if none gains.
    fresh_unit : FreshUnit or None
        The fresh unit that gains most; None if none gains.
    """

    swap_change: float
    fresh_change: float
    swap_drop: Weight
    swap_enter: Place | None
    fresh_unit: FreshUnit | None


def certify(
    net: SparseNet, objective: Objective, units: Sequence[np.ndarray] | None = None
) -> Certificate | None:
    """Return the certificate of a network, or None for one without weights or targets of zero.

    Costs and gains are those of the quadratic model at the network, each exchange by itself.

    Parameters
    ----------
    net : SparseNet
    objective : Objective
    units : sequence of ndarray of int, optional
        For each hidden layer, the numbers by which its units are named; default 0, 1, ...

    Examples
    --------
    >>> import torch
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.gauss_newton.conversion import from_network
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = torch.from_numpy(np.maximum(X[:, :1], 0).T)
    >>> wrong = Network((Layer(np.array([[0.0], [1e-3], [0.0]])),), fused=True)
    >>> objective = Objective(RowBlocks(X, dtype=torch.float64), y)
    >>> found = certify(from_network(wrong).net, objective)
    >>> found.swap_drop.input, found.swap_enter.input, found.fresh_unit.input
    (1, 0, 0)
    >>> found.fresh_change < -0.9
    True
    """
    size = float(objective.rows.total(objective.y.square().sum()))
    if net.nnz == 0 or size == 0:
        return None
    names = PlaceNames(net, objective.rows, units)
    balanced = net.balanced()
    least, at = saliencies(balanced, objective).min(dim=0)
    live, fresh = objective.slopes(balanced)
    gains = []
    for edges, slope in zip(net.trained, live, strict=False):
        gains.append(slope.gain)
        gains[-1][edges.target, edges.source] = 0
    fresh_gains = []
    for number, slope in enumerate(fresh):
        # The plain sum of units has no negative outgoing weights.
        is_sum = net.fused and number + 1 == len(net.hidden)
        fresh_gains.append(slope.gain * (slope.gradient < 0) if is_sum else slope.gain)
    gain, *enter = _largest(gains)
    fresh_gain, *new = _largest(fresh_gains)
    return Certificate(
        swap_change=(float(least) - gain) / size,
        fresh_change=(float(least) - fresh_gain) / size,
        swap_drop=names.weight(int(at)),
        swap_enter=names.place(*enter) if gain > 0 else None,
        fresh_unit=names.fresh_unit(*new) if fresh_gain > 0 else None,
    )


def _largest(gains: list[Tensor]) -> tuple[float, int, int, int]:
    """Return the largest entry, and the number of its matrix, its row and its column."""
    tops = [float(gain.max()) if gain.numel() else 0.0 for gain in gains]
    number = max(range(len(tops)), key=tops.__getitem__)
    width = gains[number].shape[1]
    flat = int(gains[number].argmax()) if gains[number].numel() else 0
    return tops[number], number, flat // max(width, 1), flat % max(width, 1)


@dataclass(frozen=True)
class PlaceNames:
    """What weights and units are called outside."""

    net: SparseNet
    rows: RowBlocks
    units: Sequence[np.ndarray] | None

    def _unit(self, layer: int, unit: int) -> int:
        """Return the number of a unit of hidden layer `layer`; others keep theirs."""
        known = self.units is not None and layer < len(self.net.hidden)
        return int(self.units[layer][unit]) if known and self.units is not None else unit

    def _input(self, layer: int, source: int) -> int | None:
        if layer > 0:
            is_unit = source < self.net.hidden[layer - 1].n_targets
            return self._unit(layer - 1, source) if is_unit else None
        return None if self.rows.bias and source == self.rows.d - 1 else source

    def place(self, number: int, target: int, source: int) -> Place:
        """Name a position in matrix `number` of ``net.trained``."""
        n_hidden, n_trained = len(self.net.hidden), len(self.net.trained)
        if number < n_trained - 1:
            name = f"hidden {number + 1}" if number < n_hidden else "output"
            return Place(name, self._unit(number, target), self._input(number, source))
        source_name = self._input(0, source)
        # The biases of outputs are stored in the output layer, where there is one.
        is_bias = source_name is None and not self.net.fused
        return Place("output" if is_bias else "skip", target, source_name)

    def weight(self, at: int) -> Weight:
        """Name parameter number `at`."""
        value = float(self.net.values[at])
        for number, edges in enumerate(self.net.trained):
            if at < edges.nnz:
                place = self.place(number, int(edges.target[at]), int(edges.source[at]))
                return Weight(place.layer, place.unit, place.input, value)
            at -= edges.nnz
        raise IndexError(at)

    def fresh_unit(self, number: int, target: int, column: int) -> FreshUnit:
        """Name a fresh unit of hidden layer `number` by a row and column of its slopes."""
        n_inputs = self.net.hidden[number].n_sources
        sign, source = (1, column) if column < n_inputs else (-1, column - n_inputs)
        layer = f"hidden {number + 1}"
        return FreshUnit(layer, self._input(number, source), sign, self._unit(number + 1, target))
