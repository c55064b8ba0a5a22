"""A model as people would write it down: in units of its columns, constants rounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sparsefit.core.activations import ACTIVATIONS, RELU, Activation
from sparsefit.predictor.variables import variable_names

_WIDTH, _INDENT, _MOST_SHOWN = 88, 4, 12
# What a function of the columns uses itself.
_RESERVED = {"max", "math", "predict", *(kind().word for kind in ACTIVATIONS.values())}


@dataclass(frozen=True)
class Sum:
    """A hidden unit or an output: numbers times sources, and a constant.

    Attributes
    ----------
    name : str
    terms : tuple of (int, float)
        Places in the sources of the formula, and what they are multiplied by.
    constant : float
    """

    name: str
    terms: tuple[tuple[int, float], ...]
    constant: float


@dataclass(frozen=True, eq=False)
class Formula:
    r"""A network in words of its columns; its text is what people would write.

    Attributes
    ----------
    inputs : tuple of (str, str or None)
        Names of columns, and the level of a category, which is 1 where the column has it.
    hidden : tuple of Sum
        Each is the activation of its sum. Sources are the inputs and then the hidden units.
    outputs : tuple of Sum
    exponential : bool
        Whether values are the exponentials of the outputs.
    activation : Activation

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column, Predictor
    >>> first = Layer(np.array([[2.5, 0.0], [-2.5, 0.1]]), np.array([0.0, -0.4]))
    >>> model = Predictor(
    ...     network=Network((first, Layer(np.array([[0.8], [1.0]])))), targets=("price",),
    ...     columns=(Column(name="rooms"), Column(name="year built", scale=10.0)),
    ... )
    >>> model.formula()
    price = 2 relu(rooms - 0.1 `year built`) + 0.01 relu(`year built` - 40)
    >>> print(model.formula().latex())
    \mathrm{price} = 2\,(\mathrm{rooms} - 0.1\,\mathrm{year\ built})_+ + 0.01...
    """

    inputs: tuple[tuple[str, str | None], ...]
    hidden: tuple[Sum, ...]
    outputs: tuple[Sum, ...]
    exponential: bool = False
    activation: Activation = RELU

    @property
    def is_short(self) -> bool:
        """Whether it has so few lines that people read it."""
        return len(self._lines(_TEXT)) <= _MOST_SHOWN

    def __str__(self) -> str:
        """Return the formula, a line for each output, after those of units that several read."""
        return "\n".join(self._lines(_TEXT))

    def __repr__(self) -> str:
        """Return the formula, or the start of a long one."""
        lines = str(self).splitlines()
        more = f"\n... and {len(lines) - _MOST_SHOWN} more lines"
        return "\n".join(lines[:_MOST_SHOWN]) + (more if len(lines) > _MOST_SHOWN else "")

    def latex(self) -> str:
        """Return the formula for a LaTeX document: (x)_+ is x where it is positive, else 0."""
        return " \\\\\n".join(self._lines(_LATEX))

    def python(self) -> str:
        """Return a function of the columns that are read, without imports but ``math``.

        Numbers are floats and categories texts. It returns the value, or a dict of several.

        Examples
        --------
        >>> formula = Formula((("age", None), ("pet", "cat")), (), (Sum("y", ((1, 2.5),), 1.0),))
        >>> print(formula.python(), end="")
        def predict(pet):
            return 2.5 * (pet == 'cat') + 1.0
        """
        read = {place for one in (*self.hidden, *self.outputs) for place, _ in one.terms}
        columns = list(dict.fromkeys(self.inputs[at][0] for at in sorted(read)
                                     if at < len(self.inputs)))  # fmt: skip
        variables = dict(zip(columns, variable_names(columns, _RESERVED), strict=True))
        style = _python_style(variables)
        lines = [f"def predict({', '.join(variables.values())}):"]
        sums = [self._sum(unit, style, ()) for unit in self.hidden]
        lines += [f"    {self._hidden_name(at)} = {self.activation.python_call(one)}"
                  for at, one in enumerate(sums)]  # fmt: skip
        values = [self._sum(output, style, ()) for output in self.outputs]
        if self.exponential:
            values = [f"math.exp({value})" for value in values]
        if len(values) == 1:
            lines.append(f"    return {values[0]}")
        else:
            named = zip((output.name for output in self.outputs), values, strict=True)
            lines += ["    return {", *(f"        {n!r}: {v}," for n, v in named), "    }"]
        function = self.activation.python_function() if self.hidden else ""
        if self.exponential and "import math" not in function:
            function = "import math\n\n\n" + function
        space = "\n\n" if "def " in function else ""
        return function + space + "\n".join(lines) + "\n"

    def evaluate(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs, (n, n_outputs), of inputs (n, n_inputs) in units of their columns.

        Categories are 0 or 1. Columns of X are those of `inputs`.
        """
        values = list(np.asarray(X, dtype=np.float64).T)
        for unit in self.hidden:
            values.append(self.activation(_evaluated(unit, values, len(X))))
        z = np.stack([_evaluated(output, values, len(X)) for output in self.outputs], axis=1)
        return np.exp(z) if self.exponential else z

    def _lines(self, style: _Style) -> list[str]:
        inlined = self._inlined()
        lines = [
            f"{style.unit(self._hidden_name(at))} = {self._unit(unit, style, inlined)}"
            for at, unit in enumerate(self.hidden) if at not in inlined
        ]  # fmt: skip
        for output in self.outputs:
            body = self._sum(output, style, inlined)
            body = style.exponential(body) if self.exponential else body
            line = f"{style.output(output.name)} = {body}"
            lines += _wrapped(line) if style is _TEXT else [line]
        return lines

    def _inlined(self) -> set[int]:
        """Return the hidden units that are read once, by an output, and read no hidden unit."""
        first = len(self.inputs)
        readers: dict[int, list[bool]] = {}
        for one in (*self.hidden, *self.outputs):
            for place, _ in one.terms:
                readers.setdefault(place - first, []).append(one in self.outputs)
        return {
            at for at, unit in enumerate(self.hidden)
            if readers.get(at) == [True] and all(place < first for place, _ in unit.terms)
        }  # fmt: skip

    def _hidden_name(self, at: int) -> str:
        name = self.hidden[at].name
        taken = {column for column, _ in self.inputs} | {one.name for one in self.outputs}
        return f"unit_{name}" if name in taken else name

    def _unit(self, one: Sum, style: _Style, inlined: set[int] | tuple[()]) -> str:
        return self.activation.text(style.language, self._sum(one, style, inlined))

    def _sum(self, one: Sum, style: _Style, inlined: set[int] | tuple[()]) -> str:
        parts = []
        for place, value in one.terms:
            at = place - len(self.inputs)
            if at < 0:
                words = style.input(*self.inputs[place])
            elif at in inlined:
                words = self._unit(self.hidden[at], style, inlined)
            else:
                words = style.unit(self._hidden_name(at))
            parts.append((value < 0, style.product(abs(value), words)))
        if one.constant or not parts:
            parts.append((one.constant < 0, style.number(abs(one.constant))))
        text = " ".join(f"{'-' if minus else '+'} {words}" for minus, words in parts)
        return text[2:] if text.startswith("+") else f"-{text[2:]}"


