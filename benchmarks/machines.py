"""Rows over processes: torchrun with 2 and 3 of them, beside one.

python benchmarks/machines.py [--methods aiht splice imp] [--seeds 3] [--rows 3000]
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

from sparsefit import Network

TOY = ["--methods", "aiht", "--seeds", "1", "--rows", "200", "--processes", "2"]
SOURCE = Path(__file__).parents[1] / "src"
EPOCHS = {"aiht": "40", "fisher-gmp": "30", "imp": "40"}
METHODS = ("aiht", "htp", "subspace-pursuit", "omp", "splice", "fisher-gmp", "imp")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--processes", nargs="*", type=int, default=[2, 3])
    options = parser.parse_args(arguments)
    print("method, processes, seconds, supports that are equal, largest difference in dB")
    with tempfile.TemporaryDirectory() as folder:
        for method in options.methods:
            seconds, alone = run(Path(folder), method, 1, options.seeds, options.rows)
            print(f"{method:17} 1 {seconds:6.1f}")
            for count in options.processes:
                seconds, found = run(Path(folder), method, count, options.seeds, options.rows)
                equal = sum(_support(alone[k][1]) == _support(found[k][1]) for k in alone)
                off = max(abs(alone[k][0] - found[k][0]) for k in alone)
                print(f"{method:17} {count} {seconds:6.1f} {equal} of {len(alone)} {off:.3f}")


def run(
    folder: Path, method: str, processes: int, n_seeds: int, n_rows: int
) -> tuple[float, dict[int, tuple[float, Network]]]:
    """Run a method; return seconds, and by seed its score and network."""
    out = folder / f"{method}{processes}"
    words = [
        "-m", "sparsefit", "run", "--task", "planted", "--method", method, "--hidden", "5",
        "--nnz", "12", "--seeds", *map(str, range(n_seeds)), "--n-features", "20",
        "--n-samples", str(n_rows), "--n-test", "500", "--format", "json", "--out", str(out),
        *(["--epochs", EPOCHS[method]] if method in EPOCHS else []),
    ]  # fmt: skip
    start = time.monotonic()
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
        launcher += [str(processes)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    subprocess.run([*launcher, *words], env=environment, check=True, capture_output=True)
    seconds = time.monotonic() - start
    rows = [json.loads(path.read_bytes()) for path in (out / "rows").iterdir()]
    networks = {row["seed"]: out / "networks" / f"{row['run_id']}.safetensors" for row in rows}
    return seconds, {row["seed"]: (row["value"], Network.load(networks[row["seed"]]))
                     for row in rows}  # fmt: skip


def _support(network: Network) -> list[bytes]:
    parts = [(layer.weight.indptr, layer.weight.indices) for layer in network.layers]
    return [np.asarray(part).tobytes() for pair in parts for part in pair]


if __name__ == "__main__":
    main()
