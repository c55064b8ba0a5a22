"""Least squares over the weights of a network on its support."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.core.errors import SparsefitError
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.gauss_newton.sparse_net import SQUARED, SparseNet

# Added to the diagonal of a Gram matrix relative to it, so that equal features do no harm.
RIDGE = 1e-12
# Where curvature is less, as that of weights without effect, its square root still has an inverse
# whose square is a number.
_LEAST_CURVATURE = 1e-100
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-3, 1e-10, 1e6


@dataclass(frozen=True)
class Prior:
    """What is known of the weights: (w - center)^T precision (w - center) is added to the loss.

    Attributes
    ----------
    center : Tensor of shape (p,)
    precision : Tensor of shape (p, p)
        In the units of twice the sum over rows of the loss.
    """

    center: Tensor
    precision: Tensor


@dataclass(frozen=True)
class Refit:
    """A network after least squares.

    Attributes
    ----------
    net : SparseNet
    loss : float
        Mean square of the residual over rows and outputs, or what else is minimised.
    n_steps : int
        Gauss-Newton systems solved.
    """

    net: SparseNet
    loss: float
    n_steps: int = 0


def mean_square(net: SparseNet, rows: RowBlocks, y: Tensor) -> float:
    """Return the mean square of f(X) - y."""
    return float(net.residuals(rows, y).square().mean())


def refit(
    net: SparseNet, rows: RowBlocks, y: Tensor, *, steps: int, enough: float = 0.0,
    gain: float = 0.0, datafit: Datafit = SQUARED, alpha: float = 0.0, prior: Prior | None = None,
) -> Refit:  # fmt: skip
    """Minimise |f(X) - y|^2, or another loss, over the present weights by Levenberg-Marquardt.

    Each step solves (J^T J + mu diag(J^T J)) delta = -J^T r. The damping mu falls after a step
    that lowers the loss and grows after one that does not, which is not taken.

    Parameters
    ----------
    net : SparseNet
    rows : RowBlocks
    y : Tensor of shape (k, n)
    steps : int
        At most so many.
    enough : float, optional
        Stop at this mean square.
    gain : float, optional
        Stop after a step that lowers the loss by less than this share of it.
    datafit : Datafit, optional
    alpha : float, optional
        Ridge: alpha |w|^2 is added to twice the mean over rows of the loss.
    prior : Prior, optional
        Units keep the scale they have, as it is about those weights.

    References
    ----------
    J. J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978.
    """
    damping, loss, before, taken = _FIRST_DAMPING, float("inf"), float("inf"), 0
    for _ in range(steps):
        if len(net.values) == 0:
            break
        net = net.balanced() if prior is None else net
        gram, gradient, total = net.normal_equations(rows, y, datafit)
        gram = without_scalings(net, gram)
        if prior is not None:
            gram += prior.precision
            pull = prior.precision @ (net.values - prior.center)
            gradient += pull
            total += float(pull @ (net.values - prior.center))
        if alpha:
            weight = alpha * y.shape[1]
            gram.diagonal().add_(weight)
            gradient += weight * net.values
            total += weight * float(net.values.square().sum())
        loss = total / y.numel()
        if loss <= enough:
            return Refit(net, loss, taken)
        if before - loss < gain * before and before < float("inf"):
            return Refit(net, loss, taken)
        better, before = None, loss
        taken += 1
        while better is None and damping < _MOST_DAMPING:
            candidate = net.with_values(net.values - damped_solve(gram, gradient, damping))
            trial = _objective(candidate, rows, y, datafit, alpha, prior)
            if trial < loss:
                better = candidate
                damping = max(damping / 10, _LEAST_DAMPING)
            else:
                damping *= 8
        if better is None:
            return Refit(net, loss, taken)
        net, loss = better, trial
    if loss == float("inf"):
        loss = _objective(net, rows, y, datafit, alpha, prior)
    return Refit(net, loss, taken)


def _objective(
    net: SparseNet, rows: RowBlocks, y: Tensor, datafit: Datafit, alpha: float, prior: Prior | None
) -> float:
    penalty = alpha * float(net.values.square().sum()) / len(y)
    if prior is not None:
        away = net.values - prior.center
        penalty += float(away @ prior.precision @ away) / y.numel()
    if datafit is SQUARED:
        return mean_square(net, rows, y) + penalty
    outputs = net.residuals(rows, torch.zeros_like(y))
    return 2 * float(datafit.value(outputs.T, y.T)) / y.numel() + penalty


def without_scalings(net: SparseNet, gram: Tensor) -> Tensor:
    """Return J^T J with curvature put in along the directions that scale units."""
    free = net.scalings()
    if free.shape[1] == 0:
        return gram
    stiffness = (free.square() * gram.diagonal()[:, None]).sum(dim=0)
    return gram + (free * stiffness) @ free.T


def with_unit_diagonal(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Return S K S and the diagonal of S, which brings that of K to ones.

    Raises
    ------
    SparsefitError
        If a number is not finite: no multiple of the identity would make it positive definite.
    """
    scale = gram.diagonal().clamp(min=_LEAST_CURVATURE).rsqrt()
    scaled = gram * scale[:, None] * scale
    if not bool(torch.isfinite(scaled).all()):
        raise SparsefitError("weights grew until their curvature is not a finite number")
    return scaled, scale


def damped_solve(gram: Tensor, gradient: Tensor, damping: float) -> Tensor:
    """Return (K + mu diag(K))^-1 g with a matrix that is brought to ones on its diagonal first."""
    scaled, scale = with_unit_diagonal(gram)
    while True:
        system = scaled.clone()
        system.diagonal().add_(max(damping, RIDGE))
        factor, failed = torch.linalg.cholesky_ex(system)
        if not bool(failed):
            rhs = (gradient * scale)[:, None]
            return torch.cholesky_solve(rhs, factor)[:, 0] * scale
        damping = 10 * max(damping, RIDGE)
