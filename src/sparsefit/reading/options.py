"""How tables are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sparsefit.core.options import Condition, Options, option
from sparsefit.core.sizes import SIZE

Decimal = Literal[".", ","]
Thousands = Literal[",", ".", " ", "'", "_"]


@dataclass(frozen=True, kw_only=True)
class TextOptions(Options):
    r"""How a text is cut into cells, and which of them stand for no value.

    Examples
    --------
    >>> TextOptions(sep="tab").separator
    '\t'
    """

    sep: str | None = option(
        None, "what is between the columns of a text, or 'tab' (default: found by the first line)",
        check=Condition(lambda sep: len(sep) == 1 or sep in ("tab", "\\t"), "of one character"),
    )  # fmt: skip
    encoding: str = option(
        "utf-8", "how a text is encoded, such as latin-1 (UTF-16 is found by its first bytes)",
        check=Condition(lambda name: _is_encoding(name), "that Python knows as an encoding"),
    )  # fmt: skip
    decimal: Decimal | None = option(
        None, "the mark before decimals (default: found by the numbers)"
    )
    thousands: Thousands | None = option(
        None, "what stands between groups of three digits (default: found by the numbers)"
    )
    missing: tuple[str, ...] = option(
        (), "texts that stand for no value, as an empty cell does (default: NA, n/a, null, None, "
        "-, ? and their like)",
    )  # fmt: skip

    @property
    def separator(self) -> str | None:
        """The one character of `sep`."""
        return "\t" if self.sep in ("tab", "\\t") else self.sep


def _is_encoding(name: str) -> bool:
    try:
        return bool("a".encode(name))
    except (LookupError, UnicodeError, TypeError, ValueError):
        return False


@dataclass(frozen=True, kw_only=True)
class ReadOptions(TextOptions):
    """How a table is read, and what its columns are taken as.

    Examples
    --------
    >>> ReadOptions(dates=("day", "sold=%d/%m/%Y")).date_formats(["day", "sold"])
    {'day': '', 'sold': '%d/%m/%Y'}
    """

    categories: tuple[str, ...] = option((), "columns to take as categories")
    numbers: tuple[str, ...] = option((), "columns to take as numbers")
    dates: tuple[str, ...] = option(
        (), "columns to take as dates, each with =FORMAT if need be, such as sold=%d/%m/%Y"
    )
    id: tuple[str, ...] = option((), "columns that only name the rows: they are left out")
    drop: tuple[str, ...] = option((), "columns to leave out")
    memory: str | None = option(
        None, "make do with about so much memory: of a larger table a draw of the rows is read "
        "(default: all rows are)", check=SIZE,
    )  # fmt: skip

    def date_formats(self, names: list[str]) -> dict[str, str]:
        """Return the formats of columns that are dates, empty where there is none."""
        found = {}
        for given in self.dates:
            name, _, form = (given, "", "") if given in names else given.rpartition("=")
            found[name or given] = form
        return found

    def asked(self, names: list[str]) -> dict[str, str]:
        """Return what columns are to be taken as, by name: "category", "number" or "date"."""
        asked = dict.fromkeys(self.categories, "category") | dict.fromkeys(self.numbers, "number")
        return asked | dict.fromkeys(self.date_formats(names), "date")

    def named(self, names: list[str]) -> list[tuple[str, str]]:
        """Return all columns that are named, each with the flag that names it."""
        found = [
            (column, f"--{flag}")
            for flag in ("categories", "numbers", "id", "drop")
            for column in getattr(self, flag)
        ]
        return found + [(column, "--dates") for column in self.date_formats(names)]
