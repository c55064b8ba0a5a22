"""Accelerated iterative hard thresholding, as in the paper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from sparsefit import models, solvers
from sparsefit.core.options import Other, above, at_least, option
from sparsefit.core.problem import AnyProblem, Problem, SensingProblem
from sparsefit.core.setting import Setting
from sparsefit.methods._implicit import SequentialMethod

if TYPE_CHECKING:
    from sparsefit.core.result import Fit


@dataclass(frozen=True)
class StepProfile:
    """Step lengths with several outputs, all as the paper's code has them.

    Attributes
    ----------
    softmax : float
        For classes, whose inputs were `softmax_rms` in root mean square: MNIST's, from 0 to 255.
    softmax_rms : float
    small, factor, power : float
        For budgets below `factor` times the hidden units to the `power`.
    large : float
        For larger budgets.
    """

    softmax: float = 0.001
    softmax_rms: float = 85.0
    small: float = 2.0
    factor: float = 6.0
    power: float = 0.536
    large: float = 0.005


STEPS = StepProfile()


@dataclass(frozen=True, kw_only=True)
class AcceleratedIHT(SequentialMethod):
    """Accelerated iterative hard thresholding on a sequence of convex problems (the paper's).

    One output: the fused model sum_j relu(x . w_j). Several: hidden and output weights as one
    vector, thresholded by accumulated updates. Hidden layers are trained one after the other,
    each with its share nnz // layers of the budget.

    References
    ----------
    S. Fridovich-Keil and M. Pilanci, A Recovery Guarantee for Sparse Neural Networks (2025),
    arXiv:2509.20323, sections 4 and 5.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> y = np.maximum(X[:, :1], 0)
    >>> problem = Problem(X, y, peak=float(y.max()))
    >>> [(nnz, fit)] = AcceleratedIHT().path(problem, [2], Setting(hidden=3))
    >>> nnz, fit.network.nnz, fit.status.value
    (2, 2, 'converged')
    """

    name: ClassVar[str] = "aiht"
    aliases: ClassVar[tuple[str, ...]] = ("iht",)
    quick: ClassVar[Mapping[str, Any]] = {"epochs": 8, "batch_size": 64, "step": 0.05}

    batch_size: int = option(0, "rows of a minibatch; 0: all rows", check=at_least(0))
    step: float | None = option(
        None,
        "step length with several outputs, quartered if the fit diverges; default 0.005, "
        "2 if nnz < 6 m^0.536, 0.001 for softmax (on inputs brought to the size of MNIST's pixels)",
        check=above(0),
        other=Other(0.2, kind="three outputs"),
    )

    def fit(self, problem: AnyProblem, nnz: int, setting: Setting) -> Fit:
        """Fit one budget, from zero."""
        if isinstance(problem, SensingProblem):
            solver = solvers.AIHT(inner_steps=3, **self.loop(setting))
            return solvers.recover_vector(problem, nnz, setting, solver)

        def make_solver(model: models.NetworkModel, share: int) -> solvers.Solver:
            if model.is_linear:
                return solvers.AIHT(**self.loop(setting))
            return solvers.SketchedIHT(
                length=self._length(problem, min(share, model.n_params), setting.hidden),
                seed=setting.seed,
                **self.loop(setting),
            )

        scale = self._input_scale(problem)
        scaled = problem if scale == 1 else replace(problem, X=problem.X * scale)
        if scale != 1 and (observe := setting.observe) is not None:
            setting = replace(setting, observe=lambda net: observe(net.on_scaled_inputs(scale)))
        fit = solvers.fit_layerwise(scaled, nnz, setting, make_solver, batch_size=self.batch_size)
        return replace(fit, network=fit.network.on_scaled_inputs(scale))

    def _input_scale(self, problem: Problem) -> float:
        """Return the factor that brings inputs to where a step length means what it says."""
        # Random gates see the inputs beside the constant one, so theirs must stay as they are.
        if problem.loss != "softmax" or self.convex:
            return 1.0
        return problem.input_scale(STEPS.softmax_rms)

    def _length(self, problem: Problem, nnz: int, hidden: int) -> float:
        if self.step is not None:
            return self.step
        if problem.loss == "softmax":
            return STEPS.softmax
        return STEPS.small if nnz < STEPS.factor * hidden**STEPS.power else STEPS.large
