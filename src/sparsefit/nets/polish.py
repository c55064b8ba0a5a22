"""Expand a trained network and contract it again by the optimal brain surgeon."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from sparsefit.core.memory import total_bytes
from sparsefit.core.setting import Setting
from sparsefit.nets.train import Trainer
from sparsefit.solvers.conversion import from_network, to_network
from sparsefit.solvers.equations import as_rows
from sparsefit.solvers.growth import expand
from sparsefit.solvers.sparse_net import SparseNet
from sparsefit.solvers.surgeon import contract

# Curvature is found on at most so many rows.
_MOST_ROWS = 10_000


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
        See `expand` and `contract`.

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

    def obstacle(self, nnz: int, setting: Setting) -> str:
        """Return why a network cannot be polished, or nothing."""
        if setting.bias and setting.layers > 1:
            return "the biases of a second hidden layer are not supported"
        # The matrix of curvature, its inverse, and two copies on the way to it.
        needed, there = 4 * 8 * ((1 + self.growth) * nnz) ** 2, total_bytes("cpu")
        if there is not None and needed > there:
            return f"{nnz} weights take {needed / 1e9:.0f} GB of {there / 1e9:.0f} GB of memory"
        return ""

    def run(self, trainer: Trainer, nnz: int, setting: Setting) -> float:
        """Polish the network of a trainer in place.

        Parameters
        ----------
        trainer : Trainer
            Its network is trained and has at most `nnz` nonzeros.
        nnz : int
        setting : Setting

        Returns
        -------
        float
            Mean loss of the last epoch.

        Raises
        ------
        SparsefitError
            If a later hidden layer has biases, or a weight is not finite.
        """
        net = _support(trainer)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(setting.seed)
            for cycle in range(self.cycles):
                setting.progress(cycle / (self.cycles + 1), f"polish {cycle + 1}/{self.cycles}")
                net = self._breathe(net, nnz, trainer, setting)
            _, loss = _trained(net, trainer, setting, self.final_steps)
        setting.progress(1.0, "polished")
        return loss

    def _breathe(self, net: SparseNet, nnz: int, trainer: Trainer, setting: Setting) -> SparseNet:
        problem = replace(trainer.problem, X=trainer.problem.X * trainer.scale)
        rows, y, datafit = as_rows(problem, replace(setting, dtype="float64"), most=_MOST_ROWS)

        def refitted(net: SparseNet) -> SparseNet:
            return _trained(net, trainer, setting, self.stage_steps, self.stage_rate)[0]

        count = nnz - net.n_weights + round(self.growth * nnz)
        # Without a skip connection the linear term is the biases of the outputs, the last input's.
        first_linear = 0 if setting.skip else rows.d - setting.bias
        net = expand(
            net.balanced(), rows, y, count, 0, datafit=datafit, ridge=self.grow_ridge,
            first_linear=first_linear,
        )  # fmt: skip
        net, _ = _trained(net, trainer, setting, self.expand_steps)
        return contract(
            net, rows, y, nnz, setting.hidden, refitted=refitted, share=0.0, least=self.stage,
            ridge=self.drop_ridge, datafit=datafit,
        )  # fmt: skip


def _trained(
    net: SparseNet, trainer: Trainer, setting: Setting, steps: int, rate: float = 1.0
) -> tuple[SparseNet, float]:
    """Return the network after at least so many steps on its support, and the mean loss."""
    net = net.balanced()
    trainer.net.load(to_network(net.with_values(torch.ones_like(net.values)), setting))
    masks = [parameter.detach() != 0 for parameter in trainer.net.parameters()]
    trainer.net.load(to_network(net, setting))
    epochs = math.ceil(steps / trainer.batches.per_epoch)
    loss = trainer.train(masks, epochs=epochs, rate=rate)
    return _support(trainer), loss


def _support(trainer: Trainer) -> SparseNet:
    return replace(from_network(trainer.net.to_network()).net, linear_counts=True)
