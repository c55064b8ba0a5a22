"""Options as dataclass fields: one declaration gives the flag, its help, its check and the run id.

A task, a method, a setting and what a command is told are frozen dataclasses that derive from
`Options`; each of their fields is declared with `option` and is checked when an instance is made,
whoever makes it. The type of a field may be

- ``bool``, ``int``, ``float``, ``str`` or ``Path``, or a ``Literal`` of choices;
- one of these or None: ``int | None``;
- a number or a word: ``int | Literal["auto"]``;
- a tuple of any length, ``tuple[int, ...]``, or of a fixed one, ``tuple[str, str]``.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sparsefit.core.errors import OptionError, near_match

# In place of a default: the option must be given.
REQUIRED: Any = dataclasses.MISSING
O = TypeVar("O", bound="Options")  # noqa: E741
# Arrays count in 64 bits, and floats have an end.
_TOO_LARGE = 2**63


@dataclass(frozen=True)
class Condition:
    """A condition on a value.

    Attributes
    ----------
    holds : callable
        From a value to whether it is allowed.
    allowed : str
        The words that follow "must be" and the kind of value when it is not.
    metavar : str
        What stands for the value in ``--help``, in place of the kind of value.
    """

    holds: Callable[[Any], bool]
    allowed: str
    metavar: str = ""


def at_least(low: float) -> Condition:
    """Numbers >= `low`."""
    return Condition(lambda v: v >= low, f">= {low:g}")


def above(low: float) -> Condition:
    """Numbers > `low`."""
    return Condition(lambda v: v > low, f"> {low:g}")


def between(low: float, high: float) -> Condition:
    """Numbers in the closed interval from `low` to `high`."""
    return Condition(lambda v: low <= v <= high, f"between {low} and {high}")


# What a path is of, where the check says no more: "the name of a folder".
FOLDER = Condition(lambda path: True, "of a folder", "DIR")
FILE = Condition(lambda path: True, "of a file", "FILE")


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
        Value when the option is not given; None stands for a default that the help explains, and
        `REQUIRED` for an option that must be given.
    help : str
        One line for ``--help``.
    aliases : tuple of str, optional
        Other spellings of the flag, without dashes.
    check : Condition, optional
        Tested on every value that is not None, and on each item of a tuple.
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


def like(owner: type[Options], name: str, **changes: Any) -> Any:
    """Declare an option as another class does, but for what is given anew.

    Parameters
    ----------
    owner : Options type
    name : str
        Of its option.
    **changes
        Arguments of `option` that are not to be as they are there, such as ``default``.

    Examples
    --------
    >>> from sparsefit.core.setting import Setting
    >>> @dataclass(frozen=True, kw_only=True)
    ... class Small(Options):
    ...     hidden: int = like(Setting, "hidden", default=5)
    >>> Small().hidden, option_infos(Small)[0].help
    (5, 'hidden units in each hidden layer, m')
    """
    declared = {item.name: item for item in dataclasses.fields(owner)}[name]
    return option(**{"default": declared.default, **declared.metadata, **changes})


_NOUNS = {
    int: "an integer", float: "a number", bool: "true or false", str: "text", Path: "the name",
}  # fmt: skip
# Nothing has an empty name, and as a path it would mean the current folder.
_CONDITIONS: dict[type, str] = {str: "that is not empty", Path: "of a file or folder"}


@dataclass(frozen=True, kw_only=True)
class OptionInfo:
    """What the command line and the documentation need to know of one option.

    Attributes
    ----------
    name : str
        Field name.
    type : type
        `bool`, `int`, `float`, `str` or `Path`; of an item, where the value is a tuple.
    choices : tuple
        Allowed values of a `Literal` field; empty for the others.
    words : tuple of str
        Allowed beside a number.
    nargs : int, "+" or None
        Items of a tuple: so many, or any number; None for a single value.
    optional : bool
        Whether None is allowed.
    default, help, aliases, check, later, other
        As given to `option`; `other` is None or an `Other`.
    """

    name: str
    type: type
    choices: tuple[Any, ...]
    words: tuple[str, ...]
    nargs: int | str | None
    optional: bool
    default: Any
    help: str
    aliases: tuple[str, ...]
    check: Condition | None
    later: bool | Callable[[Mapping[str, Any]], Any]
    other: Other | None

    @property
    def required(self) -> bool:
        """Whether the option must be given."""
        return self.default is REQUIRED

    @property
    def is_number(self) -> bool:
        """Whether the value is one number."""
        return self.type in (int, float) and self.nargs is None and not self.choices

    def value_if_absent(self, options: Mapping[str, Any]) -> Any:
        """Return the value that a stored result stands for which does not name this option."""
        return self.later(options) if callable(self.later) else self.default

    @property
    def allowed(self) -> str:
        """Words that follow "must be"."""
        if self.choices:
            allowed = "one of " + ", ".join(map(str, self.choices))
        else:
            condition = self.check.allowed if self.check else _CONDITIONS.get(self.type, "")
            allowed = f"{_NOUNS[self.type]} {condition}".rstrip()
        allowed += "".join(f" or {word!r}" for word in self.words)
        return allowed + (" (or none)" if self.optional and self.default is not None else "")

    def validate(self, value: Any) -> None:
        """Raise `OptionError` unless `value` is allowed."""
        if value is None and self.optional:
            return
        if self.nargs is None:
            self._validate_item(value)
            return
        if not isinstance(value, tuple) or self.nargs not in ("+", len(value)):
            size = "" if self.nargs == "+" else f" of {self.nargs}"
            raise OptionError(self.name, value, f"a tuple{size}, each {self.allowed}")
        for item in value:
            self._validate_item(item)

    def _validate_item(self, value: Any) -> None:
        if isinstance(value, str) and value in self.words:
            return
        if isinstance(value, int) and abs(value) >= _TOO_LARGE:
            raise OptionError(self.name, value, f"{self.allowed}, and below 2^63")
        if self.choices:
            good = value in self.choices
        elif self.type is float:
            good = isinstance(value, (int, float)) and not isinstance(value, bool)
            good = good and math.isfinite(value)
        elif self.type is int:
            good = isinstance(value, int) and not isinstance(value, bool)
        else:
            good = isinstance(value, self.type) and value != ""
        if not good or (self.check is not None and not self.check.holds(value)):
            hint = near_match(str(value), map(str, self.choices or self.words))
            raise OptionError(self.name, value, self.allowed, hint)


def option_infos(cls: type) -> tuple[OptionInfo, ...]:
    """List the options of a dataclass, in the order of its fields.

    Examples
    --------
    >>> from sparsefit.core.setting import Setting
    >>> [info.name for info in option_infos(Setting)][:3]
    ['hidden', 'layers', 'bias']
    """
    # Every cell of a sweep asks several times, and type hints take a millisecond to resolve.
    if cls not in _INFOS:
        _INFOS[cls] = _read_infos(cls)
    return _INFOS[cls]


_INFOS: dict[type, tuple[OptionInfo, ...]] = {}


def _read_infos(cls: type) -> tuple[OptionInfo, ...]:
    hints = typing.get_type_hints(cls)
    return tuple(
        OptionInfo(
            name=item.name, default=item.default, **_kind(hints[item.name]), **item.metadata
        )
        for item in dataclasses.fields(cls)
        if "help" in item.metadata
    )  # fmt: skip


def _kind(hint: Any) -> dict[str, Any]:
    """Return what the type of a field says of its values, as `OptionInfo` has it."""
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    parts = typing.get_args(hint) if is_union else (hint,)
    optional = types.NoneType in parts
    nargs: int | str | None = None
    [first, *_] = [part for part in parts if part is not types.NoneType]
    if typing.get_origin(first) is tuple:
        items = typing.get_args(first)
        nargs, parts = "+" if items[-1] is ... else len(items), items[:1]
    literals = [part for part in parts if typing.get_origin(part) is typing.Literal]
    values = tuple(value for part in literals for value in typing.get_args(part))
    plain = [part for part in parts if part not in (*literals, types.NoneType)]
    return {
        "type": plain[0] if plain else type(values[0]),
        "choices": () if plain else values,
        "words": values if plain else (),
        "nargs": nargs,
        "optional": optional,
    }


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


def every_combination(cls: type[O], values: Mapping[str, Sequence[Any]]) -> list[O]:
    """Return options for every combination of the values of each, the last one fastest.

    Examples
    --------
    >>> from sparsefit.core.setting import Setting
    >>> found = every_combination(Setting, {"hidden": [5, 10], "seed": [0, 1]})
    >>> [(setting.hidden, setting.seed) for setting in found]
    [(5, 0), (5, 1), (10, 0), (10, 1)]
    """
    combinations = itertools.product(*values.values())
    return [cls(**dict(zip(values, chosen, strict=True))) for chosen in combinations]
