"""Try a method on random small planted problems: is it exact, does it keep its promises.

    python benchmarks/robustness.py [--method splice] [--problems 200] [--seed 0]

Prints one line of JSON: how many fits raised an error, gave numbers that are not finite, or broke
the budget of weights or units (all must be 0), and the share that is exact, with its Wilson
interval.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from scipy import stats

from sparsefit.core.exact import EXACT_PSNR
from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.experiments.metrics import network_scores
from sparsefit.methods._base import find_method
from sparsefit.tasks._base import SkipCell
from sparsefit.tasks.planted import Planted

TOY = ["--problems", "2", "--seed", "1"]
INPUTS: tuple[Literal["gaussian", "uniform", "correlated"], ...] = (
    "gaussian", "uniform", "correlated",
)  # fmt: skip


def draw(rng: np.random.Generator, seed: int) -> tuple[Planted, Setting, int]:
    """Draw a task, a width and a budget."""
    hidden = int(rng.integers(3, 21))
    task = Planted(
        n_samples=int(rng.integers(500, 5001)),
        n_features=int(rng.integers(5, 51)),
        n_outputs=int(rng.integers(1, 4)),
        inputs=INPUTS[rng.integers(len(INPUTS))],
        n_test=2000,
    )
    return task, Setting(hidden=hidden, seed=seed), int(rng.integers(hidden, 4 * hidden + 1))


def try_one(method: Any, problem: Problem, nnz: int, setting: Setting) -> dict[str, Any]:
    """Fit one problem and say what came of it."""
    [(_, fit)] = method.path(problem, [nnz], setting)
    network = fit.network
    units = max(int((np.diff(la.weight.indptr) > 0).sum()) for la in network.hidden_layers)
    value = network_scores(problem, network)["value"]
    return {
        "finite": bool(np.isfinite(network.predict(problem.X)).all()),
        "budget": network.nnz <= nnz and units <= setting.hidden,
        "exact": value > EXACT_PSNR,
        "value": value,
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--method", default="splice")
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    rng, method = np.random.default_rng(args.seed), find_method(args.method)()
    outcomes: list[dict[str, Any]] = []
    errors, start = 0, time.perf_counter()
    while len(outcomes) + errors < args.problems:
        number = len(outcomes) + errors
        task, setting, nnz = draw(rng, number)
        try:
            problem = task.load(setting, nnz)
        except SkipCell:
            continue
        try:
            outcome = try_one(method, problem, nnz, setting)
            outcomes.append(outcome)
        except Exception:
            errors += 1
            outcome = {"error": traceback.format_exc()}
        if not outcome.get("exact"):
            print(number, task, setting.hidden, nnz, outcome, flush=True)
    n_exact = sum(outcome["exact"] for outcome in outcomes)
    interval = stats.binomtest(n_exact, args.problems).proportion_ci(method="wilson")
    print(json.dumps({
        "method": args.method,
        "problems": args.problems,
        "errors": errors,
        "not_finite": sum(not outcome["finite"] for outcome in outcomes),
        "over_budget": sum(not outcome["budget"] for outcome in outcomes),
        "exact": n_exact / args.problems,
        "interval": [round(interval.low, 3), round(interval.high, 3)],
        "seconds": round(time.perf_counter() - start, 1),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
