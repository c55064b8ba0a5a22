"""Speed of AIHT against a plain loop over neurons, its own matrix products, and itself unscreened.

    python benchmarks/speed.py [--epochs 15] [--reference-epochs 15] [--repeats 3] [--threads 2]

The default size is m = s = 1000, n = 50000, d = 100 in float32. The plain loop takes about four
minutes there; with ``--reference-epochs 3`` the first three epochs are compared. What screening
leaves out is counted at a tenth of the weights, and at ten times the units, on at most 10000 rows.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import torch

from sparsefit import models, solvers
from sparsefit.core.batches import Batches
from sparsefit.core.datafits import Squared
from sparsefit.core.gates import RandomGates
from sparsefit.core.memory import Workspace
from sparsefit.core.problem import Problem
from sparsefit.core.row_blocks import RowBlocks
from sparsefit.core.setting import Setting
from sparsefit.core.sparse_vector import SparseVector
from sparsefit.models.base import Block
from sparsefit.tasks.planted import Planted

TOY = [
    "--hidden", "8", "--nnz", "10", "--n-samples", "60", "--n-features", "5", "--epochs", "3",
    "--repeats", "1", "--reference-epochs", "2", "--threads", "1",
]  # fmt: skip


def load_reference() -> ModuleType:
    """Return the plain loop over neurons, which lies with the tests."""
    path = Path(__file__).parent.parent / "tests" / "reference" / "per_neuron_iht.py"
    spec = importlib.util.spec_from_file_location("per_neuron_iht", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def best_of(
    function: Callable[[], object], repeats: int = 3, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the shortest of several timings, in seconds."""
    times = []
    for _ in range(repeats):
        start = clock()
        function()
        times.append(clock() - start)
    return min(times)


def time_epochs(
    solver: solvers.Solver, model: models.GatedReLU, y: torch.Tensor, nnz: int
) -> np.ndarray:
    """Return the seconds of each epoch of one run."""
    marks = [time.perf_counter()]
    solver.solve(
        model, Squared(), y, nnz, batches=Batches(len(y), 0, 0),
        callback=lambda epochs, coef: marks.append(time.perf_counter()),
    )  # fmt: skip
    return np.diff(marks)


def products_of_epoch(
    model: models.GatedReLU, coef: SparseVector, inner_steps: int
) -> dict[str, float]:
    """Time the irreducible products of one epoch on arrays that are ready.

    Pattern: X h for every live unit. Gradient: (D_j r) X for every live unit. Support: A_S v and
    A_S^T r at the present point and at the new one, and once per inner step, each pair in one pass
    over A_S by blocks that stay in the cache, which is the fastest order; and A_S v once more, for
    the step length.
    """
    X = torch.cat([block.T for block in model.rows.blocks]).contiguous()
    live = model.patterns.live
    gates = model.patterns.gate_rows(live)
    active = (gates @ X.T > 0).to(X.dtype)
    r = torch.randn(len(X), dtype=X.dtype)
    weighted = active * r
    blocks = [block.clone() for block in model.support(coef.indices).blocks()]
    pieces = [r[span] for span in model.rows.spans]
    v = torch.randn(len(blocks[0]), dtype=X.dtype)
    total = torch.zeros_like(v)

    def pairs() -> None:
        for block, piece in zip(blocks, pieces, strict=True):
            v @ block
            total.addmv_(block, piece)

    return {
        "pattern": best_of(lambda: gates @ X.T),
        "gradient": best_of(lambda: weighted @ X),
        "support": best_of(pairs) * (2 + inner_steps)
        + best_of(lambda: [v @ block for block in blocks]),
    }


def products_of_run(
    solver: solvers.AIHT, new_model: Callable[[], models.GatedReLU], y: torch.Tensor, nnz: int
) -> dict[str, float]:
    """Time the products epoch by epoch: the number of live units falls as training goes on."""
    products = dict.fromkeys(("pattern", "gradient", "support"), 0.0)
    model, coef = new_model(), new_model().zeros()
    for epoch in range(solver.epochs):
        if coef.nnz:
            for name, seconds in products_of_epoch(model, coef, solver.inner_steps).items():
                products[name] += seconds
        coef, _ = solver.step(model, Squared(), y, coef, nnz, epoch)
        model = model.refresh(coef) if epoch > 0 else model
    return products


def print_shares(total: float, products: dict[str, float]) -> None:
    """Print what part of the time each product takes."""
    floor = sum(products.values())
    for name, seconds in products.items():
        print(f"  {name + ' products':18} {seconds:7.2f} s  {100 * seconds / total:5.1f} %")
    print(f"  {'everything else':18} {total - floor:7.2f} s  {100 * (1 - floor / total):5.1f} %")
    print(f"  time / its irreducible products: {total / floor:.2f} (goal: below 1)")


