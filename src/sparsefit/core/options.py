"""Options as dataclass fields: one declaration gives the flag, its help, its check and the run id.

A `Task` or `Method` is a frozen dataclass that derives from `Options`; each of its fields is
declared with `option` and is checked when an instance is made, whoever makes it.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sparsefit.core.errors import OptionError


@dataclass(frozen=True)
class Condition:
    """A condition on a value, with the words that follow "must be" when it fails."""

    holds: Callable[[Any], bool]
    allowed: str


def at_least(low: float) -> Condition:
    """Numbers >= `low`."""
    return Condition(lambda v: v >= low, f">= {low:g}")


def above(low: float) -> Condition:
    """Numbers > `low`."""
    return Condition(lambda v: v > low, f"> {low:g}")


def between(low: float, high: float) -> Condition:
    """Numbers in the closed interval from `low` to `high`."""
    return Condition(lambda v: low <= v <= high, f"between {low} and {high}")


def option(
    default: Any,
    help: str,
    *,
    aliases: tuple[str, ...] = (),
    check: Condition | None = None,
    later: bool = False,
) -> Any:
    """Declare a dataclass field that is also a command-line flag.

    Parameters
    ----------
    default : object
        Value when the option is not given; None stands for a default that the help explains.
    help : str
        One line for ``--help``.
    aliases : tuple of str, optional
        Other spellings of the flag, without dashes.
    check : Condition, optional
        Tested on every value that is not None.
    later : bool, optional
        The option came after results had been stored, and at its default changes none of them: it
        is then no part of the run id.
    """
    metadata = {"help": help, "aliases": aliases, "check": check, "later": later}
    return field(default=default, metadata=metadata)


_NOUNS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class OptionInfo:
    """What the command line and the documentation need to know of one option.

    Attributes
    ----------
    name : str
        Field name.
    type : type
        `bool`, `int`, `float` or `str`.
    choices : tuple
        Allowed values of a `Literal` field; empty for the others.
    optional : bool
        Whether None is allowed.
    default, help, aliases, check, later
        As given to `option`.
    """

    name: str
    type: type
    choices: tuple[Any, ...]
    optional: bool
    default: Any
    help: str
    aliases: tuple[str, ...]
    check: Condition | None
    later: bool

    @property
    def allowed(self) -> str:
        """Words that follow "must be"."""
        if self.choices:
            words = "one of " + ", ".join(map(str, self.choices))
        else:
            condition = "that is not empty" if self.type is str else ""
            condition = self.check.allowed if self.check else condition
            words = f"{_NOUNS[self.type]} {condition}".rstrip()
        return words + (" (or none)" if self.optional and self.default is not None else "")

    def validate(self, value: Any) -> None:
        """Raise `OptionError` unless `value` is allowed."""
        if value is None and self.optional:
            return
        if self.choices:
            good = value in self.choices
        elif self.type is float:
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
            good = good and math.isfinite(value)
        elif self.type is int:
            good = isinstance(value, int) and not isinstance(value, bool)
        else:
            # Nothing has an empty name, and as a path it would mean the current folder.
            good = isinstance(value, self.type) and value != ""
        if not good or (self.check is not None and not self.check.holds(value)):
            raise OptionError(self.name, value, self.allowed)


def option_infos(cls: type) -> tuple[OptionInfo, ...]:
    """List the options of a dataclass, in the order of its fields.

    Examples
    --------
    >>> from sparsefit.core.setting import Setting
    >>> [info.name for info in option_infos(Setting)][:3]
    ['hidden', 'layers', 'bias']
    """
    hints = typing.get_type_hints(cls)
    infos = []
    for item in dataclasses.fields(cls):
        if "help" not in item.metadata:
            continue
        hint, optional = hints[item.name], False
        choices: tuple[Any, ...] = ()
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            rest = [arg for arg in typing.get_args(hint) if arg is not type(None)]
            hint, optional = rest[0], True
        if typing.get_origin(hint) is typing.Literal:
            choices = typing.get_args(hint)
            hint = type(choices[0])
        meta = item.metadata
        infos.append(
            OptionInfo(
                item.name, hint, choices, optional, item.default,
                meta["help"], meta["aliases"], meta["check"], meta["later"],
            )
        )  # fmt: skip
    return tuple(infos)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of the dataclasses whose fields are options: checks every field on creation.

    Raises
    ------
    OptionError
        If a value has the wrong type or is outside what its option allows.
    """

    def __post_init__(self) -> None:
        """Condition every option."""
        for info in option_infos(type(self)):
            info.validate(getattr(self, info.name))

    def as_dict(self) -> dict[str, Any]:
        """Return the options by name, in the order of the fields."""
        return {info.name: getattr(self, info.name) for info in option_infos(type(self))}
