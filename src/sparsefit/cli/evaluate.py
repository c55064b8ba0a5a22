"""``sparsefit evaluate``: what the training of a study has come to."""

from __future__ import annotations

import argparse
from pathlib import Path

from sparsefit.cli._flags import add_format


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score the checkpoint of a study on held-out rows, and redraw its pictures",
        description="Load the last checkpoint of a study, score it on held-out rows, count its "
        "nonzeros, and draw its pictures anew.",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run folder of 'sparsefit train'")
    parser.add_argument(
        "--device", metavar="TEXT", help="torch device (default: that of the training)"
    )
    add_format(parser)
    parser.set_defaults(handler=evaluate_run)


def evaluate_run(arguments: argparse.Namespace) -> int:
    """Evaluate, draw and print."""
    from sparsefit.cli._study import draw_and_print
    from sparsefit.study.evaluation import evaluate

    evaluation = evaluate(arguments.run, device=arguments.device)
    draw_and_print(arguments.run, evaluation, arguments.format)
    return 0
