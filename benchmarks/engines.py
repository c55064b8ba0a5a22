"""One grid by every engine: the same rows and networks, and no cell computed twice.

    python benchmarks/engines.py [--seeds 10] [--engines one two shards runs dask slurm] [--tiny 0]

``shards`` are three parts of the grid at once, ``runs`` two runs of all of it at once. With
``--tiny N`` it prints what N small cells cost over their fits, and figures and a report of them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TOY = ["--seeds", "1", "--engines", "runs", "--tiny", "3"]
SOURCE = Path(__file__).parents[1] / "src"
# A method that notes each network that it fits.
_COUNTED = '''
import os
from dataclasses import dataclass
from typing import ClassVar
from sparsefit.methods.aiht import AcceleratedIHT

@dataclass(frozen=True, kw_only=True)
class Counted(AcceleratedIHT):
    """AIHT, and a line for each network."""
    name: ClassVar[str] = "counted"
    aliases: ClassVar[tuple[str, ...]] = ()
    def fit(self, problem, nnz, setting):
        with open(os.environ["COUNTED"], "a") as file:
            file.write(f"{setting.hidden} {nnz} {setting.seed}\\n")
        return super().fit(problem, nnz, setting)
'''
_SMALL = ["--n-features", "10", "--n-samples", "100", "--n-test", "100", "--format", "json"]
_LOCAL = ["--address", "local", "--workers", "2"]
ENGINES: dict[str, list[list[str]]] = {
    "one": [[]],
    "two": [["--workers", "2"]],
    "shards": [["--shard", f"{k}/3"] for k in range(3)],
    "runs": [[], []],
    "dask": [["--engine", "dask", *_LOCAL]],
    "slurm": [["--engine", "slurm", *_LOCAL]],
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--tiny", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "counted.py").write_text(_COUNTED)
        expected = None
        for engine in options.engines:
            seconds, found, n_fits = _grid(folder, engine, options.seeds)
            expected = expected or found
            same = "the same" if found == expected else "OTHER results"
            print(f"{engine:7} {seconds:6.1f} s, {len(found) // 2} cells, {n_fits} fits, {same}")
        if options.tiny:
            _tiny(folder, options.tiny)


def _grid(folder: Path, engine: str, n_seeds: int) -> tuple[float, dict[str, str], int]:
    """Run the grid; return seconds, what came out by name, and how many networks were fitted."""
    counts, start = folder / f"{engine}.counts", time.monotonic()
    words = [
        "run", "--task", "planted", "--method", "counted.py", "--hidden", "5", "8", "10", "12",
        "--nnz", "3", "5", "8", "10", "15", "20", "--seeds", *map(str, range(n_seeds)),
        "--epochs", "10", *_SMALL, "--out", engine,
    ]  # fmt: skip
    environment = _environment(COUNTED=str(counts))
    runs = [
        subprocess.Popen(_sparsefit(*words, *more), cwd=folder, env=environment,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for more in ENGINES[engine]
    ]  # fmt: skip
    for run in runs:
        _, err = run.communicate()
        assert run.returncode == 0, err.decode()
    seconds = time.monotonic() - start
    return seconds, _results(folder / engine), len(counts.read_text().splitlines())


def _results(folder: Path) -> dict[str, str]:
    """Return rows without what was measured, and digests of networks."""
    found = {}
    for path in (folder / "rows").iterdir():
        row = json.loads(path.read_bytes())
        found[path.stem] = json.dumps(row | {"seconds": None, "peak_mb": None})
    for path in (folder / "networks").iterdir():
        found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _tiny(folder: Path, count: int) -> None:
    """Print what small cells cost with two workers, and pictures and a page of all."""
    words = ["run", "--task", "planted", "--method", "aiht", "--hidden", "5", "--nnz", "5",
             "--seeds", *map(str, range(count)), "--epochs", "2", *_SMALL, "--out", "tiny",
             "--workers", "2"]  # fmt: skip
    seconds = _timed(folder, *words)
    rows = [json.loads(path.read_bytes()) for path in (folder / "tiny" / "rows").iterdir()]
    fits = sum(row["seconds"] for row in rows)
    print(f"{count} small cells, 2 workers: {1000 * seconds / count:.1f} ms each, "
          f"{1000 * fits / count:.1f} of them the fit; by core "
          f"{1000 * (2 * seconds - fits) / count:.1f} ms over it")  # fmt: skip
    for command in ("figures", "report"):
        print(f"{command} of them: {_timed(folder, command, 'tiny'):.1f} s")


def _timed(folder: Path, *words: str) -> float:
    start = time.monotonic()
    subprocess.run(
        _sparsefit(*words), cwd=folder, env=_environment(), check=True, capture_output=True
    )
    return time.monotonic() - start


def _sparsefit(*words: str) -> list[str]:
    return [sys.executable, "-m", "sparsefit", *words]


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", **more}


if __name__ == "__main__":
    main()
