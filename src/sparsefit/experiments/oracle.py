"""What an oracle that knows the support gets from noisy rows: a bound that few methods reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sparsefit.core.problem import AnyProblem, Problem
from sparsefit.core.setting import Setting

if TYPE_CHECKING:
    from sparsefit.core.network import Network

_STEPS, _GAIN = 50, 1e-9
# Targets are rounded to float32: less is no noise.
_ROUNDING = 1e-5
# Rows that show whether there is noise.
_SOME_ROWS = 1000


def oracle_value(problem: AnyProblem) -> float | None:
    """Return the score of `oracle_network`; None where there is none.

    Examples
    --------
    >>> from sparsefit.tasks import find_task
    >>> planted, setting = find_task("planted"), Setting(hidden=5, seed=0)
    >>> oracle_value(planted(n_samples=500).load(setting, 10)) is None
    True
    >>> value = oracle_value(planted(n_samples=500, noise_db=40.0).load(setting, 10))
    >>> bool(abs(value - 40 - 10 * np.log10(500 / 10)) < 3)
    True
    """
    from sparsefit.experiments.metrics import network_scores

    network = oracle_network(problem)
    if network is None:
        return None
    assert isinstance(problem, Problem)
    return network_scores(problem, network)["value"]


def oracle_network(problem: AnyProblem) -> Network | None:
    """Return least squares on the true support; None without noise or a true network.

    It starts at the true weights, so that it ends in their minimum. With n rows, k outputs, s
    weights and noise of variance v the mean square error is about v s / (n k), the Cramer-Rao
    bound: 10 log10(n k / s) decibels above the noise. Weights that noise hides cannot be told from
    those that are zero, so what does not know the support stays below.

    Examples
    --------
    >>> from sparsefit.tasks import find_task
    >>> problem = find_task("planted")(n_samples=500, noise_db=40.0).load(Setting(hidden=5), 10)
    >>> oracle_network(problem).nnz
    10
    """
    if not isinstance(problem, Problem) or problem.truth is None or problem.share is not None:
        return None
    if problem.metric != "psnr" or problem.loss != "squared" or problem.truth.nnz == 0:
        return None
    some = slice(0, _SOME_ROWS)
    noise = problem.truth.predict(problem.X[some]) - problem.y[some]
    if np.abs(noise).max() < _ROUNDING * np.abs(problem.y).max():
        return None
    from sparsefit.gauss_newton.conversion import from_network, to_network
    from sparsefit.gauss_newton.levenberg_marquardt import levenberg_marquardt
    from sparsefit.gauss_newton.objective import Objective

    found, truth = from_network(problem.truth), problem.truth
    setting = Setting(
        hidden=max(layer.n_units for layer in truth.hidden_layers), layers=len(truth.hidden_layers),
        bias=found.bias, skip=truth.skip is not None, dtype="float64",
    )  # fmt: skip
    objective = Objective.of(problem, setting)
    fitted = levenberg_marquardt(found.net, objective, steps=_STEPS, gain=_GAIN)
    return to_network(fitted.net, setting)
