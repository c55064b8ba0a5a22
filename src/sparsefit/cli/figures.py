"""``sparsefit figures``: pictures of a results folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from sparsefit.cli._flags import filled, finite
from sparsefit.figures import FORMATS, SCORES


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "figures",
        help="draw heatmaps, curves and fitted images of a results folder",
        description="Draw heatmaps over widths and budgets, differences of methods, success "
        "rates, curves over the budget, scores against time, success against the number of rows, "
        "and the fitted images of image tasks.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="results folder")
    parser.add_argument(
        "--out", type=filled("out", Path), metavar="DIR",
        help="where the files go (default DIR/figures)",
    )  # fmt: skip
    parser.add_argument(
        "--format", nargs="+", choices=FORMATS, default=["png"], metavar="FORMAT",
        help=f"one or more of {', '.join(FORMATS)} (default png)",
    )  # fmt: skip
    parser.add_argument(
        "--score", choices=SCORES, default="value",
        help="value: on fresh rows where the task has them (the default); train_value",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=finite("threshold"), metavar="NUMBER",
        help="a seed that scores at least as well is a success (default: by the metric)",
    )  # fmt: skip
    parser.add_argument(
        "--compare", nargs=2, metavar=("A", "B"),
        help="draw the difference of these two methods (default: the first and each other one)",
    )  # fmt: skip
    parser.add_argument(
        "--data-dir", type=filled("data_dir", str), metavar="DIR",
        help="folder with the files of image tasks",
    )  # fmt: skip
    parser.set_defaults(handler=draw)


def draw(arguments: argparse.Namespace) -> int:
    """Draw the figures and print the paths of the files."""
    from sparsefit.cli._sweep import note
    from sparsefit.figures.draw import draw_all

    paths = draw_all(
        arguments.folder,
        arguments.out,
        formats=arguments.format,
        score=arguments.score,
        threshold=arguments.threshold,
        compare=arguments.compare,
        data_dir=arguments.data_dir,
        on_note=lambda text: note(f"note: {text}"),
    )
    for path in paths:
        print(path)
    return 0
