"""Expand a trained network and contract it again by the optimal brain surgeon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from sparsefit.core.memory import total_bytes
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.growth import expand
from sparsefit.gauss_newton.objective import Objective
from sparsefit.gauss_newton.sparse_net import SparseNet
from sparsefit.gauss_newton.surgeon import Stages, contract

# From a network, optimiser steps at least, and the learning rate as a share of its own, to the
# network trained on its support and the mean loss of the last epoch.
Train = Callable[[SparseNet, int, float], tuple[SparseNet, float]]


@dataclass(frozen=True, kw_only=True)
class Polish:
    """How a trained network is improved at the same number of weights.

    A cycle adds the weights between live units that promise most, trains, and drops as many in
    stages, each time those whose loss costs least when the others make up for it.

    Attributes
    ----------
    cycles : int
    growth : float
        Weights that a cycle adds, as a share of the budget.
    stage : float
        Weights that a stage drops, as a share of those there are.
    expand_steps, stage_steps, final_steps : int
        Optimiser steps, at least, after a cycle's expansion, after each stage, and in the end.
    stage_rate : float
        Learning rate after a stage, as a share of the trainer's.
    grow_ridge, drop_ridge : float
        See `expand` and `Stages`.
    most_rows : int
        Curvature is found on at most so many rows. Not tuned; the others: docs/maths.md.

    References
    ----------
    B. Hassibi and D. Stork, Second order derivatives for network pruning: optimal brain surgeon,
    NIPS 1992. See docs/maths.md.
    """

    cycles: int = 3
    growth: float = 0.5
    stage: float = 0.1
    expand_steps: int = 300
    stage_steps: int = 75
    final_steps: int = 500
    stage_rate: float = 0.5
    grow_ridge: float = 0.01
    drop_ridge: float = 0.1
    most_rows: int = 10_000

    def obstacle(self, nnz: int, setting: Setting) -> str:
        """Return why a network cannot be polished, or nothing."""
        # The matrix of curvature, its inverse, and two copies on the way to it.
        needed, there = 4 * 8 * ((1 + self.growth) * nnz) ** 2, total_bytes("cpu")
        if there is not None and needed > there:
            return f"{nnz} weights take {needed / 1e9:.0f} GB of {there / 1e9:.0f} GB of memory"
        return ""

    def run(
        self, net: SparseNet, nnz: int, problem: Problem, setting: Setting, train: Train
    ) -> float:
        """Polish a trained network.

        Parameters
        ----------
        net : SparseNet
            Of at most `nnz` nonzeros.
        nnz : int
        problem : Problem
            What it was trained on.
        setting : Setting
        train : callable
            Trains the weights of a network on its support; see `Train`. What it last returns is
            the result.

        Returns
        -------
        float
            Mean loss of the last epoch.

        Raises
        ------
        SparsefitError
            If a weight is not finite.
        """
        objective = Objective.of(problem, replace(setting, dtype="float64"), most=self.most_rows)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            for cycle in range(self.cycles):
                setting.progress(cycle / (self.cycles + 1), f"polish {cycle + 1}/{self.cycles}")
                net = self._cycle(net, nnz, objective, setting, train)
            _, loss = train(net, self.final_steps, 1.0)
        setting.progress(1.0, "polished")
        return loss

    def _cycle(
        self, net: SparseNet, nnz: int, objective: Objective, setting: Setting, train: Train
    ) -> SparseNet:
        def refitted(net: SparseNet) -> SparseNet:
            return train(net, self.stage_steps, self.stage_rate)[0]

        count = nnz - net.nnz + round(self.growth * nnz)
        # Without one in the setting, it holds only the biases of the outputs, the last input's.
        first_skip = 0 if setting.skip else objective.rows.d - setting.bias
        net = expand(
            net.balanced(), objective, count, 0, ridge=self.grow_ridge, first_skip=first_skip
        )
        net, _ = train(net, self.expand_steps, 1.0)
        stages = Stages(share=0.0, least=self.stage, ridge=self.drop_ridge, refitted=refitted)
        return contract(net, objective, nnz, setting.hidden, stages)
