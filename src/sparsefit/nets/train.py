"""Train a masked network with Adam."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.nets.mlp import MLP
from sparsefit.solvers.batches import Batches

# Enough for the reference networks to stop improving on the planted, digit and image tasks.
STEPS_PER_TRAINING = 1000
DEFAULT_BATCH_SIZE = 512


class Trainer:
    """Data, loss and optimiser settings of repeated trainings of one network.

    Parameters
    ----------
    problem : Problem
    setting : Setting
        ``dtype`` must be set.
    epochs : int or None
        Passes over the rows in each training; None for at least 1000 steps.
    batch_size : int or None
        Rows of a minibatch, 0 for all. None: all rows if `epochs` is given, as in the paper's
        protocol, and 512 if not.
    lr : float
        Learning rate of Adam, constant.

    Attributes
    ----------
    net : MLP
        The network; it starts at its initial weights.
    n_steps : int
        Optimiser steps taken so far, over all trainings.
    """

    def __init__(
        self,
        problem: Problem,
        setting: Setting,
        *,
        epochs: int | None,
        batch_size: int | None,
        lr: float,
    ):
        dtype, device = getattr(torch, str(setting.dtype)), setting.device
        if batch_size is None:
            batch_size = DEFAULT_BATCH_SIZE if epochs is None else 0
        self.X = torch.tensor(problem.X, dtype=dtype, device=device)
        self.y = torch.tensor(problem.y, device=device)
        if problem.loss != "softmax":
            self.y = self.y.to(dtype)
        self.loss = LOSSES[problem.loss]
        self.batches = Batches(len(self.X), batch_size, setting.seed)
        self.epochs = epochs or math.ceil(STEPS_PER_TRAINING / self.batches.per_epoch)
        self.lr, self.n_steps = lr, 0
        self.net = MLP(
            problem.n_features, setting.hidden, setting.layers, problem.n_outputs,
            bias=setting.bias, seed=setting.seed,
        ).to(device=device, dtype=dtype)  # fmt: skip

    def state(self) -> list[Tensor]:
        """Return a copy of the parameters."""
        return [parameter.detach().clone() for parameter in self.net.parameters()]

    @torch.no_grad()
    def restore(self, state: list[Tensor], masks: list[Tensor]) -> None:
        """Set the parameters to `state`, zero where a mask is False."""
        for parameter, value, mask in zip(self.net.parameters(), state, masks, strict=True):
            parameter.copy_(value * mask)

    def train(self, masks: list[Tensor]) -> float:
        """Train what the masks leave, from the present parameters, with a fresh optimiser.

        Parameters
        ----------
        masks : list of bool Tensor
            One per parameter; where False, the parameter is zero and stays zero.

        Returns
        -------
        float
            Mean loss of the last epoch.
        """
        parameters = list(self.net.parameters())
        optimizer = torch.optim.Adam(parameters, lr=self.lr, fused=True)
        total = torch.zeros(())
        for epoch in range(self.epochs):
            total = torch.zeros_like(total)
            for index in self.batches.epoch(epoch):
                rows = slice(None) if self.batches.full else torch.from_numpy(index)
                optimizer.zero_grad()
                loss = self.loss(self.net(self.X[rows]), self.y[rows])
                loss.backward()
                for parameter, mask in zip(parameters, masks, strict=True):
                    assert parameter.grad is not None
                    parameter.grad.mul_(mask)
                optimizer.step()
                self.n_steps += 1
                total += loss.detach().cpu()
        return total.item() / self.batches.per_epoch


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": functional.mse_loss,
    "logistic": functional.binary_cross_entropy_with_logits,
    "softmax": functional.cross_entropy,
}


def all_ones(net: nn.Module) -> list[Tensor]:
    """Return masks that leave everything."""
    return [torch.ones_like(parameter, dtype=torch.bool) for parameter in net.parameters()]
