"""Pieces of generated C: tables, literals, and templates filled once."""

from __future__ import annotations

import re
import string
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sparsefit.core.errors import SparsefitError

# Before the tables: what they are stored with.
FLASH = """\
/* Where avr-gcc keeps constants in flash, they are read from there. */
#ifndef SPARSEFIT_FLASH
#ifdef __FLASH
#define SPARSEFIT_FLASH const __flash
#else
#define SPARSEFIT_FLASH const
#endif
#endif

"""
_BYTES = {
    "uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "int8_t": 1, "int16_t": 2, "int32_t": 4, "float": 4,
}  # fmt: skip
# C99 promises string literals of 4095 characters, and a byte may take four.
_LONGEST_NAME = 1000
# Quotes and backslashes would end a string or change it, question marks make trigraphs.
_PLAIN = set(string.printable) - set(string.whitespace) - set('"\\?') | {" "}

Fill = Callable[..., str]


@dataclass(frozen=True)
class Table:
    """A constant array of C."""

    type: str
    name: str
    values: np.ndarray
    comment: str

    @property
    def bytes(self) -> int:
        """Bytes of flash."""
        return _BYTES[self.type] * max(1, len(self.values))

    @property
    def text(self) -> str:
        """The definition, with ``net`` in place of the prefix."""
        values = [str(value) + "f" * (self.type == "float") for value in self.values]
        return (
            f"\n/* {self.comment} */\n"
            f"static SPARSEFIT_FLASH {self.type} net_{self.name}[] = {{\n{wrapped(values)}\n}};\n"
        )


def wrapped(values: Sequence[str]) -> str:
    """Return values as the inside of an initializer; C has no empty ones."""
    return textwrap.indent(textwrap.fill(", ".join(values or ["0"]), 96), "    ")


def small_table(name: str, values: Iterable[int], comment: str) -> Table:
    """Return a table of integers >= 0 in the smallest type that holds them."""
    numbers = np.array(list(values), dtype=np.int64)
    largest = numbers.max(initial=0)
    kind = next(kind for kind, size in _BYTES.items() if largest < 256**size)
    return Table(kind, name, numbers, comment)


def strings(names: Sequence[str]) -> str:
    """Return names as the inside of an initializer."""
    return ",\n".join(f"        {_string(name)}" for name in names)


def _string(name: str) -> str:
    """Return a literal of C whose bytes are the name in UTF-8."""
    data = name.encode("utf-8", "replace")
    if len(data) > _LONGEST_NAME:
        raise SparsefitError(
            f"--to c needs names of at most {_LONGEST_NAME} bytes, got {len(data)}"
        )
    # Octal escapes always have three digits here, so that no digit after them is a part of them.
    letters = (chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}" for byte in data)
    return f'"{"".join(letters)}"'


def identifier(name: str) -> str:
    """Return what the names in C start with, from the name of a file."""
    words = re.sub("[^A-Za-z0-9]+", "_", name)[:40].strip("_")
    return words if words[:1].isalpha() else f"model_{words}".rstrip("_")


def fill_template(prefix: str, template: str, **parts: object) -> str:
    """Put the prefix and parts into a template, once: what a part has in it stays as it is."""

    def part(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("@"):
            return str(parts[word.strip("@")])
        return prefix.upper() if word == "NET" else prefix

    return re.sub(r"@[A-Z]+@|(?<![A-Za-z])(net|NET)(?![A-Za-z])", part, template)
