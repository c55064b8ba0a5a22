"""``sparsefit look``: what the columns of a table are taken as."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

from sparsefit.cli._flags import Commands, Format, OptionFlags, add_table
from sparsefit.cli._say import ending
from sparsefit.core.options import option
from sparsefit.reading.options import ReadOptions


@dataclass(frozen=True, kw_only=True)
class LookOptions(ReadOptions):
    """What ``sparsefit look`` is told."""

    target: str | None = option(None, "the column that is to be fitted, and is never left out")
    format: Format = option("table", "print lines, or one JSON object")


_FLAGS = OptionFlags([LookOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "look",
        help="print what the columns of a table are taken as",
        description="Print a line for each column of a table: whether it is taken as a number, a "
        "category or a date, or left out, how many cells are missing, and what is odd about it. "
        "'sparsefit fit' takes the same options and reads the table in the same way.",
        epilog="Example: sparsefit look houses.csv",
    )
    add_table(parser)
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=look)


def look(arguments: argparse.Namespace) -> int:
    """Print the lines."""
    from sparsefit.reading import open_table
    from sparsefit.reading.describe import describe, lines

    options = _FLAGS.make(LookOptions, arguments)
    table = open_table(arguments.data, options, options.target)
    if options.format == "json":
        print(json.dumps({"rows": table.n_rows, "columns": describe(table)}))
    else:
        print("\n".join(lines(table)))
    names = list(table.kinds)
    fit = ("fit", arguments.data, "--target", options.target or names[-1])
    ending(f"{table.n_rows} rows, {len(names)} columns", fit, format=options.format)
    return 0
