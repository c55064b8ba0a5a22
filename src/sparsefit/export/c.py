"""One C99 header of tables and functions, for programs and for microcontrollers.

Functions have the name of the file before them. ``number="float"`` computes in float32;
``"int16"`` has weights of 16 bits and integer sums, and is off by about 1e-4 of the size of an
output.
"""

from __future__ import annotations

import itertools
import re
import string
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from sparsefit._version import __version__
from sparsefit.core.errors import OptionError, SparsefitError
from sparsefit.export import _c_text as templates
from sparsefit.export.lowering import Lowered, float32

IS_SINGLE = True
SUFFIX = ".h"
NUMBERS = ("float", "int16")
_BYTES = {"uint8_t": 1, "uint16_t": 2, "uint32_t": 4, "int16_t": 2, "int32_t": 4, "float": 4}
# Bits of a value of typical size; there are 31, so that it may also be 2^14 times as large.
_VALUE_BITS = 17
# Sums of 2^17 products of 15 and 31 bits fit into 63; shifted by more, they would be nothing.
_LARGEST_SHIFT = 46
# C99 promises string literals of 4095 characters, and a byte may take four.
_LONGEST_NAME = 1000
# Room of a field: any number fits.
_FIELD = 512
# Quotes and backslashes would end a string or change it, question marks make trigraphs.
_PLAIN = set(string.printable) - set(string.whitespace) - set('"\\?') | {" "}

Fill = Callable[..., str]


def build(net: Lowered, name: str, *, number: Literal["float", "int16"] = "float") -> bytes:
    """Return the file.

    Parameters
    ----------
    net : Lowered
    name : str
        What the names of functions and macros start with, once it is an identifier.
    number : {"float", "int16"}, optional

    Raises
    ------
    SparsefitError
        If `number` is neither, a number is too large for float32, or a name is too long for C.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.export import lower
    >>> from sparsefit.predictor import Column, Predictor
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> model = Predictor(network=network, columns=(Column(name="age"),), targets=("y",))
    >>> lines = build(lower(model), "risk-model").decode().splitlines()
    >>> [line for line in lines if line.endswith("(const float *row, float *out)")]
    ['static inline void risk_model_predict(const float *row, float *out)']
    """
    if number not in NUMBERS:
        raise OptionError("number", number, f"one of {', '.join(NUMBERS)}")
    fill = partial(_fill, _identifier(name))
    outputs = "net_scores" if net.classes else "net_predict"
    link = "expf" if net.exponential else ""
    if number == "int16":
        tables, unit = _integer_tables(net)
        kernel = fill(
            templates.INT16.replace("@OUTPUTS@", outputs), LINK=link, UNIT=f"{unit!s}f",
            ONE=str(2**_VALUE_BITS), BITS=str(_VALUE_BITS), HEADROOM=str(31 - _VALUE_BITS),
        )  # fmt: skip
    else:
        tables = _float_tables(net)
        kernel = fill(templates.FLOAT.replace("@OUTPUTS@", outputs), LINK=link)
    pieces = [
        _head(fill, net, sum(table.bytes for table in tables)),
        *(fill(table.text) for table in tables),
        kernel,
        *([fill(templates.CLASSES)] if net.classes else []),
        _names(fill, net),
        _main(fill, net),
        templates.END,
    ]
    return "".join(pieces).encode()


@dataclass(frozen=True)
class _Table:
    """A constant array of C."""

    type: str
    name: str
    values: np.ndarray
    comment: str

    @property
    def bytes(self) -> int:
        return _BYTES[self.type] * max(1, len(self.values))

    @property
    def text(self) -> str:
        values = [str(value) + "f" * (self.type == "float") for value in self.values]
        return (
            f"\n/* {self.comment} */\n"
            f"static const {self.type} net_{self.name}[] = {{\n{_wrapped(values)}\n}};\n"
        )


def _wrapped(values: Sequence[str]) -> str:
    # C has no empty arrays.
    return textwrap.indent(textwrap.fill(", ".join(values or ["0"]), 96), "    ")


def _small(name: str, values: Iterable[int], comment: str) -> _Table:
    """Return a table of integers >= 0 in the smallest type that holds them."""
    numbers = np.array(list(values), dtype=np.int64)
    largest = numbers.max(initial=0)
    kind = next(kind for kind, size in _BYTES.items() if largest < 256**size)
    return _Table(kind, name, numbers, comment)


def _input_tables(net: Lowered, one: float) -> list[_Table]:
    """Return what turns a row into inputs, in units of which `one` is 1."""
    numbers, categories = net.inputs[: net.n_numbers], net.inputs[net.n_numbers :]
    means = float32([entry.mean for entry in numbers])
    factors = float32([one / entry.scale for entry in numbers])
    columns = (entry.column for entry in net.inputs)
    codes = (entry.level or 0 for entry in categories)
    return [
        _small("column", columns, "Columns that become inputs: first numbers, then categories."),
        _Table("float", "mean", means, "Means of the numbers."),
        _Table("float", "factor", factors, "Factors of the numbers, once their means are off."),
        _small("code", codes, "Places of the levels where inputs of categories are 1."),
    ]


def _place_tables(net: Lowered) -> list[_Table]:
    """Return where the weights of a unit are, and what values they are for."""
    counts = np.concatenate([np.diff(layer.weight.indptr) for layer in net.wired])
    starts = itertools.accumulate(counts.tolist(), initial=0)
    indices = np.concatenate([layer.weight.indices for layer in net.wired])
    return [
        _small("start", starts, "First weight of each unit: hidden ones, then outputs."),
        _small("index", indices.tolist(), "What each weight is for: inputs, then hidden units."),
    ]


