"""Cost of a mask: a training step of a masked layer against one of a plain layer.

    python benchmarks/mask_cost.py [--size 1024] [--batch 256] [--steps 200] [--threads 2]
        [--masks default hard-top-k]

The two layers take turns, so that a machine that is busy slows both; the ratio of each turn's times
is what counts. Steps hold forward, backward, the optimiser, and the making of new masks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import nn

from sparsefit.nn import MASKS, MaskRule, SparseLinear

TOY = ["--size", "8", "--batch", "4", "--steps", "20", "--threads", "1", "--masks", "sigmoid"]
PER_TURN = 20
MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
OPTIMIZERS: dict[str, MakeOptimizer] = {
    "Adam": torch.optim.Adam,
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=1e-3),
}


class Turn:
    """A layer, its optimiser and a batch."""

    def __init__(self, layer: nn.Module, optimizer: MakeOptimizer, batch: torch.Tensor):
        self.layer, self.optimizer, self.batch = layer, optimizer(layer.parameters()), batch

    def seconds(self, steps: int) -> float:
        """Return the time that some training steps take."""
        start = time.perf_counter()
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.layer(self.batch).square().mean().backward()
            self.optimizer.step()
        return time.perf_counter() - start


def compare(
    mask: MaskRule | None, optimizer: MakeOptimizer, batch: torch.Tensor, turns: int
) -> tuple[float, float]:
    """Return the time of a masked step as a multiple of a plain one, and the seconds of that."""
    size = batch.shape[1]
    plain = Turn(nn.Linear(size, size), optimizer, batch)
    masked = Turn(SparseLinear(size, size, mask=mask), optimizer, batch)
    for turn in (plain, masked):
        turn.seconds(5)
    pairs = [(plain.seconds(PER_TURN), masked.seconds(PER_TURN)) for _ in range(turns)]
    ratio = float(np.median([slow / fast for fast, slow in pairs]))
    return ratio, float(np.median([fast for fast, _ in pairs])) / PER_TURN


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {"size": 1024, "batch": 256, "steps": 200, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    names = ["default", *MASKS]
    parser.add_argument("--masks", nargs="+", choices=names, default=names)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    batch = torch.randn(args.batch, args.size)
    for optimizer_name, optimizer in OPTIMIZERS.items():
        for name in args.masks:
            if name == "fisher" and optimizer_name == "SGD":
                continue  # it ranks by mean squared gradients, which SGD does not keep
            mask = None if name == "default" else MASKS[name]()
            turns = max(1, args.steps // PER_TURN)
            ratio, seconds = compare(mask, optimizer, batch, turns)
            goal = " (goal: at most 1.5)" if name == "default" else ""
            print(
                f"masked {args.size} x {args.size}, batch {args.batch}, {optimizer_name}, mask "
                f"{name}: {ratio:.2f} times a plain step of {1e3 * seconds:.1f} ms{goal}"
            )


if __name__ == "__main__":
    main()
