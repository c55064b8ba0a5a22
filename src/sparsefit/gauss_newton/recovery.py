"""Recover a sparse network: relaxed start, cycles, signs, and restarts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch

from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.certificate import certify
from sparsefit.gauss_newton.conversion import to_network
from sparsefit.gauss_newton.crossover import Pool, cross, narrowed, widened
from sparsefit.gauss_newton.elimination import (
    drop_rounding,
    eliminate_by_risk,
    eliminate_while_exact,
)
from sparsefit.gauss_newton.grow_and_prune import GrowAndPrune
from sparsefit.gauss_newton.levenberg_marquardt import Minimum, levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import RECOVERY
from sparsefit.gauss_newton.signs import resolve_signs, with_skip_as_pairs
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.gauss_newton.starts import Starts


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to search.

    Attributes
    ----------
    restarts : int or None
        Attempts after the first until one reaches the goal; None for as many as
        `RecoveryProfile` says.
    cycles : int
        Cycles of growing and pruning in each phase of an attempt.
    start_steps : int or None
        Adam steps of the relaxed start; None for as many as `StartProfile` says.
    deadline : float
        Of `time.monotonic`, after which no new cycle begins.
    """

    restarts: int | None
    cycles: int
    start_steps: int | None = None
    deadline: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How to search for a network.

    Attributes
    ----------
    starts : Starts
        What network is wanted, and how attempts begin.
    effort : Effort
    report : callable
        Gets the attempt and the least mean square so far.
    observe : callable
        Gets the network that each contraction ends with.
    """

    starts: Starts
    effort: Effort
    report: Callable[[int, float], None] = lambda attempt, loss: None
    observe: Callable[[SparseNet], None] = lambda net: None

    def first(self, objective: Objective, init: SparseNet | None = None) -> Minimum:
        """Make the first attempt, or go on with a network of a larger budget."""
        phase = self._phase(objective, 0, float("inf"))
        if init is None:
            return self._fresh(phase, 0, Pool())
        return phase.run(phase.contract(init), self.effort.cycles)

    def go_on(self, objective: Objective, first: Minimum, n_fresh: int) -> Minimum:
        """Search after the first attempt, of `n_fresh` draws, and return the best network."""
        pool, n_alike = Pool(), 0
        pool.add(first)
        for attempt in itertools.count(1):
            phase = self._phase(objective, attempt, pool.least)
            if phase.is_over(pool.best) or n_alike == RECOVERY.most_alike:
                break
            if attempt > self.restarts(objective, pool.least):
                break
            if attempt % 2 == 0 and pool.has_pair:
                result = self._on_few(phase, attempt, partial(self._crossed, pool=pool))
            else:
                result = self._fresh(phase, n_fresh, pool)
                n_fresh += 1
                # Draws that end alike have found what there is to find, as under noise.
                n_alike += pool.has_alike(result)
            pool.add(result)
        best = levenberg_marquardt(pool.best.net, objective, steps=20, gain=1e-6)
        if best.loss <= phase.enough:
            # An exact network may still write one unit, or a linear term, as two units.
            simpler = phase.merged(best)
            if simpler.net.nnz < best.net.nnz and simpler.loss <= phase.enough:
                best = simpler
            best = drop_rounding(best, objective, RECOVERY.rounding * phase.enough)
            return eliminate_while_exact(best, objective)
        return eliminate_by_risk(best, objective)

    def restarts(self, objective: Objective, least: float = 0.0) -> int:
        """Return how many attempts there may be after the first, of which the best left `least`."""
        if self.effort.restarts is not None:
            return self.effort.restarts
        if self.starts.layers > 1:
            return RECOVERY.restarts_of_deep
        is_short = objective.n_targets < RECOVERY.few_rows_a_weight * self.starts.nnz
        if is_short and least < RECOVERY.in_reach * objective.mean_square:
            return RECOVERY.restarts_of_few_rows
        return RECOVERY.restarts

    def _phase(self, objective: Objective, attempt: int, least: float) -> GrowAndPrune:
        return GrowAndPrune(
            objective=objective, nnz=self.starts.nnz, max_units=self.starts.hidden,
            enough=goal(objective), deadline=self.effort.deadline,
            generator=torch.Generator().manual_seed(self.starts.seed_of(attempt)),
            report=lambda loss: self.report(attempt, min(loss, least)),
            observe=self.observe,
        )  # fmt: skip

    def _fresh(self, phase: GrowAndPrune, number: int, pool: Pool) -> Minimum:
        """Make an attempt from a relaxed start: on few rows, of inputs that others have found."""
        inputs = None
        if self.starts.has_few_rows(phase.objective):
            inputs = pool.draw_inputs(phase.objective, phase.generator)
        if inputs is None:
            return self._on_few(phase, number, partial(self._attempt, number=number))
        narrow = replace(phase, objective=narrowed(phase.objective, inputs))
        net = widened(self._attempt(narrow, number).net, inputs, phase.objective.rows.d)
        return phase.run(phase.refitted(net), self.effort.cycles)

    def _crossed(self, phase: GrowAndPrune, pool: Pool) -> Minimum:
        """Begin with the mean of two networks that were found, and grow and prune it."""
        result = phase.merged(phase.refitted(cross(*pool.pair(phase.generator))))
        return phase.run(phase.contract(result.net), self.effort.cycles)

    def _on_few(
        self, phase: GrowAndPrune, number: int, attempt: Callable[[GrowAndPrune], Minimum]
    ) -> Minimum:
        """Begin an attempt on a draw of the rows, if there are many; go on with all of them.

        Each step costs in proportion to the rows, and few settle an exact network; nor does the
        search for one need all digits of a Gram matrix.
        """
        rows = phase.objective.rows
        count = max(RECOVERY.least_rows, RECOVERY.rows_a_weight * (self.starts.nnz + rows.d))
        if count > RECOVERY.drawn * phase.objective.n:
            return attempt(phase)
        drawn = phase.objective.sample(count, self.starts.seed_of(number))
        few = replace(phase, objective=replace(drawn, gram_dtype=torch.float32))
        result = phase.refitted(attempt(few).net)
        return phase.run(result, self.effort.cycles)

    def _attempt(self, phase: GrowAndPrune, number: int) -> Minimum:
        """Start relaxed, grow and prune, remove a free skip connection, grow and prune again."""
        objective, cycles = phase.objective, self.effort.cycles
        free = self.starts.has_free_skip(objective, number)
        net = self.starts.begin(objective, number, free=free)
        result = phase.merged(phase.refitted(net))
        result = phase.run(phase.contract(result.net), cycles)
        if not free:
            return result
        settled = [phase.contract(phase.refitted(net).net) for net in self._settled(result)]
        return phase.run(min(settled, key=lambda found: found.loss), cycles)

    def _settled(self, result: Minimum) -> list[SparseNet]:
        """Return networks without a free skip connection that stand for one with it."""
        turned = resolve_signs(result.net)
        if self.starts.skip:
            return [replace(net, skip_counts=True) for net in (result.net, turned)]
        found = [replace(turned, skip=turned.skip.emptied())]
        if not self.starts.fused:
            found.append(with_skip_as_pairs(turned, self.starts.nnz // 2))
        return found


def goal(objective: Objective) -> float:
    """Return the mean square at which a network is exact."""
    return RECOVERY.goal * objective.mean_square


def warm_up() -> None:
    """Factorise small matrices: libraries of linear algebra load with the first."""
    eye = torch.eye(2, dtype=torch.float64)
    torch.linalg.cholesky_ex(eye)
    torch.linalg.eigh(eye)


def recover_network(
    problem: Problem, nnz: int, setting: Setting, effort: Effort, *, fused: Sequence[bool],
    init: SparseNet | None = None,
) -> tuple[Fit, SparseNet]:  # fmt: skip
    """Recover a network for a problem with the squared loss.

    Parameters
    ----------
    problem : Problem
    nnz : int
    setting : Setting
        ``dtype`` must be set.
    effort : Effort
    fused : sequence of bool
        Whether the one output is the plain sum of the last hidden layer. Of several values the one
        whose first attempt leaves least.
    init : SparseNet, optional
        A network of a larger budget to begin with.

    Returns
    -------
    fit : Fit
        Converged if the goal is reached. Its ``info`` is the `Certificate`.
    net : SparseNet
        The same network, to begin a smaller budget with.
    """
    objective = Objective.of(problem, setting)
    history: list[float] = []

    def report(attempt: int, loss: float) -> None:
        history.append(loss / 2)
        share = min(1.0, len(history) / (2 * effort.cycles + 1))
        done = (attempt + share) / (recoveries[0].restarts(objective) + 1)
        setting.progress(min(done, 1.0), f"attempt {attempt + 1}, mean square {loss:.2e}")

    def observe(net: SparseNet) -> None:
        if setting.observe is not None:
            setting.observe(to_network(net, setting))

    starts = Starts(
        nnz=nnz, hidden=setting.hidden, layers=setting.layers, fused=fused[0], skip=setting.skip,
        seed=setting.seed, steps=effort.start_steps, activation=setting.nonlinearity,
        biased=setting.bias and setting.layers > 1,
    )  # fmt: skip
    recoveries = [
        Recovery(starts=replace(starts, fused=value), effort=effort, report=report, observe=observe)
        for value in fused
    ]
    result = _searched(recoveries, objective, init)
    status = Status.CONVERGED if result.loss <= goal(objective) else Status.FINISHED
    network, certificate = to_network(result.net, setting), certify(result.net, objective)
    info = {} if certificate is None else asdict(certificate)
    losses = (*history, result.loss / 2)
    return Fit(network, status, len(history), losses, info=info), result.net


def _searched(
    recoveries: Sequence[Recovery], objective: Objective, init: SparseNet | None
) -> Minimum:
    """Search by the one whose first attempt leaves least."""
    firsts: list[Minimum] = []
    for recovery in recoveries:
        firsts.append(recovery.first(objective, init))
        if firsts[-1].loss <= goal(objective):
            break
    least = min(range(len(firsts)), key=lambda number: firsts[number].loss)
    n_drawn = 1 if init is None else 0
    return recoveries[least].go_on(objective, firsts[least], n_drawn)