def _float_tables(net: Lowered) -> list[_Table]:
    weights = np.concatenate([layer.weight.data for layer in net.wired])
    biases = np.concatenate([layer.bias for layer in net.wired])
    return [
        *_input_tables(net, 1.0),
        *_place_tables(net),
        _Table("float", "weight", float32(weights), "Weights, unit by unit."),
        _Table("float", "bias", float32(biases), "Bias of each unit."),
    ]


def _integer_tables(net: Lowered) -> tuple[list[_Table], np.float32]:
    """Return the tables, and what 1 stands for in the integers of outputs.

    The integer of a value with b bits is the value times 2^b. Each hidden unit has its own b, by
    which its typical size takes `_VALUE_BITS`: the weights after it make up for that.
    """
    size = np.ones(len(net.inputs))
    bits = np.full(len(net.inputs), _VALUE_BITS, dtype=np.int32)
    weights, biases, shifts = [], [], []
    *hidden, output = net.wired
    for layer in (*hidden, output):
        places, starts = layer.weight.indices, layer.weight.indptr
        units = np.repeat(np.arange(layer.n_units), np.diff(starts))
        largest, squares = np.zeros(layer.n_units), np.square(layer.bias)
        scaled = np.ldexp(layer.weight.data, -bits[places])
        np.maximum.at(largest, units, np.abs(scaled))
        np.add.at(squares, units, np.square(layer.weight.data * size[places]))
        own_size = np.sqrt(squares)
        own_bits = _VALUE_BITS - np.frexp(own_size)[1]
        sum_bits = 15 - np.frexp(largest)[1]
        if layer is output:
            # Compared with one another, and never weighted: as many bits for all as sums have.
            shared = np.append(sum_bits[largest > 0], 30 - np.frexp(layer.bias)[1]).min()
            own_bits = np.full(layer.n_units, shared, dtype=np.int32)
        sum_bits = np.where(largest > 0, sum_bits, own_bits).clip(max=own_bits + _LARGEST_SHIFT)
        rounded = np.rint(np.ldexp(scaled, sum_bits[units]))
        # What was just below 2^15 may have become that.
        weights.append(rounded.clip(-32767, 32767).astype(np.int64))
        biases.append(np.rint(np.ldexp(layer.bias, own_bits)).astype(np.int64))
        shifts.append(sum_bits - own_bits)
        size, bits = np.append(size, own_size), np.append(bits, own_bits)
    tables = [
        *_input_tables(net, 2.0**_VALUE_BITS),
        *_place_tables(net),
        _Table("int16_t", "weight", np.concatenate(weights), "Weights, unit by unit."),
        _Table("int32_t", "bias", np.concatenate(biases), "Bias of each unit."),
        _small("shift", np.concatenate(shifts), "Shift of the sum of each unit."),
    ]
    return tables, float32(np.ldexp(1.0, -bits[-1:]))[0]


def _head(fill: Fill, net: Lowered, n_bytes: int) -> str:
    sizes = {
        "COLUMNS": len(net.columns),
        "INPUTS": len(net.inputs),
        "NUMBERS": net.n_numbers,
        "HIDDEN": sum(layer.n_units for layer in net.hidden),
        "OUTPUTS": net.output.n_units,
        "TABLE_BYTES": n_bytes,
    }
    functions = templates.CLASSES_FUNCTIONS if net.classes else templates.VALUES_FUNCTIONS
    about = fill(
        templates.ABOUT.replace("@FUNCTIONS@", functions),
        NNZ=net.nnz,
        VERSION=__version__,
        MADE=net.made,
    )
    return about + "".join(fill(f"#define NET_{name} {size}\n") for name, size in sizes.items())


def _names(fill: Fill, net: Lowered) -> str:
    kind, names = ("class", net.classes) if net.classes else ("target", net.targets)
    columns = [column.name for column in net.columns]
    levels = [level for column in net.columns for level in column.levels]
    starts = itertools.accumulate((len(column.levels) for column in net.columns), initial=0)
    first = _small("first", starts, "")
    return (
        fill(templates.NAMES, KIND="column", NAMES=_strings(columns))
        + fill(templates.NAMES, KIND=kind, NAMES=_strings(names))
        + fill(
            templates.LEVELS, NAMES=_strings(levels or [""]), TYPE=first.type,
            FIRST=textwrap.indent(_wrapped([str(at) for at in first.values]), "    "),
        )
    )  # fmt: skip


def _main(fill: Fill, net: Lowered) -> str:
    texts = [net.columns[0].name, *(level for column in net.columns for level in column.levels)]
    # One more than the longest, and its end: what is cut off there is equal to none of them.
    room = max([_FIELD, *(len(text.encode("utf-8", "replace")) + 2 for text in texts)])
    show = templates.PRINT_CLASS if net.classes else templates.PRINT_VALUES
    return fill(templates.MAIN.replace("@PRINT@", show), FIELD=room)


def _strings(names: Sequence[str]) -> str:
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


def _identifier(name: str) -> str:
    words = re.sub("[^A-Za-z0-9]+", "_", name)[:40].strip("_")
    return words if words[:1].isalpha() else f"model_{words}".rstrip("_")


def _fill(prefix: str, template: str, **parts: object) -> str:
    """Put the prefix and parts into a template, once: what a part has in it stays as it is."""

    def part(match: re.Match[str]) -> str:
        word = match[0]
        if word.startswith("@"):
            return str(parts[word.strip("@")])
        return prefix.upper() if word == "NET" else prefix

    return re.sub(r"@[A-Z]+@|(?<![A-Za-z])(net|NET)(?![A-Za-z])", part, template)
