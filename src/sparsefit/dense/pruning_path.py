"""Train, prune, rewind, train: one pass that serves many budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Literal

from torch import Tensor

from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.dense.pruning import prune_to
from sparsefit.dense.trainer import Trainer, all_ones

_Point = tuple[list[Tensor], list[Tensor], list[float]]
ScoredNetwork = Literal["retrained", "pruned"]


class _Run:
    """The present parameters, masks and losses; it can be set back to an earlier point."""

    def __init__(self, trainer: Trainer, *, rewind: bool, progress: Callable[[], None]):
        self.trainer, self.rewind, self.progress = trainer, rewind, progress
        self.masks, self.initial = all_ones(trainer.net), trainer.state()
        self.losses: list[float] = []

    def train(self) -> None:
        self.trainer.restore(self.initial if self.rewind else self.trainer.state(), self.masks)
        self.losses.append(self.trainer.train(self.masks))
        self.progress()

    def prune(self, keep: int) -> None:
        self.masks = prune_to(list(self.trainer.net.parameters()), self.masks, keep)
        self.trainer.restore(self.trainer.state(), self.masks)

    def point(self) -> _Point:
        return self.trainer.state(), self.masks, list(self.losses)

    def go_to(self, point: _Point) -> None:
        state, self.masks, losses = point
        self.losses = list(losses)
        self.trainer.restore(state, self.masks)

    def fit(self) -> Fit:
        finite = all(abs(loss) < float("inf") for loss in self.losses)
        status = Status.FINISHED if finite else Status.DIVERGED
        return Fit(self.trainer.network(), status, self.trainer.n_steps, tuple(self.losses))


def prune_and_train(
    trainer: Trainer,
    budgets: Sequence[int],
    counts_for: Callable[[int], list[int]],
    setting: Setting,
    *,
    rewind: bool,
    score: ScoredNetwork,
) -> Iterator[tuple[int, Fit]]:
    """Fit every budget by repeated magnitude pruning.

    Parameters
    ----------
    trainer : Trainer
    budgets : sequence of int
        In any order; each result depends on its own budget alone.
    counts_for : callable
        From a budget to how many weights are left after each pruning, the budget last. Budgets
        whose lists begin alike share that work.
    setting : Setting
        For progress.
    rewind : bool
        Set what is left back to its initial weights before each training.
    score : {"retrained", "pruned"}
        Whether the network is trained once more after its last pruning.

    Yields
    ------
    budget : int
    fit : Fit
        From the largest budget to the smallest.
    """
    n_params = trainer.net.n_params
    ordered = sorted(set(budgets), reverse=True)
    plans = [counts_for(nnz) if nnz < n_params else [] for nnz in ordered]
    progress = _progress(setting, plans, retrain=score == "retrained")
    run = _Run(trainer, rewind=rewind, progress=progress)
    run.train()
    points: dict[tuple[int, ...], _Point] = {(): run.point()}
    for nnz, plan, following in zip(ordered, plans, [*plans[1:], []], strict=True):
        if not plan:
            yield nnz, run.fit()
            continue
        done = max((point for point in points if _begins(plan, point)), key=len)
        run.go_to(points[done])
        shared = _common_start(plan[:-1], following[:-1])
        for number in range(len(done) + 1, len(plan) + 1):
            run.prune(plan[number - 1])
            if number < len(plan) or score == "retrained":
                run.train()
            if tuple(plan[:number]) == shared:
                points = {(): points[()], shared: run.point()}
        yield nnz, run.fit()


def train_dense(trainer: Trainer, setting: Setting) -> Fit:
    """Train all weights once."""
    run = _Run(trainer, rewind=False, progress=lambda: setting.progress(1.0, "trained"))
    run.train()
    return run.fit()


def _common_start(one: list[int], other: list[int]) -> tuple[int, ...]:
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return tuple(first for first, _ in pairs)


def _begins(plan: list[int], start: tuple[int, ...]) -> bool:
    return tuple(plan[: len(start)]) == start and len(start) < len(plan)


def _progress(setting: Setting, plans: list[list[int]], *, retrain: bool) -> Callable[[], None]:
    """Count trainings: one for every distinct beginning of a plan."""
    points = {tuple(plan[:number]) for plan in plans for number in range(len(plan) + retrain)}
    total, done = len(points | {()}), 0

    def advance() -> None:
        nonlocal done
        done += 1
        setting.progress(done / total, f"training {done}/{total}")

    return advance
