"""Python text that imports nothing but math: each hidden unit is a formula, to be read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from sparsefit._version import __version__
from sparsefit.core.activations import ACTIVATIONS
from sparsefit.core.errors import SparsefitError
from sparsefit.predictor.lowering import Input, Lowered, Units
from sparsefit.predictor.variables import variable_names

IS_SINGLE = False
SUFFIX = ".py"
_WIDTH = 100
_RESERVED = {
    "row", "number", "math", "max", "sum", "zip", "dict", "names", "scores", "powers", "label",
    "probabilities", *(kind().word for kind in ACTIVATIONS.values()),
}  # fmt: skip
_HEAD = '''\
"""A network of {nnz} nonzero numbers, written by {made}, version {version}."""
{function}

def predict(row):
    """Return {answer}.

    The row is a dict of these columns: numbers, and categories as texts. What is missing is None.

{columns}
    """

    def number(name, mean):
        value = row[name]
        return mean if value is None or value != value else value
'''
_PROBABILITIES = """
    # Powers of e over their sum; the largest score is taken off so that no power is too large.
    powers = [2.718281828459045 ** (score - max(scores)) for score in scores]
    probabilities = [power / sum(powers) for power in powers]
    label = names[scores.index(max(scores))]
    return {"label": label, "probabilities": dict(zip(names, probabilities))}
"""


def build(net: Lowered, name: str) -> bytes:
    """Return the file: a module with one function ``predict``, from a dict to a dict.

    Values are by the name of the target; for classes there are ``label`` and, by the name of the
    class, ``probabilities``.

    Parameters
    ----------
    net : Lowered
    name : str
        Not used: the function has a fixed name.

    Raises
    ------
    SparsefitError
        If two columns, targets or classes have the same name, as a dict cannot hold both.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column, Predictor, lower
    >>> network = Network((Layer(np.array([[2.0]]), np.array([-1.0])),), fused=True)
    >>> columns = (Column(name="age", mean=40.0, scale=10.0),)
    >>> model = Predictor(network=network, columns=columns, targets=("risk",))
    >>> text = build(lower(model), "model").decode()
    >>> print(text[text.index("    age =") :], end="")
        age = number('age', 40.0)
    <BLANKLINE>
        h1 = max(0.0, 2.0 * (age - 40.0) / 10.0 - 1.0)
    <BLANKLINE>
        return {
            'risk': h1,
        }
    """
    variables = _variables(net)
    _check_names("column", [net.columns[at].name for at in variables])
    _check_names("target", net.targets)
    _check_names("class", net.classes)
    sources = [_source(net, entry, variables[entry.column]) for entry in net.inputs]
    *hidden, output = net.wired
    lines = [_head(net, list(variables)), *_readings(net, variables)]
    for number, layer in enumerate(hidden, start=1):
        label = f"h{number}_" if len(hidden) > 1 else "h"
        units = [f"{label}{unit}" for unit in range(1, layer.n_units + 1)]
        formulas = _formulas(layer, sources)
        call, pairs = net.activation.python_call, zip(units, formulas, strict=True)
        lines += ["", *(f"    {unit} = {call(formula)}" for unit, formula in pairs)]
        sources += units
    return "\n".join([*lines, "", _answer(net, _formulas(output, sources))]).encode()


def _check_names(kind: str, names: Sequence[str]) -> None:
    name, count = Counter(names).most_common(1)[0] if names else ("", 1)
    if count > 1:
        raise SparsefitError(f"--to python needs different {kind} names, got {name!r} twice")


def _variables(net: Lowered) -> dict[int, str]:
    """Return a variable for each column that is read."""
    read = sorted({entry.column for entry in net.inputs})
    return dict(zip(read, variable_names([net.columns[at].name for at in read], _RESERVED),
                    strict=True))  # fmt: skip


def _head(net: Lowered, columns: list[int]) -> str:
    lines = []
    for at in columns:
        levels = ", ".join(map(repr, net.columns[at].levels))
        lines.append(f"    {net.columns[at].name!r}" + (f": {levels}" if levels else ""))
    # What closes a docstring, or is an escape there, is itself escaped.
    listed = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')
    answer = "the label and the probabilities" if net.classes else "the values by target"
    function = net.activation.python_function() if net.hidden else ""
    return _HEAD.format(
        nnz=net.nnz,
        version=__version__,
        made=net.made,
        columns=listed,
        answer=answer,
        function=f"\n{function}" if function else "",
    )


def _readings(net: Lowered, variables: dict[int, str]) -> list[str]:
    lines = []
    for at, variable in variables.items():
        column = net.columns[at]
        read = f"row[{column.name!r}]"
        if not column.levels:
            read = f"number({column.name!r}, {_number(column.mean)})"
        lines.append(f"    {variable} = {read}")
    return lines


def _source(net: Lowered, entry: Input, variable: str) -> str:
    """Return the formula of an input."""
    if entry.level is not None:
        return f"({variable} == {net.columns[entry.column].levels[entry.level]!r})"
    text = variable
    if entry.mean:
        text = f"({variable} {_signed(-entry.mean)})"
    return text if entry.scale == 1 else f"{text} / {_number(entry.scale)}"


def _formulas(layer: Units, sources: list[str]) -> list[str]:
    """Return the sum of each unit; one that is too long for a line has a line for each term."""
    weight, formulas = layer.weight, []
    for unit, bias in enumerate(layer.bias.tolist()):
        span = slice(weight.indptr[unit], weight.indptr[unit + 1])
        pairs = zip(weight.indices[span].tolist(), weight.data[span].tolist(), strict=True)
        terms = [f"{_signed(value)} * {sources[at]}" for at, value in pairs]
        # The plain sum of a fused network; a comparison needs its factor to become a number.
        terms = [re.sub(r"^\+ 1\.0 \* (h[\d_]+)$", r"+ \1", term) for term in terms]
        terms += [_signed(bias)] if bias or not terms else []
        formula = " ".join(terms)
        if len(formula) > _WIDTH:
            formulas.append(
                "sum((\n" + "".join(f"        {_alone(t)},\n" for t in terms) + "    ))"
            )
        else:
            formulas.append(_alone(formula))
    return formulas


def _answer(net: Lowered, formulas: list[str]) -> str:
    # They are one level deeper here.
    formulas = [formula.replace("\n", "\n    ") for formula in formulas]
    if not net.classes:
        if net.exponential:
            formulas = [f"{math.e!r} ** ({formula})" for formula in formulas]
        values = zip(net.targets, formulas, strict=True)
        lines = [f"        {target!r}: {formula}," for target, formula in values]
        return "\n".join(["    return {", *lines, "    }", ""])
    names = "".join(f"        {name!r},\n" for name in net.classes)
    scores = "".join(f"        {formula},\n" for formula in formulas)
    return f"    names = [\n{names}    ]\n    scores = [\n{scores}    ]\n{_PROBABILITIES}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {_number(abs(value))}"


def _alone(formula: str) -> str:
    """Return a sum without the sign of what is first, or with it right before the number."""
    return formula[2:] if formula.startswith("+ ") else f"-{formula[2:]}"


def _number(value: float) -> str:
    """Return the number, short if it was in single precision."""
    with np.errstate(over="ignore", under="ignore"):
        narrow = np.float32(value)
    return str(narrow) if float(narrow) == value else repr(value)
