"""``sparsefit figures``: pictures of a results folder."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from sparsefit.cli._flags import Commands, OptionFlags
from sparsefit.cli._say import ending, note
from sparsefit.core.options import FOLDER, Options, option
from sparsefit.figures.options import FigureOptions


@dataclass(frozen=True, kw_only=True)
class OutOptions(Options):
    """Where ``sparsefit figures`` writes."""

    out: Path | None = option(None, "where the files go (default DIR/figures)", check=FOLDER)


_FLAGS = OptionFlags([OutOptions, FigureOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "figures",
        help="draw heatmaps, curves and fitted images of a results folder",
        description="Draw heatmaps over widths and budgets, differences of methods, success "
        "rates, curves over the budget, scores against time, success against the number of rows, "
        "and the fitted images of image tasks.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="results folder")
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=draw)


def draw(arguments: argparse.Namespace) -> int:
    """Draw the figures and print the paths of the files."""
    from sparsefit.figures.draw import draw_all

    paths = draw_all(
        arguments.folder,
        _FLAGS.make(OutOptions, arguments).out,
        _FLAGS.make(FigureOptions, arguments),
        on_note=lambda text: note(f"note: {text}"),
    )
    for path in paths:
        print(path)
    figures = f"{len(paths)} figure{'' if len(paths) == 1 else 's'}"
    why = "" if paths else ": one cell is no picture"
    ending(f"{figures} of {arguments.folder}{why}", ("report", arguments.folder, "--open"))
    return 0
