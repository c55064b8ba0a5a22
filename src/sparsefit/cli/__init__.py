"""The command line. One module here is one command or a few; nothing is to be registered.

A module whose name has no leading underscore defines ``add_parser(subparsers)``, which adds its
commands and sets ``handler``, a function from the parsed arguments to the exit code, and perhaps
``kept``, what is said of results after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from sparsefit._version import __version__
from sparsefit.cli._flags import Parser, flag, parse
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.core.progress import quietly
from sparsefit.core.team import is_follower

_DESCRIPTION = """\
Neural networks with at most s nonzero weights.

  A table, fitted and written down as a formula:
    sparsefit fit houses.csv --target price
  A planted network of 20 weights, recovered:
    sparsefit run --task planted --method splice --hidden 10 --nnz 20
  A figure of the paper, small:
    sparsefit reproduce figure1 --scale tiny

'sparsefit help COMMAND' has more; sparse layers for PyTorch are in Python: import sparsefit."""
# Commands whose rows can be shared by processes.
_SHARED = ("fit", "run", "reproduce")
OUTPUT_ERROR, USAGE_ERROR, INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the name of the program; default: those of this process.

    Returns
    -------
    int
        Exit code: 0, or 1 if results could not be written, 2 for a mistake in the request, 130
        after Ctrl-C. Each but 0 comes with one sentence on stderr, unless the reader of the output
        has gone.
    """
    kept = ""
    try:
        try:
            parser, commands = make_parser()
            arguments = parse(parser, commands, sys.argv[1:] if argv is None else argv)
            kept = getattr(arguments, "kept", "")
            with quietly(arguments.quiet or is_follower()), _one_voice(arguments.command):
                return int(arguments.handler(arguments))
        finally:
            # What cannot be written is to be known here, not when Python exits.
            print(end="", flush=True)
    except OptionError as error:
        return _fail(error.sentence(flag(error.name)))
    except SparsefitError as error:
        return _fail(str(error), getattr(error, "exit_code", USAGE_ERROR))
    except KeyboardInterrupt:
        return _fail(f"interrupted{kept}", INTERRUPTED)
    except OSError as error:
        # Errors of files that name none are of the output, which may still hold what it could not
        # write: keep Python from trying once more when it exits.
        if error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return OUTPUT_ERROR
        where = error.filename or "the output cannot be written"
        return _fail(f"{where}: {error.strerror or error}", OUTPUT_ERROR)


@contextlib.contextmanager
def _one_voice(command: str) -> Iterator[None]:
    """Of the processes of torchrun, let the first one speak."""
    if not is_follower():
        yield
        return
    if command not in _SHARED:
        raise SparsefitError(f"torchrun shares the rows of {', '.join(_SHARED)}, not of {command}")
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def make_parser() -> tuple[Parser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of the command line, and those of the commands by name."""
    parser = Parser(
        prog="sparsefit", usage=argparse.SUPPRESS, description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"sparsefit {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", prog="sparsefit"
    )
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{__name__}.{module.name}").add_parser(commands)
    choices: dict[str, argparse.ArgumentParser] = dict(commands.choices)
    for command in choices.values():
        command.add_argument(
            "--quiet", action="store_true", help="print results and errors, and nothing else"
        )
    return parser, choices


def _fail(sentence: str, code: int = USAGE_ERROR) -> int:
    print(f"sparsefit: {sentence}", file=sys.stderr)
    return code
