"""Peak memory of one AIHT epoch over 2e8 candidate weights, in a process of its own.

python benchmarks/memory.py [--hidden 200000] [--n-features 1000] [--n-samples 2000]
[--nnz 500] [--dtypes float32 float64]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence

TOY = [
    "--hidden", "10", "--n-features", "5", "--n-samples", "20", "--nnz", "5", "--dtypes", "float32",
]  # fmt: skip
COMMAND = (
    "-m sparsefit run --task planted --method aiht --epochs 1 --format json --dtype {dtype} "
    "--hidden {hidden} --n-features {n_features} --n-samples {n_samples} --nnz {nnz} --threads 2"
)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name, default in {
        "hidden": 200_000, "n-features": 1000, "n-samples": 2000, "nnz": 500,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    dtypes = ["float32", "float64"]
    parser.add_argument("--dtypes", nargs="+", choices=dtypes, default=dtypes)
    args = parser.parse_args(argv)
    for dtype in args.dtypes:
        with tempfile.TemporaryDirectory() as folder:
            words = COMMAND.format(dtype=dtype, **vars(args)).split()
            command = [sys.executable, *words, "--out", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout)
        print(
            f"m = {args.hidden}, d = {args.n_features}, n = {args.n_samples}, s = {args.nnz}, "
            f"{dtype}: one epoch in {row['seconds']:.0f} s, peak {row['peak_mb']:.0f} MB with "
            "torch (goal: below 900)"
        )


if __name__ == "__main__":
    main()
