"""Options as dataclass fields: one declaration gives the flag, its help, its check and the run id.

A `Task` or `Method` is a frozen dataclass that derives from `Options`; each of its fields is
declared with `option` and is checked when an instance is made, whoever makes it.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
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


@dataclass(frozen=True)
class Other:
    """A value of an option that gives another result than its default, for the contract tests.

    Attributes
    ----------
    value : object
    beside : mapping, optional
        Values of other options, without which this one has no effect.
    kind : str, optional
        Kind of problem that shows the effect: "one output", "three outputs" or "classes".
    """

    value: Any
    beside: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "one output"


def option(
    default: Any,
    help: str,
    *,
    aliases: tuple[str, ...] = (),
    check: Condition | None = None,
    later: bool | Callable[[Mapping[str, Any]], Any] = False,
    other: Any = None,
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
    later : bool or callable, optional
        The option came after results had been stored, and at its default changes none of them: it
        is then no part of the run id. Where results from before stand for another value than the
        default, a function that returns it from all options by name.
    other : object or Other, optional
        A value that gives another result than the default: contract tests try it. By default a
        switch is flipped, another choice is taken, a number is doubled, or halved where the double
        is not allowed; text, and what is None by default, need one.
    """
    if other is not None and not isinstance(other, Other):
        other = Other(other)
    metadata = {"help": help, "aliases": aliases, "check": check, "later": later, "other": other}
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
    default, help, aliases, check, later, other
        As given to `option`; `other` is None or an `Other`.
    """

    name: str
    type: type
    choices: tuple[Any, ...]
    optional: bool
    default: Any
    help: str
    aliases: tuple[str, ...]
    check: Condition | None
    later: bool | Callable[[Mapping[str, Any]], Any]
    other: Other | None

    def value_if_absent(self, options: Mapping[str, Any]) -> Any:
        """Return the value that a stored result stands for which does not name this option."""
        return self.later(options) if callable(self.later) else self.default

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
                meta["help"], meta["aliases"], meta["check"], meta["later"], meta["other"],
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
