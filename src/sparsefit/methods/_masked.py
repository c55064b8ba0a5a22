"""What the methods that train once, under masks, share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sparsefit import dense, nn
from sparsefit.core.choices import Allocation, RateSchedule
from sparsefit.core.options import above, at_least, between, option
from sparsefit.methods._trained import TrainedMethod

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem, Problem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class MaskedTraining(TrainedMethod):
    """Options of methods that train a network once, under masks, and how they train it."""

    quick: ClassVar[Mapping[str, Any]] = {"epochs": 6, "batch_size": 64, "lr": 0.05}

    epochs: int | None = option(
        None,
        "passes over the rows; default: as many as make 3000 steps",
        aliases=("num-epochs",),
        check=at_least(1),
        other=7,
    )
    batch_size: int = option(512, "rows of a minibatch, 0 for all", check=at_least(0))
    # Of 0.002, 0.005 and 0.02, the best over all these methods on scikit-learn's digits.
    lr: float = option(0.005, "learning rate of Adam", check=above(0))
    schedule: RateSchedule = option("cosine", "course of the learning rate")
    allocation: Allocation = option(
        "erk",
        "how layers share the budget: one ranking, one density, or denser where they are small",
    )

    @abstractmethod
    def masking(self, n_steps: int) -> dense.Masking:
        """Return how the network is masked in a training of `n_steps` steps."""

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget, from the initial weights of the seed."""
        trainer = self.make_trainer(problem, setting)
        return dense.train_masked(trainer, nnz, setting, self.masking)

    def protocol_for(self, problem: Problem) -> dense.Protocol:
        """Return the protocol that the options say."""
        return dense.Protocol(
            self.epochs, self.batch_size, self.lr, self.schedule, scale_inputs=True, steps=3000
        )


@dataclass(frozen=True, kw_only=True)
class MovingMask(MaskedTraining):
    """Options of masks that move during training."""

    mask_period: int = option(10, "optimiser steps from one mask to the next", check=at_least(1))


@dataclass(frozen=True, kw_only=True)
class ExchangingMask(MovingMask):
    """Options of masks that keep their size, and exchange small weights for new ones."""

    fraction: float = option(
        0.3, "share of the kept weights that is exchanged at first", check=between(0, 1)
    )
    freeze: float = option(
        0.75, "share of the steps after which masks do not move", check=between(0, 1)
    )

    @abstractmethod
    def rule(self) -> nn.MaskRule:
        """Return the rule that exchanges weights."""

    def masking(self, n_steps: int) -> dense.Masking:
        """Exchange weights until the freeze."""
        schedule = nn.Constant(period=self.mask_period, stop=round(self.freeze * n_steps))
        return dense.Masking(self.rule(), schedule, self.allocation)
