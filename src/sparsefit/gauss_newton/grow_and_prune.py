"""Expand a network and contract it again, as long as that makes it better."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.growth import expand
from sparsefit.gauss_newton.levenberg_marquardt import Refit, refit
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.gauss_newton.splits import merge, mirror, split
from sparsefit.gauss_newton.surgeon import contract, slack

_COSINES = (0.999, 0.99, 0.97, 0.95, 0.9)


@dataclass(frozen=True, kw_only=True)
class GrowAndPrune:
    """The cycle that turns a network near the right one into the right one.

    A cycle splits units, adds weights where the loss falls fastest, refits, makes one of units
    that have become parallel, and contracts to the budget by surgeon scores.

    Attributes
    ----------
    rows : RowBlocks
    y : Tensor of shape (k, n)
    nnz, max_units : int
        Budget of weights, and of units in each hidden layer.
    generator : torch.Generator
        Decides how far each cycle expands, and draws noise.
    enough : float
        Mean square at which the fit is exact.
    patience : int, optional
        Cycles without progress before giving up.
    deadline : float, optional
        Of `time.monotonic`.
    report : callable, optional
        Gets the mean square after every cycle.
    observe : callable, optional
        Gets the network that each contraction, one per cycle, ends with.
    """

    rows: RowBlocks
    y: Tensor
    nnz: int
    max_units: int
    generator: torch.Generator
    enough: float
    patience: int = 4
    deadline: float = float("inf")
    report: Callable[[float], None] = lambda loss: None
    observe: Callable[[SparseNet], None] = lambda net: None

    def run(self, result: Refit, cycles: int) -> Refit:
        """Grow and prune up to `cycles` times and return the best network within the budget.

        Every other cycle is shaken: weights get 3 % of noise, and units may be mirrored. After
        cycles without progress, or one that went far astray, the best network is the start again.
        """
        best, now, waited = result, result, 0
        for cycle in range(cycles):
            if self.is_over(best) or waited > self.patience:
                break
            net = now.net
            if cycle % 4 == 3:
                # Two parallel units may share their weights wrongly; what splits again is better.
                net = self.refit(self._merge(net, 0.99), steps=4).net
            now = self.contract(self._expanded(net, shaken=cycle % 2 == 1).net)
            waited = 0 if now.loss < 0.999 * best.loss else waited + 1
            if now.loss < best.loss:
                best = now
            elif now.loss > 30 * best.loss or waited % 3 == 2:
                now = best
            self.report(best.loss)
        return best

    def is_over(self, best: Refit) -> bool:
        """Whether there is nothing left to do, or no time for it."""
        return best.loss <= self.enough or time.monotonic() > self.deadline

    def _expanded(self, net: SparseNet, *, shaken: bool) -> Refit:
        net = split(net, self.rows, self.y, max(5, net.n_units // 4))
        if shaken:
            net = self._shake(net)
            if net.linear.nnz == 0:
                net = mirror(net, self.rows, self.y, 3)
        share = 0.25 + 0.5 * float(torch.rand((), generator=self.generator))
        count = max(4, int(share * self.nnz))
        net = expand(net, self.rows, self.y, count, max(2, self.max_units // 5))
        return self.merged(self.refit(net))

    def _shake(self, net: SparseNet) -> SparseNet:
        noise = torch.randn(len(net.values), generator=self.generator, dtype=torch.float64)
        return net.with_values(net.values * (1 + 0.03 * noise.to(net.values)))

    def refit(self, net: SparseNet, steps: int = 10) -> Refit:
        """Return the network after Levenberg-Marquardt steps."""
        enough = 1e-3 * self.enough
        return refit(net, self.rows, self.y, steps=steps, enough=enough, gain=1e-3)

    def merged(self, result: Refit) -> Refit:
        """Make one of ever less parallel units, as long as the loss stays near what it was."""
        most = (1 + slack(self.rows.n)) * result.loss + self.enough
        for cosine in _COSINES:
            before, net = result.net, self._merge(result.net, cosine)
            if (net.n_units, net.n_weights) == (before.n_units, before.n_weights):
                continue
            trial = self.refit(net, steps=4)
            if not trial.loss <= most:
                break
            result = trial
        return result

    def _merge(self, net: SparseNet, cosine: float) -> SparseNet:
        return merge(net, cosine, mirrored=len(net.hidden) == 1 and net.linear.nnz > 0)

    def contract(self, net: SparseNet) -> Refit:
        """Return the network within the budget, refitted."""
        result = self.refit(contract(net, self.rows, self.y, self.nnz, self.max_units))
        self.observe(result.net)
        return result
