"""Recover a sparse network: relaxed start, cycles, signs, and restarts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch

from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.certificate import certify
from sparsefit.gauss_newton.conversion import to_network
from sparsefit.gauss_newton.elimination import drop_rounding, eliminate_by_risk
from sparsefit.gauss_newton.grow_and_prune import GrowAndPrune
from sparsefit.gauss_newton.levenberg_marquardt import Minimum, levenberg_marquardt
from sparsefit.gauss_newton.objective import Objective, present
from sparsefit.gauss_newton.profiles import RECOVERY, START
from sparsefit.gauss_newton.relaxed import RelaxedStart, relaxed_start
from sparsefit.gauss_newton.signs import resolve_signs, with_skip_as_pairs
from sparsefit.gauss_newton.sparse_net import SparseNet


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to search.

    Attributes
    ----------
    restarts : int
        Attempts after the first, from other draws, until one reaches the goal.
    cycles : int
        Cycles of growing and pruning in each phase of an attempt.
    start_steps : int or None
        Adam steps of the relaxed start; None for as many as `StartProfile` says.
    deadline : float
        Of `time.monotonic`, after which no new cycle begins.
    """

    restarts: int
    cycles: int
    start_steps: int | None = None
    deadline: float = float("inf")


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
        Whether the network may have a skip connection, whose weights count.
    seed : int
    effort : Effort
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
    effort: Effort
    report: Callable[[int, float], None] = lambda attempt, loss: None
    observe: Callable[[SparseNet], None] = lambda net: None

    def run(self, objective: Objective, init: SparseNet | None = None) -> tuple[Minimum, bool]:
        """Search, and return the best network and whether it reaches the goal.

        Parameters
        ----------
        objective : Objective
            Of the squared loss.
        init : SparseNet, optional
            A network to begin with, of a larger budget.
        """
        best, n_alike = None, 0
        goal = RECOVERY.goal * objective.mean_square
        for attempt in range(self.effort.restarts + 1):
            phase = self._phase(objective, attempt, goal, best)
            if attempt == 0 and init is not None:
                result = phase.run(phase.contract(init), self.effort.cycles)
            else:
                result = self._attempt_on_few(phase, attempt)
            # Draws that end alike have found what there is to find, as under noise.
            if best is not None and abs(result.loss - best.loss) < RECOVERY.alike * best.loss:
                n_alike += 1
            if best is None or result.loss < best.loss:
                best = result
            if phase.is_over(best) or n_alike == RECOVERY.most_alike:
                break
        assert best is not None
        best = levenberg_marquardt(best.net, objective, steps=20, gain=1e-6)
        if best.loss > goal:
            best = eliminate_by_risk(best, objective)
        else:
            best = drop_rounding(best, objective, RECOVERY.rounding * goal)
        return best, best.loss <= goal

    def _phase(
        self, objective: Objective, attempt: int, goal: float, best: Minimum | None
    ) -> GrowAndPrune:
        least = float("inf") if best is None else best.loss
        return GrowAndPrune(
            objective=objective, nnz=self.nnz, max_units=self.hidden, enough=goal,
            generator=torch.Generator().manual_seed(self._seed(attempt)),
            deadline=self.effort.deadline,
            report=lambda loss: self.report(attempt, min(loss, least)),
            observe=self.observe,
        )  # fmt: skip

    def _seed(self, attempt: int) -> int:
        return self.seed + 1000 * attempt

    def _attempt_on_few(self, phase: GrowAndPrune, attempt: int) -> Minimum:
        """Begin an attempt on a draw of the rows, if there are many; go on with all of them.

        Each step costs in proportion to the rows, and few settle an exact network; nor does the
        search for one need all digits of a Gram matrix.
        """
        rows = phase.objective.rows
        count = max(RECOVERY.least_rows, RECOVERY.rows_a_weight * (self.nnz + rows.d))
        if count > RECOVERY.drawn * phase.objective.n:
            return self._attempt(phase, attempt)
        drawn = phase.objective.sample(count, self._seed(attempt))
        few = replace(phase, objective=replace(drawn, gram_dtype=torch.float32))
        result = phase.refitted(self._attempt(few, attempt).net)
        return phase.run(result, self.effort.cycles)

    def _attempt(self, phase: GrowAndPrune, attempt: int) -> Minimum:
        """Start relaxed, grow and prune, remove a free skip connection, grow and prune again."""
        objective, cycles = phase.objective, self.effort.cycles
        free = self._has_free_skip(objective, attempt)
        net = self._started(objective, attempt, free=free)
        result = phase.merged(phase.refitted(net))
        result = phase.run(phase.contract(result.net), cycles)
        if not free:
            return result
        settled = [phase.contract(phase.refitted(net).net) for net in self._settled(result)]
        return phase.run(min(settled, key=lambda found: found.loss), cycles)

    def _has_few_rows(self, objective: Objective) -> bool:
        return objective.n < START.few_rows * objective.rows.d

    def _has_free_skip(self, objective: Objective, attempt: int) -> bool:
        """Whether to search with a free skip connection: it makes the signs of units irrelevant."""
        # On few rows the skip connection alone fits too much.
        if self.layers > 1 or self._has_few_rows(objective):
            return False
        # With several outputs the skip connection has many weights, and hides more than it frees.
        return (attempt % 2 == 0) == (objective.n_outputs == 1)

    def _started(self, objective: Objective, attempt: int, *, free: bool) -> SparseNet:
        """Return the largest weights of a relaxed start, of the width that leaves least."""
        best, least = None, float("inf")
        for units in self._widths(objective, attempt):
            net = self._start(objective, attempt, units, skip=free or self.skip)
            net = self._selected(replace(net, skip_counts=self.skip and not free), objective)
            left = objective.value(net)
            if best is None or left < least:
                best, least = net, left
            elif left > START.worse * least:
                break
        assert best is not None
        return best

    def _widths(self, objective: Objective, attempt: int) -> list[int]:
        """Return how many units a relaxed start may have, to be tried in turn."""
        units = math.ceil(START.spare_units * min(self.hidden, self._fillable)) + START.more_units
        few = max(START.least_units, self.nnz // START.weights_a_unit + 1)
        if attempt % 2 == 0 and self._has_few_rows(objective):
            # On few rows of many inputs, few units of many inputs each fit best.
            return [min(units, few)]
        if attempt or self.layers > 1 or self.hidden <= self._fillable:
            return [units]
        # Nothing says over how many units the weights are spread.
        doublings = range(math.ceil(math.log2(max(1, units / few))))
        return [*(few * 2**number for number in doublings), units]

    @property
    def _fillable(self) -> int:
        """Units that the budget can fill with two weights each."""
        return self.nnz // 2 + 1

    def _start(self, objective: Objective, attempt: int, units: int, *, skip: bool) -> SparseNet:
        live = min(self.hidden if self.hidden <= self._fillable else units, self.nnz)
        is_plain = self.fused and self.layers == 1
        steps = START.steps_of_many if live > START.many else START.steps
        how = RelaxedStart(
            fused=self.fused,
            steps=self.effort.start_steps or steps,
            penalty=START.penalty if is_plain else START.penalties[attempt % len(START.penalties)],
            lr=START.lr if is_plain or attempt % 2 == 0 else START.slow_lr,
            batch=min(max(START.least_batch, START.rows_a_unit * live), START.most_batch),
            skip=skip,
        )
        edges = min(self.hidden, self.nnz) if self.fused else max(1, self.nnz // 2)
        net = relaxed_start(objective, [units] * self.layers, edges, self._seed(attempt), how)
        return net if skip else replace(net, skip=net.skip.emptied())

    def _selected(self, net: SparseNet, objective: Objective) -> SparseNet:
        """Keep the weights of largest w^2 D, by which the loss would rise without a refit."""
        scored = slice(None) if net.skip_counts else slice(-1)
        curvature = present(net, objective.slopes(net)[0], scored)
        scores = net.values[: len(curvature)].square() * curvature
        least = RECOVERY.least_selected if net.skip_counts else 0
        return net.keep_largest(scores, max(least, math.ceil(RECOVERY.selected * self.nnz)))

    def _settled(self, result: Minimum) -> list[SparseNet]:
        """Return networks without a free skip connection that stand for one with it."""
        turned = resolve_signs(result.net)
        if self.skip:
            return [replace(net, skip_counts=True) for net in (result.net, turned)]
        found = [replace(turned, skip=turned.skip.emptied())]
        if not self.fused:
            found.append(with_skip_as_pairs(turned, self.nnz // 2))
        return found


def warm_up() -> None:
    """Factorise small matrices: libraries of linear algebra load with the first."""
    eye = torch.eye(2, dtype=torch.float64)
    torch.linalg.cholesky_ex(eye)
    torch.linalg.eigh(eye)


def recover_network(
    problem: Problem, nnz: int, setting: Setting, effort: Effort, *, fused: bool,
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
    fused : bool
        One output, the plain sum of the last hidden layer.
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
        done = (attempt + share) / (effort.restarts + 1)
        setting.progress(min(done, 1.0), f"attempt {attempt + 1}, mean square {loss:.2e}")

    def observe(net: SparseNet) -> None:
        if setting.observe is not None:
            setting.observe(to_network(net, setting))

    recovery = Recovery(
        nnz=nnz, hidden=setting.hidden, layers=setting.layers, fused=fused, skip=setting.skip,
        seed=setting.seed, effort=effort, report=report, observe=observe,
    )  # fmt: skip
    result, reaches_goal = recovery.run(objective, init)
    status = Status.CONVERGED if reaches_goal else Status.FINISHED
    network, certificate = to_network(result.net, setting), certify(result.net, objective)
    info = {} if certificate is None else asdict(certificate)
    losses = (*history, result.loss / 2)
    return Fit(network, status, len(history), losses, info=info), result.net
