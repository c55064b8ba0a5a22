"""``sparsefit reproduce``: a recipe of the package, then its figures."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path

from sparsefit.cli._flags import KEPT, Commands, OptionFlags, SweepFormat
from sparsefit.cli._say import ending, note
from sparsefit.cli.run import ResultOptions
from sparsefit.core.options import FOLDER, Options, like, option
from sparsefit.core.setting import Setting
from sparsefit.experiments.engines import EngineOptions
from sparsefit.experiments.recipe import Scale, find_recipe, list_recipes
from sparsefit.figures.options import FigureOptions

EXAMPLE = "Example: sparsefit reproduce figure1 --scale tiny"


@dataclass(frozen=True, kw_only=True)
class ReproduceOptions(Options):
    """What ``sparsefit reproduce`` is told."""

    scale: Scale = option("tiny", "tiny: two minutes; small: twenty; paper: the grid of the paper")
    out: Path | None = option(None, "results folder (default runs/RECIPE-SCALE)", check=FOLDER)
    workers: int | None = like(
        EngineOptions, "workers", default=None,
        help="cells computed at a time (default: as many as cores)",
    )  # fmt: skip
    seeds: tuple[int, ...] = like(
        Setting, "seed", default=(), help="random seeds (default: those of the recipe)"
    )
    method: tuple[str, ...] = option((), "only these methods of the recipe")
    shard: str | None = like(ResultOptions, "shard")
    dry_run: bool = like(ResultOptions, "dry_run")
    format: SweepFormat | None = like(
        ResultOptions, "format", help="what to print, as in sparsefit run"
    )
    data_dir: str | None = like(
        FigureOptions, "data_dir", help="folder with the files of the tasks"
    )
    device: str | None = like(
        Setting, "device", default=None, help="torch device: cpu (the default), cuda, cuda:N or mps"
    )


_FLAGS = OptionFlags([ReproduceOptions, EngineOptions])


def add_parser(subparsers: Commands) -> None:
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
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=reproduce, kept=KEPT)


def _n_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def reproduce(arguments: argparse.Namespace) -> int:
    """Run the cells, then draw what has a result; 1 if a cell failed, else 0."""
    from sparsefit.cli._sweep import exit_code, plan, run_sweep
    from sparsefit.experiments.spec import shard
    from sparsefit.figures.draw import draw_all
    from sparsefit.pages import write_sweep_report

    recipe, options = find_recipe(arguments.recipe), _FLAGS.make(ReproduceOptions, arguments)
    setting = {"device": options.device} if options.device else {}
    cells = recipe.cells(
        options.scale, data_dir=options.data_dir, setting=setting, seeds=options.seeds,
        methods=options.method,
    )  # fmt: skip
    cells = shard(cells, options.shard)
    if not cells:
        note(f"no cell of {recipe.name} is in part {options.shard}")
        return 0
    out = options.out or Path("runs") / f"{recipe.name}-{options.scale}"
    engine = _FLAGS.make(EngineOptions, arguments)
    if options.workers is None:
        engine = replace(engine, workers=_n_cores())
    if options.dry_run:
        print(plan(cells, out, engine.workers))
        return 0
    rows = run_sweep(cells, out=out, engine=engine, format=options.format)
    shown = FigureOptions(score=recipe.score, threshold=recipe.threshold, data_dir=options.data_dir)
    paths = draw_all(out, options=shown, on_note=lambda text: note(f"note: {text}"))
    page = write_sweep_report(out, on_note=lambda text: note(f"note: {text}"))
    figures = f"{len(paths)} figure{'' if len(paths) == 1 else 's'} in {out / 'figures'}"
    ending(f"{recipe.title}: {figures}, and the page {page}", ("report", out, "--open"))
    return exit_code(rows)
