"""The one loop that every solver of the implicit models runs in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.result import Status
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import BlockModel
from sparsefit.solvers.batches import Batches


@dataclass(frozen=True)
class SolveResult:
    """What a solver returns.

    Attributes
    ----------
    coef : SparseVector
        At most the asked number of nonzeros.
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
    """

    epochs: int
    sequential: bool = True
    needs_linear: ClassVar[bool] = False

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
        callback: Callable[[int], None] | None = None,
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
            Called with the number of epochs done.

        Raises
        ------
        TypeError
            If the solver needs a linear model and this one is not.
        """
        if self.needs_linear and not model.is_linear:
            raise TypeError(f"{type(self).__name__} needs a model that is linear in its parameters")
        self.start(model, nnz)
        coef, status, n_iter = model.zeros(), Status.FINISHED, 0
        history: list[float] = []
        for epoch in range(self.epochs):
            before = coef
            for index in batches.epoch(epoch):
                on_batch = model if batches.full else model.take(index)
                target = y if batches.full else y[torch.from_numpy(index).to(y.device)]
                new, loss = self.step(on_batch, datafit, target, coef, nnz, epoch)
                n_iter += 1
                if not bool(torch.isfinite(new.values).all() & torch.isfinite(loss)):
                    return SolveResult(coef, model, Status.DIVERGED, n_iter, tuple(history))
                coef = new
                if self.sequential and epoch > 0:
                    model = model.refresh(coef)
            history.append(loss.item() / len(target))
            if callback is not None:
                callback(epoch + 1)
            # A step that changed nothing will change nothing again, once the gates are settled.
            if epoch > 1 and batches.full and self.is_settled(before, coef):
                status = Status.CONVERGED
                break
        return SolveResult(coef, model, status, n_iter, tuple(history))

    def is_settled(self, before: SparseVector, after: SparseVector) -> bool:
        """Whether the step from `before` to `after` shows that no later one moves."""
        return before.equals(after)
