"""Masks that keep their size, and exchange small weights for new ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from sparsefit.core.hard_threshold import largest
from sparsefit.core.options import between, option
from sparsefit.nn.masks import Evidence, MaskRule


@dataclass(frozen=True, kw_only=True)
class DropAndGrow(MaskRule):
    """Base of rules that drop the smallest weights and grow as many elsewhere.

    The first mask is random. The share that is exchanged falls along a cosine until the mask stops.
    New weights start at zero.
    """

    keeps_pruned: ClassVar[bool] = False

    fraction: float = option(
        0.3, "share of the kept weights that is exchanged at first", check=between(0, 1)
    )

    def importance(self, evidence: Evidence) -> Tensor:
        """Rank survivors by ``|w|``, above candidates for growth, above what is dropped."""
        if evidence.step == 0:
            return evidence.draw()
        active = evidence.mask
        magnitude = evidence.structure.pool(evidence.weight.abs())
        n_dropped = int(self.dropped_share(evidence.step, evidence.stop) * int(active.sum()))
        survives = _largest_among(magnitude, active, int(active.sum()) - n_dropped)
        growth = self.growth(evidence) if n_dropped else torch.zeros_like(magnitude)
        ranked = torch.where(active, 0.0, 1 + _below_one(growth))
        return torch.where(survives, 2 + _below_one(magnitude), ranked)

    def growth(self, evidence: Evidence) -> Tensor:
        """Return what candidates are ranked by, in the shape of the groups."""
        raise TypeError(f"{type(self).__name__} does not define growth")

    def dropped_share(self, step: int, stop: int | None) -> float:
        """Return the share of the kept weights that is exchanged after a step."""
        if not stop:
            return self.fraction
        done = min(1.0, step / stop)
        return self.fraction * (1 + math.cos(math.pi * done)) / 2


@dataclass(frozen=True, kw_only=True)
class SET(DropAndGrow):
    """Sparse evolutionary training: grow at random.

    References
    ----------
    D. C. Mocanu et al., Scalable training of artificial neural networks with adaptive sparse
    connectivity, Nature Communications, 2018.

    Examples
    --------
    >>> from sparsefit.nn import sparsify, summary
    >>> model = sparsify(torch.nn.Linear(8, 4), sparsity=0.75, mask=SET())
    >>> summary(model).weights.nonzeros
    8
    """

    name: ClassVar[str] = "set"

    def growth(self, evidence: Evidence) -> Tensor:
        """Return random numbers."""
        return evidence.draw()


@dataclass(frozen=True, kw_only=True)
class RigL(DropAndGrow):
    """Rigging the lottery: grow where the gradient is largest.

    References
    ----------
    U. Evci et al., Rigging the Lottery: Making All Tickets Winners, ICML 2020, arXiv:1911.11134.

    Examples
    --------
    >>> from sparsefit.nn import sparsify, summary
    >>> model = sparsify(torch.nn.Linear(8, 4), sparsity=0.75, mask=RigL())
    >>> summary(model).weights.nonzeros
    8
    """

    name: ClassVar[str] = "rigl"

    def pruned_gradient(self, *, due: bool) -> float:
        """Return 1 where the gradient is about to be looked at, else 0."""
        return float(due)

    def growth(self, evidence: Evidence) -> Tensor:
        """Return the mean ``|dL/dw|`` of every group."""
        return evidence.structure.pool(evidence.gradient_for("rule 'rigl'").abs())


def _largest_among(values: Tensor, among: Tensor, count: int) -> Tensor:
    return largest(torch.where(among, values, -1.0).reshape(-1), count).view_as(values)


def _below_one(values: Tensor) -> Tensor:
    values = values.float()
    return values / (values.max() * 1.001 + 1e-30)
