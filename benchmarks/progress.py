"""Whether what progress says of the time that is left is true.

    python benchmarks/progress.py [--recipes demo figure1] [--workers 2]

Runs recipes at scale tiny, and fits tables, and prints by which factor the total time that progress
tells is off after a tenth, a quarter and a half of the true time, and whether it ever went back.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, make_friedman1

from sparsefit import SparseMLPClassifier, SparseMLPRegressor
from sparsefit.demo import run_demo
from sparsefit.experiments.engines import EngineOptions
from sparsefit.experiments.recipe import find_recipe
from sparsefit.experiments.run import run_cells
from sparsefit.experiments.store import Store

TOY = ["--recipes", "figure1", "--at-most", "2", "--tables", "0"]
SHARES = (0.1, 0.25, 0.5)
Report = Callable[[float, str], None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="*", default=["demo", "figure1"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--at-most", type=int, help="cells of a recipe")
    parser.add_argument("--tables", type=int, default=5, help="how many tables to fit")
    options = parser.parse_args(arguments)
    print("what, seconds, off after 10 %, 25 %, 50 %")
    for name in options.recipes:
        cells = find_recipe(name).cells("tiny")[: options.at_most]
        with tempfile.TemporaryDirectory() as folder:
            run = partial(
                run_cells, cells, Store(Path(folder)), engine=EngineOptions(workers=options.workers)
            )
            measure(name, partial(_with_progress, run))
    if options.tables or not options.recipes:
        with tempfile.TemporaryDirectory() as folder:
            measure("sparsefit demo", lambda report: run_demo(Path(folder), report))
    for name, fit in list(tables().items())[: options.tables]:
        measure(name, fit)


def tables() -> dict[str, Callable[[Report], object]]:
    """Return fits by name, which report how far they are."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 20))
    y = 2 * np.maximum(X[:, 0] - X[:, 1], 0) + X[:, 2] + 0.3 * rng.normal(size=5000)
    problems = {
        "fit diabetes": (SparseMLPRegressor, load_diabetes(return_X_y=True)),
        "fit friedman": (SparseMLPRegressor, make_friedman1(1000, random_state=0)),
        "fit 5000 x 20": (SparseMLPRegressor, (X, y)),
        "fit breast cancer": (SparseMLPClassifier, load_breast_cancer(return_X_y=True)),
        "fit digits": (SparseMLPClassifier, load_digits(return_X_y=True)),
    }
    return {name: partial(_fit, *problem) for name, problem in problems.items()}


def _fit(kind: Any, data: Any, report: Report) -> None:
    kind((20,), nnz=50, random_state=0, verbose=report).fit(*data)


def _with_progress(run: Callable[..., object], report: Report) -> None:
    run(on_progress=report)


def measure(name: str, run: Callable[[Report], object]) -> None:
    """Run something and print how true its progress was."""
    start, seen = time.monotonic(), [(0.0, 0.0)]
    run(lambda share, text: seen.append((time.monotonic() - start, share)))
    total = time.monotonic() - start
    words = []
    for part in SHARES:
        passed, share = max(entry for entry in seen if entry[0] <= part * total)
        expected = passed / share if share else float("inf")
        off = max(expected / total, total / expected) if share else None
        words.append("nothing said" if off is None else f"{off:.2f}")
    shares = [share for _, share in seen]
    backwards = "" if shares == sorted(shares) else ", went back"
    print(f"{name}, {total:.1f}, {', '.join(words)}{backwards}", flush=True)


if __name__ == "__main__":
    main()
