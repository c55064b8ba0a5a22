"""The method that suits the task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from sparsefit.core.options import at_least, option
from sparsefit.methods._base import Method, find_method

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Auto(Method):
    """Pick by the task: splice for the squared loss and small budgets, fisher-gmp for the rest.

    The row says what was picked, as ``picked``.

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

    small: int = option(
        2000,
        "the largest budget that splice, whose cost grows with its cube, is picked for",
        check=at_least(0),
    )

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit each budget with the method that suits it."""
        self.check(problem)
        for nnz in budgets:
            name = self._pick(problem, nnz)
            method = find_method(name)()
            picked = {"picked": name, "dtype": setting.dtype or method.default_dtype}
            for _, fit in method.path(problem, [nnz], setting):
                yield nnz, replace(fit, info={**fit.info, **picked})

    def _pick(self, problem: AnyProblem, nnz: int) -> str:
        is_squared = getattr(problem, "loss", None) == "squared"
        return "splice" if is_squared and nnz <= self.small else "fisher-gmp"
