"""Flags from options: one declaration in a task, a method or the setting is enough."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from sparsefit.core.errors import OptionError, SparsefitError, near_match
from sparsefit.core.options import OptionInfo, Options, option_infos

O = TypeVar("O", bound=Options)  # noqa: E741
T = TypeVar("T")

Format = Literal["json", "csv", "table"]
METAVARS = {int: "INT", float: "NUMBER", str: "TEXT", bool: ""}


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `SparsefitError` and takes no abbreviations.

    Attributes
    ----------
    complete : callable
        Gets the words that are to be parsed, and may add the arguments that depend on them.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})
        self.complete: Callable[[Sequence[str]], None] = lambda words: None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Add what the words ask for, then parse them."""
        self.complete(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise one sentence in place of printing the usage."""
        # argparse takes any ValueError of a converter for one without a message.
        cause = getattr(sys.exc_info()[1], "__context__", None)
        if isinstance(cause, OptionError):
            raise cause
        message = re.sub(r"^argument ", "", message)
        raise SparsefitError(
            message.replace(": ignored explicit argument", " is a switch and takes no value, got")
        )


def flag(name: str) -> str:
    """Return the flag of an option.

    Examples
    --------
    >>> flag("batch_size")
    '--batch-size'
    """
    return "--" + name.replace("_", "-")


def parse(
    parser: argparse.ArgumentParser,
    commands: dict[str, argparse.ArgumentParser],
    argv: Sequence[str],
) -> argparse.Namespace:
    """Parse, with ``_`` as good as ``-`` in flags, and near matches for what is unknown."""
    words = [_dashed(word) for word in argv] or ["--help"]
    first = next((word for word in words if not word.startswith("-")), None)
    if first is not None and first not in commands:
        there_are = f"there are {', '.join(commands)}"
        raise SparsefitError(f"unknown command {first!r}{near_match(first, commands)}; {there_are}")
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        flags = [word.partition("=")[0] for word in unknown if word.startswith("-")]
        if not flags:
            raise SparsefitError(f"unexpected argument {unknown[0]!r}")
        command = commands[first] if first else parser
        hint = near_match(flags[0], command._option_string_actions)
        raise SparsefitError(f"unknown option {flags[0]}{hint}; see '{command.prog} --help'")
    return arguments


def _dashed(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if word.startswith("--") else word


def integers(name: str, low: int, high: int | None = None) -> Callable[[str], int]:
    """Return a converter for integers from `low` to `high` that names the flag in its error."""
    allowed = f"an integer >= {low}" if high is None else f"an integer between {low} and {high}"

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise OptionError(name, text, allowed) from None
        if value < low or (high is not None and value > high):
            raise OptionError(name, value, allowed)
        return value

    return convert


def finite(name: str) -> Callable[[str], float]:
    """Return a converter for finite numbers that names the flag in its error."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise OptionError(name, text, "a number") from None
        if not math.isfinite(value):
            raise OptionError(name, value, "a number")
        return value

    return convert


def filled(name: str, make: Callable[[str], T]) -> Callable[[str], T]:
    """Return a converter for names of folders that refuses an empty one."""

    def convert(text: str) -> T:
        if not text:
            raise OptionError(name, text, "the name of a folder")
        return make(text)

    return convert


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name one result."""
    parser.add_argument("run", metavar="RUN", help="run id, the start of one, or a row's file")
    parser.add_argument(
        "--out", type=filled("out", Path), default=Path("runs"), metavar="DIR",
        help="results folder (default runs)",
    )  # fmt: skip


def convert(info: OptionInfo, text: Any) -> Any:
    """Return the value that a flag's text stands for; a switch has its value already."""
    if not isinstance(text, str) or (info.optional and text.lower() == "none"):
        return None if isinstance(text, str) else text
    if info.choices:
        by_text = {str(choice): choice for choice in info.choices}
        if text not in by_text:
            hint = near_match(text, by_text)
            raise SparsefitError(f"{flag(info.name)} must be {info.allowed}, got {text!r}{hint}")
        return by_text[text]
    try:
        return info.type(text)
    except ValueError:
        raise OptionError(info.name, text, info.allowed) from None


@dataclass
class _Shared:
    """One flag for all options that have a spelling in common."""

    spellings: list[str] = field(default_factory=list)
    uses: list[tuple[type[Options], OptionInfo]] = field(default_factory=list)

    @property
    def dest(self) -> str:
        return self.spellings[0].replace("-", "_")


def _shared_flags(owners: Iterable[type[Options]]) -> list[_Shared]:
    flags: list[_Shared] = []
    for owner in owners:
        for info in option_infos(owner):
            names = [name.replace("_", "-") for name in (info.name, *info.aliases)]
            merged = _Shared(names, [(owner, info)])
            for other in [item for item in flags if set(item.spellings) & set(names)]:
                flags.remove(other)
                merged = _Shared(other.spellings + merged.spellings, other.uses + merged.uses)
            merged.spellings = list(dict.fromkeys(merged.spellings))
            flags.append(merged)
    return flags


class OptionFlags:
    """The flags of all options of some classes.

    Options with a common spelling share a flag: a value given for it goes to each of them, and
    what is not given stays at each one's own default.

    Parameters
    ----------
    owners : sequence of Options types
        The setting, tasks and methods, for instance.
    leave_out : tuple of str, optional
        Options that the caller has other flags for.
    """

    def __init__(self, owners: Sequence[type[Options]], leave_out: tuple[str, ...] = ()):
        self._flags = [
            item for item in _shared_flags(owners) if not set(item.spellings) & set(leave_out)
        ]

    def add_to(
        self, parser: argparse.ArgumentParser, titles: dict[str, type[Options]]
    ) -> dict[str, argparse._ArgumentGroup]:
        """Add the flags in help groups: title to the base class of the options under it."""
        groups = {title: parser.add_argument_group(title) for title in titles}
        for item in self._flags:
            title = next(t for t, base in titles.items() if issubclass(item.uses[0][0], base))
            try:
                _add_flag(groups[title], item)
            except argparse.ArgumentError as error:
                name = getattr(item.uses[-1][0], "name", "")
                raise SparsefitError(
                    f"{name!r} has an option {flag(item.dest)}, which the command has itself"
                ) from error
        return groups

    def make(self, owner: type[O], arguments: argparse.Namespace) -> O:
        """Return an `owner` with the options that were given.

        Raises
        ------
        OptionError
            If a value is not allowed.
        """
        given = {}
        for item in self._flags:
            text = getattr(arguments, item.dest)
            for used_by, info in item.uses:
                if used_by is owner and text is not None:
                    given[info.name] = convert(info, text)
        return owner(**given)

    def unused(self, owners: Sequence[type[Options]], arguments: argparse.Namespace) -> list[str]:
        """Return the flags that were given although none of `owners` has the option."""
        return [
            flag(item.dest)
            for item in self._flags
            if getattr(arguments, item.dest) is not None
            and not any(used_by in owners for used_by, _ in item.uses)
        ]


def _add_flag(group: argparse._ArgumentGroup, item: _Shared) -> None:
    info = item.uses[0][1]
    if len({use.type is bool for _, use in item.uses}) > 1:
        names = ", ".join(filter(None, (getattr(owner, "name", "") for owner, _ in item.uses)))
        raise SparsefitError(
            f"{flag(item.dest)} is a switch for some of {names}, and takes a value for others"
        )
    keywords: dict[str, Any] = {"dest": item.dest, "help": _help(item)}
    if info.type is bool:
        keywords["action"] = argparse.BooleanOptionalAction
    elif info.choices:
        keywords["metavar"] = "{" + ",".join(map(str, info.choices)) + "}"
    else:
        keywords["metavar"] = METAVARS[info.type]
    group.add_argument(*map(flag, item.spellings), **keywords)


def _help(item: _Shared) -> str:
    """Return "text (owners, default)", once per different text and default."""
    owners: dict[tuple[str, str], list[str]] = {}
    for owner, info in item.uses:
        # A switch is off, and None explained by the help, unless something is said here.
        default = "" if info.default is None or info.default is False else f"default {info.default}"
        owners.setdefault((info.help, default), []).append(getattr(owner, "name", ""))
    parts = []
    for (text, default), names in owners.items():
        remark = ", ".join(filter(None, [*names, default]))
        parts.append(f"{text} ({remark})" if remark else text)
    return "; ".join(parts).replace("%", "%%")


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--format``."""
    parser.add_argument(
        "--format", choices=("json", "table"),
        help="one JSON object, or lines to read (default: lines on a terminal, JSON elsewhere)",
    )  # fmt: skip


def format_or_default(format: Format | None) -> Format:
    """Return the format that was asked for; else a table on a terminal, and JSON elsewhere."""
    return format or ("table" if sys.stdout.isatty() else "json")
