"""What the methods that train a torch network share."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sparsefit import dense
from sparsefit.core.choices import RateSchedule
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import above, at_least, option
from sparsefit.core.problem import AnyProblem, Problem
from sparsefit.methods._base import Method, PathMethod

if TYPE_CHECKING:
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting

# Weights, their gradient, two moments of Adam, and the weights to go back to.
_COPIES = 5


@dataclass(frozen=True, kw_only=True)
class TrainedMethod(Method):
    """A method that trains with Adam, and the trainer that it makes."""

    default_dtype: ClassVar[Literal["float32", "float64"]] = "float32"
    takes_weights: ClassVar[bool] = True
    takes_skip: ClassVar[bool] = True
    takes_activation: ClassVar[bool] = True

    def warm_up(self) -> None:
        """Load torch's optimisers."""
        dense.warm_up()

    @abstractmethod
    def protocol_for(self, problem: Problem) -> dense.Protocol:
        """Return how the network of a problem is trained each time."""

    def make_trainer(self, problem: AnyProblem, setting: Setting) -> dense.Trainer:
        """Return the trainer that the options ask for; `prepare` has been called.

        Raises
        ------
        SparsefitError
            If the dense network does not fit into memory.
        """
        assert isinstance(problem, Problem)
        self._check_memory(problem, setting)
        return dense.Trainer(problem, setting, self.protocol_for(problem))

    def _check_memory(self, problem: Problem, setting: Setting) -> None:
        from sparsefit.core.memory import total_bytes

        widths = [problem.n_features, *[setting.hidden] * setting.layers, problem.n_outputs]
        n_params = sum((n_in + setting.bias) * n_out for n_in, n_out in itertools.pairwise(widths))
        n_params += setting.skip * problem.n_features * problem.n_outputs
        needed = _COPIES * n_params * (8 if setting.dtype == "float64" else 4)
        there = total_bytes(setting.device)
        if there is not None and needed > there:
            raise SparsefitError(
                f"method {self.name!r} trains a dense network, whose {n_params} weights take "
                f"{needed / 1e9:.0f} GB with gradient and optimiser; device {setting.device!r} has "
                f"{there / 1e9:.0f} GB"
            )


def _meant_protocol(options: Mapping[str, Any]) -> str:
    """Return the protocol of results from before there was a choice: epochs asked for the paper's.

    So the run id names the protocol only where it is not this one, and all of these are found.
    """
    return "own" if options["epochs"] is None else "paper"


@dataclass(frozen=True, kw_only=True)
class UnmaskedTraining(TrainedMethod):
    """Options of methods that train a dense network, once or between prunings."""

    quick: ClassVar[Mapping[str, Any]] = {"epochs": 6, "batch_size": 64, "lr": 0.05}

    epochs: int | None = option(
        None,
        "passes over the rows in each training; default: as many as make 1000 steps",
        aliases=("num-epochs",),
        check=at_least(1),
        other=7,
    )
    batch_size: int | None = option(
        None,
        "rows of a minibatch, 0 for all; default 512, or 0 with --protocol paper",
        check=at_least(0),
        other=100,
    )
    lr: float | None = option(
        None,
        "learning rate of Adam; default 0.02, or 0.001 with --protocol paper",
        check=above(0),
        other=0.03,
    )
    schedule: RateSchedule | None = option(
        None, "course of the learning rate; default cosine, or constant with --protocol paper"
    )
    protocol: Literal["own", "paper"] = option(
        "own",
        "what fills in the options of training that are not given: our own, which trains to "
        "convergence, or the paper's, which does not bring inputs to size 1 either",
        later=_meant_protocol,
    )

    def protocol_for(self, problem: Problem) -> dense.Protocol:
        """Return the protocol of that name with the options that are given."""
        given: dict[str, Any] = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "schedule": self.schedule,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return replace(dense.PROTOCOLS[self.protocol], **given)


@dataclass(frozen=True, kw_only=True)
class PrunedTraining(UnmaskedTraining, PathMethod):
    """A method that prunes a trained network by magnitude; budgets share the first trainings."""

    score: Literal["retrained", "pruned"] = option(
        "retrained", "score the network retrained after its last pruning, or as pruned"
    )

    @property
    @abstractmethod
    def rewind(self) -> bool:
        """Whether what is left is set back to its initial weights before each training."""

    @abstractmethod
    def counts(self, n_params: int, nnz: int) -> list[int]:
        """Return how many of `n_params` weights are left after each pruning, `nnz` last."""

    def path(
        self, problem: AnyProblem, budgets: Sequence[int], setting: Setting
    ) -> Iterator[tuple[int, Fit]]:
        """Fit all budgets on one descent through them."""
        setting = self.prepare(problem, setting)
        trainer = self.make_trainer(problem, setting)
        n_params = trainer.net.n_params

        def counts_for(nnz: int) -> list[int]:
            return self.counts(n_params, nnz)

        yield from dense.prune_and_train(
            trainer, budgets, counts_for, setting, rewind=self.rewind, score=self.score
        )
