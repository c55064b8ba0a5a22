"""One C99 header of tables and functions, for programs and for microcontrollers.

Functions have the name of the file before them. ``number="float"`` computes in float32; ``"int16"``
and ``"int8"`` have weights of 16 and 8 bits and integer sums, and are off by about 1e-4 and 1e-2 of
the size of an output. A sum of the latter has 32 bits wherever no row can make it larger.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np

from sparsefit._version import __version__
from sparsefit.core.activations import RELU
from sparsefit.core.errors import OptionError
from sparsefit.export import _c_text as templates
from sparsefit.export._c_names import column_lines, constants, names, program, trial_macros
from sparsefit.export._c_numbers import (
    INTEGERS,
    Integers,
    input_tables,
    integer_tables,
    place_tables,
)
from sparsefit.export._c_tables import FLASH, Fill, Table, fill_template, identifier
from sparsefit.predictor.lowering import Lowered, float32

IS_SINGLE = True
SUFFIX = ".h"
NUMBERS = ("float", *INTEGERS)
_VALUE_BYTES = {"float": 4, "int32_t": 4, "int16_t": 2}


def build(net: Lowered, name: str, *, number: Literal["float", "int16", "int8"] = "float") -> bytes:
    """Return the file.

    Parameters
    ----------
    net : Lowered
    name : str
        What the names of functions and macros start with, once it is an identifier.
    number : {"float", "int16", "int8"}, optional

    Raises
    ------
    SparsefitError
        If `number` is none of these, a number is too large for float32, or a name too long for C.

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
    kind = INTEGERS.get(number)
    tables, kernel = _float(fill, net) if kind is None else _integers(fill, net, kind)
    value_type = "float" if kind is None else kind.value_type
    pieces = [
        _head(fill, net, sum(table.bytes for table in tables), value_type),
        constants(fill, net),
        *(fill(table.text) for table in tables),
        kernel,
        *([fill(templates.CLASSES)] if net.classes else []),
        names(fill, net),
        program(fill, net),
        templates.END,
    ]
    return "".join(pieces).encode()


def _float(fill: Fill, net: Lowered) -> tuple[list[Table], str]:
    unit = net.activation.text("c", "sum")
    return _float_tables(net), fill(_kernel(templates.FLOAT, net), LINK=_link(net), UNIT=unit)


def _integers(fill: Fill, net: Lowered, kind: Integers) -> tuple[list[Table], str]:
    tables, unit, sums = integer_tables(net, kind)
    template = templates.INTEGER_RELU if net.activation == RELU else templates.INTEGER_UNIT
    activation = template.replace("@UNIT@", net.activation.text("c", "x"))
    kernel = fill(
        _kernel(templates.INTEGER, net).replace("@ACTIVATION@", activation),
        LINK=_link(net), UNIT=f"{unit!s}f", ONE=str(2**kind.value_bits), BITS=str(kind.value_bits),
        HEADROOM=str(kind.headroom), VALUE=kind.value_type, SUM=sums, LARGEST=str(kind.largest),
        WEIGHTBITS=str(kind.weight_bits),
    )  # fmt: skip
    return tables, kernel


def _kernel(template: str, net: Lowered) -> str:
    return template.replace("@OUTPUTS@", "net_scores" if net.classes else "net_predict")


def _link(net: Lowered) -> str:
    return "expf" if net.exponential else ""


def _float_tables(net: Lowered) -> list[Table]:
    weights = np.concatenate([layer.weight.data for layer in net.wired])
    biases = np.concatenate([layer.bias for layer in net.wired])
    return [
        *input_tables(net, 1.0),
        *place_tables(net),
        Table("float", "weight", float32(weights), "Weights, unit by unit."),
        Table("float", "bias", float32(biases), "Bias of each unit."),
    ]


def _head(fill: Fill, net: Lowered, n_bytes: int, value_type: str) -> str:
    n_hidden = sum(layer.n_units for layer in net.hidden)
    sizes = {
        "COLUMNS": len(net.columns),
        "INPUTS": len(net.inputs),
        "NUMBERS": net.n_numbers,
        "HIDDEN": n_hidden,
        "OUTPUTS": net.output.n_units,
        "TABLE_BYTES": n_bytes,
        "STACK_BYTES": _VALUE_BYTES[value_type] * (len(net.inputs) + n_hidden),
    }
    functions = templates.CLASSES_FUNCTIONS if net.classes else templates.VALUES_FUNCTIONS
    about = fill(
        templates.ABOUT.replace("@FUNCTIONS@", functions), NNZ=net.nnz, VERSION=__version__,
        MADE=net.made, LINES=column_lines(net), FLASH=sizes["TABLE_BYTES"],
        RAM=sizes["STACK_BYTES"], SCORES="scores" if net.classes else "predict",
    )  # fmt: skip
    defined = "".join(fill(f"#define NET_{name} {size}\n") for name, size in sizes.items())
    return about + FLASH + defined + "".join(map(fill, trial_macros(net)))
