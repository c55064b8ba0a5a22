"""One C99 header of a torch model: tables of nonzeros, a function for each kind of step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, singledispatchmethod
from math import prod
from typing import Any

import numpy as np

from sparsefit._version import __version__
from sparsefit.core.errors import SparsefitError
from sparsefit.export._c_tables import FLASH, Table, fill_template, identifier, small_table
from sparsefit.predictor.lowering import float32
from sparsefit.torch_export import _c_text as templates
from sparsefit.torch_export.steps import (
    Activation,
    Convolution,
    Linear,
    Pool,
    Reshape,
    Scale,
    Step,
    Window,
)

_FLOAT_BYTES = 4
_COMMENTS = {
    "weight": "Weights, unit by unit.",
    "bias": "Bias of each unit.",
    "factor": "Factors of channels.",
    "term": "Terms of channels.",
}


def build(steps: Sequence[Step], name: str) -> bytes:
    """Return the file.

    Parameters
    ----------
    steps : sequence of Step
    name : str
        What the names of functions and macros start with, once it is an identifier.

    Raises
    ------
    SparsefitError
        If a number is too large for float32, or a layer has windows of three dimensions.
    """
    fill = partial(fill_template, identifier(name))
    program = _Program()
    for step in steps:
        program.add(step)
    body, work = program.body(prod(steps[0].before))
    tables = program.tables()
    about = fill(
        templates.ABOUT, NNZ=program.nnz, VERSION=__version__,
        BEFORE=_shape(steps[0].before), AFTER=_shape(steps[-1].after),
    )  # fmt: skip
    sizes = {
        "INPUTS": prod(steps[0].before),
        "OUTPUTS": prod(steps[-1].after),
        "TABLE_BYTES": sum(table.bytes for table in tables),
        "WORK_BYTES": _FLOAT_BYTES * work,
    }
    pieces = [
        about,
        FLASH,
        *(fill(f"#define NET_{key} {size}\n") for key, size in sizes.items()),
        *(fill(table.text) for table in tables),
        *(fill(function) for function in program.functions.values()),
        fill(templates.PREDICT, BODY=fill(body)),
        fill(templates.MAIN),
    ]
    return "".join(pieces).encode()


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


@dataclass
class _Call:
    """A call that makes values of some size elsewhere, or changes them where they are (None)."""

    name: str
    arguments: str
    size: int | None


class _Program:
    """Calls, and the functions and tables that they need."""

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}
        self._calls: list[_Call] = []
        self._windows: list[str] = []
        self._places: list[np.ndarray] = []
        self._numbers: dict[str, list[np.ndarray]] = {}

    @property
    def nnz(self) -> int:
        """Nonzero weights and biases."""
        return sum(
            int(np.count_nonzero(part)) for parts in self._numbers.values() for part in parts
        )

    @singledispatchmethod
    def add(self, step: Step) -> None:
        """Add the call and the tables of a step."""
        raise NotImplementedError(type(step).__name__)

    @add.register
    def _(self, step: Linear) -> None:
        first = self._units(step.weight, step.bias, 0)
        n_units, n_inputs = step.weight.shape
        rows = prod(step.before[:-1])
        sizes = f"{rows}, {n_inputs}, {first}, {n_units}"
        self._call("linear", templates.LINEAR, sizes, prod(step.after))

    @add.register
    def _(self, step: Convolution) -> None:
        weight = step.weight.reshape(len(step.weight), -1)
        groups = np.arange(len(weight)) // (len(weight) // step.groups)
        first = self._units(weight, step.bias, weight.shape[1] * groups)
        sizes = f"{self._window(step, step.window)}, {first}, {len(weight)}"
        self._call("convolve", templates.CONVOLUTION, sizes, prod(step.after))

    @add.register
    def _(self, step: Pool) -> None:
        divisor = -1
        if step.is_mean:
            divisor = prod(step.window.kernel) if step.counts_padding else 0
        sizes = f"{self._window(step, step.window)}, {step.before[0]}, {divisor}"
        self._call("pool", templates.POOL, sizes, prod(step.after))

    @add.register
    def _(self, step: Scale) -> None:
        first = sum(map(len, self._numbers.get("factor", [])))
        self._append(factor=step.factor, term=step.term)
        sizes = f"{step.before[0]}, {prod(step.before[1:])}, {first}"
        self._call("scale", templates.SCALE, sizes)

    @add.register
    def _(self, step: Activation) -> None:
        sizes = f"{prod(step.before)}, {float32(step.slope)!s}f"
        self._call("activate", templates.ACTIVATION, sizes)

    @add.register
    def _(self, step: Reshape) -> None:
        """Values lie as before."""

    def body(self, n_inputs: int) -> tuple[str, int]:
        """Return what `predict` does, and how many values there are between layers.

        They go to and fro between two arrays, the last ones to the output.
        """
        if not self._calls or self._calls[0].size is None:
            self._calls.insert(0, _Call("copy", str(n_inputs), n_inputs))
            self.functions["copy"] = templates.COPY
        moves = [call for call in self._calls if call.size is not None]
        sizes = [max((call.size or 0 for call in moves[i:-1:2]), default=0) for i in (0, 1)]
        names, at, n_moves = ("one", "two"), "x", 0
        lines = [
            f"static float {name}[{size}];"
            for name, size in zip(names, sizes, strict=True) if size
        ]  # fmt: skip
        lines += [
            f"static const net_window window{i} = {{{window}}};"
            for i, window in enumerate(self._windows)
        ]
        for call in self._calls:
            if call.size is None:
                lines.append(f"net_{call.name}({at}, {call.arguments});")
                continue
            to = "out" if call is moves[-1] else names[n_moves % 2]
            lines.append(f"net_{call.name}({at}, {to}, {call.arguments});")
            at, n_moves = to, n_moves + 1
        return "\n".join(f"    {line}" for line in lines), sum(sizes)

    def tables(self) -> list[Table]:
        """Return the tables."""
        tables = []
        if self._places:
            starts = np.cumsum([0, *map(len, self._places)])
            index = np.concatenate(self._places)
            tables = [
                small_table("start", starts, "First weight of each unit."),
                small_table("index", index, "What each weight is for: an input, or a channel "
                            "times the size of windows, and a place there."),
            ]  # fmt: skip
        return tables + [
            Table("float", name, float32(np.concatenate(parts)), _COMMENTS[name])
            for name, parts in self._numbers.items()
        ]

    def _units(self, weight: np.ndarray, bias: np.ndarray, shift: Any) -> int:
        """Append units, whose places are `shift` further, and return the number of the first."""
        first = len(self._places)
        shifts = np.broadcast_to(shift, len(weight))
        for row, own in zip(weight, shifts, strict=True):
            self._places.append(row.nonzero()[0] + own)
        self._append(weight=weight[weight != 0], bias=bias)
        return first

    def _append(self, **numbers: np.ndarray) -> None:
        for name, values in numbers.items():
            self._numbers.setdefault(name, []).append(values)

    def _window(self, step: Step, window: Window) -> str:
        """Return what points to a description of windows; lines are images of one row."""
        if len(window.kernel) > 2:
            raise SparsefitError("C has windows of one or two dimensions, got "
                                 f"{len(window.kernel)}: export to ONNX")  # fmt: skip

        def flat(values: Sequence[int], missing: int) -> tuple[int, ...]:
            return (missing,) * (2 - len(values)) + tuple(values)

        starts = [start for start, _ in window.padding]
        parts = (
            *flat(step.before[1:], 1), *flat(step.after[1:], 1), *flat(window.kernel, 1),
            *flat(window.stride, 1), *flat(window.dilation, 1), *flat(starts, 0),
        )  # fmt: skip
        self.functions.setdefault("window", templates.WINDOW)
        self._windows.append(", ".join(map(str, parts)))
        return f"&window{len(self._windows) - 1}"

    def _call(self, name: str, function: str, arguments: str, size: int | None = None) -> None:
        self.functions.setdefault(name, function)
        self._calls.append(_Call(name, arguments, size))
