"""Held-out error of masked layers in a plain loop, on the Sparse Neural Network demo's task.

    python benchmarks/mask_quality.py [--seeds 0 1 2 3 4] [--masks default hard-top-k]

y = sum of 10 standard normal inputs, 64 hidden units, both layers masked, 5000 steps of Adam at
1e-3 on 256 fresh rows each; error on 20000 more.
"""

from __future__ import annotations

import argparse

import torch
from torch import nn
from torch.nn.functional import mse_loss

from sparsefit.nn import MASKS, HardTopK, SparseLinear

RULES = {"default": None, **{name: rule() for name, rule in MASKS.items()}}
del RULES["magnitude"]  # the default
RULES["none (as published)"] = HardTopK(gradient="none")
GOALS = {0.75: 0.01, 0.9: 0.1, 0.95: 0.5}


def rows(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, 10)
    return x, x.sum(dim=1, keepdim=True)


def held_out_error(sparsity: float, seed: int, rule) -> float:
    torch.manual_seed(seed)
    model = nn.Sequential(
        SparseLinear(10, 64, bias=False, sparsity=sparsity, mask=rule),
        nn.ReLU(),
        SparseLinear(64, 1, bias=False, sparsity=sparsity, mask=rule),
    )
    before = model[0].mask
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(5000):
        x, y = rows(256)
        optimizer.zero_grad()
        mse_loss(model(x), y).backward()
        optimizer.step()
    if rule == RULES["none (as published)"]:
        assert torch.equal(before, model[0].mask)
    x, y = rows(20_000)
    with torch.no_grad():
        return mse_loss(model.eval()(x), y).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--masks", nargs="+", choices=RULES, default=list(RULES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.masks:
        for sparsity, goal in GOALS.items():
            errors = [held_out_error(sparsity, seed, RULES[name]) for seed in args.seeds]
            mean = sum(errors) / len(errors)
            goal_text = f", goal {goal:g}" if name == "default" else ""
            each = " ".join(f"{error:.1e}" for error in errors)
            print(f"{name}, sparsity {sparsity}: MSE {mean:.1e} ({each}){goal_text}", flush=True)


if __name__ == "__main__":
    main()
