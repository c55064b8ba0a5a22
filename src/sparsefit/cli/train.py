"""``sparsefit train``: a small sparse network learns a known function, from a config."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sparsefit.cli._flags import OptionFlags, add_format, convert, filled
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import option_infos
from sparsefit.study.config import StudyConfig, load_config

if TYPE_CHECKING:
    from sparsefit.study.training import OnStep

_FLAGS = OptionFlags([StudyConfig])


class TrainingStoppedError(SparsefitError):
    """Ctrl-C."""

    exit_code = 130


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="train a small sparse network on a known function, from a config",
        description="Train a network of two masked layers on fresh rows of a known function. A "
        "training that was killed goes on when the same command is given again.",
    )
    parser.add_argument(
        "config", nargs="?", type=Path, metavar="CONFIG",
        help="YAML or TOML file with any of the options below, as in 'hidden: 64'; what it does "
        "not name stays at its default, and flags go before it",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=filled("out", Path), metavar="DIR",
        help="run folder (default: runs/study-..., with a digest of the config)",
    )  # fmt: skip
    add_format(parser)
    _FLAGS.add_to(parser, {"options of the study": StudyConfig})
    parser.set_defaults(handler=train_study)


def train_study(arguments: argparse.Namespace) -> int:
    """Train, evaluate, draw and print."""
    from sparsefit.cli._study import draw_and_print
    from sparsefit.cli._sweep import note
    from sparsefit.study.evaluation import evaluate
    from sparsefit.study.training import train

    config = _config(arguments)
    folder = arguments.out or Path("runs") / config.run_name
    try:
        with _progress(config) as on_step:
            is_new = train(config, folder, on_step=on_step)
    except KeyboardInterrupt:
        raise TrainingStoppedError(
            f"interrupted; the same command goes on from the last checkpoint in {folder}"
        ) from None
    if not is_new:
        note(f"the training in {folder} has ended before; nothing is trained")
    draw_and_print(folder, evaluate(folder), arguments.format)
    return 0


def _config(arguments: argparse.Namespace) -> StudyConfig:
    config = load_config(arguments.config) if arguments.config else StudyConfig()
    given = {
        info.name: convert(info, getattr(arguments, info.name))
        for info in option_infos(StudyConfig)
        if getattr(arguments, info.name) is not None
    }
    return replace(config, **given)


@contextlib.contextmanager
def _progress(config: StudyConfig) -> Iterator[OnStep]:
    """Give a function to be called after each step, which moves a bar if somebody can see it."""
    if not sys.stderr.isatty():
        yield lambda step, loss: None
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.BarColumn(), progress.MofNCompleteColumn(), progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}"),
    )  # fmt: skip
    console = Console(stderr=True)
    with progress.Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=config.steps)
        yield lambda step, loss: bar.update(
            task, completed=step, description=f"steps, loss {loss:.4g}"
        )
