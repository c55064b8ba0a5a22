"""What the pursuits share: which columns fit the residual best, and least squares on some."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sparsefit.core.hard_threshold import StreamingTopK
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import BlockModel, SupportMatrix


@dataclass(frozen=True)
class ConjugateGradientsProfile:
    """When conjugate gradients have solved a least-squares problem.

    Attributes
    ----------
    tolerance : float
        Of the inner products of columns of norm 1 with the residual, relative to its norm: what is
        left to gain is then below its square, 1e-12 of the loss.
    max_iter : int
        Where there are more iterations to go, the support is so near to a dependent one that a
        search has no use for its exact fit. Not tuned.
    roundings : float
        Machine precisions of targets and outputs together that count as zero. Not tuned.
    """

    tolerance: float = 1e-6
    max_iter: int = 100
    roundings: float = 10.0


CONJUGATE_GRADIENTS = ConjugateGradientsProfile()


def best_atoms(model: BlockModel, coef: SparseVector, residual: Tensor, count: int) -> Tensor:
    """Return the columns outside the support of `coef` that alone would fit `residual` best.

    Parameters
    ----------
    model : BlockModel
        A linear one.
    coef : SparseVector
    residual : Tensor of shape (n,)
    count : int

    Returns
    -------
    Tensor of int64, shape (at most count,)
        Positions of the largest abs(a_j . r) / norm(a_j), ties to the lowest, in increasing order.
        Columns that are zero or orthogonal to the residual are left out.

    Examples
    --------
    >>> from sparsefit.models import GaussianSensing
    >>> model = GaussianSensing(50, 20, seed=0, dtype=torch.float64)
    >>> column = SparseVector(torch.tensor([7]), torch.ones(1).double(), 20)
    >>> best_atoms(model, model.zeros(), model.forward(column), 1).tolist()
    [7]
    """
    top = StreamingTopK(model.zeros(), count)
    for atoms in model.atoms(residual):
        scores = atoms.inner / atoms.squares.sqrt()
        outside = torch.isin(atoms.indices, coef.indices, invert=True) & (atoms.squares > 0)
        top.push(atoms.indices[outside], scores[outside])
    return top.result().indices


def with_zeros(coef: SparseVector, fresh: Tensor) -> SparseVector:
    """Return `coef` on a larger support: zero at the positions `fresh`, which it does not have."""
    indices, order = torch.cat([coef.indices, fresh]).sort()
    values = torch.cat([coef.values, coef.values.new_zeros(len(fresh))])[order]
    return SparseVector(indices, values, coef.size)


def column_norms(columns: SupportMatrix) -> tuple[Tensor, Tensor]:
    """Return the norms of the columns and their inverses, 0 for columns that are zero."""
    norms = columns.squares().sqrt()
    return norms, torch.where(norms > 0, norms.reciprocal(), 0)


def least_squares(columns: SupportMatrix, y: Tensor, start: Tensor) -> tuple[Tensor, Tensor]:
    """Return the v nearest to `start` that minimises ||A_S v - y||, and A_S v.

    Conjugate gradients on the normal equations, with the columns scaled to norm 1: O(n + s) memory
    beside the columns, and equal, dependent or nearly dependent columns do no harm.

    Parameters
    ----------
    columns : SupportMatrix
    y : Tensor of shape (n,)
    start : Tensor of shape (s,)
        Returned as it is if it is a solution already. "Nearest" is meant in the scaled columns.

    Returns
    -------
    v : Tensor of shape (s,)
    z : Tensor of shape (n,)

    References
    ----------
    A. Bjorck, Numerical Methods for Least Squares Problems, SIAM 1996, section 7.4 (CGLS).

    Examples
    --------
    >>> from sparsefit.models.gaussian_sensing import DrawnColumns
    >>> A = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]).double()
    >>> columns = DrawnColumns(A.T)
    >>> v, z = least_squares(columns, torch.tensor([2.0, 4.0]).double(), torch.zeros(3).double())
    >>> v.tolist(), z.tolist()
    ([1.0, 1.0, 2.0], [2.0, 4.0])
    """
    scale = column_norms(columns)[1]
    v = start
    z, gradient = columns.both(v, lambda outputs, rows: y[rows] - outputs)
    gradient = scale * gradient
    direction, slope = gradient, gradient.square().sum()
    error, steepest = columns.norm(y - z), torch.zeros((), dtype=y.dtype, device=y.device)
    how, eps = CONJUGATE_GRADIENTS, torch.finfo(y.dtype).eps
    rounding = how.roundings * eps * (columns.norm(y) + columns.norm(z))
    for _ in range(how.max_iter):
        # With columns of norm 1, their inner products with the residual are at most its norm.
        if bool(slope.sqrt() <= how.tolerance * error + rounding):
            break
        image, curved = columns.both(scale * direction, lambda outputs, rows: outputs)
        steep = columns.norm(image) / direction.norm()
        steepest = torch.maximum(steepest, steep)
        length = slope / columns.square(image)
        before, error = error, columns.norm(y - z - length * image)
        # It falls with every step, until rounding is all that moves it. And normal equations hold
        # squares of singular values: one below eps^1/2 of the largest is rounding, its weights too.
        if not bool((error < before) & (steep > math.sqrt(eps) * steepest)):
            break
        v, z = v + length * scale * direction, z + length * image
        gradient = gradient - length * scale * curved
        steepness, slope = slope, gradient.square().sum()
        direction = gradient + (slope / steepness) * direction
    return v, z


def debias(model: BlockModel, y: Tensor, coef: SparseVector) -> tuple[SparseVector, Tensor]:
    """Return the least-squares fit on the support of `coef`, without zeros, and its outputs."""
    values, z = least_squares(model.support(coef.indices), y, coef.values)
    there = values != 0
    return SparseVector(coef.indices[there], values[there], coef.size), z
