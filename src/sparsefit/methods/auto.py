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


@dataclass(frozen=True)
class Quick:
    """What is spent on a network that is validated, and mended by Gauss-Newton, afterwards.

    Attributes
    ----------
    cycles : int
        Of growing and pruning in splice, without restarts. Not tuned.
    steps, steps_huber : int
        Optimiser steps of fisher-gmp, about; outliers make for noisy steps, so their loss takes
        more. Not tuned.
    least_epochs : int
        However many rows there are, each is seen so often. Not tuned.
    """

    cycles: int = 5
    steps: int = 600
    steps_huber: int = 1200
    least_epochs: int = 20

    def splice(self) -> Splice:
        """Return splice as it is then used."""
        return Splice(restarts=0, cycles=self.cycles)

    def fisher_pruning(self, problem: Problem) -> FisherPruning:
        """Return fisher-gmp as it is then used."""
        batch = FisherPruning().batch_size
        steps = self.steps_huber if problem.loss == "huber" else self.steps
        epochs = steps * batch // max(len(problem.X), batch)
        return FisherPruning(epochs=max(self.least_epochs, epochs))


QUICK = Quick()


def suited_method(
    problem: Problem, *, small: bool = True, quick: bool = False
) -> Splice | FisherPruning:
    """Return the method that suits a problem: splice for squared errors, else fisher-gmp.

    Both take any number of layers, with or without biases.

    Parameters
    ----------
    problem : Problem
    small : bool, default True
        The budget is one that splice, whose cost grows with the cube of it, can be asked for.
    quick : bool, default False
        The result is validated and mended anyway, so less is spent on it; see `Quick`.

    Examples
    --------
    >>> import numpy as np
    >>> problem = Problem(np.ones((300, 2)), np.ones((300, 1)))
    >>> suited_method(problem).name, suited_method(problem, small=False).name
    ('splice', 'fisher-gmp')
    >>> suited_method(problem, quick=True).cycles
    5
    """
    if problem.loss == "squared" and small:
        return QUICK.splice() if quick else Splice()
    return QUICK.fisher_pruning(problem) if quick else FisherPruning()


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
    version: ClassVar[int] = 3
    takes_weights: ClassVar[bool] = True
    takes_skip: ClassVar[bool] = True
    takes_activation: ClassVar[bool] = True

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
        method, how, now = suited_method(problem, small=nnz <= self.small), "", setting
        if self._may_polish(problem, nnz, setting):
            polished, now = FisherPruning(polish=True), setting.part(0.45, 1.0)
            if self._is_better_with_polish(polished, problem, nnz, setting.part(0.0, 0.45)):
                method, how = polished, " --polish"
        now = method.prepare(problem, now)
        fit = method.fit(problem, nnz, now)
        info = {**fit.info, "picked": method.name + how, "dtype": now.dtype}
        return replace(fit, info=info)

    def _may_polish(self, problem: Problem, nnz: int, setting: Setting) -> bool:
        is_small = problem.loss != "squared" and nnz <= self.polish_up_to
        return (
            is_small
            and not gauss_newton.Polish().obstacle(nnz, setting)
            and self._n_held(problem) > 0
        )

    def _n_held(self, problem: Problem) -> int:
        return round(self.held_out * len(problem.X))

    def _is_better_with_polish(
        self, polished: FisherPruning, problem: Problem, nnz: int, setting: Setting
    ) -> bool:
        """Return whether the loss on held-out rows is less with polish than without."""
        order = np.random.default_rng(setting.seed).permutation(len(problem.X))
        n_held = self._n_held(problem)
        held, rest = order[:n_held], np.sort(order[n_held:])
        losses = [
            dense.mean_loss(fit.network, problem.take(held))
            for fit in polished.fits(problem.take(rest), nnz, polished.prepare(problem, setting))
        ]
        return losses[-1] < losses[0]