@dataclass(frozen=True)
class _Style:
    """How the parts of a formula are written."""

    language: Literal["formula", "latex", "python"]
    number: Callable[[float], str]
    product: Callable[[float, str], str]
    input: Callable[[str, str | None], str]
    unit: Callable[[str], str]
    output: Callable[[str], str]
    exponential: Callable[[str], str]


def _evaluated(one: Sum, values: Sequence[np.ndarray], n: int) -> np.ndarray:
    total = np.full(n, one.constant)
    for place, value in one.terms:
        total += value * values[place]
    return total


def _wrapped(line: str) -> list[str]:
    """Break a long line before its signs, those outside of brackets first."""
    lines, rest = [], line
    while len(rest) > _WIDTH:
        places = [
            match.start()
            for match in re.finditer(r" [+-] ", rest[:_WIDTH])
            if match.start() > _INDENT
        ]
        outside = [at for at in places if rest[:at].count("(") == rest[:at].count(")")]
        if not places:
            break
        at = (outside or places)[-1]
        lines.append(rest[:at])
        rest = " " * _INDENT + rest[at + 1 :]
    return [*lines, rest]


def _number(value: float) -> str:
    text = repr(value)
    return text.removesuffix(".0") if "e" not in text else f"{value:.6g}"


def _quoted(name: str, level: str | None = None) -> str:
    if level is not None:
        return f"[{name} = {level}]"
    return name if re.fullmatch(r"[^\W\d][\w.]*", name) else f"`{name}`"


def _latex_name(name: str) -> str:
    simple = re.fullmatch(r"([A-Za-z])(\d*)", name)
    if simple:
        return f"{simple[1]}_{{{simple[2]}}}" if simple[2] else simple[1]
    escaped = re.sub(r"([\\{}$&#%_^~])", lambda m: _LATEX_ESCAPES.get(m[1], "\\" + m[1]), name)
    return f"\\mathrm{{{escaped.replace(' ', _SPACE)}}}"


def _latex_number(value: float) -> str:
    text = _number(value)
    mantissa, _, power = text.partition("e")
    return f"{mantissa} \\cdot 10^{{{int(power)}}}" if power else text


_SPACE = "\\ "
_LATEX_ESCAPES = {"\\": "\\backslash ", "^": "\\wedge ", "~": "\\sim "}
_TEXT = _Style(
    language="formula",
    number=_number,
    product=lambda value, words: words if value == 1 else f"{_number(value)} {words}",
    input=_quoted,
    unit=str,
    output=lambda name: name,
    exponential=lambda words: f"exp({words})",
)
_LATEX = _Style(
    language="latex",
    number=_latex_number,
    product=lambda value, words: words if value == 1 else f"{_latex_number(value)}\\,{words}",
    input=lambda name, level: _latex_name(name) if level is None else (
        f"[{_latex_name(name)} = {_latex_name(level)}]"
    ),
    unit=_latex_name,
    output=_latex_name,
    exponential=lambda words: f"\\exp({words})",
)  # fmt: skip


def _python_style(variables: dict[str, str]) -> _Style:
    return _Style(
        language="python",
        number=repr,
        product=lambda value, words: words if value == 1 and "==" not in words else (
            f"{value!r} * {words}"
        ),
        input=lambda name, level: variables[name] if level is None else (
            f"({variables[name]} == {level!r})"
        ),
        unit=str, output=str, exponential=str,
    )  # fmt: skip
