"""The loss of many networks on the same rows, each with row weights and a ridge of its own."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from sparsefit.core.datafits import Datafit
from sparsefit.stacked.nets import Stack
from sparsefit.stacked.profiles import DESCENT


class Through(NamedTuple):
    """Rows on their way through the networks.

    Attributes
    ----------
    units, slopes : Tensor of shape (B, units, n)
        Activations, and their derivatives by what enters the units.
    z : Tensor of shape (B, n, k)
        Outputs, a view of (B, k, n).
    """

    units: Tensor
    slopes: Tensor
    z: Tensor


class Active(NamedTuple):
    """The support of each network as a list, filled up to a common length.

    Attributes
    ----------
    places : Tensor of int64, shape (B, p)
        Numbers of the weights.
    is_real : Tensor of bool, shape (B, p)
        False where the list is filled up.
    """

    places: Tensor
    is_real: Tensor

    @classmethod
    def of(cls, support: Tensor) -> Active:
        """Return the list for supports of shape (B, count)."""
        longest = max(1, int(support.sum(dim=1).max()))
        # Sorted, so that sums do not depend on how places came to be picked.
        order = support.to(torch.uint8).sort(dim=1, descending=True, stable=True).indices
        places = order[:, :longest]
        return cls(places, support.gather(1, places))


class Equations(NamedTuple):
    """Gauss-Newton equations on the active weights, ridge included.

    Attributes
    ----------
    gram : Tensor of shape (B, p, p)
        Second derivative; the unit matrix where a list is filled up.
    gradient : Tensor of shape (B, p)
    """

    gram: Tensor
    gradient: Tensor


@dataclass(frozen=True, eq=False)
class StackObjective:
    """Sum over rows of weight times loss, plus n alpha |w|^2 / 2, of B networks.

    Attributes
    ----------
    X : Tensor of float32, shape (d, n)
        Inputs, with a last row of ones where there are biases.
    y : Tensor of float32, shape (n, k)
        A view of (k, n).
    datafit : Datafit
    row_weights : Tensor of float32, shape (B, n)
        0 for rows that a network does not see.
    alphas : Tensor of float32, shape (B,)
        Ridges.
    signs : torch.Generator
        Draws the directions in which the curvature of many outputs is looked at.
    """

    X: Tensor
    y: Tensor
    datafit: Datafit
    row_weights: Tensor
    alphas: Tensor
    signs: torch.Generator

    @property
    def ridges(self) -> Tensor:
        """What is added to the curvature of each weight, (B,): n alpha."""
        return self.alphas * self.row_weights.sum(dim=1)

    def with_alphas(self, alphas: tuple[float, ...]) -> StackObjective:
        """Return the objective of each network with each of the ridges, ridges in a row."""
        count = len(self.row_weights)
        return replace(
            self, row_weights=self.row_weights.repeat_interleave(len(alphas), dim=0),
            alphas=torch.tensor(alphas).repeat(count),
        )  # fmt: skip

    def rows(self, index: Tensor) -> StackObjective:
        """Return the objective on some of the rows."""
        return replace(
            self, X=self.X[:, index], y=self.y.T[:, index].T,
            row_weights=self.row_weights[:, index],
        )  # fmt: skip

    def forward(self, stack: Stack) -> Through:
        """Return activations and outputs on all rows."""
        hidden, out, skip = stack.shape.split(stack.weights)
        B, n = len(stack), self.X.shape[1]
        entering = hidden.reshape(-1, stack.shape.inputs) @ self.X
        units, slopes = (
            part.view(B, stack.shape.units, n)
            for part in stack.shape.activation.with_slope(entering)
        )
        z = (skip.reshape(-1, stack.shape.inputs) @ self.X).view(B, stack.shape.outputs, n)
        return Through(units, slopes, z.baddbmm_(out, units).transpose(1, 2))

    def losses(self, stack: Stack) -> Tensor:
        """Return the loss of each row, unweighted, (B, n)."""
        z = self.forward(stack).z
        return self.datafit.losses(z, self.y.expand_as(z))

    def value(self, stack: Stack) -> Tensor:
        """Return the objective, (B,)."""
        penalty = 0.5 * self.ridges * stack.weights.square().sum(dim=1)
        return (self.row_weights * self.losses(stack)).sum(dim=1) + penalty

    def pulls(self, through: Through) -> Tensor:
        """Return the derivative of the weighted loss by the outputs, (B, k, n)."""
        gradient = self.datafit.gradient(through.z, self.y.expand_as(through.z))
        return gradient.transpose(1, 2) * self.row_weights[:, None]

    def roots(self, through: Through, most: int = DESCENT.most_directions) -> list[Tensor]:
        """Return directions r of the outputs, each (B, k, n), whose sum of r r^T is the curvature.

        Of more than `most` outputs it is that in expectation: R e for a root R of the curvature
        and random signs e, since the mean of e e^T is the unit matrix.
        """
        k = through.z.shape[2]
        if k <= most:
            directions = list(torch.eye(k)[:, None])
        else:
            size = (most, *through.z.shape[1:])
            draws = torch.randint(0, 2, size, generator=self.signs).float().mul_(2).sub_(1)
            directions = list(draws / math.sqrt(most))
        y, weight = self.y.expand_as(through.z), self.row_weights.sqrt()[:, None]
        return [
            self.datafit.curvature_root(through.z, y, vector).transpose(1, 2) * weight
            for vector in directions
        ]

    def into_units(self, stack: Stack, through: Through, pulls: Tensor) -> Tensor:
        """Return the derivative by what enters each unit, (B, units, n), of one by the outputs."""
        _, out, _ = stack.shape.split(stack.weights)
        return (out.transpose(1, 2) @ pulls).mul_(through.slopes)

    def slopes(self, stack: Stack, through: Through, pulls: Tensor) -> Tensor:
        """Return the derivative by all weights, (B, count), of one by the outputs."""
        into = self.into_units(stack, through, pulls)
        hidden = into.flatten(0, 1) @ self.X.T
        out = pulls @ through.units.transpose(1, 2)
        skip = pulls.flatten(0, 1) @ self.X.T
        parts = (hidden, out, skip)
        return torch.cat([part.reshape(len(stack), -1) for part in parts], dim=1)

    def curvatures(self, stack: Stack, through: Through) -> Tensor:
        """Return the diagonal of the Gauss-Newton matrix for all weights, (B, count)."""
        squared, total = self.X.square().T, None
        units = through.units.square().transpose(1, 2)
        for root in self.roots(through):
            into = self.into_units(stack, through, root).square_().flatten(0, 1) @ squared
            root = root.square()
            parts = (into, root @ units, root.flatten(0, 1) @ squared)
            found = torch.cat([part.reshape(len(stack), -1) for part in parts], dim=1)
            total = found if total is None else total.add_(found)
        assert total is not None
        return total

    def equations(self, stack: Stack, active: Active) -> Equations:
        """Return the equations at the present weights."""
        through = self.forward(stack)
        slopes = self.slopes(stack, through, self.pulls(through))
        gradient = slopes.gather(1, active.places) * active.is_real
        gram = self._gram(stack, active, through) * (
            active.is_real[:, :, None] & active.is_real[:, None, :]
        )
        ridges = self.ridges[:, None]
        gradient += ridges * stack.weights.gather(1, active.places)
        gram.diagonal(dim1=1, dim2=2).add_(torch.where(active.is_real, ridges, 1.0))
        return Equations(gram, gradient)

    def _gram(self, stack: Stack, active: Active, through: Through) -> Tensor:
        """Return J^T H J, (B, p, p), by the derivative J of the outputs by the active weights.

        A weight's part of J is what it multiplies times the derivative by what it adds to.
        """
        B, p = active.places.shape
        d, m, k = stack.shape.inputs, stack.shape.units, stack.shape.outputs
        source, target = (place[active.places] for place in stack.shape.places)
        net = torch.arange(B)[:, None]
        source = torch.where(source < d, source, source + net * m).flatten()
        target = (target + net * (m + k)).flatten()
        gram = torch.zeros(B, p, p)
        above = torch.cat([self.X, through.units.flatten(0, 1)])
        needed = math.ceil(DESCENT.rows_a_weight * p / self.X.shape[1])
        most = min(needed, DESCENT.most_directions)
        # Of a symmetric matrix, the blocks below the diagonal and on it are enough.
        count = min(max(p // DESCENT.least_block, 1), DESCENT.most_blocks)
        cuts = [p * at // count for at in range(count + 1)]
        for root in self.roots(through, most):
            into = self.into_units(stack, through, root)
            below = torch.cat([into, root], dim=1).flatten(0, 1)
            # Few rows at a time, so that what is multiplied stays near the processor.
            width = max(DESCENT.least_rows, DESCENT.room // (B * p))
            for a, b in zip(above.split(width, dim=1), below.split(width, dim=1), strict=True):
                part = a.index_select(0, source).mul_(b.index_select(0, target)).view(B, p, -1)
                for start, end in itertools.pairwise(cuts):
                    block = part[:, start:end], part[:, :end].transpose(1, 2)
                    gram[:, start:end, :end].baddbmm_(*block)
        return gram.tril_().add_(gram.tril(-1).transpose(1, 2))
