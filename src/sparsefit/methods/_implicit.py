"""What the methods share that run a solver over models too wide to hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sparsefit import models, solvers
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.options import at_least, option
from sparsefit.core.problem import AnyProblem, Problem, SensingProblem
from sparsefit.methods._base import Method

if TYPE_CHECKING:
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class ImplicitMethod(Method):
    """A method that hands a block model and a budget to a solver, layer by layer.

    Attributes
    ----------
    needs_linear : bool
        True if the solver takes linear models and the squared loss only: networks of one output,
        whose gates are fixed between renewals.
    """

    recovers_vectors: ClassVar[bool] = True
    needs_linear: ClassVar[bool] = True

    def check(self, problem: AnyProblem) -> None:
        """Raise `SparsefitError` if the solver cannot take the loss or the outputs."""
        if isinstance(problem, Problem):
            super().check(problem)
        if isinstance(problem, SensingProblem) or not self.needs_linear:
            return
        if problem.loss != "squared":
            raise SparsefitError(
                f"method {self.name!r} fits the squared loss; this task has the {problem.loss} loss"
            )
        if problem.n_outputs != 1:
            raise SparsefitError(
                f"method {self.name!r} fits networks of one output, which are linear in their "
                f"weights once gates are fixed; this task has {problem.n_outputs} outputs"
            )

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit each budget by itself, from zero."""
        self.check(problem)
        if setting.skip:
            raise SparsefitError(
                f"method {self.name!r} fits networks without a skip connection; leave out --skip"
            )
        setting = replace(setting, dtype=setting.dtype or self.default_dtype)
        for nnz in budgets:
            yield nnz, self.fit(problem, nnz, setting)

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget; ``setting.dtype`` is set."""
        if isinstance(problem, SensingProblem):
            return solvers.recover_vector(problem, nnz, setting, self.make_solver(nnz, setting))

        def make_solver(model: models.NetworkModel, share: int) -> solvers.Solver:
            return self.make_solver(min(share, model.n_params), setting)

        return solvers.fit_layerwise(problem, nnz, setting, make_solver, batch_size=0)

    def make_solver(self, nnz: int, setting: Setting) -> solvers.Solver:
        """Return the solver for a budget, that of the vector or of one hidden layer."""
        raise TypeError(f"method {type(self).__name__} does not define make_solver")


@dataclass(frozen=True, kw_only=True)
class SequentialMethod(ImplicitMethod):
    """Options of methods whose gates follow the weights."""

    epochs: int = option(15, "passes over the rows", aliases=("num-epochs",), check=at_least(1))
    convex: bool = option(False, "keep the random gates: the fully convex formulation")
    dead_gates: Literal["keep", "redraw"] = option(
        "keep",
        "gate of a unit that lost all its weights: keep it at zero, or redraw it at random",
        later=True,
    )
    keep_best: bool = option(
        False, "return the best iterate by training loss, not the last one", later=True
    )
    update_every: int = option(
        1, "steps from one renewal of the gates to the next", check=at_least(1), later=True
    )

    def __post_init__(self) -> None:
        """Refuse options that say how gates are renewed where they are not."""
        super().__post_init__()
        never = "{} with --convex, under which gates are never renewed"
        if self.convex and self.dead_gates != "keep":
            raise OptionError("dead_gates", self.dead_gates, never.format("keep"))
        if self.convex and self.update_every != 1:
            raise OptionError("update_every", self.update_every, never.format("1"))

    def loop(self, setting: Setting) -> dict[str, Any]:
        """Return the options of the loop that every solver runs in."""
        return {
            "epochs": self.epochs,
            "sequential": not self.convex,
            "update_every": self.update_every,
            "redraw": setting.seed if self.dead_gates == "redraw" else None,
            "keep_best": self.keep_best,
        }
