"""What attempts that failed have in common: their mean, and the inputs that they use.

Attempts end in different local minima, and what is right in one is often wrong in another. In the
mean of two networks units that both have found are there twice, each with half its weight, and
become one; of the others the surgeon keeps what serves best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from sparsefit.gauss_newton.levenberg_marquardt import Minimum
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.profiles import CROSSOVER, RECOVERY
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet

# Keeps quotients by a loss of zero finite.
_TINY = 1e-300


@dataclass
class Pool:
    """The best networks that were found, no two of them alike, the best one first."""

    _found: list[Minimum] = field(default_factory=list)

    @property
    def best(self) -> Minimum:
        """The best one."""
        return self._found[0]

    @property
    def least(self) -> float:
        """The least mean square, infinite if there is none."""
        return self._found[0].loss if self._found else math.inf

    @property
    def has_pair(self) -> bool:
        """Whether there are two that are not alike."""
        return len(self._found) > 1

    def has_alike(self, result: Minimum) -> bool:
        """Whether a result is as good as the best one, neither better nor worse."""
        return bool(self._found) and abs(result.loss - self.least) < RECOVERY.alike * self.least

    def add(self, result: Minimum) -> None:
        """Take a result in, unless as many are better or one is like it."""
        ranked = sorted([*self._found, result], key=lambda found: found.loss)
        kept = ranked[:1]
        for found in ranked[1:]:
            if found.loss - kept[-1].loss >= RECOVERY.alike * kept[-1].loss:
                kept.append(found)
        self._found = kept[: CROSSOVER.pool]

    def pair(self, generator: torch.Generator) -> tuple[SparseNet, SparseNet]:
        """Draw two networks."""
        one, two = torch.randperm(len(self._found), generator=generator)[:2].tolist()
        return self._found[one].net, self._found[two].net

    def draw_inputs(self, objective: Objective, generator: torch.Generator) -> Tensor | None:
        """Draw inputs by the sizes of their weights, more than networks use; None for all.

        The size of an input's weights counts for as much as the network is good.
        """
        d, n_inputs = objective.rows.d, objective.rows.d - objective.rows.bias
        if not self._found:
            return None
        votes = torch.zeros(d, dtype=torch.float64)
        used = 0
        for found in self._found:
            first = found.net.hidden[0]
            sizes = first.values.abs().double().cpu() / max(found.loss, _TINY)
            votes.index_add_(0, first.source.cpu(), sizes)
            used += len(torch.unique(first.source))
        count = math.ceil(CROSSOVER.inputs * used / len(self._found))
        if not 0 < count <= CROSSOVER.most_inputs * n_inputs:
            return None
        votes = votes[:n_inputs]
        chances = votes / votes.sum() + CROSSOVER.floor / n_inputs
        noise = -torch.empty_like(chances).exponential_(generator=generator).log()
        keys = chances.log() + CROSSOVER.temperature * noise
        return keys.topk(count).indices.sort().values


def cross(one: SparseNet, two: SparseNet) -> SparseNet:
    """Return the mean of two networks, with all units of both."""
    return one.scaled(0.5).beside(two.scaled(0.5))


def narrowed(objective: Objective, inputs: Tensor) -> Objective:
    """Return the objective with some of the inputs, and the constant one if there is one."""
    return replace(objective, rows=objective.rows.of_inputs(inputs.numpy()))


def widened(net: SparseNet, inputs: Tensor, d: int) -> SparseNet:
    """Return a network of some of the inputs as one of all d."""
    places = torch.cat([inputs, torch.arange(d - 1, d)])  # the last one is the constant, if any

    def widen(edges: Edges) -> Edges:
        return replace(edges, source=places.to(edges.source.device)[edges.source], n_sources=d)

    return replace(net, hidden=(widen(net.hidden[0]), *net.hidden[1:]), skip=widen(net.skip))
