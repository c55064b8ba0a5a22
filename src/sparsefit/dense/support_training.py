"""Train the weights of a network on its support, for `Polish`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.dense.trainer import Trainer
from sparsefit.gauss_newton.conversion import from_network, to_network
from sparsefit.gauss_newton.sparse_net import SparseNet


@dataclass(frozen=True)
class SupportTraining:
    """A trainer as what `Polish` takes: it trains the nonzeros, and nothing else.

    Attributes
    ----------
    trainer : Trainer
        Its network ends with the weights that were trained last.
    setting : Setting
    """

    trainer: Trainer
    setting: Setting

    @property
    def net(self) -> SparseNet:
        """The present network of the trainer, on its support."""
        return replace(from_network(self.trainer.net.to_network()).net, skip_counts=True)

    @property
    def problem(self) -> Problem:
        """The problem with inputs as the trainer scales them."""
        problem = self.trainer.problem
        return replace(problem, X=problem.X * self.trainer.scale)

    def __call__(self, net: SparseNet, steps: int, rate: float) -> tuple[SparseNet, float]:
        """Return the network after at least so many steps on its support, and the mean loss."""
        trainer, net = self.trainer, net.balanced()
        trainer.net.load(to_network(net.with_values(torch.ones_like(net.values)), self.setting))
        masks = [parameter.detach() != 0 for parameter in trainer.net.parameters()]
        trainer.net.load(to_network(net, self.setting))
        epochs = math.ceil(steps / trainer.batches.per_epoch)
        loss = trainer.train(masks, epochs=epochs, rate=rate)
        return self.net, loss
