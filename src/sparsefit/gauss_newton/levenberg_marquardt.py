"""Least squares, or another loss, over the weights of a network on its support."""

from __future__ import annotations

from dataclasses import dataclass

from sparsefit.gauss_newton.linear_algebra import solve, with_gauge
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import DAMPING
from sparsefit.gauss_newton.sparse_net import SparseNet


@dataclass(frozen=True)
class Minimum:
    """A network after a descent.

    Attributes
    ----------
    net : SparseNet
    loss : float
        The value of its objective.
    n_steps : int
        Gauss-Newton systems solved.
    """

    net: SparseNet
    loss: float
    n_steps: int = 0


def levenberg_marquardt(
    net: SparseNet, objective: Objective, *, steps: int, enough: float = 0.0, gain: float = 0.0
) -> Minimum:
    """Minimise an objective over the present weights of a network.

    Each step solves (J^T J + mu diag(J^T J)) delta = -J^T r. The damping mu falls after a step
    that lowers the loss and grows after one that does not, which is not taken.

    Parameters
    ----------
    net : SparseNet
        Units keep the scale they have if there is a prior, as it is about those weights.
    objective : Objective
    steps : int
        At most so many.
    enough : float, optional
        Stop at this value.
    gain : float, optional
        Stop after a step that lowers the value by less than this share of it.

    References
    ----------
    J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978.
    """
    damping, loss, before, taken = DAMPING.first, float("inf"), float("inf"), 0
    for _ in range(steps):
        if len(net.values) == 0:
            break
        net = net.balanced() if objective.prior is None else net
        equations = objective.equations(net)
        equations = equations._replace(gram=with_gauge(net, equations.gram))
        gram, gradient, total = objective.penalised(net, equations)
        loss = total / objective.n_targets
        if loss <= enough or (before - loss < gain * before and before < float("inf")):
            return Minimum(net, loss, taken)
        better, before = None, loss
        taken += 1
        while better is None and damping < DAMPING.most:
            step = solve(gram, gradient, max(damping, DAMPING.ridge))
            candidate = net.with_values(net.values - step)
            trial = objective.value(candidate)
            if trial < loss:
                better = candidate
                damping = max(damping / DAMPING.fall, DAMPING.least)
            else:
                damping *= DAMPING.growth
        if better is None:
            return Minimum(net, loss, taken)
        net, loss = better, trial
    if loss == float("inf"):
        loss = objective.value(net)
    return Minimum(net, loss, taken)
