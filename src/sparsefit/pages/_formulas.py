"""What each unit of a network computes, in words of the columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparsefit.core.layer import Layer
from sparsefit.predictor import writing
from sparsefit.predictor.predictor import Predictor

Terms = list[tuple[str, float]]


@dataclass(frozen=True)
class Formula:
    """A unit as the sum of numbers times names, and what is applied to it.

    Attributes
    ----------
    name : str
        Of the unit: ``h3``, or ``h2_3`` where there are several hidden layers; or of an output.
    terms : list of (str, float)
        Names with their numbers, those of the largest magnitude first.
    constant : float or None
        Added to them; None where there is nothing to add.
    wrap : str
        The name of the activation, nothing, or ``gate``, which is 1 on one side of a random plane
        and 0 on the other, times the sum.

    Examples
    --------
    >>> print(Formula("h3", [("pet=dog", -1.1), ("age", 0.52)], 0.3, "relu"))
    h3 = relu(-1.1 * pet=dog + 0.52 * age + 0.3)
    """

    name: str
    terms: Terms
    constant: float | None
    wrap: str

    def __str__(self) -> str:
        """Return the formula in one line."""
        parts = [(value, "" if value in (1, -1) else f"{abs(value):.4g} * ", name)
                 for name, value in self.terms]  # fmt: skip
        if self.constant is not None or not parts:
            parts.append((self.constant or 0.0, f"{abs(self.constant or 0.0):.4g}", ""))
        words = " ".join(f"{'-' if value < 0 else '+'} {a}{b}" for value, a, b in parts)
        words = words[2:] if words.startswith("+") else "-" + words[2:]
        return f"{self.name} = " + (f"{self.wrap}({words})" if self.wrap else words)


def unit_name(model: Predictor, layer: int, unit: int) -> str:
    """Return the name of a hidden unit; numbers start at 0, as those of ``sparsefit diagnose``."""
    return f"h{unit}" if len(model.network.hidden_layers) == 1 else f"h{layer + 1}_{unit}"


def output_names(model: Predictor) -> list[str]:
    """Return what each output of the network is, before any link."""
    names = writing.output_names(model)
    return [f"log of {name}" for name in names] if model.link == "log" else names


def formulas(model: Predictor, *, standardised: bool) -> list[Formula]:
    """Return the formula of each hidden unit that has a number, and of each output.

    Parameters
    ----------
    model : Predictor
    standardised : bool
        Whether names of number columns stand for the column less its mean, over its scale, as
        the network gets them; else for the column as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column
    >>> layer = Layer(np.array([[5.0]]))
    >>> model = Predictor(
    ...     network=Network((layer,), fused=True), targets=("y",),
    ...     columns=(Column(name="age", mean=40.0, scale=10.0),),
    ... )
    >>> [str(formula) for formula in formulas(model, standardised=False)]
    ['h0 = relu(0.5 * age - 20)', 'y = h0']
    """
    network = model.network
    inputs = [(name, 0.0, 1.0) if standardised else (name, mean, scale)
              for name, mean, scale in _inputs(model)]  # fmt: skip
    found: list[Formula] = []
    before = inputs
    for at, layer in enumerate(network.hidden_layers):
        last = at == len(network.hidden_layers) - 1
        wrap = "gate" if network.gates is not None and last else network.activation.word
        for unit in range(layer.n_units):
            terms, constant = _sum(layer, unit, before)
            if terms or constant is not None:
                found.append(Formula(unit_name(model, at, unit), _sorted(terms), constant, wrap))
        before = [(unit_name(model, at, unit), 0.0, 1.0) for unit in range(layer.n_units)]
    alive = {formula.name for formula in found}
    for number, name in enumerate(output_names(model)):
        terms, constant = [], None
        if network.fused:
            terms = [(unit, 1.0) for unit, _, _ in before if unit in alive]
        else:
            terms, constant = _sum(network.layers[-1], number, before)
        if network.skip is not None:
            more, added = _sum(network.skip, number, inputs)
            terms, constant = terms + more, _plus(constant, added)
        if model.intercepts:
            constant = _plus(constant, model.intercepts[number])
        found.append(Formula(name, _sorted(terms), constant, ""))
    return found


def _inputs(model: Predictor) -> list[tuple[str, float, float]]:
    """Return the name, mean and scale of each input; categories are as they are."""
    return [
        (name, 0.0, 1.0) if column.levels else (name, column.mean, column.scale)
        for column in model.columns
        for name in column.input_names
    ]


def _sum(
    layer: Layer, unit: int, inputs: Sequence[tuple[str, float, float]]
) -> tuple[Terms, float | None]:
    """Return the terms into a unit, and what is added to them, with means taken out."""
    weight = layer.weight
    span = slice(weight.indptr[unit], weight.indptr[unit + 1])
    constant = None if layer.bias is None or not layer.bias[unit] else float(layer.bias[unit])
    terms = []
    for place, value in zip(weight.indices[span].tolist(), weight.data[span].tolist(), strict=True):
        name, mean, scale = inputs[place]
        terms.append((name, value / scale))
        if mean:
            constant = _plus(constant, -value * mean / scale)
    return terms, constant


def _plus(first: float | None, second: float | None) -> float | None:
    return second if first is None else first + (second or 0.0)


def _sorted(terms: Terms) -> Terms:
    return sorted(terms, key=lambda term: -abs(term[1]))
