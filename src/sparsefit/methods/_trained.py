"""What the methods that train a torch network share."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sparsefit import dense
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import above, at_least, option
from sparsefit.core.problem import AnyProblem, Problem
from sparsefit.methods._base import Method

if TYPE_CHECKING:
    from sparsefit.core.setting import Setting

# Weights, their gradient, two moments of Adam, and the weights to go back to.
_COPIES = 5


@dataclass(frozen=True, kw_only=True)
class TrainedMethod(Method):
    """Options of methods that train with Adam, and the trainer that they make."""

    default_dtype: ClassVar[Literal["float32", "float64"]] = "float32"
    takes_weights: ClassVar[bool] = True

    epochs: int | None = option(
        None,
        "passes over the rows in each training; default: as many as make 1000 steps",
        aliases=("num-epochs",),
        check=at_least(1),
    )
    batch_size: int | None = option(
        None,
        "rows of a minibatch, 0 for all; default 512, or as the paper with --epochs: 0",
        check=at_least(0),
    )
    lr: float | None = option(
        None,
        "learning rate of Adam; default 0.02, or as the paper with --epochs: 0.001",
        check=above(0),
    )
    schedule: Literal["constant", "cosine"] | None = option(
        None,
        "course of the learning rate; default cosine, or as the paper with --epochs: constant",
    )

    def make_trainer(self, problem: AnyProblem, setting: Setting) -> dense.Trainer:
        """Return the trainer that these options ask for.

        Raises
        ------
        SparsefitError
            If the problem is not one of rows to fit, or the dense network does not fit into memory.
        """
        self.check(problem)
        assert isinstance(problem, Problem)
        setting = replace(setting, dtype=setting.dtype or self.default_dtype)
        self._check_memory(problem, setting)
        return dense.Trainer(problem, setting, self._protocol(problem))

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

    def _protocol(self, problem: Problem) -> dense.Protocol:
        """Fill what is left open: from the paper's protocol if epochs are given, else our own."""
        base = dense.OWN_PROTOCOL if self.epochs is None else dense.PAPER_PROTOCOL
        given: dict[str, Any] = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "lr": self.lr,
            "schedule": self.schedule,
        }
        return replace(base, **{name: value for name, value in given.items() if value is not None})
