"""Rows beyond memory, and weights beyond memory: the peak of a process, and what it finds.

    python benchmarks/beyond.py [--gigabytes 20] [--columns 500] [--memory 500MB] [--wide 1000000]

Rows are one shard of a planted network that is there many times (by links), so that the disk need
not hold them all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0

TOY = ["--gigabytes", "0.002", "--columns", "10", "--memory", "1MB", "--wide", "200", "--no-fit",
       "--shard-rows", "2000", "--wide-rows", "300", "--wide-methods", "aiht"]  # fmt: skip
SOURCE = Path(__file__).parents[1] / "src"
_UNITS, _EACH = 4, 3
# A planted network of some units among very many.
_WIDE = '''
from dataclasses import dataclass
from typing import ClassVar
import numpy as np
from scipy import sparse
from sparsefit import Network, Problem
from sparsefit.core.layer import Layer
from sparsefit.core.options import option
from sparsefit.tasks import Task

@dataclass(frozen=True, kw_only=True)
class Wide(Task):
    """Units of ten weights each, at places drawn among all."""
    name: ClassVar[str] = "wide"
    n: int = option(20000, "rows")
    d: int = option(1000, "inputs")
    units: int = option(100, "planted units")

    def load(self, setting, nnz):
        rng = np.random.default_rng(setting.seed)
        X = rng.normal(size=(self.n + 1000, self.d)).astype(np.float32)
        each = min(10, self.d)
        at = np.concatenate([rng.choice(self.d, each, replace=False) for _ in range(self.units)])
        unit = np.sort(rng.choice(setting.hidden, self.units, replace=False)).repeat(each)
        shape = (self.d, setting.hidden)
        weight = sparse.csc_array((rng.normal(size=len(at)), (at, unit)), shape=shape)
        truth = Network((Layer(weight),), fused=True)
        y = truth.predict(X).astype(np.float32)
        return Problem(X[:self.n], y[:self.n], X_test=X[self.n:], y_test=y[self.n:], truth=truth,
                       peak=float(np.abs(y).max()))
'''


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=20)
    parser.add_argument("--columns", type=int, default=500)
    parser.add_argument("--shard-rows", type=int, default=250_000)
    parser.add_argument("--memory", default="500MB")
    parser.add_argument("--methods", nargs="*", default=["aiht"])
    parser.add_argument("--epochs", default="2")
    parser.add_argument("--wide", type=int, default=1_000_000, help="hidden units; 0 for none")
    parser.add_argument("--wide-methods", nargs="*", default=["aiht", "splice"])
    parser.add_argument("--fit", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--wide-rows", type=int, default=20_000)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.gigabytes:
            n_shards = write_shards(folder, options.gigabytes, options.shard_rows, options.columns)
            print(f"{n_shards} shards of {options.shard_rows} rows, {options.columns} inputs")
            words = ["--memory", options.memory, "--nnz", "12", "--hidden", "4"]
            target = ["--target", str(options.columns)]
            if options.fit:
                measure(folder, "fit", "shards", *target, *words, "--out", "m.safetensors",
                        "--format", "json")  # fmt: skip
            for method in options.methods:
                measure(folder, "run", "--task", "table", "--file", "shards", "--method", method,
                        "--epochs", options.epochs, *words, "--format", "json")  # fmt: skip
        if options.wide:
            (folder / "wide.py").write_text(_WIDE)
            units = min(100, options.wide // 2)
            words = ["--task", "wide.py", "--hidden", str(options.wide), "--n",
                     str(options.wide_rows), "--units", str(units), "--nnz", str(10 * units),
                     "--format", "json"]  # fmt: skip
            effort = {"aiht": ["--epochs", "1"], "splice": ["--restarts", "0"]}
            for method in options.wide_methods:
                measure(folder, "run", *words, "--method", method, *effort[method])


def write_shards(folder: Path, gigabytes: float, n_rows: int, n_columns: int) -> int:
    """Write a shard, and as many links to it as make so many gigabytes; return how many."""
    rng = np.random.default_rng(0)
    weights = np.zeros((n_columns, _UNITS))
    for unit in range(_UNITS):
        weights[rng.choice(n_columns, _EACH, replace=False), unit] = rng.normal(size=_EACH)
    shard, shards = folder / "shard.npy", folder / "shards"
    with shard.open("wb") as file:
        shape = (n_rows, n_columns + 1)
        write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for start in range(0, n_rows, 20_000):
            X = rng.normal(size=(min(20_000, n_rows - start), n_columns)).astype("<f4")
            y = np.maximum(X @ weights, 0).sum(axis=1)
            np.column_stack([X, y]).astype("<f4").tofile(file)
    shards.mkdir()
    count = max(2, round(gigabytes * 1e9 / shard.stat().st_size))
    for number in range(count):
        (shards / f"{number:05}.npy").symlink_to(shard)
    return count


def measure(folder: Path, *words: str) -> None:
    """Run a command, and print its time, its peak and its score."""
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "sparsefit", *words], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as stream:
        out = stream.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    what = " ".join(word for word in (words[0], *_after("--method", words)))
    print(f"{what:12} {time.monotonic() - start:6.0f} s, peak {usage.ru_maxrss / 1e3:.0f} MB, "
          f"exit {process.returncode}: {_score(out)}")  # fmt: skip


def _after(flag: str, words: Sequence[str]) -> list[str]:
    return [words[words.index(flag) + 1]] if flag in words else []


def _score(out: str) -> str:
    for line in out.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            if "scores" in found:
                return f"R2 {found['scores'][0]['score']:.3f}"
            return f"{found['metric']} {found['value']}, exact {found['exact']}"
    return ""


if __name__ == "__main__":
    main()
