"""Recover a sparse network: relaxed start, cycles, signs, and restarts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.certificate import certify
from sparsefit.gauss_newton.conversion import to_network
from sparsefit.gauss_newton.elimination import drop_rounding, drop_unproven
from sparsefit.gauss_newton.equations import as_rows
from sparsefit.gauss_newton.grow_and_prune import GrowAndPrune
from sparsefit.gauss_newton.growth import slopes
from sparsefit.gauss_newton.levenberg_marquardt import Refit, refit
from sparsefit.gauss_newton.relaxed import RelaxedStart, relaxed_start
from sparsefit.gauss_newton.signs import resolve_signs, with_linear_pairs
from sparsefit.gauss_newton.sparse_net import SparseNet

# Mean square, relative to that of the targets, at which a fit is exact: 130 dB.
_EXACT = 1e-13
# As a share of that, what weights that do nothing may do.
_ROUNDING = 1e-6
_ALIKE = 1e-3
_LEAST_SELECTED = 500


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How to search for a network of at most `nnz` weights.

    Attributes
    ----------
    nnz : int
        Budget: hidden weights, and output weights unless `fused`.
    hidden, layers : int
        Units of each hidden layer, and hidden layers.
    fused : bool
        One output, the plain sum of the last hidden layer.
    skip : bool
        Whether the network may have a linear term, whose weights count.
    seed : int
    restarts : int
        Attempts after the first, from other draws, until one is exact.
    cycles : int
        GrowAndPrune cycles in each phase of an attempt.
    start_steps : int or None
        Adam steps of the relaxed start.
    deadline : float
        Of `time.monotonic`, after which no new cycle begins.
    report : callable
        Gets the attempt and the least mean square so far.
    observe : callable
        Gets the network that each contraction ends with.
    """

    nnz: int
    hidden: int
    layers: int
    fused: bool
    skip: bool
    seed: int
    restarts: int
    cycles: int
    start_steps: int | None = None
    deadline: float = float("inf")
    report: Callable[[int, float], None] = lambda attempt, loss: None
    observe: Callable[[SparseNet], None] = lambda net: None

    def run(self, rows: RowBlocks, y: Tensor, init: SparseNet | None = None) -> tuple[Refit, bool]:
        """Search, and return the best network and whether it is exact.

        Parameters
        ----------
        rows : RowBlocks
        y : Tensor of shape (k, n)
        init : SparseNet, optional
            A network to begin with, of a larger budget.
        """
        best, enough, n_alike = None, _EXACT * float(y.square().mean()), 0
        for attempt in range(self.restarts + 1):
            phase = self._grow_and_prune(rows, y, attempt, enough, best)
            if attempt == 0 and init is not None:
                result = phase.run(phase.contract(init), self.cycles)
            else:
                result = self._attempt(phase, attempt)
            # Draws that end alike have found what there is to find, as under noise.
            if best is not None and abs(result.loss - best.loss) < _ALIKE * best.loss:
                n_alike += 1
            if best is None or result.loss < best.loss:
                best = result
            if phase.is_over(best) or n_alike == 2:
                break
        assert best is not None
        best = refit(best.net, rows, y, steps=20, gain=1e-6)
        if best.loss > enough:
            best = drop_unproven(best, rows, y)
        else:
            best = drop_rounding(best, rows, y, _ROUNDING * enough)
        return best, best.loss <= enough

    def _grow_and_prune(
        self, rows: RowBlocks, y: Tensor, attempt: int, enough: float, best: Refit | None
    ) -> GrowAndPrune:
        least = float("inf") if best is None else best.loss
        return GrowAndPrune(
            rows=rows, y=y, nnz=self.nnz, max_units=self.hidden, enough=enough,
            generator=torch.Generator().manual_seed(self.seed + 1000 * attempt),
            deadline=self.deadline,
            report=lambda loss: self.report(attempt, min(loss, least)),
            observe=self.observe,
        )  # fmt: skip

    def _attempt(self, phase: GrowAndPrune, attempt: int) -> Refit:
        """Start relaxed, grow and prune, remove a free linear term, grow and prune again."""
        rows, y = phase.rows, phase.y
        linear = self._has_free_linear(rows, len(y), attempt)
        net = self._start(rows, y, attempt, linear=linear or self.skip)
        net = replace(net, linear_counts=self.skip and not linear)
        result = phase.merged(phase.refit(self._selected(net, rows, y)))
        result = phase.run(phase.contract(result.net), self.cycles)
        if not linear:
            return result
        settled = [phase.contract(phase.refit(net).net) for net in self._settled(result)]
        return phase.run(min(settled, key=lambda found: found.loss), self.cycles)

    def _has_free_linear(self, rows: RowBlocks, n_outputs: int, attempt: int) -> bool:
        """Whether to search with a linear term: it makes the signs of units irrelevant."""
        # On few rows the linear term alone fits too much.
        if self.layers > 1 or rows.n < 4 * rows.d:
            return False
        # With several outputs the linear term has many weights, and hides more than it frees.
        return (attempt % 2 == 0) == (n_outputs == 1)

    def _start(self, rows: RowBlocks, y: Tensor, attempt: int, *, linear: bool) -> SparseNet:
        live = min(self.hidden, self.nnz)
        is_plain = self.fused and self.layers == 1
        how = RelaxedStart(
            steps=self.start_steps or (5000 if live > 100 else 3000),
            penalty=0.03 if is_plain else (0.001, 0.0003, 0.003)[attempt % 3],
            lr=0.02 if is_plain or attempt % 2 == 0 else 0.005,
            batch=min(max(256, 5 * live), 1024),
            linear=linear,
        )
        units = math.ceil(1.3 * min(self.hidden, self.nnz // 2 + 1)) + 2
        if rows.n < 4 * rows.d and attempt % 2 == 0:
            # On few rows of many inputs, few units of many inputs each fit best.
            units = min(units, max(10, self.nnz // 20 + 1))
        n_edges = live if self.fused else max(1, self.nnz // 2)
        net = relaxed_start(
            rows, y, [units] * self.layers, n_edges, self.seed + 1000 * attempt, how,
            fused=self.fused,
        )  # fmt: skip
        return net if linear else replace(net, linear=net.linear.emptied())

    def _selected(self, net: SparseNet, rows: RowBlocks, y: Tensor) -> SparseNet:
        """Keep 1.8 times the budget by w^2 D, by which the loss would rise without a refit."""
        live, _ = slopes(net, rows, y)
        layers = net.trained if net.linear_counts else net.trained[:-1]
        scores = torch.cat([
            edges.values.square() * slope.curvature[edges.target, edges.source]
            for edges, slope in zip(layers, live, strict=False)
        ])  # fmt: skip
        # Of a skip connection that counts, too many weights are dropped only where d is large.
        least = _LEAST_SELECTED if net.linear_counts else 0
        return net.keep_largest(scores, max(least, math.ceil(1.8 * self.nnz)))

    def _settled(self, result: Refit) -> list[SparseNet]:
        """Return networks without a free linear term that stand for one with it."""
        turned = resolve_signs(result.net)
        if self.skip:
            return [replace(net, linear_counts=True) for net in (result.net, turned)]
        found = [replace(turned, linear=turned.linear.emptied())]
        if not self.fused:
            found.append(with_linear_pairs(turned, self.nnz // 2))
        return found


def recover_network(
    problem: Problem, nnz: int, setting: Setting, *, fused: bool, init: SparseNet | None,
    restarts: int, cycles: int, start_steps: int | None, deadline: float,
) -> tuple[Fit, SparseNet]:  # fmt: skip
    """Recover a network for a problem with the squared loss.

    Parameters
    ----------
    problem : Problem
    nnz : int
    setting : Setting
        ``dtype`` must be set.
    fused : bool
        One output, the plain sum of the last hidden layer.
    init : SparseNet or None
        A network of a larger budget to begin with.
    restarts, cycles, start_steps, deadline
        See `Recovery`.

    Returns
    -------
    fit : Fit
        Converged if exact. Its ``info`` is the `Certificate`.
    net : SparseNet
        The same network, to begin a smaller budget with.
    """
    rows, y, _ = as_rows(problem, setting)
    history: list[float] = []

    def report(attempt: int, loss: float) -> None:
        history.append(loss / 2)
        done = (attempt + min(1.0, len(history) / (2 * cycles + 1))) / (restarts + 1)
        setting.progress(min(done, 1.0), f"attempt {attempt + 1}, mean square {loss:.2e}")

    def observe(net: SparseNet) -> None:
        if setting.observe is not None:
            setting.observe(to_network(net, setting))

    recovery = Recovery(
        nnz=nnz, hidden=setting.hidden, layers=setting.layers, fused=fused, skip=setting.skip,
        seed=setting.seed, restarts=restarts, cycles=cycles, start_steps=start_steps,
        deadline=deadline, report=report, observe=observe,
    )  # fmt: skip
    result, is_exact = recovery.run(rows, y, init)
    status = Status.CONVERGED if is_exact else Status.FINISHED
    network, certificate = to_network(result.net, setting), certify(result.net, rows, y)
    info = {} if certificate is None else asdict(certificate)
    losses = (*history, result.loss / 2)
    return Fit(network, status, len(history), losses, info=info), result.net
