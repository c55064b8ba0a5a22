"""Checkpoints: all tensors of a training in a safetensors file, with the config and step as JSON.

One file holds everything that training goes on from, so that no part can be older than another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sparsefit.core.errors import DataError
from sparsefit.core.files import parse_json, writing
from sparsefit.study.config import StudyConfig

FORMAT, VERSION = "sparsefit-study", 1
_MODEL, _OPTIMIZER = "model.", "optimizer."


def save_checkpoint(
    path: Path, config: StudyConfig, step: int, network: nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path : Path
    config : StudyConfig
    step : int
        Optimiser steps taken.
    network : Module
        All of its ``state_dict`` is saved: weights, scores, masks, and the step of their schedule.
    optimizer : Optimizer
    """
    tensors = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in _tensors(network, optimizer).items()
    }
    header = {"format": FORMAT, "version": VERSION, "step": step, "config": config.as_dict()}
    with writing(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"sparsefit": json.dumps(header)}))


def load_checkpoint(
    path: Path,
    config: StudyConfig,
    network: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
) -> int:
    """Read a checkpoint into a network, and an optimiser to train on with, and return its step.

    Raises
    ------
    DataError
        If it is damaged, no checkpoint, or one of another config or architecture; the network and
        the optimiser are then as they were.
    """
    tensors, header = _read(path)
    _refuse_other(path, header.get("config"), config)
    step = header.get("step")
    if not isinstance(step, int) or not 0 < step <= config.steps:
        raise DataError(f"{path} is damaged: its step is {step!r}, of {config.steps}")
    model, adam = (_below(prefix, tensors) for prefix in (_MODEL, _OPTIMIZER))
    _refuse_other_architecture(path, model, network.state_dict())
    if optimizer is not None:
        _refuse_other_architecture(path, adam, _adam_state(optimizer))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in adam.items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    network.load_state_dict(model)
    return step


def _adam_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return tensors like those that Adam will have, by name."""
    return {
        f"{number}.{key}": like
        for number, parameter in enumerate(_parameters(optimizer))
        for key, like in (
            ("step", torch.zeros(())), ("exp_avg", parameter), ("exp_avg_sq", parameter),
        )
    }  # fmt: skip


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            header = parse_json((file.metadata() or {}).get("sparsefit", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise DataError(f"{path} is missing: no epoch of this study has ended") from None
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(f"{path} is damaged: {error}") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise DataError(f"{path} is not a checkpoint of a study")
    if header.get("version") != VERSION:
        raise DataError(f"{path} was written by another version of sparsefit")
    return tensors, header


def _refuse_other(path: Path, found: Any, config: StudyConfig) -> None:
    if not isinstance(found, dict):
        raise DataError(f"{path} is damaged: it has no config")
    difference = first_difference(found, config)
    if difference:
        raise DataError(f"{path} is a checkpoint of another study: {difference}")


def first_difference(found: dict[str, Any], config: StudyConfig) -> str:
    """Return in words the first option that differs from `config`, or an empty string.

    Examples
    --------
    >>> first_difference(StudyConfig(hidden=32).as_dict(), StudyConfig())
    'hidden is 32 there and 64 here'
    """
    for name, value in config.as_dict().items():
        if name not in found or found[name] != value:
            return f"{name} is {found.get(name)!r} there and {value!r} here"
    return ""


def _refuse_other_architecture(
    path: Path, found: dict[str, Tensor], expected: dict[str, Tensor]
) -> None:
    for name in sorted(found.keys() | expected.keys()):
        facts = [
            f"{tuple(t[name].shape)} {str(t[name].dtype).removeprefix('torch.')}"
            if name in t
            else "absent"
            for t in (found, expected)
        ]
        if facts[0] != facts[1]:
            raise DataError(
                f"{path} is of another architecture: {name} is {facts[0]} there and {facts[1]} here"
            )


def _tensors(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {_MODEL + name: tensor for name, tensor in network.state_dict().items()}
    for number, parameter in enumerate(_parameters(optimizer)):
        for name, value in optimizer.state[parameter].items():
            tensors[f"{_OPTIMIZER}{number}.{name}"] = value
    return tensors


def _parameters(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    for group in optimizer.param_groups:
        yield from group["params"]


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
