"""Flags from options: one declaration, in whatever class, is enough."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar

from sparsefit.core.errors import OptionError, SparsefitError, near_match
from sparsefit.core.options import (
    FOLDER,
    OptionInfo,
    Options,
    every_combination,
    option,
    option_infos,
)

O = TypeVar("O", bound=Options)  # noqa: E741

Format = Literal["table", "json"]
SweepFormat = Literal["table", "json", "csv"]
METAVARS = {int: "INT", float: "NUMBER", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True, kw_only=True)
class PrintOptions(Options):
    """How a command prints what it has found."""

    format: Format | None = option(
        None, "one JSON object, or lines to read (default: lines on a terminal, JSON elsewhere)"
    )


@dataclass(frozen=True, kw_only=True)
class ForceOptions(Options):
    """Whether a file may be lost."""

    force: bool = option(False, "replace a file that is there already")


@dataclass(frozen=True, kw_only=True)
class FolderOptions(Options):
    """Where results are."""

    out: Path = option(Path("runs"), "results folder", check=FOLDER)


# What is said after Ctrl-C of commands that keep results as they come.
KEPT = "; finished cells are kept"
# What a command adds its parser to.
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


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
    if words[0] == "help":
        words = [*words[1:], "--help"]
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


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names one result."""
    parser.add_argument("run", metavar="RUN", help="run id, the start of one, or a row's file")


def add_table(parser: argparse.ArgumentParser, what: str = "a table") -> None:
    """Add the argument that names a table."""
    kinds = (
        "text with any separator, .gz or .zst of one, Parquet, JSON lines or NPZ; or a folder or "
        "pattern of such files"
    )
    parser.add_argument("data", type=Path, metavar="DATA", help=f"{what}: {kinds}")


def _convert(info: OptionInfo, given: Any) -> Any:
    """Return the value that the words of a flag stand for; a switch has its value already."""
    if isinstance(given, list):
        return tuple(_convert_word(info, word) for word in given)
    return _convert_word(info, given) if isinstance(given, str) else given


def _convert_word(info: OptionInfo, word: str) -> Any:
    """Return the value of a word, or the word itself, which `OptionInfo.validate` then refuses."""
    if word in info.words or word == "":
        return word
    if info.optional and info.type is not Path and word.lower() == "none":
        return None
    if info.choices:
        return {str(choice): choice for choice in info.choices}.get(word, word)
    try:
        return info.type(word)
    except ValueError:
        return word


@dataclass
class _Shared:
    """One flag for all options that have a spelling in common."""

    spellings: list[str] = field(default_factory=list)
    uses: list[tuple[type[Options], OptionInfo]] = field(default_factory=list)
    is_axis: bool = False

    @property
    def dest(self) -> str:
        return self.spellings[0].replace("-", "_")


