"""Run Python in a process of its own, or in two that torchrun starts."""

import os
import subprocess
import sys
from pathlib import Path

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
SOURCE = Path(__file__).parents[1] / "src"


def run(folder, *words):
    """Return what Python prints with these words; it must end well."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
