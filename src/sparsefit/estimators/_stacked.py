"""All networks of a comparison at once: every fold, every ridge, and all rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.datafits import DATAFITS
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.estimators._shared import refit
from sparsefit.estimators._validation import Candidates, Key, split_rows
from sparsefit.gauss_newton.conversion import to_network
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.stacked.growth import exchange
from sparsefit.stacked.nets import Shape, Stack
from sparsefit.stacked.objective import StackObjective
from sparsefit.stacked.path import shrink
from sparsefit.stacked.profiles import LINEAR, PATH, START
from sparsefit.stacked.start import linear_start, trained_start


@dataclass(frozen=True)
class StackedProfile:
    """What fits into a stack.

    Attributes
    ----------
    most_weights : int
        Of a network: each step costs the square of it for each row, and its cube.
    most_numbers : int
        Possible weights of all networks: a quarter of the default memory budget.
    start, trained : float
        Shares of the time, about, at which the start and the networks made of it are done; what
        is left is for the linear ones.
    """

    most_weights: int = 500
    most_numbers: int = 1 << 24
    start: float = 0.4
    trained: float = 0.9


STACKED = StackedProfile()


class Compared(NamedTuple):
    """What a comparison found.

    Attributes
    ----------
    candidates : Candidates
    residual : float
        Least mean loss on the rows that networks were trained on.
    """

    candidates: Candidates
    residual: float

    def joined(self, other: Compared) -> Compared:
        """Return what two comparisons found."""
        residual = min(self.residual, other.residual)
        return Compared(self.candidates.joined(other.candidates), residual)


@dataclass
class _Scored:
    """Networks of a comparison, and their losses.

    Attributes
    ----------
    objective : StackObjective
        With the ridges in a row.
    alphas : tuple of float
    held : Tensor of shape (n_folds, n)
        What the rows held out of each fold weigh in their mean loss.
    scale : float
        Of losses.
    """

    objective: StackObjective
    alphas: tuple[float, ...]
    held: Tensor
    scale: float
    losses: dict[Key, list[float]] = field(default_factory=dict)
    stacks: dict[tuple[int, int], Stack] = field(default_factory=dict)
    residual: float = float("inf")

    def add(self, budget: int, size: int, stack: Stack) -> None:
        """Score networks of one size from one start; the last ones of a size count."""
        rows = self.objective.losses(stack).unflatten(0, (-1, len(self.alphas)))
        self.residual = min(self.residual, float(rows[0].mean(dim=1).min()) * self.scale)
        for which, alpha in enumerate(self.alphas):
            losses = (rows[1:, which] * self.held).sum(dim=1)
            self.losses[Key(budget, size, alpha)] = losses.tolist()
        self.stacks[budget, size] = stack

    def best(self) -> Key:
        """Return the candidate of least loss on the rows held out."""
        return min(self.losses, key=lambda key: sum(self.losses[key]))

    def net(self, key: Key) -> SparseNet:
        """Return a candidate's network of all rows."""
        return self.stacks[key[:2]].net(self.alphas.index(key.alpha))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Networks of many sizes and ridges on several parts of the rows, trained side by side.

    Attributes
    ----------
    problem : Problem
        The rows that networks are found on.
    setting : Setting
    alphas : tuple of float
        Ridges to choose from.
    n_folds : int
    is_over : callable
        Whether there is no time left; then what there is of networks is compared.
    """

    problem: Problem
    setting: Setting
    alphas: tuple[float, ...]
    n_folds: int
    is_over: Callable[[], bool] = lambda: False

    def fits(self, nnz: int) -> bool:
        """Return whether networks of so many weights can be compared so."""
        count = self._shape(nnz).count * (self.n_folds + 1) * len(self.alphas)
        is_small = nnz <= STACKED.most_weights and count <= STACKED.most_numbers
        return is_small and self.setting.layers == 1 and self.setting.device == "cpu"

    def of(
        self, sizes: Sequence[int], most: int, whole: Problem,
        progress: Callable[[float, str], None],
    ) -> Compared:  # fmt: skip
        """Train networks of all sizes and compare them on the rows that are held out.

        Parameters
        ----------
        sizes : sequence of int
            Falling.
        most : int
            There is a network of at most so many weights, whatever the time.
        whole : Problem
            All rows, on which a network that is chosen is refitted.
        progress : callable
            Gets the share that is done and a text.
        """
        folds = list(split_rows(self.problem, self.n_folds, self.setting.seed))
        objective = self._objective(folds)
        ridged = objective.with_alphas(self.alphas)
        found = _Scored(ridged, self.alphas, self._held_out(folds) * self._scale, self._scale)
        for budget, start in self._starts(objective, sizes[0], progress):
            wide = start.repeat_interleave(len(self.alphas))
            effort = PATH if budget else LINEAR
            begin, end = (STACKED.start, STACKED.trained) if budget else (STACKED.trained, 1.0)
            for size, stack in shrink(wide, ridged, sizes, effort):
                found.add(budget, size, stack)
                begin += (end - begin) * size / sum(sizes[sizes.index(size) :])
                progress(begin, self._text(size))
                if size <= most and self.is_over():
                    break
        best = found.best()
        if best.budget and best.size == sizes[0] <= PATH.binding and not self.is_over():
            stack = found.stacks[best[:2]]
            for _ in range(PATH.more_cycles):
                stack = exchange(stack, ridged, best.size)
            found.add(best.budget, best.size, stack)
        return Compared(self._candidates(found, whole), found.residual)

    def _text(self, size: int) -> str:
        weights = "1 weight" if size == 1 else f"{size} weights"
        return f"networks of {weights} on {self.n_folds} folds and all rows"

    def _held_out(self, folds: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
        """Return what the rows held out of each fold weigh in a mean over them, (n_folds, n)."""
        weight = self.problem.relative_weight
        shares = np.zeros((len(folds), len(self.problem.X)), dtype=np.float32)
        for share, (_, held) in zip(shares, folds, strict=True):
            share[held] = 1 if weight is None else weight[held]
        return torch.from_numpy(shares / shares.sum(axis=1, keepdims=True))

    def _candidates(self, found: _Scored, whole: Problem) -> Candidates:
        setting = self.setting
        if whole is not self.problem:
            # Rounding is far below what is left of so many rows.
            setting = replace(setting, dtype="float32")

        def network(key: Key) -> Network:
            return refit(to_network(found.net(key), setting), whole, setting, key.alpha)

        steps = START.steps(len(self.problem.X))
        return Candidates(lambda key: Fit(network(key), Status.FINISHED, steps), found.losses)

    @property
    def _scale(self) -> float:
        """What a sum over outputs is multiplied by, to be as `dense.mean_loss` is."""
        loss, k = self.problem.loss, self.problem.n_outputs
        return {"squared": 2 / k, "softmax": 1.0}.get(loss, 1 / k)

    def _shape(self, nnz: int) -> Shape:
        setting = self.setting
        return Shape(
            self.problem.n_features + setting.bias, START.units(nnz, setting.hidden),
            self.problem.n_outputs, bias=setting.bias, skip=setting.skip,
            activation=setting.nonlinearity,
        )  # fmt: skip

    def _objective(self, folds: list[tuple[np.ndarray, np.ndarray]]) -> StackObjective:
        """Return the objective of all rows and of all but those of each fold, without a ridge."""
        problem = self.problem
        n, weight = len(problem.X), problem.relative_weight
        X = torch.empty(problem.n_features + self.setting.bias, n)
        X[: problem.n_features] = torch.from_numpy(problem.X.T)
        X[problem.n_features :] = 1
        y = problem.targets
        row_weights = torch.ones(len(folds) + 1, n)
        for part, (_, held) in zip(row_weights[1:], folds, strict=True):
            part[held] = 0
        if weight is not None:
            row_weights *= torch.from_numpy(weight)
        return StackObjective(
            X, torch.from_numpy(np.ascontiguousarray(y.T)).float().T, DATAFITS[problem.loss](),
            row_weights, torch.zeros(len(row_weights)),
            torch.Generator().manual_seed(self.setting.seed),
        )  # fmt: skip

    def _starts(
        self, objective: StackObjective, nnz: int, progress: Callable[[float, str], None]
    ) -> Iterator[tuple[int, Stack]]:
        """Yield the budget of each start, 0 of a linear one, and its networks."""

        def is_over(share: float) -> bool:
            progress(STACKED.start * share, self._text(nnz))
            return self.is_over()

        shape = self._shape(nnz)
        size = int(START.selected * nnz)
        yield nnz, trained_start(objective, shape, size, self.setting.seed, is_over)
        if self.setting.skip:
            yield 0, linear_start(objective, replace(shape, units=1), LINEAR.linear * nnz)
