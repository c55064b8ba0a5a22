"""One-shot magnitude pruning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from sparsefit import dense
from sparsefit.core.options import option
from sparsefit.methods._trained import TrainedMethod

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class MagnitudePruning(TrainedMethod):
    """One-shot magnitude pruning: train densely, keep the largest weights, train on.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = MagnitudePruning(epochs=2).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz
    5
    """

    name: ClassVar[str] = "magnitude"
    shares_path: ClassVar[bool] = True

    score: Literal["retrained", "pruned"] = option(
        "retrained", "score the network retrained after its last pruning, or as pruned"
    )

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit all budgets from one dense training."""
        trainer = self.make_trainer(problem, setting)
        yield from dense.prune_and_train(
            trainer, budgets, lambda nnz: [nnz], setting, rewind=False, score=self.score
        )
