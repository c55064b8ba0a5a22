"""What a mask and a store of nonzeros have in common: a pruner drives both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sparsefit.nn.masks import MaskRule


class Driven(nn.Module):
    """What a pruner drives, as a submodule of a layer: it goes where the layer goes.

    Parameters
    ----------
    shape : torch.Size
        Of the weight.
    name : str
        Name of the weight in the model.
    group : str
        Weights of one group share a budget.
    rule : MaskRule
    driver : Pruner
        What makes the masks.
    share : int, optional
        Part of the budget that belongs to this weight.

    Attributes
    ----------
    source : str
        Where the mask came from in the last checkpoint: empty, ``mask``, or ``weights`` if it held
        no mask.
    """

    def __init__(
        self, shape: torch.Size, *, name: str, group: str, rule: MaskRule, driver: Any,
        share: int = 0,
    ):  # fmt: skip
        super().__init__()
        self.shape, self.name, self.group = shape, name, group
        self.rule, self.driver, self.share, self.source = rule, driver, share, ""

    def get_extra_state(self) -> Tensor:
        """Return the number of steps taken, which belongs to a checkpoint."""
        return torch.tensor(self.driver.n_steps)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from the step of a checkpoint, with the mask that was read before this."""
        self.driver.go_to(int(state))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Join the copy of the driver, if a model is copied or read from a file."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.driver.join(self)
