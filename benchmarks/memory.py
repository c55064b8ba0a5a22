"""Peak memory of one AIHT epoch over 2e8 candidate weights, in a process of its own.

python benchmarks/memory.py
"""

import json
import subprocess
import sys
import tempfile

COMMAND = (
    "-m sparsefit run --task planted --method aiht --epochs 1 --format json --dtype {dtype} "
    "--hidden 200000 --n-features 1000 --n-samples 2000 --nnz 500 --threads 2"
)


def main() -> None:
    for dtype in ("float32", "float64"):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, *COMMAND.format(dtype=dtype).split(), "--out", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout)
        print(
            f"m = 200000, d = 1000, n = 2000, s = 500, {dtype}: "
            f"one epoch in {row['seconds']:.0f} s, peak {row['peak_mb']:.0f} MB with torch "
            "(goal: below 900)"
        )


if __name__ == "__main__":
    main()
