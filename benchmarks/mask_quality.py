"""Held-out error of masked layers in a plain loop, on the Sparse Neural Network demo's task.

    python benchmarks/mask_quality.py [--seeds 0 1 2 3 4] [--masks default hard-top-k]
        [--steps 5000]

y = sum of 10 standard normal inputs, 64 hidden units, both layers masked, 5000 steps of Adam at
1e-3 on 256 fresh rows each; error on 20000 more.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import mse_loss

from sparsefit.nn import MASKS, HardTopK, MaskRule, SparseLinear

TOY = ["--seeds", "0", "--masks", "default", "none (as published)", "--steps", "3"]
RULES: dict[str, MaskRule | None] = {"default": None}
RULES |= {name: rule() for name, rule in MASKS.items() if name != "fisher"}  # the default
RULES["none (as published)"] = HardTopK(gradient="none")
GOALS = {0.75: 0.01, 0.9: 0.1, 0.95: 0.5}


def rows(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 10)
    return x, x.sum(dim=1, keepdim=True)


def held_out_error(sparsity: float, seed: int, rule: MaskRule | None, steps: int) -> float:
    torch.manual_seed(seed)
    first = SparseLinear(10, 64, bias=False, sparsity=sparsity, mask=rule)
    second = SparseLinear(64, 1, bias=False, sparsity=sparsity, mask=rule)
    model = nn.Sequential(first, nn.ReLU(), second)
    before = first.mask
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        x, y = rows(256)
        optimizer.zero_grad()
        torch.autograd.backward(mse_loss(model(x), y))
        optimizer.step()
    if rule == RULES["none (as published)"]:
        assert torch.equal(before, first.mask)
    x, y = rows(20_000)
    with torch.no_grad():
        return mse_loss(model.eval()(x), y).item()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--masks", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--steps", type=int, default=5000)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    for name in args.masks:
        for sparsity, goal in GOALS.items():
            errors = [
                held_out_error(sparsity, seed, RULES[name], args.steps) for seed in args.seeds
            ]
            mean = sum(errors) / len(errors)
            goal_text = f", goal {goal:g}" if name == "default" else ""
            each = " ".join(f"{error:.1e}" for error in errors)
            print(f"{name}, sparsity {sparsity}: MSE {mean:.1e} ({each}){goal_text}", flush=True)


if __name__ == "__main__":
    main()
