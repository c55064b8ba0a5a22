"""Exact recovery: relaxed search, then expand and contract on the support."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sparsefit import gauss_newton
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import Other, above, at_least, option
from sparsefit.core.problem import AnyProblem, Problem
from sparsefit.methods._base import Method

if TYPE_CHECKING:
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting
    from sparsefit.gauss_newton.sparse_net import SparseNet

# Share of the targets' sum of squares that negative ones may have in noise around a plain sum:
# where all the targets are noise, it is half.
_MOST_OF_NOISE = 0.25


@dataclass(frozen=True, kw_only=True)
class Splice(Method):
    """Search relaxed, refit on the support, expand and contract it until the fit is exact.

    All hidden layers and outputs are fitted jointly, by Levenberg-Marquardt on the nonzeros only.
    For the squared loss.

    References
    ----------
    B. Hassibi and D. Stork, Second order derivatives for network pruning: optimal brain surgeon,
    NIPS 1992. J. J. Moré, The Levenberg-Marquardt algorithm, 1978. See docs/maths.md.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(500, 5))
    >>> y = np.maximum(X[:, :1] - X[:, 2:3], 0)
    >>> from sparsefit.core.setting import Setting
    >>> [(nnz, fit)] = Splice().path(Problem(X, y), [2], Setting(hidden=3))
    >>> fit.network.nnz, fit.status.value, fit.network.layers[0].weight.data.round(6).tolist()
    (2, 'converged', [1.0, -1.0])
    """

    name: ClassVar[str] = "splice"
    version: ClassVar[int] = 4
    takes_weights: ClassVar[bool] = True
    takes_skip: ClassVar[bool] = True
    takes_activation: ClassVar[bool] = True
    quick: ClassVar[Mapping[str, Any]] = {"restarts": 0, "cycles": 1, "start_steps": 100}

    restarts: int | None = option(
        None,
        "attempts after the first, from other draws or from the mean of two before, until one is "
        "exact or three end alike; default 4, 12 with several hidden layers, or 30 with fewer than "
        "8 targets a weight if little is left of them",
        check=at_least(0),
        # From a good start all attempts end at the same network.
        other=Other(1, beside={"cycles": 0, "start_steps": 5}),
    )
    cycles: int = option(
        20, "times an attempt expands and contracts, before and after signs are settled",
        check=at_least(0), other=Other(0, beside={"start_steps": 5}),
    )  # fmt: skip
    start_steps: int | None = option(
        None,
        "Adam steps of the relaxed start; default 3000, or 5000 for more than 100 units",
        check=at_least(1),
        other=Other(150, beside={"cycles": 0}),
    )
    signs: Literal["auto", "plus", "free"] = option(
        "auto",
        "one output as the plain sum of the units (plus), or with an output weight each, which "
        "counts (free); auto: plus if no target is negative, and if few are, what fits better",
        other="free",
    )
    warm: bool = option(
        False, "begin each budget from the network of the next larger one that was asked for"
    )
    time_limit: float | None = option(
        None, "seconds for each budget, checked between cycles", check=above(0), other=1e-9
    )

    def warm_up(self) -> None:
        """Load the Gauss-Newton solver and its linear algebra."""
        gauss_newton.warm_up()

    def check(self, problem: AnyProblem) -> None:
        """Refuse problems whose loss is not the squared one."""
        super().check(problem)
        assert isinstance(problem, Problem)
        if problem.loss != "squared":
            raise SparsefitError(
                f"method {self.name!r} fits the squared loss, and this task has {problem.loss}; "
                "methods 'fisher-gmp' and 'auto' fit it"
            )

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget by itself."""
        return self._recover(problem, nnz, setting, None)[0]

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit each budget by itself or, if warm, from the one above."""
        if not self.warm:
            yield from super().path(problem, budgets, setting)
            return
        setting, init = self.prepare(problem, setting), None
        for nnz in sorted(budgets, reverse=True):
            fit, init = self._recover(problem, nnz, setting, init)
            yield nnz, fit

    def _recover(
        self, problem: AnyProblem, nnz: int, setting: Setting, init: SparseNet | None
    ) -> tuple[Fit, SparseNet]:
        assert isinstance(problem, Problem)
        effort = gauss_newton.Effort(
            restarts=self.restarts, cycles=self.cycles, start_steps=self.start_steps,
            deadline=time.monotonic() + (self.time_limit or float("inf")),
        )  # fmt: skip
        fused = self._meanings_of_output(problem, setting, init)
        return gauss_newton.recover_network(problem, nnz, setting, effort, fused=fused, init=init)

    def _meanings_of_output(
        self, problem: Problem, setting: Setting, init: SparseNet | None
    ) -> tuple[bool, ...]:
        """Return whether the output may be the plain sum of the units, the likeliest first."""
        if init is not None:
            return (init.fused,)
        # Only where the scale of a unit is free do output weights go into those before them.
        is_summable = problem.n_outputs == 1 and setting.nonlinearity.is_homogeneous
        if not is_summable or self.signs == "free":
            return (False,)
        negative = problem.negative_share
        if self.signs == "plus" or negative == 0:
            return (True,)
        # Noise makes targets of a plain sum negative, but not as large as its positive ones.
        return (True, False) if negative < _MOST_OF_NOISE else (False,)
