"""``sparsefit completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import argparse
from functools import partial

from sparsefit.cli._flags import Commands, Parser

_LINES = {
    "bash": "sparsefit completion bash > ~/.local/share/bash-completion/completions/sparsefit",
    "zsh": "sparsefit completion zsh > ~/.zfunc/_sparsefit",
    "tcsh": "sparsefit completion tcsh > ~/.sparsefit.csh",
}


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "completion",
        help="print what completes commands and options in a shell",
        description="Print a script that makes the TAB key of a shell complete the commands and "
        "options of sparsefit.",
        epilog=f"Example: {_LINES['bash']}",
    )
    parser.add_argument("shell", choices=tuple(_LINES), help="the shell")
    parser.set_defaults(handler=partial(complete, subparsers))


def complete(subparsers: Commands, arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    parser = Parser(prog="sparsefit")
    commands = parser.add_subparsers()
    for name, command in subparsers.choices.items():
        command.complete(["--help-all"])
        commands._name_parser_map[name] = command
    print(shtab.complete(parser, shell=arguments.shell))
    return 0
