"""What is disturbed: command lines, and how to tell that they have ended well."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sparsefit import Network
from sparsefit.core.layer import Layer
from sparsefit.predictor import Column, Predictor

SOURCE = Path(__file__).parents[2] / "src"
_MEASURED = ("seconds", "peak_mb")
# Files that were begun and not ended.
LEFTOVER = ".*.tmp"


@dataclass(frozen=True)
class Job:
    """A command that is killed, and then run again to its end.

    Attributes
    ----------
    name : str
    words : list of str
        Of the command line; run in a folder of its own.
    result : callable
        From that folder to what must be equal, however often the command was killed.
    outlives : bool
        Whether what the command started goes on without it, as Slurm jobs do.
    """

    name: str
    words: list[str]
    result: Callable[[Path], dict[str, str]]
    outlives: bool = False

    @property
    def command(self) -> list[str]:
        """All words of the command."""
        return [sys.executable, "-m", "sparsefit", *self.words]

    @property
    def environment(self) -> dict[str, str]:
        """What the command is run with."""
        return {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}


def sweep_result(folder: Path) -> dict[str, str]:
    """Return rows without what was measured, and networks, by name."""
    found = {}
    for path in sorted((folder / "runs" / "rows").glob("*.json")):
        row = json.loads(path.read_bytes())
        found[path.name] = json.dumps({k: v for k, v in row.items() if k not in _MEASURED})
    return found | _digests(folder / "runs" / "networks")


def _digests(folder: Path) -> dict[str, str]:
    # What a killed process has begun is no result: the campaign counts it as left over.
    begun = set(folder.rglob(LEFTOVER))
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path not in begun)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
    }


def _fit_result(folder: Path) -> dict[str, str]:
    return {k: v for k, v in _digests(folder / "out").items() if k.endswith(".safetensors")}


def _study_result(folder: Path) -> dict[str, str]:
    # The time of an epoch is measured.
    return {k: v for k, v in _digests(folder / "study").items() if k.endswith(".safetensors")}


def prepare(folder: Path) -> None:
    """Write what the commands read."""
    lines = [
        f"{i % 7},{(i * i) % 5},{i % 3},{2 * (i % 7) + max((i * i) % 5 - 2, 0)}" for i in range(400)
    ]
    (folder / "table.csv").write_text("\n".join(["a,b,c,y", *lines]) + "\n")
    (folder / "study.toml").write_text("epochs = 6\nsteps_per_epoch = 60\nhidden = 16\n")
    (folder / "out").mkdir()
    columns = tuple(Column(name=name) for name in "abc")
    network = Network((Layer(np.arange(12.0).reshape(3, 4)), Layer(np.ones((4, 1)))))
    Predictor(network=network, columns=columns, targets=("y",)).save(folder / "good.safetensors")


_GRID = [
    "run", "--task", "planted", "--method", "aiht", "splice", "--hidden", "5", "8",
    "--nnz", "5", "10", "--seeds", "0", "1", "2", "--n-samples", "200", "--n-features", "10",
    "--n-test", "50", "--epochs", "20", "--format", "json",
]  # fmt: skip
_LOCAL = ["--address", "local", "--workers", "2"]
JOBS = [
    Job("sweep", _GRID, sweep_result),
    Job("sweep, 2 workers", [*_GRID, "--workers", "2"], sweep_result),
    Job("sweep, Dask", [*_GRID, "--engine", "dask", *_LOCAL], sweep_result),
    Job("sweep, Slurm jobs", [*_GRID, "--engine", "slurm", *_LOCAL], sweep_result, outlives=True),
    Job("fit", ["fit", "table.csv", "--target", "y", "--out", "out/m.safetensors", "--force"],
        _fit_result),
    Job("export", ["export", "good.safetensors", "--to", "c", "--out", "out/m.h", "--force"],
        lambda folder: _digests(folder / "out")),
    Job("train", ["train", "study.toml", "--out", "study"], _study_result),
]  # fmt: skip
