"""From a relaxed start to a network on its support, of a width that serves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sparsefit.core.activations import RELU, Activation
from sparsefit.gauss_newton.objective import Objective, present
from sparsefit.gauss_newton.profiles import RECOVERY, START
from sparsefit.gauss_newton.relaxed import RelaxedStart, relaxed_start
from sparsefit.gauss_newton.sparse_net import SparseNet


@dataclass(frozen=True, kw_only=True)
class Starts:
    """What network is wanted, and how attempts to find it begin: each from another draw.

    Attributes
    ----------
    nnz : int
        Budget: hidden weights, and output weights unless `fused`.
    hidden, layers : int
        Units of each hidden layer, and hidden layers.
    fused : bool
        One output, the plain sum of the last hidden layer.
    skip : bool
        Whether the network may have a skip connection, whose weights count.
    seed : int
    steps : int or None
        Adam steps of a relaxed start; None for as many as `StartProfile` says.
    activation : Activation
        Of the hidden units.
    biased : bool
        Whether hidden layers after the first have biases.
    """

    nnz: int
    hidden: int
    layers: int
    fused: bool
    skip: bool
    seed: int
    steps: int | None
    activation: Activation = RELU
    biased: bool = False

    def seed_of(self, number: int) -> int:
        """Return the seed of an attempt."""
        return self.seed + 1000 * number

    def has_few_rows(self, objective: Objective) -> bool:
        """Whether a skip connection alone would fit too much."""
        return objective.n < START.few_rows * objective.rows.d

    def has_free_skip(self, objective: Objective, number: int) -> bool:
        """Whether to search with a free skip connection: it makes the signs of units irrelevant."""
        # On few rows the skip connection alone fits too much.
        if self.layers > 1 or self.has_few_rows(objective) or self.activation.turn is None:
            return False
        # With several outputs the skip connection has many weights, and hides more than it frees.
        return (number % 2 == 0) == (objective.n_outputs == 1)

    def begin(self, objective: Objective, number: int, *, free: bool) -> SparseNet:
        """Return the largest weights of a relaxed start, of the width that leaves least."""
        best, least = None, float("inf")
        for units in self._widths(objective, number):
            net = self._start(objective, number, units, skip=free or self.skip)
            net = self._selected(replace(net, skip_counts=self.skip and not free), objective)
            left = objective.value(net)
            if best is None or left < least:
                best, least = net, left
            elif left > START.worse * least:
                break
        assert best is not None
        return best

    def _widths(self, objective: Objective, number: int) -> list[int]:
        """Return how many units a relaxed start may have, to be tried in turn."""
        units = math.ceil(START.spare_units * min(self.hidden, self._fillable)) + START.more_units
        few = max(START.least_units, self.nnz // START.weights_a_unit + 1)
        if number % 2 == 0 and self.has_few_rows(objective):
            # On few rows of many inputs, few units of many inputs each fit best.
            return [min(units, few)]
        if number or self.layers > 1 or self.hidden <= self._fillable:
            return [units]
        # Nothing says over how many units the weights are spread.
        doublings = range(math.ceil(math.log2(max(1, units / few))))
        return [*(few * 2**doubling for doubling in doublings), units]

    @property
    def _fillable(self) -> int:
        """Units that the budget can fill with two weights each."""
        return self.nnz // 2 + 1

    def _start(self, objective: Objective, number: int, units: int, *, skip: bool) -> SparseNet:
        live = min(self.hidden if self.hidden <= self._fillable else units, self.nnz)
        is_plain = self.fused and self.layers == 1
        steps = START.steps_of_many if live > START.many else START.steps
        how = RelaxedStart(
            fused=self.fused,
            steps=self.steps or steps,
            penalty=START.penalty if is_plain else START.penalties[number % len(START.penalties)],
            lr=START.lr if is_plain or number % 2 == 0 else START.slow_lr,
            batch=min(max(START.least_batch, START.rows_a_unit * live), START.most_batch),
            skip=skip,
            activation=self.activation,
            biased=self.biased,
        )
        edges = min(self.hidden, self.nnz) if self.fused else max(1, self.nnz // 2)
        net = relaxed_start(objective, [units] * self.layers, edges, self.seed_of(number), how)
        return net if skip else replace(net, skip=net.skip.emptied())

    def _selected(self, net: SparseNet, objective: Objective) -> SparseNet:
        """Keep the weights of largest w^2 D, by which the loss would rise without a refit."""
        scored = slice(None) if net.skip_counts else slice(-1)
        curvature = present(net, objective.slopes(net)[0], scored)
        scores = net.values[: len(curvature)].square() * curvature
        least = RECOVERY.least_selected if net.skip_counts else 0
        return net.keep_largest(scores, max(least, math.ceil(RECOVERY.selected * self.nnz)))
