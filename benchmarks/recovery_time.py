"""Where the time of an exact recovery goes, and how it compares with iterative magnitude pruning.

    python benchmarks/recovery_time.py [--hidden 100] [--nnz 200] [--seed 0]
        [--n-samples 10000] [--n-features 100] [--epochs 100] [--profiled splice]

One planted cell, (100, 200) unless told otherwise. The share of matrix products is that of the
operators of torch that multiply matrices in all the time that passes, by torch's profiler.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import torch
from torch.profiler import ProfilerActivity, profile

from sparsefit.core.problem import Problem
from sparsefit.core.setting import Setting
from sparsefit.experiments.metrics import network_scores
from sparsefit.methods import find_method
from sparsefit.tasks.planted import Planted

TOY = [
    "--hidden", "1", "--nnz", "2", "--n-samples", "30", "--n-features", "3", "--epochs", "1",
    "--profiled", "aiht",
]  # fmt: skip
PRODUCTS = ("aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::mv", "aten::addmv")
FACTORS = ("aten::linalg", "aten::_linalg", "aten::cholesky", "aten::triangular")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--nnz", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-samples", type=int, default=10_000)
    parser.add_argument("--n-features", type=int, default=100)
    parser.add_argument("--epochs", type=int, help="of imp, in place of its own number")
    parser.add_argument("--profiled", default="splice", help="method whose time is split up")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    setting = Setting(hidden=arguments.hidden, seed=arguments.seed)
    problem = Planted(n_samples=arguments.n_samples, n_features=arguments.n_features).load(
        setting, arguments.nnz
    )
    seconds = {}
    for name, options in {"splice": {}, "imp": {"epochs": arguments.epochs}}.items():
        start = time.process_time()
        fit = next(find_method(name)(**options).path(problem, [arguments.nnz], setting))[1]
        seconds[name] = time.process_time() - start
        score = network_scores(problem, fit.network)["value"]
        print(f"{name}: {score:.1f} dB on fresh rows, {seconds[name]:.1f} s of processor time")
    print(f"splice takes {seconds['splice'] / seconds['imp']:.2f} of the time of imp")
    print_shares(arguments.profiled, problem, arguments.nnz, setting)


def print_shares(method: str, problem: Problem, nnz: int, setting: Setting) -> None:
    """Run a method under the profiler and print what its time is spent on."""
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        next(find_method(method)().path(problem, [nnz], setting))
    total = time.perf_counter() - start
    events = profiler.key_averages()

    def share(*names: str) -> float:
        spent = sum(event.self_cpu_time_total for event in events if event.key.startswith(names))
        return 100e-6 * float(spent) / total

    products, factors, rest = share(*PRODUCTS), share(*FACTORS), share("aten::")
    print(
        f"matrix products {products:.0f} %, factorisations {factors:.0f} %, other operators "
        f"{rest - products - factors:.0f} %, Python and the profiler {100 - rest:.0f} %"
    )


if __name__ == "__main__":
    main()
