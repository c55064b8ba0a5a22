"""The method that suits the task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sparsefit import dense, gauss_newton
from sparsefit.core.options import Other, at_least, between, option
from sparsefit.core.problem import AnyProblem, Problem
from sparsefit.methods._base import Method
from sparsefit.methods.fisher_gmp import FisherPruning
from sparsefit.methods.splice import Splice

if TYPE_CHECKING:
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Auto(Method):
    """Pick by the task: splice for the squared loss and small budgets, fisher-gmp for the rest.

    For classes, rows that are held out say whether fisher-gmp is better with ``--polish``; then
    all rows are fitted that way. The row says what was picked, as ``picked``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(500, 5))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = Auto().path(problem, [1], Setting(hidden=3))
    >>> nnz, fit.network.nnz, fit.info["picked"]
    (1, 1, 'splice')
    """

    name: ClassVar[str] = "auto"
    version: ClassVar[int] = 2
    takes_weights: ClassVar[bool] = True
    takes_skip: ClassVar[bool] = True

    small: int = option(
        2000,
        "the largest budget that splice, whose cost grows with its cube, is picked for",
        check=at_least(0),
        other=1,
    )
    polish_up_to: int = option(
        1000, "the largest budget that polish, whose cost also does, is tried for",
        check=at_least(0), other=Other(1, kind="classes"),
    )  # fmt: skip
    held_out: float = option(
        0.2, "share of the rows that are held out to decide on polish", check=between(0, 0.9),
        other=Other(0, kind="classes"),
    )  # fmt: skip

    def warm_up(self) -> None:
        """Load what either of the methods needs."""
        for method in (Splice(), FisherPruning()):
            method.warm_up()

    def prepare(self, problem: AnyProblem, setting: Setting) -> Setting:
        """Check what is asked for; each of the methods has a precision of its own."""
        super().prepare(problem, setting)
        return setting

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget with the method that suits it."""
        assert isinstance(problem, Problem)
        method: Splice | FisherPruning = Splice()
        now, picked = setting, "splice"
        if problem.loss != "squared" or nnz > self.small:
            method, now = self._classifier(problem, nnz, setting)
            picked = "fisher-gmp --polish" if method.polish else "fisher-gmp"
        now = method.prepare(problem, now)
        fit = method.fit(problem, nnz, now)
        return replace(fit, info={**fit.info, "picked": picked, "dtype": now.dtype})

    def _classifier(
        self, problem: Problem, nnz: int, setting: Setting
    ) -> tuple[FisherPruning, Setting]:
        """Return fisher-gmp, polished if held-out rows say so, and how far it has come."""
        plain, polished = FisherPruning(), FisherPruning(polish=True)
        n_held = round(self.held_out * len(problem.X))
        is_small = problem.loss != "squared" and nnz <= self.polish_up_to
        if not is_small or gauss_newton.Polish().obstacle(nnz, setting) or not n_held:
            return plain, setting
        order = np.random.default_rng(setting.seed).permutation(len(problem.X))
        held, rest = order[:n_held], np.sort(order[n_held:])
        trial = polished.prepare(problem, setting).part(0.0, 0.45)
        losses = [
            dense.mean_loss(fit.network, problem.take(held))
            for fit in polished.fits(problem.take(rest), nnz, trial)
        ]
        return polished if losses[-1] < losses[0] else plain, setting.part(0.45, 1.0)
