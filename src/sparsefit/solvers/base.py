"""The one loop that every solver of the implicit models runs in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sparsefit.core.batches import Batches
from sparsefit.core.datafits import Datafit
from sparsefit.core.result import Status
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import BlockModel


@dataclass(frozen=True)
class SolveResult:
    """What a solver returns.

    Attributes
    ----------
    coef : SparseVector
        The last iterate, or the best one; at most the asked number of nonzeros.
    model : BlockModel
        The model with its last gates.
    status : Status
        How the loop ended.
    n_iter : int
        Steps taken.
    history : tuple of float
        For each epoch, the loss (mean over rows) at which its last step started.
    note : str
        One sentence for the user, where there is something to say.
    """

    coef: SparseVector
    model: BlockModel
    status: Status
    n_iter: int
    history: tuple[float, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Solver(ABC):
    """Sparsity-constrained minimisation, one batch at a time.

    Parameters
    ----------
    epochs : int
        Passes over the rows.
    sequential : bool, optional
        After each step from the second epoch on, let the gates be the weights (sequential convex
        programming). Otherwise the gates stay as they were drawn.
    update_every : int, optional
        Steps from one renewal of the gates to the next.
    redraw : int or None, optional
        A seed: where given, a unit without weights gets a random gate, another one each time.
        Otherwise its gate is zero, and it never comes back.
    keep_best : bool, optional
        Return the iterate that is best as a network, by the loss on all rows after each epoch,
        in place of the last one.

    Attributes
    ----------
    needs_linear, needs_squared : bool
        Whether the model must be linear in its parameters, and the loss the squared one.
    """

    epochs: int
    sequential: bool = True
    update_every: int = 1
    redraw: int | None = None
    keep_best: bool = False
    needs_linear: ClassVar[bool] = False
    needs_squared: ClassVar[bool] = False

    @abstractmethod
    def step(
        self, model: BlockModel, datafit: Datafit, y: Tensor, coef: SparseVector, nnz: int,
        epoch: int,
    ) -> tuple[SparseVector, Tensor]:  # fmt: skip
        """Return the next iterate and the loss (sum over rows) at the present one."""

    def start(self, model: BlockModel, nnz: int) -> None:  # noqa: B027
        """Prepare what lives as long as one `solve`; nothing by default."""

    def solve(
        self,
        model: BlockModel,
        datafit: Datafit,
        y: Tensor,
        nnz: int,
        *,
        batches: Batches,
        callback: Callable[[int, SparseVector], None] | None = None,
    ) -> SolveResult:
        """Minimise from zero.

        Parameters
        ----------
        model : BlockModel
            On all rows.
        datafit : Datafit
        y : Tensor of shape (n,) or (n, k)
        nnz : int
            Budget s.
        batches : Batches
            Minibatches of the rows.
        callback : callable, optional
            Called with the number of epochs done and the iterate.

        Raises
        ------
        TypeError
            If the solver needs a linear model or the squared loss, and this is another.
        """
        self._check(model, datafit)
        self.start(model, nnz)
        coef, status, n_iter = model.zeros(), Status.FINISHED, 0
        gates, best = coef, _Best(self, datafit, y)
        history: list[float] = []
        for epoch in range(self.epochs):
            before, present = coef, gates
            # The numbers of all rows would take as much memory as the targets.
            for index in (None,) if batches.full else batches.epoch(epoch):
                on_batch = model if index is None else model.take(index)
                target = y if index is None else y[torch.from_numpy(index).to(y.device)]
                new, loss = self.step(on_batch, datafit, target, coef, nnz, epoch)
                n_iter += 1
                if not bool(torch.isfinite(new.values).all() & torch.isfinite(loss)):
                    status = Status.DIVERGED
                    return SolveResult(best.or_last(coef), model, status, n_iter, tuple(history))
                coef = new
                if self.sequential and epoch > 0 and n_iter % self.update_every == 0:
                    model, gates = model.refresh(coef, self._fresh(n_iter)), coef
            history.append(loss.item() / on_batch.n_rows)
            best.offer(model, coef)
            if callback is not None:
                callback(epoch + 1, coef)
            # A step that changed nothing will change nothing again, once the gates are settled.
            if epoch > 1 and batches.full and self._is_final(before, coef, present):
                status = Status.CONVERGED
                break
        return SolveResult(best.or_last(coef), model, status, n_iter, tuple(history))

    def _check(self, model: BlockModel, datafit: Datafit) -> None:
        name = type(self).__name__
        if self.needs_linear and not model.is_linear:
            raise TypeError(f"{name} needs a model that is linear in its parameters")
        if self.needs_squared and not datafit.has_unit_curvature:
            raise TypeError(f"{name} needs the squared loss")

    def _fresh(self, n_iter: int) -> int | None:
        """Return the seed of the gates that are drawn after step `n_iter`."""
        if self.redraw is None:
            return None
        return int(np.random.SeedSequence([self.redraw, n_iter]).generate_state(1)[0])

    def _is_final(self, before: SparseVector, after: SparseVector, gates: SparseVector) -> bool:
        """Whether no step will move again after one under these gates."""
        if self.sequential and (self.redraw is not None or not gates.equals(after)):
            return False
        return self.is_settled(before, after)

    def is_settled(self, before: SparseVector, after: SparseVector) -> bool:
        """Whether the step from `before` to `after` shows that no later one moves."""
        return before.equals(after)


class _Best:
    """The best iterate so far, if the solver is to keep it."""

    def __init__(self, solver: Solver, datafit: Datafit, y: Tensor):
        self.solver, self.datafit, self.y = solver, datafit, y
        self.coef: SparseVector | None = None
        self.loss = float("inf")

    def offer(self, model: BlockModel, coef: SparseVector) -> None:
        """Take the iterate if it is better as a network, which has its own weights as gates."""
        if not self.solver.keep_best:
            return
        network = model.refresh(coef) if self.solver.sequential else model
        loss = self.datafit.value(network.forward(coef), self.y).item()
        if loss < self.loss:
            self.coef, self.loss = coef, loss

    def or_last(self, coef: SparseVector) -> SparseVector:
        """Return the best iterate; the last one if none was kept."""
        return coef if self.coef is None else self.coef
