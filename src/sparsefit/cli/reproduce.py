"""``sparsefit reproduce``: a recipe of the package, then its figures."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sparsefit.cli._flags import filled, integers
from sparsefit.cli.run import FORMATS, MOST_WORKERS
from sparsefit.experiments.recipe import SCALES, find_recipe, list_recipes

EXAMPLE = "Example: sparsefit reproduce figure1 --scale tiny"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "reproduce",
        help="run the sweeps of a figure of the paper, and draw it",
        description="Run the sweeps of a figure of 'A Recovery Guarantee for Sparse Neural "
        "Networks', or of another recipe, and draw it. What is there already is not computed "
        "again.",
        epilog=EXAMPLE,
    )
    parser.add_argument("recipe", metavar="RECIPE", help=", ".join(list_recipes()))
    parser.add_argument(
        "--scale", choices=SCALES, default="tiny",
        help="tiny: two minutes (the default); small: twenty; paper: the grid of the paper",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=filled("out", Path), metavar="DIR",
        help="results folder (default runs/RECIPE-SCALE)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=integers("workers", 1, MOST_WORKERS), default=_n_cores(), metavar="N",
        help="cells computed at a time (default: as many as cores)",
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, help="what to print, as in sparsefit run")
    parser.add_argument(
        "--data-dir", type=filled("data_dir", str), metavar="DIR",
        help="folder with the files of the tasks",
    )  # fmt: skip
    parser.add_argument("--device", metavar="DEVICE", help="cpu (the default), cuda, cuda:N, mps")
    parser.set_defaults(handler=reproduce)


def _n_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def reproduce(arguments: argparse.Namespace) -> int:
    """Run the cells, then draw what has a result; 1 if a cell failed, else 0."""
    from sparsefit.cli._sweep import exit_code, note, run_sweep
    from sparsefit.figures.draw import draw_all

    recipe = find_recipe(arguments.recipe)
    setting = {"device": arguments.device} if arguments.device else {}
    cells = recipe.cells(arguments.scale, data_dir=arguments.data_dir, setting=setting)
    out = arguments.out or Path("runs") / f"{recipe.name}-{arguments.scale}"
    rows = run_sweep(cells, out=out, workers=arguments.workers, format=arguments.format)
    paths = draw_all(
        out,
        score=recipe.score,
        threshold=recipe.threshold,
        data_dir=arguments.data_dir,
        on_note=lambda text: note(f"note: {text}"),
    )
    note(f"{recipe.title}: {len(paths)} figures in {paths[0].parent}")
    return exit_code(rows)
