"""Time to the first result and to the first line of help, whole processes.

python benchmarks/startup.py [--repeats 3] [--commands "first result" ...]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

TOY = ["--repeats", "1", "--commands", "sparsefit --help"]
COMMANDS = {
    "first result": (
        "run --task planted --method aiht --hidden 10 --nnz 20 --format json --out {folder}", 6.0
    ),
    "sparsefit --help": ("--help", 0.7),
    "sparsefit run --help": ("run --help", 0.7),
    "sparsefit reproduce --help": ("reproduce --help", 0.7),
}  # fmt: skip


def seconds_of(command: str) -> float:
    """Return the time of one process, with a new folder for its results."""
    with tempfile.TemporaryDirectory() as folder:
        words = command.format(folder=folder).split()
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "sparsefit", *words], capture_output=True, check=True)
        return time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    args = parser.parse_args(argv)
    for name in args.commands:
        command, goal = COMMANDS[name]
        median = statistics.median(seconds_of(command) for _ in range(args.repeats))
        print(f"{name}: {median:.2f} s, median of {args.repeats} (goal: below {goal:g})")


if __name__ == "__main__":
    main()
