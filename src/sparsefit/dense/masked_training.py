"""Train a network once, under masks that keep its budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import Linear

from sparsefit.core.result import Fit, Status
from sparsefit.core.setting import Setting
from sparsefit.dense.connected import choose_connected
from sparsefit.dense.mlp import MLP
from sparsefit.dense.trainer import Trainer
from sparsefit.nn import (
    Allocation,
    Choice,
    Columns,
    MaskRule,
    Rows,
    Schedule,
    Structure,
    finalize,
    masked_weights,
    sparsify,
)


@dataclass(frozen=True)
class Masking:
    """How a network is masked while it is trained.

    Attributes
    ----------
    rule : MaskRule
    schedule : Schedule
    allocation : {"global", "uniform", "erk"}
    structure : Structure, optional
    connected : bool
        Spend nothing on units that have no path from an input or to an output (for single weights).
    """

    rule: MaskRule
    schedule: Schedule
    allocation: Allocation
    structure: Structure | None = None
    connected: bool = False

    def choice(self, n_layers: int) -> Allocation | Choice:
        """Return how the weights of a network of that many layers are chosen."""
        if not self.connected:
            return self.allocation
        return partial(choose_connected, allocation=self.allocation, n_layers=n_layers)


def train_masked(
    trainer: Trainer, nnz: int, setting: Setting, make_masking: Callable[[int], Masking]
) -> Fit:
    """Fit one budget: mask all weights and biases together, train, make the masks permanent.

    Parameters
    ----------
    trainer : Trainer
        At its initial weights.
    nnz : int
        The budget; at least as many as there are parameters gives the dense network.
    setting : Setting
        Its seed is that of scores and of random masks; torch's global generator is left as it was.
    make_masking : callable
        From the number of optimiser steps to how the network is masked.

    Returns
    -------
    Fit
        Its ``info`` has ``mask_change``, the mean share of the mask that changes in an epoch.
    """
    net, changes = trainer.net, list[float]()
    is_sparse = nnz < net.n_params
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setting.seed)
        if is_sparse:
            masking = make_masking(trainer.total_steps)
            # Rules that look at connections before training find the gradient of the first batch.
            trainer.add_gradient(next(trainer.batches.epoch(0)))
            sparsify(
                net, nnz=nnz, mask=masking.rule, schedule=masking.schedule, biases=True,
                allocation=masking.choice(setting.layers + 1),
                structure=_structures(net, masking.structure),
            )  # fmt: skip
            before = _mask(trainer)

        def on_epoch(epoch: int) -> None:
            nonlocal before
            setting.progress((epoch + 1) / trainer.epochs, f"epoch {epoch + 1}/{trainer.epochs}")
            if is_sparse:
                after = _mask(trainer)
                changes.append(float((before != after).float().mean()))
                before = after

        loss = trainer.train(on_epoch=on_epoch)
    status = Status.FINISHED if abs(loss) < float("inf") else Status.DIVERGED
    finalize(net)
    info = {"mask_change": sum(changes) / len(changes)} if changes else {}
    return Fit(trainer.network(), status, trainer.n_steps, (loss,), info=info)


def _structures(net: MLP, structure: Structure | None) -> Structure | dict[str, Structure] | None:
    """Return what goes together: a whole unit is a row, and a column of the output layer."""
    if not isinstance(structure, Rows):
        return structure
    layers = net.layers.named_children()
    *hidden, last = (f"layers.{name}" for name, module in layers if isinstance(module, Linear))
    return {**dict.fromkeys(hidden, structure), last: Columns()}


def _mask(trainer: Trainer) -> Tensor:
    masks = next(masked_weights(trainer.net)).masked.driver.masks()
    return torch.cat([mask.ravel() for mask in masks.values()])