def _shared_flags(
    owners: Iterable[type[Options]], axes: type[Options] | tuple[()]
) -> list[_Shared]:
    flags: list[_Shared] = []
    for owner in owners:
        for info in option_infos(owner):
            names = [name.replace("_", "-") for name in (info.name, *info.aliases)]
            is_axis = issubclass(owner, axes) and info.is_number
            merged = _Shared(names, [(owner, info)], is_axis)
            for other in [item for item in flags if set(item.spellings) & set(names)]:
                flags.remove(other)
                merged = _Shared(
                    other.spellings + merged.spellings, other.uses + merged.uses,
                    other.is_axis or merged.is_axis,
                )  # fmt: skip
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
    axes : type of Options, optional
        Options of its subclasses that are numbers take several values; see `make_all`.
    """

    def __init__(
        self, owners: Sequence[type[Options]], leave_out: tuple[str, ...] = (),
        axes: type[Options] | tuple[()] = (),
    ):  # fmt: skip
        self._flags = [
            item for item in _shared_flags(owners, axes)
            if not set(item.spellings) & set(leave_out)
        ]  # fmt: skip

    def add_to(
        self,
        parser: argparse.ArgumentParser,
        titles: Mapping[str, type | tuple[type, ...]] | None = None,
        shown: Collection[type[Options]] | None = None,
    ) -> dict[str, argparse._ArgumentGroup]:
        """Add the flags to a parser, and return its groups by title.

        Parameters
        ----------
        parser : ArgumentParser
        titles : dict of str to type or tuple of types, optional
            Titles of groups in the help, and of which classes their options are. Other options are
            in no group.
        shown : collection of Options types, optional
            Whose options the help has; default: all.
        """
        groups = {title: parser.add_argument_group(title) for title in titles or {}}
        for item in self._flags:
            owner = item.uses[0][0]
            title = next((t for t, base in (titles or {}).items() if issubclass(owner, base)), None)
            try:
                _add_flag(parser if title is None else groups[title], item, shown)
            except argparse.ArgumentError as error:
                name = getattr(item.uses[-1][0], "name", "")
                raise SparsefitError(
                    f"{name!r} has an option {flag(item.dest)}, which the command has itself"
                ) from error
        return groups

    def given(self, owner: type[Options], arguments: argparse.Namespace) -> dict[str, Any]:
        """Return the options of `owner` that were given, by name, not yet checked."""
        return {
            info.name: _convert(info, getattr(arguments, item.dest))
            for item in self._flags
            for used_by, info in item.uses
            if used_by is owner and getattr(arguments, item.dest) is not None
        }

    def make(self, owner: type[O], arguments: argparse.Namespace) -> O:
        """Return an `owner` with the options that were given.

        Raises
        ------
        OptionError
            If a value is not allowed, or there are several where one is taken.
        """
        given = self.given(owner, arguments)
        return owner(**{name: _only(owner, name, value) for name, value in given.items()})

    def make_all(self, owner: type[O], arguments: argparse.Namespace) -> list[O]:
        """Return an `owner` for every combination of the values of the options that are axes.

        Raises
        ------
        OptionError
            If a value is not allowed.
        """
        given = self.given(owner, arguments)
        numbers = {info.name for info in option_infos(owner) if info.is_number}
        choices = {
            name: value if name in numbers and isinstance(value, tuple)
            else (_only(owner, name, value),)
            for name, value in given.items()
        }  # fmt: skip
        return every_combination(owner, choices)

    def unused(self, owners: Sequence[type[Options]], arguments: argparse.Namespace) -> list[str]:
        """Return the flags that were given although none of `owners` has the option."""
        return [
            flag(item.dest)
            for item in self._flags
            if getattr(arguments, item.dest) is not None
            and not any(used_by in owners for used_by, _ in item.uses)
        ]


def _only(owner: type[Options], name: str, value: Any) -> Any:
    """Return the one value of an option that takes one, though its flag may take several."""
    takes_one = any(info.name == name and info.nargs is None for info in option_infos(owner))
    if not takes_one or not isinstance(value, tuple):
        return value
    if len(value) > 1:
        whose = f" for {owner.name}" if hasattr(owner, "name") else ""
        raise OptionError(name, " ".join(map(str, value)), f"one value{whose}")
    return value[0]


def _add_flag(
    group: argparse._ActionsContainer, item: _Shared, shown: Collection[type[Options]] | None
) -> None:
    _refuse_unlike(item)
    info = item.uses[0][1]
    is_shown = shown is None or any(owner in shown for owner, _ in item.uses)
    keywords: dict[str, Any] = {"dest": item.dest}
    keywords["help"] = _help(item) if is_shown else argparse.SUPPRESS
    if info.type is bool:
        keywords["action"] = argparse.BooleanOptionalAction
    else:
        nargs = "+" if item.is_axis else info.nargs
        keywords |= {"metavar": _metavar(info), "nargs": nargs, "required": info.required}
    group.add_argument(*map(flag, item.spellings), **keywords)


def _metavar(info: OptionInfo) -> str:
    if info.choices:
        return "{" + ",".join(map(str, info.choices)) + "}"
    named = info.check.metavar if info.check else ""
    return "|".join([named or METAVARS[info.type], *info.words])


def _refuse_unlike(item: _Shared) -> None:
    """Raise `SparsefitError` if options that share a flag take different numbers of words."""
    names = ", ".join(filter(None, (getattr(owner, "name", "") for owner, _ in item.uses)))
    infos = [info for _, info in item.uses]
    if len({info.type is bool for info in infos}) > 1:
        difference = f"is a switch for some of {names}, and takes a value for others"
    elif len({info.nargs for info in infos}) > 1:
        difference = f"takes one value for some of {names}, and several for others"
    else:
        return
    raise SparsefitError(f"{flag(item.dest)} {difference}")


def _help(item: _Shared) -> str:
    """Return "text (owners, default)", once per different text and default."""
    owners: dict[tuple[str, str], list[str]] = {}
    for owner, info in item.uses:
        owners.setdefault((info.help, _default(info)), []).append(getattr(owner, "name", ""))
    parts = []
    for (text, default), names in owners.items():
        remark = ", ".join(filter(None, [*names, default]))
        parts.append(f"{text} ({remark})" if remark else text)
    return "; ".join(parts).replace("%", "%%")


def _default(info: OptionInfo) -> str:
    # A switch is off, and None explained by the help, unless something is said here.
    if info.required or info.default is None or info.default is False or info.default == ():
        return ""
    values = info.default if isinstance(info.default, tuple) else (info.default,)
    return " ".join(["default", *map(str, values)])


def format_or_default(format: SweepFormat | None) -> SweepFormat:
    """Return the format that was asked for; else a table on a terminal, and JSON elsewhere."""
    return format or ("table" if sys.stdout.isatty() else "json")
