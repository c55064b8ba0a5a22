"""Options: what a declaration accepts, what it refuses, and how one is reused."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import pytest

from sparsefit import nn
from sparsefit.cli._flags import OptionFlags, Parser
from sparsefit.core import choices
from sparsefit.core.errors import OptionError
from sparsefit.core.options import (
    FOLDER,
    REQUIRED,
    Options,
    at_least,
    like,
    option,
    option_infos,
)
from sparsefit.core.setting import Setting
from sparsefit.dense import PROTOCOLS
from sparsefit.nn.budget import ALLOCATIONS
from sparsefit.nn.masks import FROZEN
from sparsefit.tasks._targets import TARGETS


@dataclass(frozen=True, kw_only=True)
class Every(Options):
    """An option of every kind."""

    name: str = option(REQUIRED, "must be given")
    nnz: int | Literal["auto", "none"] = option(5, "a number or a word", check=at_least(1))
    sizes: tuple[int, ...] = option((1,), "any number", check=at_least(1))
    pair: tuple[str, str] | None = option(None, "two")
    kinds: tuple[Literal["a", "b"], ...] = option(("a",), "choices")
    out: Path | None = option(None, "a folder", check=FOLDER)
    share: float | None = option(0.5, "a number or none")


@pytest.mark.parametrize(
    "given",
    [
        {}, {"nnz": "auto"}, {"nnz": 1}, {"sizes": (3, 4)}, {"sizes": ()}, {"pair": ("a", "b")},
        {"pair": None}, {"kinds": ("b", "a")}, {"out": Path("x")}, {"share": None}, {"share": 1},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_allowed_is_kept(given):
    assert {"name": "x", **given}.items() <= Every(name="x", **given).as_dict().items()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"nnz": 0}, "nnz must be an integer >= 1 or 'auto' or 'none', got 0"),
        ({"nnz": "auot"}, "'none', got 'auot' (did you mean 'auto'?)"),
        ({"nnz": True}, "nnz must be an integer >= 1"),
        ({"sizes": (3, 0)}, "sizes must be an integer >= 1, got 0"),
        ({"sizes": 3}, "sizes must be a tuple, each an integer >= 1, got 3"),
        ({"pair": ("a",)}, "pair must be a tuple of 2, each text that is not empty, got ('a',)"),
        ({"pair": ("a", "")}, "pair must be text that is not empty, got ''"),
        ({"kinds": ("a", "c")}, "kinds must be one of a, b, got 'c'"),
        ({"out": "x"}, "out must be the name of a folder, got 'x'"),
        ({"share": float("nan")}, "share must be a number (or none), got nan"),
        ({"name": ""}, "name must be text that is not empty, got ''"),
    ],
    ids=str,
)
def test_what_is_not_allowed_is_one_sentence(given, sentence):
    with pytest.raises(OptionError) as caught:
        Every(**{"name": "x", **given})
    assert sentence in str(caught.value)


def test_a_required_option_must_be_given():
    with pytest.raises(TypeError, match="name"):
        Every()


def test_like_copies_a_declaration_but_for_what_is_given():
    @dataclass(frozen=True, kw_only=True)
    class Fewer(Options):
        nnz: int = like(Every, "nnz", default=7)
        size: int = like(Every, "nnz", help="other words", check=None)

    seven, five = option_infos(Fewer)
    declared = next(info for info in option_infos(Every) if info.name == "nnz")
    assert (seven.default, seven.help, seven.check) == (7, declared.help, declared.check)
    assert (five.default, five.help, five.check) == (5, "other words", None)
    with pytest.raises(OptionError, match="nnz must be an integer >= 1, got 0"):
        Fewer(nnz=0)


@pytest.mark.parametrize(
    ("literal", "known"),
    [
        (choices.Mask, {*nn.MASKS, FROZEN}),
        (choices.MaskSchedule, set(nn.SCHEDULES)),
        (choices.TargetName, set(TARGETS)),
        (choices.Allocation, set(ALLOCATIONS)),
        (choices.RateSchedule, {protocol.schedule for protocol in PROTOCOLS.values()}),
    ],
    ids=["mask", "mask schedule", "target", "allocation", "rate schedule"],
)
def test_names_of_choices_are_those_of_what_is_there(literal, known):
    assert set(get_args(literal)) == known


def test_the_old_name_of_the_memory_still_works():
    with pytest.warns(DeprecationWarning, match="memory_mb is called memory now"):
        setting = Setting(memory_mb=9)
    assert setting == Setting(memory="9MB")
    assert dataclasses.replace(setting, seed=1).memory_bytes == 9_000_000


@pytest.mark.parametrize("value", [2**63, -(10**400)])
def test_integers_beyond_those_of_arrays(value):
    with pytest.raises(OptionError, match=r"^hidden must be an integer >= 1, and below 2\^63, got"):
        Setting(hidden=value)


def test_a_flag_that_several_share_takes_several_values_where_it_is_an_axis():
    """A word of one owner has the name of a number of another; one value of it still serves."""

    @dataclass(frozen=True, kw_only=True)
    class Counted(Options):
        size: int = option(1, "a number")

    @dataclass(frozen=True, kw_only=True)
    class Named(Options):
        size: str = option("small", "a word")

    parser, flags = Parser(), OptionFlags([Counted, Named], axes=Options)
    flags.add_to(parser)
    given = parser.parse_args(["--size", "3", "5"])
    assert [made.size for made in flags.make_all(Counted, given)] == [3, 5]
    with pytest.raises(OptionError, match="size must be one value, got"):
        flags.make_all(Named, given)
    [named] = flags.make_all(Named, parser.parse_args(["--size", "large"]))
    assert named.size == "large"
