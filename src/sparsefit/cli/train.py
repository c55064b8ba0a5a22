"""``sparsefit train``: a small sparse network learns a known function, from a config."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from sparsefit.cli._flags import Commands, OptionFlags, PrintOptions
from sparsefit.cli._say import note
from sparsefit.core.errors import SparsefitError
from sparsefit.core.options import FOLDER, option
from sparsefit.core.progress import show_progress
from sparsefit.study.config import StudyConfig, load_config


@dataclass(frozen=True, kw_only=True)
class TrainOptions(PrintOptions):
    """What ``sparsefit train`` is told beside the config."""

    out: Path | None = option(
        None, "run folder (default: runs/study-..., with a digest of the config)",
        check=FOLDER,
    )  # fmt: skip


_FLAGS = OptionFlags([TrainOptions, StudyConfig])


class TrainingStoppedError(SparsefitError):
    """Ctrl-C."""

    exit_code = 130


def add_parser(subparsers: Commands) -> None:
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
    _FLAGS.add_to(parser, {"options of the study": StudyConfig})
    parser.set_defaults(handler=train_study)


def train_study(arguments: argparse.Namespace) -> int:
    """Train, evaluate, draw and print."""
    from sparsefit.cli._study import draw_and_print
    from sparsefit.study.evaluation import evaluate
    from sparsefit.study.training import train

    options = _FLAGS.make(TrainOptions, arguments)
    config = load_config(arguments.config) if arguments.config else StudyConfig()
    config = replace(config, **_FLAGS.given(StudyConfig, arguments))
    folder = options.out or Path("runs") / config.run_name
    try:
        with show_progress(config.steps, "steps") as report:
            is_new = train(
                config, folder,
                on_step=lambda step, loss: report(step / config.steps, f"loss {loss:.4g}"),
            )  # fmt: skip
    except KeyboardInterrupt:
        raise TrainingStoppedError(
            f"interrupted; the same command goes on from the last checkpoint in {folder}"
        ) from None
    if not is_new:
        note(f"the training in {folder} has ended before; nothing is trained")
    draw_and_print(folder, evaluate(folder), options.format)
    return 0
