"""The network of a study, and what it is when its masks are made permanent."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from sparsefit.nn import (
    SCHEDULES,
    Schedule,
    SparseLinear,
    masked_weights,
    named_rule,
    parse_structure,
)
from sparsefit.study.config import StudyConfig

# The masked layers, by their names in the network.
LAYERS = ("hidden", "output")


def make_network(config: StudyConfig) -> nn.Sequential:
    """Draw the initial network of a study, the same on every device.

    Its output layer has one unit, where rows and blocks make no sense: it is unstructured. Torch's
    global generator is left as it was.

    Examples
    --------
    >>> network = make_network(StudyConfig(sparsity=0.75))
    >>> [int(mask.sum()) for mask in masks(network).values()]
    [160, 16]
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        rule = named_rule(config.mask, config.final_ramp_steps)
        options: dict[str, Any] = {
            "bias": config.bias, "sparsity": config.final_sparsity, "mask": rule,
            "schedule": _schedule(config),
        }  # fmt: skip
        structure = parse_structure(config.structure)
        hidden = SparseLinear(config.n_features, config.hidden, structure=structure, **options)
        output = SparseLinear(config.hidden, 1, **options)
    layers = OrderedDict(hidden=hidden, relu=nn.ReLU(), output=output)
    return nn.Sequential(layers).to(config.device)


def _schedule(config: StudyConfig) -> Schedule:
    kind = SCHEDULES[config.mask_schedule]
    return kind() if config.mask_schedule == "constant" else kind(end=config.final_ramp_steps)  # type: ignore[call-arg]


def masks(network: nn.Module) -> dict[str, Tensor]:
    """Return the present masks by layer, as bool in the shape of the weight."""
    return {
        target.layer: target.masked.driver.masks()[target.tensor]
        for target in masked_weights(network)
    }


def weights_behind(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights behind the masks by layer, those that are pruned included."""
    return {target.layer: target.dense().detach() for target in masked_weights(network)}
