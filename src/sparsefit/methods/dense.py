"""The dense network, as a reference point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sparsefit import dense
from sparsefit.methods._trained import UnmaskedTraining

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class DenseTraining(UnmaskedTraining):
    """The dense network of the same width, trained once; a reference point without a budget.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(_, fit)] = DenseTraining(epochs=2).path(problem, [1], Setting(hidden=3))
    >>> fit.network.nnz
    15
    """

    name: ClassVar[str] = "dense"
    uses_budget: ClassVar[bool] = False

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Train once, whatever the budget."""
        return dense.train_dense(self.make_trainer(problem, setting), setting)
