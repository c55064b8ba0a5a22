"""Notice masks that cannot move, and say why."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from sparsefit.nn.masked import Masked
    from sparsefit.nn.pruner import Pruner
    from sparsefit.nn.stored import Stored

# How often something has to happen before it is spoken of: once or twice may be a warm-up.
PATIENCE = 3
STEPS_WITHOUT_CALL = 10
# How many times the budget a mask may have at the end before that is spoken of.
MUCH = 1.1


class Watch:
    """Compares what happens to the weights of a pruner with what it is told of.

    Attributes
    ----------
    has_begun : bool
        Whether a torch optimiser that holds weights of the pruner has begun a step.
    n_seen : int
        How many have ended.
    """

    def __init__(self) -> None:
        self.has_begun, self.n_seen = False, 0
        self._n_unseen_moves, self._has_spoken = 0, False
        self._sum: float | None = None
        self._stepped: set[tuple[nn.Module, str]] = set()
        self._has_moved = False

    def on_forward(self, pruner: Pruner, masked: Masked | Stored) -> None:
        """Look whether weights have moved though no optimiser has told of a step."""
        # In every forward pass of every layer, so that what costs nothing is asked first.
        if self.has_begun or self._has_spoken or not masked.training:
            return
        if masked is not pruner.members[0] or not torch.is_grad_enabled():
            return
        if not isinstance(masked.weight, nn.Parameter):
            return
        if self._moved(masked):
            self._n_unseen_moves += 1
        if pruner.n_steps:
            self._n_unseen_moves = 0
        if self._n_unseen_moves >= PATIENCE:
            self._speak(
                f"{masked.name} changes, but no torch optimiser that holds it has stepped, so the "
                "masks do not move: give optimizer.step() the model's own parameters, or call "
                "Pruner.step() after every update"
            )

    def _moved(self, masked: Masked | Stored) -> bool:
        before = self._sum
        self._sum = float(masked.weight.detach().double().square().sum())
        moved = before is not None and before != self._sum
        self._has_moved |= moved
        return moved

    def after_step(self, pruner: Pruner, stepped: set[tuple[nn.Module, str]]) -> None:
        """Look, after steps of torch optimisers, whether they hold scores, and are counted."""
        self.n_seen += 1
        if self.n_seen <= 2 * PATIENCE:
            self._stepped |= stepped
        if not pruner.is_automatic and not pruner.n_steps and self.n_seen == STEPS_WITHOUT_CALL:
            self._speak(
                f"an optimiser has made {self.n_seen} steps, and Pruner.step() was never called, "
                "so the masks do not move: call it after every optimizer.step(), or use sparsify, "
                "which needs no call"
            )
        if self.n_seen == 2 * PATIENCE:
            self._check_scores(pruner)
            self._stepped.clear()

    def _check_scores(self, pruner: Pruner) -> None:
        left_out = [
            masked.name for masked in pruner.members
            if pruner.rule.trains_scores and masked.scores is not None
            and masked.scores.requires_grad and (masked, "scores") not in self._stepped
        ]  # fmt: skip
        if left_out:
            self._speak(
                f"the scores of {left_out[0]} are in no optimiser, so its mask does not move: make "
                "the optimiser from model.parameters() after the masks"
            )

    def before_end(self, pruner: Pruner) -> None:
        """Say, before masks are made permanent, if that takes many weights from a trained model."""
        kept = sum(masked.n_kept for masked in pruner.members)
        was_trained = pruner.n_steps or self.n_seen or self._has_moved
        if not was_trained or kept <= MUCH * pruner.keep:
            return
        counted = f"{pruner.n_steps} steps of the schedule were counted"
        remedy = "end the schedule before the training"
        if not pruner.n_steps:
            remedy = "call Pruner.step() after every optimizer.step(), or use sparsify"
        self._speak(f"{kept} weights are cut to {pruner.keep} at once, as {counted}: {remedy}")

    def __getstate__(self) -> dict[str, Any]:
        """Leave masks out, as those of a copy are others."""
        return {**self.__dict__, "_stepped": set()}

    def _speak(self, sentence: str) -> None:
        self._has_spoken = True
        warnings.warn(sentence, stacklevel=2)
