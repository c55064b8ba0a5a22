"""Tables of a network in C: what turns a row into inputs, places, and integer weights."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sparsefit.core.activations import RELU
from sparsefit.export._c_tables import Table, small_table
from sparsefit.predictor.lowering import Lowered, float32


@dataclass(frozen=True)
class Integers:
    """How numbers are integers.

    Attributes
    ----------
    weight_bits : int
        Of a weight, with its sign.
    value_bits : int
        Of a value of typical size, without a sign; what is larger saturates.
    value_type : str
        Of a value.
    """

    weight_bits: int
    value_bits: int
    value_type: str

    @property
    def headroom(self) -> int:
        """How many times larger than a typical one a value may be, as a power of two."""
        return (31 if self.value_type == "int32_t" else 15) - self.value_bits

    @property
    def largest(self) -> int:
        """The largest value."""
        return int(2 ** (self.value_bits + self.headroom)) - 1


# 17 bits leave room for what is 2^14 times as large; products with 15 bits fit into 63. With 8 bits
# of weights, 11 of values are as fine, and sums of products fit into 32 bits.
INTEGERS = {
    "int16": Integers(16, 17, "int32_t"),
    "int8": Integers(8, 11, "int16_t"),
}
# Shifted by more, sums would be nothing.
_LARGEST_SHIFT = {"int64_t": 46, "int32_t": 30}


def input_tables(net: Lowered, one: float) -> list[Table]:
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


def place_tables(net: Lowered) -> list[Table]:
    """Return where the weights of a unit are, and what values they are for."""
    counts = np.concatenate([np.diff(layer.weight.indptr) for layer in net.wired])
    starts = itertools.accumulate(counts.tolist(), initial=0)
    indices = np.concatenate([layer.weight.indices for layer in net.wired])
    return [
        small_table("start", starts, "First weight of each unit: hidden ones, then outputs."),
        small_table("index", indices.tolist(), "What each weight is for: input or hidden unit."),
    ]


def integer_tables(net: Lowered, kind: Integers) -> tuple[list[Table], np.float32, str]:
    """Return the tables, what 1 stands for in the integers of outputs, and the type of sums.

    The integer of a value with b bits is the value times 2^b. Each hidden unit has its own b, by
    which its typical size takes `value_bits`: the weights after it make up for that. Sums have 32
    bits if no row can make them larger.
    """
    for sums in ("int32_t", "int64_t"):
        weights, biases, shifts, ones = _rounded(net, kind, sums)
        if sums == "int64_t" or _largest_sum(net, weights, biases, shifts, kind) < 2**31:
            break
    tables = [
        *input_tables(net, 2.0**kind.value_bits),
        *place_tables(net),
        Table(f"int{kind.weight_bits}_t", "weight", np.concatenate(weights),
              "Weights, unit by unit."),
        Table("int32_t", "bias", np.concatenate(biases), "Bias of each unit."),
        small_table("shift", np.concatenate(shifts), "Shift of the sum of each unit."),
    ]  # fmt: skip
    if net.activation != RELU:
        tables.append(Table("float", "one", ones[:-1], "What 1 is in each hidden unit."))
    return tables, 1 / ones[-1], sums


def _largest_sum(
    net: Lowered, weights: list[np.ndarray], biases: list[np.ndarray], shifts: list[np.ndarray],
    kind: Integers,
) -> int:  # fmt: skip
    """Return the most that the products of a unit, or these shifted and its bias, add up to."""
    most = 0
    for layer, own, bias, shift in zip(net.wired, weights, biases, shifts, strict=True):
        units = np.repeat(np.arange(layer.n_units), np.diff(layer.weight.indptr))
        totals = np.bincount(units, abs(own), minlength=layer.n_units).astype(np.int64)
        sums = totals * kind.largest
        most = max(most, int(sums.max()), int(((sums >> shift) + 1 + abs(bias)).max()))
    return most


def _rounded(
    net: Lowered, kind: Integers, sums: str
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Return weights, biases and shifts of each layer, and what 1 is in hidden units and outputs.

    Outputs have one such number.
    """
    size = np.ones(len(net.inputs))
    bits = np.full(len(net.inputs), kind.value_bits, dtype=np.int32)
    weights, biases, shifts = [], [], []
    most = 2 ** (kind.weight_bits - 1) - 1
    *hidden, output = net.wired
    for layer in (*hidden, output):
        places, starts = layer.weight.indices, layer.weight.indptr
        units = np.repeat(np.arange(layer.n_units), np.diff(starts))
        largest, squares = np.zeros(layer.n_units), np.square(layer.bias)
        scaled = np.ldexp(layer.weight.data, -bits[places])
        np.maximum.at(largest, units, np.abs(scaled))
        np.add.at(squares, units, np.square(layer.weight.data * size[places]))
        own_size = np.sqrt(squares)
        if layer is not output:
            own_size = own_size.clip(net.activation.at_zero, net.activation.bound)
        own_bits = kind.value_bits - np.frexp(own_size)[1]
        sum_bits = kind.weight_bits - 1 - np.frexp(largest)[1]
        if layer is output:
            # Compared with one another, and never weighted: as many bits for all as sums have.
            shared = np.append(sum_bits[largest > 0], 30 - np.frexp(layer.bias)[1]).min()
            own_bits = np.full(layer.n_units, shared, dtype=np.int32)
        limit = own_bits + _LARGEST_SHIFT[sums]
        sum_bits = np.where(largest > 0, sum_bits, own_bits).clip(max=limit)
        rounded = np.rint(np.ldexp(scaled, sum_bits[units]))
        # What was just below a power of two may have become that.
        weights.append(rounded.clip(-most, most).astype(np.int64))
        biases.append(np.rint(np.ldexp(layer.bias, own_bits)).astype(np.int64))
        shifts.append(sum_bits - own_bits)
        size, bits = np.append(size, own_size), np.append(bits, own_bits)
    start, stop = len(net.inputs), len(bits) - output.n_units + 1
    return weights, biases, shifts, float32(np.ldexp(1.0, bits[start:stop]))
