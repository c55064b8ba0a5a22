"""Other values of options, for the contracts that every option is checked and has an effect."""

import dataclasses

import pytest

from sparsefit.core.errors import OptionError
from sparsefit.core.options import Other, option_infos


def trial(info, value):
    """Return what an option says that it may be tried with, or a value that is allowed.

    `value` is what it has now.
    """
    if info.other is not None:
        # What is said for the default of a base class may be the default of a subclass.
        choices = [choice for choice in info.choices if choice != value]
        return info.other if info.other.value != value else Other(choices[0])
    if info.type is bool:
        return Other(not value)
    if info.choices:
        return Other(next(choice for choice in info.choices if choice != value))
    assert value is not None, f"{info.name}: None has no natural alternative, give other=..."
    assert info.type is not str, f"{info.name}: text has no natural alternative, give other=..."
    for number in (info.type(value * 2), info.type(value / 2)):
        if number != value and (info.check is None or info.check.holds(number)):
            return Other(number)
    raise AssertionError(f"{info.name}: neither the double nor half is allowed, give other=...")


def assert_every_option_is_checked_by_name(cls, quick):
    for info in option_infos(cls):
        with pytest.raises(OptionError, match=info.name):
            cls(**{**quick, info.name: object()})
        if info.check is not None:
            with pytest.raises(OptionError, match=info.name):
                cls(**{**quick, info.name: -1})


def assert_every_option_has_an_effect(cls, quick, result):
    """Assert it for all options; `result` is a function of an instance and the kind of problem."""
    for info in option_infos(cls):
        other = trial(info, getattr(cls(**quick), info.name))
        base = cls(**{**quick, **other.beside})
        changed = dataclasses.replace(base, **{info.name: other.value})
        assert result(base, other.kind) != result(changed, other.kind), info.name
