"""What commands tell the user on stderr, beside what they print on stdout."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from sparsefit.core.progress import is_quiet

Command = Sequence[str | Path]


def note(sentence: str) -> None:
    """Tell the user something, unless nothing is wanted but results and errors."""
    if not is_quiet():
        print(sentence, file=sys.stderr, flush=True)


def ending(sentence: str, *commands: Command, format: str | None = "table") -> None:
    """Say in one sentence what has come out, and which commands go on from there.

    Parameters
    ----------
    sentence : str
    *commands : sequence of str or Path
        Words after ``sparsefit``, or a whole line of the shell.
    format : str, optional
        What is printed on stdout; programs that read JSON or CSV are told nothing.
    """
    if format != "table":
        return
    note(sentence)
    for number, command in enumerate(commands):
        line = (
            command if isinstance(command, str) else shlex.join(map(str, ["sparsefit", *command]))
        )
        note(f"{'next: ' if number == 0 else '      '}{line}")