def compare_with_loop(
    problem: Problem, args: argparse.Namespace, gates: RandomGates, ours: np.ndarray
) -> None:
    """Print the time of the plain loop beside ours."""
    reference, epochs = load_reference(), args.reference_epochs
    h = gates.rows(np.arange(args.hidden)).astype(np.float32)
    start = time.perf_counter()
    reference.fit(problem.X, problem.y[:, 0], args.hidden, args.nnz, lambda j: h[j], epochs)
    loop = time.perf_counter() - start
    print(
        f"  plain loop over neurons, first {epochs} epochs: {loop:.1f} s; "
        f"ours {ours[:epochs].sum():.2f} s; {loop / ours[:epochs].sum():.0f} times (goal: 60)"
    )


def units_of_steps(run: Callable[[], object]) -> list[int]:
    """Return of how many units each step of a run made the gradient."""
    plain, made = models.GatedReLU.blocks, list[int]()

    def counted(model: models.GatedReLU, *args: Any) -> Iterator[Block]:
        made.append(0)
        for block in plain(model, *args):
            made[-1] += len(block.indices) // model.rows.d
            yield block

    with mock.patch.object(models.GatedReLU, "blocks", counted):
        run()
    return made


def print_screening(hidden: int, nnz: int, args: argparse.Namespace) -> None:
    """Print what screening leaves out and gains, in seconds of the processor."""
    n_samples = min(args.n_samples, 10_000)
    task = Planted(n_samples=n_samples, n_features=args.n_features, n_test=0)
    problem = task.load(Setting(hidden=hidden), nnz)
    y = torch.from_numpy(problem.y[:, 0])

    def run(screens: bool) -> SparseVector:
        model = new_model(problem, hidden, args)
        solver = solvers.AIHT(epochs=args.epochs, screens=screens)
        return solver.solve(model, Squared(), y, nnz, batches=Batches(n_samples, 0, 0)).coef

    with_it, without = (partial(run, screens) for screens in (True, False))
    some, every = units_of_steps(with_it), units_of_steps(without)
    # In turns, as the machine may be shared.
    pairs = [[best_of(f, 1, time.process_time) for f in (with_it, without)]
             for _ in range(args.repeats)]  # fmt: skip
    fast, slow = np.min(pairs, axis=0)
    same = "the same" if with_it().equals(without()) else "NOT the same"
    print(
        f"screening, m={hidden} s={nnz} n={n_samples}, {args.epochs} epochs: "
        f"{100 * (1 - sum(some) / sum(every)):.0f} % of all units' gradients left out, "
        f"{100 * (1 - some[1] / every[1]):.0f} % in the second step\n"
        f"  {fast:.2f} s of the processor, without it {slow:.2f} s: "
        f"{100 * (1 - fast / slow):.0f} % gained; the result is {same} bit for bit"
    )


def new_model(problem: Problem, hidden: int, args: argparse.Namespace) -> models.GatedReLU:
    """Return the model with random gates."""
    rows = RowBlocks(problem.X, dtype=torch.float32)
    gates = RandomGates(0, args.n_features)
    return models.GatedReLU(rows, hidden, gates, Workspace(args.memory_mb * 10**6))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {
        "hidden": 1000, "nnz": 1000, "n-samples": 50000, "n-features": 100,
        "epochs": 15, "repeats": 3, "reference-epochs": 15, "threads": 2,
        "memory-mb": Setting().memory_bytes // 10**6,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(args.threads)
    task = Planted(n_samples=args.n_samples, n_features=args.n_features, n_test=0)
    problem = task.load(Setting(hidden=args.hidden), args.nnz)
    y = torch.from_numpy(problem.y[:, 0])
    fresh = partial(new_model, problem, args.hidden, args)
    solver = solvers.AIHT(epochs=args.epochs)
    # Each epoch by the shortest of several runs, as the products are: the machine may be shared.
    runs = [time_epochs(solver, fresh(), y, args.nnz) for _ in range(args.repeats)]
    ours = np.min(runs, axis=0)
    total = float(ours.sum())
    print(
        f"AIHT, m={args.hidden} s={args.nnz} n={args.n_samples} d={args.n_features} float32, "
        f"{args.threads} threads, {len(ours)} epochs: {total:.2f} s"
    )
    print_shares(total, products_of_run(solver, fresh, y, args.nnz))
    compare_with_loop(problem, args, RandomGates(0, args.n_features), ours)
    print_screening(args.hidden, max(args.nnz // 10, 1), args)
    print_screening(10 * args.hidden, args.nnz, args)


if __name__ == "__main__":
    main()
