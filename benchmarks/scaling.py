"""A model of what sweeps and shared rows cost, fitted to this machine and checked on it.

    python benchmarks/scaling.py [--seeds 30] [--rows 20000]

A grid is run by one worker and by two. What one took settles the model: seconds of each cell, of
what is around it, and of a start. A simulation of how cells are handed out then says how long two
workers take, which is compared with what they took, and how long 10 to 1000 would. The second part
counts what a step of AIHT on shared rows computes, reads, sends and holds.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

TOY = ["--seeds", "1", "--rows", "100"]
SOURCE = Path(__file__).parents[1] / "src"
# As sweeps hand out cells: so much time at once, and never more than a share of what is left.
_PIECE_SECONDS, _SHARE = 0.3, 4
NODES = (10, 100, 1000)
# A gigabit a second in bytes, for the links between machines.
_LINK = 1.25e8


@dataclass(frozen=True)
class Sweep:
    """What cells of a grid take.

    Attributes
    ----------
    cells : list of float
        Seconds of each, with what is around it.
    start : float
        Seconds until a worker begins.
    """

    cells: list[float]
    start: float

    def makespan(self, workers: int) -> float:
        """Return how long a number of workers take, by handing out cells as sweeps do."""
        free = [(self.start, number) for number in range(workers)]
        heapq.heapify(free)
        waiting, end = list(self.cells), self.start
        while waiting:
            at, worker = heapq.heappop(free)
            most, taken = max(1, len(waiting) // (_SHARE * workers)), 0.0
            for _ in range(most):
                taken += waiting.pop(0)
                if taken > _PIECE_SECONDS or not waiting:
                    break
            heapq.heappush(free, (at + taken, worker))
            end = max(end, at + taken)
        return end


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        one, seconds = grid(Path(folder), 1, options.seeds)
        two, _ = grid(Path(folder), 2, options.seeds)
    start = start_seconds()
    around = max(one - start - sum(seconds), 0.0) / len(seconds)
    sweep = Sweep([own + around for own in seconds], start)
    print(f"{len(seconds)} cells: {1000 * np.mean(seconds):.0f} ms a fit, {1000 * around:.0f} ms "
          f"around it, {start:.1f} s to start")  # fmt: skip
    for workers, took in ((1, one), (2, two)):
        print(f"{workers} workers: {took:.1f} s, by the model {sweep.makespan(workers):.1f} s")
    for workers in NODES:
        whole = Sweep(sweep.cells * 100, start).makespan(workers)
        print(f"{workers} workers, 100 such grids: {whole:.0f} s by the model, "
              f"{100 * sum(sweep.cells) / (workers * whole):.0%} of them busy")  # fmt: skip
    rate = flops()
    print(f"{rate / 1e9:.0f} GFLOP/s in a product of float32 matrices, one thread")
    for n, weights in ((10**6, 10**6), (10**9, 10**6), (10**9, 10**9), (10**9, 10**12)):
        for nodes in (1, *NODES):
            print(step(n, weights, nodes, rate))


def grid(folder: Path, workers: int, n_seeds: int) -> tuple[float, list[float]]:
    """Run a grid; return seconds in all, and of each cell."""
    out = folder / str(workers)
    words = ["run", "--task", "planted", "--method", "aiht", "splice", "--hidden", "5", "8",
             "--nnz", "5", "10", "--seeds", *map(str, range(n_seeds)), "--n-samples", "500",
             "--n-features", "20", "--n-test", "100", "--format", "json", "--out", str(out),
             "--workers", str(workers)]  # fmt: skip
    start = time.monotonic()
    _run(*words)
    seconds = time.monotonic() - start
    rows = [json.loads(path.read_bytes()) for path in sorted((out / "rows").iterdir())]
    return seconds, [row["seconds"] for row in rows]


def start_seconds() -> float:
    """Return how long a run of one small cell takes: what every worker spends before its first."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        _run("run", "--task", "planted", "--n-samples", "10", "--n-features", "2", "--n-test", "0",
             "--hidden", "1", "--nnz", "1", "--epochs", "1", "--out", folder)  # fmt: skip
        return time.monotonic() - start


def _run(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "sparsefit", *words], env=environment, check=True,
                   capture_output=True)  # fmt: skip


def flops() -> float:
    """Return how many operations a second a product of tiles does, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    a, b = torch.randn(128, 2048), torch.randn(2048, 1000)
    a @ b
    start, count = time.monotonic(), 50
    for _ in range(count):
        a @ b
    seconds = time.monotonic() - start
    torch.set_num_threads(threads)
    return 2 * 128 * 2048 * 1000 * count / seconds


def step(n: int, weights: int, nodes: int, rate: float, d: int = 1000, s: int = 1000) -> str:
    """Say what a step of AIHT takes that looks at all gates and weights; see docs/scaling.md."""
    own = n / nodes
    compute = 4 * own * weights / rate
    read = 4 * own * d
    # Each process gets pieces of the others, and sums of pieces: twice the gradient, tile by tile.
    sent = 8 * weights * (nodes - 1) / nodes
    held = 4 * (6 * own + 2 * s) + 12 * 128 * d
    return (f"n {n:.0e}, {weights:.0e} weights, {nodes:4} nodes: computes {compute:.1e} s, "
            f"reads {read:.1e} B, receives {sent:.1e} B ({sent / _LINK:.1e} s), "
            f"holds {held:.1e} B")  # fmt: skip


if __name__ == "__main__":
    main()
