"""Train a masked network with Adam."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sparsefit.core.batches import Batches
from sparsefit.core.choices import RateSchedule
from sparsefit.core.datafits import Poisson
from sparsefit.core.file_rows import FileRows, Rows
from sparsefit.core.network import Network
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.core.team import Share
from sparsefit.dense.mlp import MLP


@dataclass(frozen=True)
class Protocol:
    """How long and how a network is trained each time.

    Attributes
    ----------
    epochs : int or None
        Passes over the rows; None for as many as make `steps`.
    batch_size : int
        Rows of a minibatch, 0 for all.
    lr : float
        Learning rate of Adam.
    schedule : {"constant", "cosine"}
        Whether the rate stays, or falls to zero along a cosine.
    scale_inputs : bool
        Train on inputs of size about 1 (0.3 to 1.2); the network is for the inputs as they are.
    steps : int
        Optimiser steps, at least, where `epochs` is None.
    betas : tuple of float
        Of Adam.
    warmup : float
        Share of the steps in which the rate grows to its course.
    final_rate : float
        What a cosine falls to, as a share of `lr`.
    input_dropout : float
        Share of the inputs that a step does not see.
    input_rms : float
        Root mean square that inputs are scaled near to. Standard normal inputs and pixels from 0
        to 1 stay as they are at 0.6; both train well. Not tuned.
    """

    epochs: int | None
    batch_size: int
    lr: float
    schedule: RateSchedule
    scale_inputs: bool
    steps: int = 1000
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.0
    final_rate: float = 0.0
    input_dropout: float = 0.0
    input_rms: float = 0.6


PROTOCOLS = {
    # Trains networks to convergence on the planted, digit and image tasks (docs/maths.md).
    "own": Protocol(None, batch_size=512, lr=2e-2, schedule="cosine", scale_inputs=True),
    # What the paper trains its baseline with: with few epochs, that is very few steps.
    "paper": Protocol(None, batch_size=0, lr=1e-3, schedule="constant", scale_inputs=False),
}


class Trainer:
    """Data, loss and optimiser settings of repeated trainings of one network.

    Parameters
    ----------
    problem : Problem
    setting : Setting
        ``dtype`` must be set.
    protocol : Protocol

    Attributes
    ----------
    net : MLP
        The network; it starts at its initial weights.
    total_steps : int
        Optimiser steps of one training.
    n_steps : int
        Optimiser steps taken so far, over all trainings.
    """

    def __init__(
        self,
        problem: Problem,
        setting: Setting,
        protocol: Protocol,
    ):
        dtype, device = getattr(torch, str(setting.dtype)), setting.device
        self.scale = problem.input_scale(protocol.input_rms) if protocol.scale_inputs else 1.0
        X: Rows = problem.X
        if isinstance(X, FileRows) and 4 * len(X) * X.shape[1] <= setting.memory_bytes // 2:
            X = X[:]
        self.X: Tensor | FileRows
        if isinstance(X, FileRows):
            self.X = X
        else:
            self.X = torch.tensor(X, dtype=dtype, device=device) * self.scale
        self._like = torch.empty(0, dtype=dtype, device=device)
        self.y = torch.tensor(problem.y, device=device)
        if problem.loss != "softmax":
            self.y = self.y.to(dtype)
        weight = problem.relative_weight
        self.weight = None if weight is None else torch.tensor(weight, dtype=dtype, device=device)
        self.problem = problem
        self.batches = Batches(problem.n, protocol.batch_size, setting.seed)
        self.epochs = protocol.epochs or math.ceil(protocol.steps / self.batches.per_epoch)
        self.total_steps = self.epochs * self.batches.per_epoch
        self.protocol, self.n_steps = protocol, 0
        widths = [problem.n_features, *[setting.hidden] * setting.layers, problem.n_outputs]
        net = MLP(
            widths, bias=setting.bias, seed=setting.seed, skip=setting.skip,
            activation=setting.nonlinearity,
        )  # fmt: skip
        self.net = net.to(device=device, dtype=dtype)

    def network(self) -> Network:
        """Return what is trained, for the inputs of the problem."""
        return self.net.to_network().on_scaled_inputs(self.scale)

    def state(self) -> list[Tensor]:
        """Return a copy of the parameters."""
        return [parameter.detach().clone() for parameter in self.net.parameters()]

    @torch.no_grad()
    def restore(self, state: list[Tensor], masks: list[Tensor]) -> None:
        """Set the parameters to `state`, zero where a mask is False."""
        for parameter, value, mask in zip(self.net.parameters(), state, masks, strict=True):
            parameter.copy_(value * mask)

    def train(
        self,
        masks: list[Tensor] | None = None,
        on_epoch: Callable[[int], None] = lambda epoch: None,
        *,
        epochs: int | None = None,
        rate: float = 1.0,
    ) -> float:
        """Train from the present parameters with a fresh optimiser.

        Parameters
        ----------
        masks : list of bool Tensor, optional
            One per parameter; where False, the parameter is zero and stays zero.
        on_epoch : callable, optional
            Gets the number of every finished epoch.
        epochs : int, optional
            Default as many as the protocol has.
        rate : float, optional
            Learning rate, as a share of the protocol's.

        Returns
        -------
        float
            Mean loss of the last epoch.
        """
        parameters = [p for p in self.net.parameters() if p.requires_grad]
        protocol = self.protocol
        optimizer = torch.optim.Adam(parameters, protocol.lr, protocol.betas, fused=True)
        total = torch.zeros(())
        epochs = epochs or self.epochs
        n_steps = epochs * self.batches.per_epoch
        for epoch in range(epochs):
            total = torch.zeros_like(total)
            for number, index in enumerate(self.batches.epoch(epoch)):
                step = epoch * self.batches.per_epoch + number
                optimizer.param_groups[0]["lr"] = rate * self._rate(step, n_steps)
                optimizer.zero_grad()
                loss = self.add_gradient(index)
                for parameter, mask in zip(parameters, masks or (), strict=bool(masks)):
                    assert parameter.grad is not None
                    parameter.grad.mul_(mask)
                optimizer.step()
                self.n_steps += 1
                total += loss.detach().cpu()
            on_epoch(epoch)
        return total.item() / self.batches.per_epoch

    def add_gradient(self, index: np.ndarray) -> Tensor:
        """Add the gradient on the rows of a minibatch to the parameters; return the loss."""
        share, X = self.problem.share, self.X
        if share is not None:
            return self._add_by_team(index, share)
        if isinstance(X, FileRows):
            return self._add_in_pieces(index, len(index))
        rows = slice(None) if self.batches.full else torch.from_numpy(index)
        return self._add(X[rows], rows)

    def _add_by_team(self, index: np.ndarray, share: Share) -> Tensor:
        """Add the gradient on rows by their numbers among all; each process has some of them."""
        parameters = [p for p in self.net.parameters() if p.requires_grad]
        before = [None if p.grad is None else p.grad.clone() for p in parameters]
        self.net.zero_grad()
        own = share.own(index, len(self.y))
        loss = share.team.total(self._add_in_pieces(own, len(index)))
        for parameter, earlier in zip(parameters, before, strict=True):
            found = parameter.grad
            grad = share.team.total(torch.zeros_like(parameter) if found is None else found)
            parameter.grad = grad if earlier is None else earlier + grad
        return loss

    def _add_in_pieces(self, index: np.ndarray, count: int) -> Tensor:
        """Add the gradient piece by piece, which may be all rows; `count` are those of the mean."""
        total, X = self._like.new_zeros(()), self.X
        step = X.rows_per_chunk if isinstance(X, FileRows) else max(len(index), 1)
        for start in range(0, len(index), step):
            at = index[start : start + step]
            rows = torch.from_numpy(at)
            if isinstance(X, FileRows):
                block = torch.from_numpy(X[at]).to(self._like) * self.scale
            else:
                block = X[rows]
            total += self._add(block, rows, len(at) / count).detach()
        return total

    def _add(self, X: Tensor, rows: slice | Tensor, share: float = 1.0) -> Tensor:
        if self.protocol.input_dropout:
            X = functional.dropout(X, self.protocol.input_dropout)
        weight = None if self.weight is None else self.weight[rows]
        loss = _mean_loss(self.problem, self.net(X), self.y[rows], weight) * share
        loss.backward()
        return loss

    def _rate(self, step: int, n_steps: int) -> float:
        """Return the learning rate of a step, counted from 0, out of `n_steps`."""
        protocol, rate = self.protocol, 1.0
        if protocol.schedule == "cosine":
            course = (1 + math.cos(math.pi * (step / n_steps))) / 2
            rate = protocol.final_rate + (1 - protocol.final_rate) * course
        if step < protocol.warmup * n_steps:
            rate *= (step + 1) / (protocol.warmup * n_steps)
        return protocol.lr * rate


def _half_deviance(z: Tensor, y: Tensor, reduction: str = "mean") -> Tensor:
    each = Poisson().losses(z[..., None], y[..., None])
    return each if reduction == "none" else each.mean()


LOSSES: dict[str, Callable[..., Tensor]] = {
    "squared": functional.mse_loss,
    "huber": functional.huber_loss,
    "poisson": _half_deviance,
    "logistic": functional.binary_cross_entropy_with_logits,
    "softmax": functional.cross_entropy,
}


def _mean_loss(problem: Problem, z: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
    loss = LOSSES[problem.loss]
    if weight is None:
        return loss(z, y)
    by_row = loss(z, y, reduction="none").reshape(len(z), -1).mean(dim=1)
    return (weight * by_row).mean()


def warm_up() -> None:
    """Take one step on one weight: with the first, torch loads much of itself."""
    weight = torch.zeros(1, requires_grad=True)
    functional.mse_loss(weight, torch.zeros(1)).backward()
    torch.optim.Adam([weight], fused=True).step()


def mean_loss(network: Network, problem: Problem) -> float:
    """Return the mean loss of a network on the rows of a problem."""
    return mean_loss_of(torch.from_numpy(network.predict(problem.X)), problem)


def mean_loss_of(z: Tensor, problem: Problem) -> float:
    """Return the mean loss of outputs z, (n, k), on the rows of a problem."""
    y = torch.from_numpy(problem.y)
    y = y if problem.loss == "softmax" else y.to(z.dtype)
    weight = problem.relative_weight
    return float(
        _mean_loss(problem, z, y, None if weight is None else torch.from_numpy(weight).to(z))
    )


def all_ones(net: nn.Module) -> list[Tensor]:
    """Return masks that leave everything."""
    return [torch.ones_like(parameter, dtype=torch.bool) for parameter in net.parameters()]
