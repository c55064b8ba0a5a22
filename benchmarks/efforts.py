"""How long cells take: makes the table that progress and dry runs start from.

    python benchmarks/efforts.py [--recipes demo figure1 ...] [--folder efforts]
        [--data-dir mnist] [--out src/sparsefit/experiments/efforts.json]

Runs recipes at scale tiny, one cell at a time, and goes on from what is in the folder. For each
method the logarithm of the seconds is then fitted as a linear function of the logarithms of the
sizes of a cell, with a constant for each task; exponents are drawn to
usual ones. Prints by which factor the fitted time of a cell is off, in the middle and at the 90th
percentile.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparsefit import Setting, find_method, find_task
from sparsefit.experiments.effort import SIZES, sizes_of, variant_of
from sparsefit.experiments.recipe import find_recipe
from sparsefit.experiments.run import run_cells
from sparsefit.experiments.spec import Cell
from sparsefit.experiments.store import Store

TOY = ["--recipes", "figure1", "--at-most", "2", "--out", "efforts.json"]
RECIPES = (
    "demo", "figure1", "figure2", "figure4", "recovery", "compare", "classify", "phase", "masks"
)  # fmt: skip
# What exponents are where nothing is known, and how many cells that counts as.
_USUAL = {"hidden": 0.4, "nnz": 0.2, "layers": 0.5, "rows": 0.7, "epochs": 0.8}
_PRIOR = 3.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the cells, fit and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--folder", type=Path, default=Path("efforts"))
    parser.add_argument("--out", type=Path, default=Path("src/sparsefit/experiments/efforts.json"))
    parser.add_argument("--data-dir", help="folder with the files of MNIST")
    parser.add_argument("--at-most", type=int, help="cells of a recipe")
    options = parser.parse_args(arguments)
    by_method: dict[str, list[tuple[str, list[float], float]]] = defaultdict(list)
    rows = []
    for name in options.recipes:
        cells = find_recipe(name).cells("tiny", data_dir=options.data_dir)[: options.at_most]
        rows += run_cells(cells, Store(options.folder / name))
    for row in rows:
        if row["value"] is None or not row["seconds"]:
            continue
        cell = _cell(row)
        sizes = sizes_of(cell)
        entry = variant_of(cell), [sizes[name] for name in SIZES], float(np.log(row["seconds"]))
        by_method[row["method"]].append(entry)
    table = {name: _fitted(name, entries) for name, entries in sorted(by_method.items())}
    options.out.write_text(json.dumps({"methods": table}, indent=1) + "\n")


def _cell(row: dict[str, Any]) -> Cell:
    """Return a cell of the sizes of a row."""
    task = _make(find_task(row["task"]), row["task_options"])
    method = _make(find_method(row["method"]), row["method_options"])
    setting = Setting(hidden=row["hidden"], layers=row["layers"])
    return Cell(task, method, setting, row["nnz"])


def _make(cls: Any, options: dict[str, Any]) -> Any:
    return cls(**{name: tuple(v) if isinstance(v, list) else v for name, v in options.items()})


def _fitted(name: str, entries: list[tuple[str, list[float], float]]) -> dict[str, Any]:
    tasks = sorted({task for task, _, _ in entries})
    sizes = np.array([own for _, own, _ in entries])
    y = np.array([seconds for _, _, seconds in entries])
    of_task = np.array([[task == other for other in tasks] for task, _, _ in entries], dtype=float)
    # Within tasks: what is the same in all cells of a task says nothing of an exponent.
    centred = sizes - of_task @ (of_task.T @ sizes / of_task.sum(axis=0)[:, None])
    away = y - of_task @ (of_task.T @ y / of_task.sum(axis=0))
    usual = np.array([_USUAL[name] for name in SIZES])
    H = centred.T @ centred + _PRIOR * np.eye(len(SIZES))
    slopes = np.linalg.solve(H, centred.T @ away + _PRIOR * usual)
    # Pruning to fewer weights takes more rounds; more of the rest never takes less time.
    slopes = np.where([name == "nnz" for name in SIZES], slopes, slopes.clip(min=0))
    rest = y - sizes @ slopes
    starts = {task: float(np.mean(rest[of_task[:, at] > 0])) for at, task in enumerate(tasks)}
    off = np.exp(abs(rest - [starts[task] for task, _, _ in entries]))
    print(f"{name}: {len(y)} cells, off by {np.median(off):.2f}, {np.quantile(off, 0.9):.2f}")
    return {
        "start": round(float(np.mean(list(starts.values()))), 3),
        "tasks": {task: round(value, 3) for task, value in starts.items()},
        "slopes": {key: round(float(v), 3) for key, v in zip(SIZES, slopes, strict=True) if v},
    }


if __name__ == "__main__":
    main()
