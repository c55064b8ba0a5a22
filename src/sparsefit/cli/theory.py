"""``sparsefit theory``: what recovery theorems look at, over a whole sweep, against success."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparsefit.cli._flags import Commands, OptionFlags
from sparsefit.cli._say import ending
from sparsefit.core.files import writing
from sparsefit.core.options import Options, like
from sparsefit.figures import Format
from sparsefit.figures.options import FigureOptions

if TYPE_CHECKING:
    from sparsefit.experiments.store import Row

# What tells cells apart, what was measured, and what came out.
_COLUMNS = (
    "task", "method", "hidden", "layers", "nnz", "n", "seed", "alpha", "beta", "ratio",
    "least_share", "nearest", "value", "exact", "run_id",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TheoryOptions(Options):
    """What ``sparsefit theory`` is told."""

    format: tuple[Format, ...] = like(FigureOptions, "format")
    data_dir: str | None = like(
        FigureOptions, "data_dir", help="folder with the files of the task, if it was given one"
    )


_FLAGS = OptionFlags([TheoryOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "theory",
        help="measure what recovery theorems look at on all true networks of a folder",
        description="Make the problems of a results folder again, and measure at their true "
        "networks the extreme eigenvalues of the support's Gram matrix and their ratio, on which "
        "share of the rows units are active, and how near two patterns are. Writes theory.csv and "
        "a picture of all scores against each of these.",
        epilog="See 'Diagnosis' in docs/maths.md; 'sparsefit diagnose' is for one result.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="results folder")
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=measure)


def measure(arguments: argparse.Namespace) -> int:
    """Measure, write both files and print their paths."""
    import matplotlib

    from sparsefit.core.progress import show_progress
    from sparsefit.experiments.store import load_rows
    from sparsefit.experiments.theory import with_theory
    from sparsefit.figures._style import SETTINGS, save
    from sparsefit.figures.theory import success_by_theory

    folder, options = arguments.folder, _FLAGS.make(TheoryOptions, arguments)
    with show_progress(1, "share", lines=True) as report:
        rows = with_theory(load_rows(folder), options.data_dir, report)
    table = folder / "theory.csv"
    _write(table, rows)
    with matplotlib.rc_context(SETTINGS):
        (folder / "figures").mkdir(exist_ok=True)
        paths = save(success_by_theory(rows), folder / "figures" / "theory", options.format)
    for path in (table, *paths):
        print(path)
    n_exact = sum(bool(row["exact"]) for row in rows)
    ending(f"{len(rows)} results with a true network, {n_exact} exact", ("figures", folder))
    return 0


def _write(path: Path, rows: Sequence[Row]) -> None:
    with writing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
