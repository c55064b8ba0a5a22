"""Gradual pruning by Fisher-weighted magnitudes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from sparsefit import dense, gauss_newton, nn
from sparsefit.core.choices import Allocation
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import between, like, option
from sparsefit.core.result import Status
from sparsefit.methods._masked import MovingMask

if TYPE_CHECKING:
    from sparsefit.core.problem import AnyProblem, Problem
    from sparsefit.core.result import Fit
    from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class FisherPruning(MovingMask):
    """Gradual pruning by |w| v^(1/4), v Adam's mean squared gradient.

    All layers are ranked together, nothing is spent on units that lead nowhere, and inputs are
    dropped at random in training.

    References
    ----------
    Y. LeCun, J. Denker and S. Solla, Optimal Brain Damage, NeurIPS 1989; L. Theis et al., Faster
    gaze prediction with dense networks and Fisher pruning, 2018, arXiv:1801.05787.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.problem import Problem
    >>> from sparsefit.core.setting import Setting
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> problem = Problem(X, np.maximum(X[:, :1], 0))
    >>> [(nnz, fit)] = FisherPruning(epochs=20).path(problem, [5], Setting(hidden=3))
    >>> fit.network.nnz
    5
    """

    name: ClassVar[str] = "fisher-gmp"

    batch_size: int = like(MovingMask, "batch_size", default=256)
    lr: float = like(MovingMask, "lr", default=0.02)
    allocation: Allocation = like(MovingMask, "allocation", default="global")
    mask_period: int = like(MovingMask, "mask_period", default=5)
    ramp: float = option(0.5, "share of the steps until the sparsity is final", check=between(0, 1))
    exponent: float = option(
        0.25, "power of the mean squared gradient in the score", check=between(0, 1)
    )
    input_dropout: float | None = option(
        None,
        "share of the inputs that a training step does not see; default: 0.1 for classes, else 0",
        check=between(0, 0.9),
        other=0.3,
    )

    polish: bool = option(
        False, "afterwards add weights and drop them again by the optimal brain surgeon, in cycles"
    )

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget, from the initial weights of the seed."""
        if self.polish and (obstacle := gauss_newton.Polish().obstacle(nnz, setting)):
            raise SparsefitError(f"--polish: {obstacle}")
        fits = self.fits(problem, nnz, setting)
        fit = next(fits)
        return next(fits, fit) if self.polish else fit

    def fits(self, problem: AnyProblem, nnz: int, setting: Setting) -> Iterator[Fit]:
        """Yield the fit as it is and then, if there is something to polish, the polished one."""
        trainer = self.make_trainer(problem, setting)
        parts = (0.0, 0.5, 1.0) if self.polish else (0.0, 1.0, 1.0)
        fit = dense.train_masked(trainer, nnz, setting.part(*parts[:2]), self.masking)
        yield fit
        if nnz < trainer.net.n_params and fit.status is not Status.DIVERGED:
            train = dense.SupportTraining(trainer, setting)
            polish, part = gauss_newton.Polish(), setting.part(*parts[1:])
            loss = polish.run(train.net, nnz, train.problem, part, train)
            yield replace(
                fit, network=trainer.network(), n_iter=trainer.n_steps,
                history=(*fit.history, loss),
            )  # fmt: skip

    def masking(self, n_steps: int) -> dense.Masking:
        """Prune until the ramp ends, then train what is left."""
        end = round(self.ramp * n_steps)
        schedule = nn.Cubic(end=end, stop=end, period=self.mask_period)
        rule = nn.Fisher(gradient="masked", exponent=self.exponent)
        return dense.Masking(rule, schedule, self.allocation, connected=True)

    def protocol_for(self, problem: Problem) -> dense.Protocol:
        """Return the protocol that the options say, with what this method adds."""
        dropout = self.input_dropout
        if dropout is None:
            dropout = 0.0 if problem.loss == "squared" else 0.1
        # A short memory of squared gradients, so that they are those of the present network.
        return replace(
            super().protocol_for(problem), betas=(0.9, 0.99), warmup=0.02, final_rate=0.01,
            input_dropout=dropout,
        )  # fmt: skip
