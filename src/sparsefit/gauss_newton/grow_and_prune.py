"""Expand a network and contract it again, as long as that makes it better."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from sparsefit.gauss_newton.growth import expand
from sparsefit.gauss_newton.levenberg_marquardt import Minimum, levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import CYCLE
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.gauss_newton.splits import merge, mirror, split
from sparsefit.gauss_newton.surgeon import contract, slack


@dataclass(frozen=True, kw_only=True)
class GrowAndPrune:
    """The cycle that turns a network near the right one into the right one.

    A cycle splits units, adds weights where the loss falls fastest, refits, makes one of units
    that have become parallel, and contracts to the budget by surgeon scores.

    Attributes
    ----------
    objective : Objective
    nnz, max_units : int
        Budget of weights, and of units in each hidden layer.
    generator : torch.Generator
        Decides how far each cycle expands, and draws noise.
    enough : float
        Mean square at which the fit is exact.
    deadline : float, optional
        Of `time.monotonic`.
    report : callable, optional
        Gets the mean square after every cycle.
    observe : callable, optional
        Gets the network that each contraction, one per cycle, ends with.
    """

    objective: Objective
    nnz: int
    max_units: int
    generator: torch.Generator
    enough: float
    deadline: float = float("inf")
    report: Callable[[float], None] = lambda loss: None
    observe: Callable[[SparseNet], None] = lambda net: None

    def run(self, result: Minimum, cycles: int) -> Minimum:
        """Grow and prune up to `cycles` times and return the best network within the budget.

        Every other cycle is shaken: weights get 3 % of noise, and units may be mirrored. After
        cycles without progress, or one that went far astray, the best network is the start again.
        """
        best, now, waited = result, result, 0
        for cycle in range(cycles):
            if self.is_over(best) or waited > CYCLE.patience:
                break
            net = now.net
            if cycle % CYCLE.merge_every == CYCLE.merge_every - 1:
                # Two parallel units may share their weights wrongly; what splits again is better.
                net = self.refitted(self._merge(net, CYCLE.merge_cosine), CYCLE.merged_steps).net
            now = self.contract(self._expanded(net, shaken=cycle % 2 == 1).net)
            waited = 0 if now.loss < CYCLE.progress * best.loss else waited + 1
            if now.loss < best.loss:
                best = now
            elif now.loss > CYCLE.astray * best.loss or waited % CYCLE.retries == CYCLE.retries - 1:
                now = best
            self.report(best.loss)
        return best

    def is_over(self, best: Minimum) -> bool:
        """Whether there is nothing left to do, or no time for it."""
        return best.loss <= self.enough or time.monotonic() > self.deadline

    def _expanded(self, net: SparseNet, *, shaken: bool) -> Minimum:
        net = split(net, self.objective, max(CYCLE.least_splits, net.n_units // CYCLE.splits))
        if shaken:
            net = self._shake(net)
            if net.skip.nnz == 0 and net.activation.turn is not None:
                net = mirror(net, self.objective, CYCLE.mirrored)
        draw = float(torch.rand((), generator=self.generator))
        share = CYCLE.least_growth + CYCLE.growth_range * draw
        count = max(CYCLE.fewest, int(share * self.nnz))
        fresh = max(CYCLE.least_fresh, self.max_units // CYCLE.fresh)
        return self.merged(self.refitted(expand(net, self.objective, count, fresh)))

    def _shake(self, net: SparseNet) -> SparseNet:
        noise = torch.randn(len(net.values), generator=self.generator, dtype=torch.float64)
        return net.with_values(net.values * (1 + CYCLE.noise * noise.to(net.values)))

    def refitted(self, net: SparseNet, steps: int = CYCLE.steps) -> Minimum:
        """Return the network after Levenberg-Marquardt steps."""
        enough = CYCLE.enough * self.enough
        return levenberg_marquardt(net, self.objective, steps=steps, enough=enough, gain=CYCLE.gain)

    def merged(self, result: Minimum) -> Minimum:
        """Make one of ever less parallel units, as long as the loss stays near what it was."""
        most = (1 + slack(self.objective.n)) * result.loss + self.enough
        for cosine in CYCLE.cosines:
            before, net = result.net, self._merge(result.net, cosine)
            if (net.n_units, net.nnz) == (before.n_units, before.nnz):
                continue
            trial = self.refitted(net, CYCLE.merged_steps)
            if not trial.loss <= most:
                break
            result = trial
        return result

    def _merge(self, net: SparseNet, cosine: float) -> SparseNet:
        takes_linear = len(net.hidden) == 1 and (net.skip.nnz > 0 or net.skip_counts)
        has_turn = net.activation.turn is not None
        return merge(net, cosine, mirrored=net.activation.is_odd or (has_turn and takes_linear))

    def contract(self, net: SparseNet) -> Minimum:
        """Return the network within the budget, refitted."""
        result = self.refitted(contract(net, self.objective, self.nnz, self.max_units))
        self.observe(result.net)
        return result
