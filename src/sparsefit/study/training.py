"""Training that can be killed at any time, and then goes on to the same result, byte for byte."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from sparsefit.core.device import check_device, limited_threads
from sparsefit.core.errors import SparsefitError
from sparsefit.study.checkpoint import load_checkpoint, save_checkpoint
from sparsefit.study.config import StudyConfig
from sparsefit.study.folder import RunFolder
from sparsefit.study.network import make_network, masks
from sparsefit.study.rows import rows_of_step

_TORCH_STREAM = 2

OnStep = Callable[[int, float], None]


class WriteError(SparsefitError):
    """A file of the run folder could not be written; the last checkpoint is whole."""

    exit_code = 1


def train(
    config: StudyConfig, folder: str | Path, *, on_step: OnStep = lambda step, loss: None
) -> bool:
    """Train a study to its end, from the last checkpoint of its run folder if there is one.

    Parameters
    ----------
    config : StudyConfig
    folder : str or Path
        The run folder, made if there is none; `RunFolder` says what will be in it.
    on_step : callable, optional
        Called after every step with its number, from 1, and its loss.

    Returns
    -------
    bool
        False if the training had ended before, and nothing was computed.

    Raises
    ------
    SparsefitError
        If the device is not there, the folder cannot be used or is that of another config, its
        checkpoint is damaged, or the loss is no number any more.

    Examples
    --------
    >>> import tempfile
    >>> config = StudyConfig(epochs=2, steps_per_epoch=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     train(config, folder), train(config, folder)
    (True, False)
    """
    check_device(config.device)
    config = config.resolved
    run = RunFolder(Path(folder))
    with run.training(config), limited_threads(config.threads):
        network = make_network(config)
        trained = [p for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=config.lr)
        step = 0
        if run.checkpoint.exists():
            step = load_checkpoint(run.checkpoint, config, network, optimizer)
        if step == config.steps:
            return False
        try:
            _train_from(step, config, run, network, optimizer, on_step)
        except OSError as error:
            raise WriteError(
                f"cannot write into {run.path}: {error.strerror}; the last checkpoint is kept"
            ) from error
        return True


def _train_from(
    step: int,
    config: StudyConfig,
    run: RunFolder,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    on_step: OnStep,
) -> None:
    first = step // config.steps_per_epoch
    run.start_logs(step, first, len(_packed_masks(network)))
    with run.open_logs() as (metrics, bits):

        def log(step: int, loss: float) -> None:
            metrics.write(f"{step},{loss!r}\n")
            on_step(step, loss)

        if step == 0:
            bits.write(_packed_masks(network))
        for epoch in range(first, config.epochs):
            _train_epoch(epoch, config, network, optimizer, log)
            bits.write(_packed_masks(network))
            for file in (metrics, bits):
                # A checkpoint never knows of steps whose metrics are not on disk.
                file.flush()
                os.fsync(file.fileno())
            done = (epoch + 1) * config.steps_per_epoch
            save_checkpoint(run.checkpoint, config, done, network, optimizer)


def _train_epoch(
    epoch: int,
    config: StudyConfig,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    on_step: OnStep,
) -> None:
    device = torch.device(config.device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        # Random gates draw from torch's generator; whoever resumes is at the start of an epoch.
        seeds = np.random.SeedSequence([config.seed, _TORCH_STREAM, epoch])
        torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))
        for step in range(epoch * config.steps_per_epoch, (epoch + 1) * config.steps_per_epoch):
            X, y = (torch.from_numpy(a).to(device) for a in rows_of_step(config, step + 1))
            optimizer.zero_grad()
            loss = mse_loss(network(X), y)
            loss.backward()
            optimizer.step()
            value = loss.item()
            if not math.isfinite(value):
                raise SparsefitError(
                    f"the loss is {value} in step {step + 1}: lr must be smaller, got {config.lr:g}"
                )
            on_step(step + 1, value)


def _packed_masks(network: nn.Module) -> bytes:
    bits = [mask.cpu().numpy().ravel() for mask in masks(network).values()]
    return np.packbits(np.concatenate(bits)).tobytes()
