"""Held-out score against stored numbers and against time, beside other models.

    pip install -r benchmarks/front/requirements.txt
    pip install --no-deps -r benchmarks/front/without_needs.txt
    python -m benchmarks.front [--jobs 2] [--folds 10] [--limit 600] [--tables ...] [--models ...]
    python -m benchmarks.front --summary

What was measured is appended to a file, and not measured again; `--summary` prints ranks, wins and
losses of what is there, and draws the picture. CPU seconds of one thread, imports not counted.
Folds come one after the other, so that a run that is stopped has measured all tables.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from benchmarks.front import cells, peers, tables
from benchmarks.front.cells import Cell
from benchmarks.front.picture import draw
from benchmarks.front.summary import report

HERE = Path(__file__).parent
COLUMNS = ("table", "fold", "model", "score", "numbers", "seconds", "failure")
TOY = [
    "--tables", "diabetes", "--models", "sparsefit 10", "boosting", "--folds", "2", "--jobs", "1",
    "--out", "results.csv", "--picture", "front.png",
]  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Measure what is not in the file, and sum it up."""
    there, (models, missing) = dict(tables.names()), peers.find()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=there, default=list(there))
    parser.add_argument("--models", nargs="+", choices=models, default=list(models))
    parser.add_argument("--folds", type=int, default=tables.N_FOLDS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=600, help="seconds for a cell")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="for all of it")
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    parser.add_argument("--picture", type=Path, default=Path("docs/images/front.png"))
    parser.add_argument("--summary", action="store_true", help="measure nothing")
    args = parser.parse_args(argv)
    deadline = time.monotonic() + 60 * args.minutes
    for peer, package in missing.items():
        print(f"{peer} is left out: {package} is not installed")
    if not args.summary:
        torch.set_num_threads(1)
        wanted = [
            Cell(table, fold, model)
            for fold in range(args.folds) for table in args.tables for model in args.models
        ]  # fmt: skip
        done = {Cell(t, int(f), m) for t, f, m in read(args.out)[["table", "fold", "model"]].values}
        left = [cell for cell in wanted if cell not in done]
        write(args.out, cells.run(
            left, there, models, jobs=args.jobs, limit=args.limit, deadline=deadline,
        ))  # fmt: skip
    rows = read(args.out)
    print(report(rows))
    draw(rows, args.picture)


def read(path: Path) -> pd.DataFrame:
    """Return what was measured."""
    if not path.exists():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype={"failure": "str"})


def write(path: Path, found: Iterable[dict[str, Any]]) -> None:
    """Append rows as they come."""
    is_new = not path.exists()
    with path.open("a", newline="", buffering=1) as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        for row in found:
            writer.writerow(row)


if __name__ == "__main__":
    main()
