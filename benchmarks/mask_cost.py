"""Cost of a mask: a training step of a masked layer against one of a plain layer.

    python benchmarks/mask_cost.py [--size 1024] [--batch 256] [--steps 200] [--threads 2]

The two layers take turns, so that a machine that is busy slows both; the ratio of each turn's times
is what counts. Steps hold forward, backward, the optimiser, and the making of new masks.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

from sparsefit.nn import MASKS, SparseLinear

OPTIMIZERS = {
    "Adam": torch.optim.Adam,
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=1e-3),
}


class Turn:
    """A layer, its optimiser and a batch."""

    def __init__(self, layer: nn.Module, optimizer, batch: torch.Tensor):
        self.layer, self.optimizer, self.batch = layer, optimizer(layer.parameters()), batch

    def seconds(self, steps: int) -> float:
        """Return the time that some training steps take."""
        start = time.perf_counter()
        for _ in range(steps):
            self.optimizer.zero_grad()
            self.layer(self.batch).square().mean().backward()
            self.optimizer.step()
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in {"size": 1024, "batch": 256, "steps": 200, "threads": 2}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    batch = torch.randn(args.batch, args.size)
    layers = {"default": lambda: SparseLinear(args.size, args.size)}
    for name, rule in MASKS.items():
        layers[name] = lambda rule=rule: SparseLinear(args.size, args.size, mask=rule())
    per_turn = 20
    for optimizer_name, optimizer in OPTIMIZERS.items():
        for name, make in layers.items():
            plain = Turn(nn.Linear(args.size, args.size), optimizer, batch)
            masked = Turn(make(), optimizer, batch)
            for turn in (plain, masked):
                turn.seconds(5)
            pairs = [
                (plain.seconds(per_turn), masked.seconds(per_turn))
                for _ in range(max(1, args.steps // per_turn))
            ]
            ratio = float(np.median([slow / fast for fast, slow in pairs]))
            milliseconds = 1e3 * np.median([fast for fast, _ in pairs]) / per_turn
            goal = " (goal: at most 1.5)" if name == "default" else ""
            print(
                f"masked {args.size} x {args.size}, batch {args.batch}, {optimizer_name}, mask "
                f"{name}: {ratio:.2f} times a plain step of {milliseconds:.1f} ms{goal}"
            )


if __name__ == "__main__":
    main()
