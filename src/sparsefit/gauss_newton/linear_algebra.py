"""Systems with Gauss-Newton matrices, which may be singular or nearly so."""

from __future__ import annotations

import torch
from torch import Tensor

from sparsefit.core.errors import SparsefitError
from sparsefit.gauss_newton.sparse_net import SparseNet

# Where curvature is less, as that of weights without effect, its square root still has an inverse
# whose square is a number.
_LEAST_CURVATURE = 1e-100


def with_gauge(net: SparseNet, gram: Tensor) -> Tensor:
    """Return J^T J with curvature put in along the directions that scale units.

    Along them the outputs do not change, so J^T J is singular there.
    """
    free = net.scalings()
    if free.shape[1] == 0:
        return gram
    stiffness = (free.square() * gram.diagonal()[:, None]).sum(dim=0)
    return gram + (free * stiffness) @ free.T


def factorise(gram: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Return the Cholesky factor of S K S + ridge, and the diagonal of S.

    S brings the diagonal of K to ones. The ridge is the one given, or the least power of ten times
    it with which the factor exists.

    Parameters
    ----------
    gram : Tensor of shape (p, p)
        K.
    ridge : float
        > 0.

    Raises
    ------
    SparsefitError
        If a number is not finite: no ridge would make the matrix positive definite.

    Examples
    --------
    >>> factor, scale = factorise(torch.tensor([[4.0, 4.0], [4.0, 4.0]]).double(), 1e-12)
    >>> (factor @ factor.T).round(decimals=6).tolist(), scale.tolist()
    ([[1.0, 1.0], [1.0, 1.0]], [0.5, 0.5])
    """
    scale = gram.diagonal().clamp(min=_LEAST_CURVATURE).rsqrt()
    scaled = gram * scale[:, None] * scale
    if not bool(torch.isfinite(scaled).all()):
        raise SparsefitError("weights grew until their curvature is not a finite number")
    while True:
        system = scaled.clone()
        system.diagonal().add_(ridge)
        factor, failed = torch.linalg.cholesky_ex(system)
        if not bool(failed):
            return factor, scale
        ridge *= 10


def solve(gram: Tensor, gradient: Tensor, ridge: float) -> Tensor:
    """Return (K + ridge diag(K))^-1 g, with as much more of a ridge as it takes."""
    factor, scale = factorise(gram, ridge)
    return torch.cholesky_solve((gradient * scale)[:, None], factor)[:, 0] * scale


def inverse(gram: Tensor, ridge: float) -> Tensor:
    """Return K^-1, with a ridge as in `solve`."""
    factor, scale = factorise(gram, ridge)
    return torch.cholesky_inverse(factor) * scale[:, None] * scale
