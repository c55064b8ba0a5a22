"""One C99 header of tables and functions, for programs and for microcontrollers.

Functions have the name of the file before them. ``number="float"`` computes in float32;
``"int16"`` has weights of 16 bits and integer sums, and is off by about 1e-4 of the size of an
output.
"""

from __future__ import annotations

import itertools
import textwrap
from functools import partial
from typing import Literal

import numpy as np

from sparsefit._version import __version__
from sparsefit.core.errors import OptionError
from sparsefit.export import _c_text as templates
from sparsefit.export._c_tables import (
    Fill,
    Table,
    fill_template,
    identifier,
    small_table,
    strings,
    wrapped,
)
from sparsefit.predictor.lowering import Lowered, float32

IS_SINGLE = True
SUFFIX = ".h"
NUMBERS = ("float", "int16")
# Bits of a value of typical size; there are 31, so that it may also be 2^14 times as large.
_VALUE_BITS = 17
# Sums of 2^17 products of 15 and 31 bits fit into 63; shifted by more, they would be nothing.
_LARGEST_SHIFT = 46
# Room of a field: any number fits.
_FIELD = 512


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
    >>> from sparsefit.predictor import Column, Predictor, lower
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> model = Predictor(network=network, columns=(Column(name="age"),), targets=("y",))
    >>> lines = build(lower(model), "risk-model").decode().splitlines()
    >>> [line for line in lines if line.endswith("(const float *row, float *out)")]
    ['static inline void risk_model_predict(const float *row, float *out)']
    """
    if number not in NUMBERS:
        raise OptionError("number", number, f"one of {', '.join(NUMBERS)}")
    fill = partial(fill_template, identifier(name))
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


def _input_tables(net: Lowered, one: float) -> list[Table]:
    """Return what turns a row into inputs, in units of which `one` is 1."""
    numbers, categories = net.inputs[: net.n_numbers], net.inputs[net.n_numbers :]
    means = float32([entry.mean for entry in numbers])
    factors = float32([one / entry.scale for entry in numbers])
    columns = (entry.column for entry in net.inputs)
    codes = (entry.level or 0 for entry in categories)
    return [
        small_table("column", columns, "Columns that inputs are from: numbers, then categories."),
        Table("float", "mean", means, "Means of the numbers."),
        Table("float", "factor", factors, "Factors of the numbers, once their means are off."),
        small_table("code", codes, "Places of the levels where inputs of categories are 1."),
    ]


def _place_tables(net: Lowered) -> list[Table]:
    """Return where the weights of a unit are, and what values they are for."""
    counts = np.concatenate([np.diff(layer.weight.indptr) for layer in net.wired])
    starts = itertools.accumulate(counts.tolist(), initial=0)
    indices = np.concatenate([layer.weight.indices for layer in net.wired])
    return [
        small_table("start", starts, "First weight of each unit: hidden ones, then outputs."),
        small_table("index", indices.tolist(), "What each weight is for: input or hidden unit."),
    ]


def _float_tables(net: Lowered) -> list[Table]:
    weights = np.concatenate([layer.weight.data for layer in net.wired])
    biases = np.concatenate([layer.bias for layer in net.wired])
    return [
        *_input_tables(net, 1.0),
        *_place_tables(net),
        Table("float", "weight", float32(weights), "Weights, unit by unit."),
        Table("float", "bias", float32(biases), "Bias of each unit."),
    ]


def _integer_tables(net: Lowered) -> tuple[list[Table], np.float32]:
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
        Table("int16_t", "weight", np.concatenate(weights), "Weights, unit by unit."),
        Table("int32_t", "bias", np.concatenate(biases), "Bias of each unit."),
        small_table("shift", np.concatenate(shifts), "Shift of the sum of each unit."),
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
    first = small_table("first", starts, "")
    return (
        fill(templates.NAMES, KIND="column", NAMES=strings(columns))
        + fill(templates.NAMES, KIND=kind, NAMES=strings(names))
        + fill(
            templates.LEVELS, NAMES=strings(levels or [""]), TYPE=first.type,
            FIRST=textwrap.indent(wrapped([str(at) for at in first.values]), "    "),
        )
    )  # fmt: skip


def _main(fill: Fill, net: Lowered) -> str:
    texts = [net.columns[0].name, *(level for column in net.columns for level in column.levels)]
    # One more than the longest, and its end: what is cut off there is equal to none of them.
    room = max([_FIELD, *(len(text.encode("utf-8", "replace")) + 2 for text in texts)])
    show = templates.PRINT_CLASS if net.classes else templates.PRINT_VALUES
    return fill(templates.MAIN.replace("@PRINT@", show), FIELD=room)
