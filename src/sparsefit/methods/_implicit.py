"""What the methods share that run a solver over models too wide to hold."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
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
    """A method that hands a block model and a budget to a solver, layer by layer."""

    recovers_vectors: ClassVar[bool] = True

    def warm_up(self) -> None:
        """Load the solvers, which load on first use."""
        _ = solvers.fit_layerwise


@dataclass(frozen=True, kw_only=True)
class Pursuit(ImplicitMethod):
    """A method whose solver takes linear models and the squared loss only.

    These are networks of one output, whose gates are fixed between renewals.
    """

    def check(self, problem: AnyProblem) -> None:
        """Raise `SparsefitError` if the solver cannot take the loss or the outputs."""
        super().check(problem)
        if not isinstance(problem, Problem):
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

    @abstractmethod
    def make_solver(self, nnz: int, setting: Setting) -> solvers.Solver:
        """Return the solver for a budget, that of the vector or of one hidden layer."""

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget, from zero."""
        if isinstance(problem, SensingProblem):
            return solvers.recover_vector(problem, nnz, setting, self.make_solver(nnz, setting))

        def make_solver(model: models.NetworkModel, share: int) -> solvers.Solver:
            return self.make_solver(min(share, model.n_params), setting)

        return solvers.fit_layerwise(problem, nnz, setting, make_solver, batch_size=0)


@dataclass(frozen=True, kw_only=True)
class SequentialMethod(ImplicitMethod):
    """Options of methods whose gates follow the weights."""

    quick: ClassVar[Mapping[str, Any]] = {"epochs": 12}

    epochs: int = option(
        15, "passes over the rows", aliases=("num-epochs",), check=at_least(1), other=7
    )
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
        1, "steps from one renewal of the gates to the next", check=at_least(1), later=True,
        other=3,
    )  # fmt: skip

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
