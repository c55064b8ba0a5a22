"""Score what a training has come to, on rows that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sparsefit.core.device import check_device, limited_threads
from sparsefit.nn.masking import plain_copy
from sparsefit.study.checkpoint import load_checkpoint
from sparsefit.study.config import StudyConfig
from sparsefit.study.folder import RunFolder
from sparsefit.study.network import LAYERS, make_network, weights_behind
from sparsefit.study.rows import held_out_rows


@dataclass(frozen=True)
class Evaluation:
    """What a checkpoint is worth, and what the pictures of it show.

    Attributes
    ----------
    config : StudyConfig
    step : int
        Steps taken until the checkpoint.
    scores : dict
        On held-out rows, without noise: ``mse``, ``r2``, and ``constant_mse`` of the best constant.
        Of the network with its masks made permanent: ``sparsity``, the share of zeros among the
        weights; ``nonzeros`` among all ``n_params`` numbers, biases included; ``dead_units``,
        hidden units that no input reaches or that do not reach the output.
    truth, prediction : ndarray of shape (n,)
        Of the held-out rows.
    weights : dict
        By layer the weights behind the mask, and those of the permanent network.
    losses : ndarray of shape (step,)
        Training loss of every step.
    mask_history : dict
        By layer the masks before training and after each epoch, bool, (epochs + 1, weights).
    """

    config: StudyConfig
    step: int
    scores: dict[str, Any]
    truth: np.ndarray
    prediction: np.ndarray
    weights: dict[str, tuple[np.ndarray, np.ndarray]]
    losses: np.ndarray
    mask_history: dict[str, np.ndarray]


def evaluate(folder: str | Path, *, device: str | None = None) -> Evaluation:
    """Load the checkpoint of a run folder, score it, and write the scores into the folder.

    Parameters
    ----------
    folder : str or Path
        A run folder of `train`; if the training was killed, its last checkpoint is scored.
    device : str, optional
        Default: that of the training.

    Raises
    ------
    SparsefitError
        If there is no study, no checkpoint yet, or something is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from sparsefit.study.training import train
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = train(StudyConfig(epochs=1, steps_per_epoch=5), folder)
    ...     scores = evaluate(folder).scores
    >>> scores["step"], scores["nonzeros"], scores["sparsity"]
    (5, 70, 0.9005681818181818)
    """
    run = RunFolder(Path(folder))
    config = run.read_config()
    check_device(device or config.device)
    with limited_threads(config.threads):
        network = make_network(replace(config, device=device or config.device))
        step = load_checkpoint(run.checkpoint, config, network)
        final = plain_copy(network)
        X, y = held_out_rows(config)
        with torch.no_grad():
            prediction = final(torch.from_numpy(X).to(device or config.device)).cpu().numpy()
    truth, prediction = y[:, 0].astype(np.float64), prediction[:, 0].astype(np.float64)
    weights = {
        name: (behind.cpu().numpy(), _weight(final, name).cpu().numpy())
        for name, behind in weights_behind(network).items()
    }
    history = run.mask_history(
        [weights[name][0].size for name in LAYERS], step // config.steps_per_epoch
    )
    scores: dict[str, Any] = {"step": step, "steps": config.steps}
    scores |= _fit_scores(truth, prediction) | _count_scores(final)
    run.write_scores(scores)
    return Evaluation(
        config, step, scores, truth, prediction, weights, run.losses(step),
        dict(zip(LAYERS, history, strict=True)),
    )  # fmt: skip


def _fit_scores(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float]:
    mse = float(np.square(prediction - truth).mean())
    constant = float(truth.var())
    return {"mse": mse, "r2": 1 - mse / constant, "constant_mse": constant}


def _weight(final: nn.Module, layer: str) -> Tensor:
    return final.get_parameter(f"{layer}.weight").detach()


def _count_scores(final: nn.Module) -> dict[str, float]:
    """Count in the permanent weights, so that nothing is taken on trust from the masks."""
    hidden, output = (_weight(final, name) for name in LAYERS)
    numbers = list(final.parameters())
    zeros = sum(int((weight == 0).sum()) for weight in (hidden, output))
    live = (hidden != 0).any(dim=1) & (output != 0).any(dim=0)
    return {
        "sparsity": zeros / (hidden.numel() + output.numel()),
        "nonzeros": sum(int((number != 0).sum()) for number in numbers),
        "n_params": sum(number.numel() for number in numbers),
        "dead_units": int((~live).sum()),
        "hidden": len(live),
    }
