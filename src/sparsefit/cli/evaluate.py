"""``sparsefit evaluate``: what the training of a study has come to."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from sparsefit.cli._flags import Commands, OptionFlags, PrintOptions
from sparsefit.core.options import like
from sparsefit.core.setting import Setting


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(PrintOptions):
    """What ``sparsefit evaluate`` is told."""

    device: str | None = like(
        Setting, "device", default=None,
        help="torch device: cpu, cuda, cuda:N or mps (default: that of the training)",
    )  # fmt: skip


_FLAGS = OptionFlags([EvaluateOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score the checkpoint of a study on held-out rows, and redraw its pictures",
        description="Load the last checkpoint of a study, score it on held-out rows, count its "
        "nonzeros, and draw its pictures anew.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder of 'sparsefit train'")
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=evaluate_run)


def evaluate_run(arguments: argparse.Namespace) -> int:
    """Evaluate, draw and print."""
    from sparsefit.cli._study import draw_and_print
    from sparsefit.study.evaluation import evaluate

    options = _FLAGS.make(EvaluateOptions, arguments)
    evaluation = evaluate(arguments.run, device=options.device)
    draw_and_print(arguments.run, evaluation, options.format)
    return 0
