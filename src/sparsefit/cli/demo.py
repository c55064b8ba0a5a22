"""``sparsefit demo``: the best of it, in less than a minute."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from sparsefit.cli._flags import Commands, OptionFlags
from sparsefit.cli._say import ending
from sparsefit.core.options import FOLDER, Options, option
from sparsefit.core.progress import show_progress


@dataclass(frozen=True, kw_only=True)
class DemoOptions(Options):
    """What ``sparsefit demo`` is told."""

    out: Path = option(Path("demo"), "folder of the page", check=FOLDER)


_FLAGS = OptionFlags([DemoOptions])


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="recover a network, write a table as a formula, make a torch model small: a minute",
        description="Recover a planted network, fit a table and write it as a formula, prune and "
        "compress a torch model, and write one page of the three. It takes less than a minute.",
    )
    _FLAGS.add_to(parser)
    parser.set_defaults(handler=demo)


def demo(arguments: argparse.Namespace) -> int:
    """Run the parts and print what they have found."""
    from sparsefit.core.text_table import text_table
    from sparsefit.demo import run_demo
    from sparsefit.demo.page import next_commands

    folder = _FLAGS.make(DemoOptions, arguments).out
    with show_progress(lines=True) as report:
        parts = run_demo(folder, report)
    for number, part in enumerate(parts, start=1):
        print(f"{number}. {part.title}\n")
        for text in (text_table(part.table, n_text_columns=1), part.text):
            if text:
                print("\n".join(f"   {line}" for line in text.splitlines()) + "\n")
    print("\n".join(f"{number}. {part.result}" for number, part in enumerate(parts, start=1)))
    ending(f"page: {folder / 'demo.html'}", *next_commands(folder))
    return 0
