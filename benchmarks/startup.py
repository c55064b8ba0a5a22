"""Time to the first result and to the first line of help, whole processes.

python benchmarks/startup.py
"""

import subprocess
import sys
import tempfile
import time

COMMANDS = {
    "first result": (
        "run --task planted --method aiht --hidden 10 --nnz 20 --format json --out {folder}", 6.0
    ),
    "sparsefit --help": ("--help", 0.7),
    "sparsefit run --help": ("run --help", 0.7),
    "sparsefit reproduce --help": ("reproduce --help", 0.7),
}  # fmt: skip


def main() -> None:
    for name, (command, goal) in COMMANDS.items():
        times = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as folder:
                words = command.format(folder=folder).split()
                start = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-m", "sparsefit", *words], capture_output=True, check=True
                )
                times.append(time.perf_counter() - start)
        print(f"{name}: {sorted(times)[1]:.2f} s, median of 3 (goal: below {goal:g})")


if __name__ == "__main__":
    main()
