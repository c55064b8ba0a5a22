"""``sparsefit completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import argparse

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
    parser.set_defaults(handler=complete)


def complete(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    from sparsefit.cli import make_parser

    parser, commands = make_parser()
    for command in commands.values():
        if isinstance(command, Parser):
            command.complete(["--help-all"])
    print(shtab.complete(parser, shell=arguments.shell))
    return 0
