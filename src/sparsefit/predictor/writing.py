"""From a model to its formula: units rescaled, constants rounded to what the data support.

A number is rounded to as few digits as change no output by more than the model's `resolution`,
which is about the standard error of one constant. What is large for a column is measured by its
spread, and means are taken out before and put back after, so that `relu(age - 40)` keeps its 40.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from sparsefit.core.activations import RELU
from sparsefit.predictor.formula import Formula, Sum
from sparsefit.predictor.lowering import Lowered, Units, lower
from sparsefit.predictor.predictor import Predictor

# Significant digits at most, and where it is not known what the data support.
_MOST_DIGITS, _USUAL_DIGITS = 6, 4
# A term that changes outputs by less than this share of what matters is left out.
_NOTHING = 1e-3


def formula_of(model: Predictor, *, rounded: bool = True) -> Formula:
    """Return the formula of a model; see `Predictor.formula`."""
    net = _without_decided(lower(model), model)
    if model.link == "logistic":  # the other score is 0
        net = _last_output(net)
    inputs = tuple(
        (net.columns[entry.column].name,
         None if entry.level is None else net.columns[entry.column].levels[entry.level])
        for entry in net.inputs
    )  # fmt: skip
    resolution = np.array(model.resolution or (0.0,) * net.output.n_units)
    hidden, outputs = _Writer(net, resolution if rounded else None).sums(output_names(model))
    return Formula(inputs, hidden, outputs, net.exponential, net.activation)


def output_names(model: Predictor) -> list[str]:
    """Return what each output of the network is.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column, Predictor
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> model = Predictor(
    ...     network=network, columns=(Column(name="age"),), targets=("ill",), classes=("no", "yes")
    ... )
    >>> output_names(model)
    ['log odds of yes']
    """
    if model.link == "logistic":
        return [f"log odds of {model.classes[1]}"]
    if model.link == "softmax":
        return [f"score of {name}" for name in model.classes]
    return list(model.targets)


class _Writer:
    """Rescales units, and rounds numbers by what they change in the outputs.

    Parameters
    ----------
    net : Lowered
    resolution : ndarray of shape (n_outputs,), or None
        Changes of outputs that do not matter, 0 where that is not known; None to round nothing.
    """

    def __init__(self, net: Lowered, resolution: np.ndarray | None):
        self._net, self._resolution = net, resolution
        is_number = np.array([entry.level is None for entry in net.inputs])
        # Of each source in units of its column: where it usually is, and how much it varies, by
        # which the network divides it.
        self._centre = np.where(is_number, [entry.mean for entry in net.inputs], 0.0)
        self._spread = np.where(is_number, [entry.scale for entry in net.inputs], 1.0)

    def sums(self, names: Sequence[str]) -> tuple[tuple[Sum, ...], tuple[Sum, ...]]:
        """Return the hidden units and the outputs."""
        net, start = self._net, 0
        hidden: list[Sum] = []
        spread, centre, divisor = self._spread, self._centre, self._spread
        for number, (layer, gain) in enumerate(zip(net.hidden, self._gains(), strict=True), 1):
            units, factors, sizes = [], [], []
            for unit in range(layer.n_units):
                name = f"h{number}_{unit + 1}" if len(net.hidden) > 1 else f"h{unit + 1}"
                made, factor = self._unit(
                    name, _column(layer.weight, unit, divisor), float(layer.bias[unit]),
                    float(gain[unit]), centre, spread,
                )  # fmt: skip
                units.append(Sum(name, tuple((start + at, v) for at, v in made.terms),
                                 made.constant))  # fmt: skip
                factors.append(factor)
                sizes.append(_size(made, centre, spread))
            start = len(net.inputs) + len(hidden)
            hidden += units
            # What comes after reads the rescaled units.
            spread, centre = np.array(sizes), np.zeros(len(units))
            divisor = 1 / np.array(factors)
        outputs = tuple(
            self._output(name, k, start if net.hidden else 0, spread, divisor)
            for k, name in enumerate(names)
        )
        return tuple(hidden), outputs

    def _unit(
        self, name: str, terms: list[tuple[int, float]], bias: float, gain: float,
        centre: np.ndarray, spread: np.ndarray,
    ) -> tuple[Sum, float]:  # fmt: skip
        """Return a unit and what it was divided by.

        That is what makes its leading coefficient 1 or -1, or positive where only signs are free.
        """
        bias -= sum(value * centre[at] for at, value in terms)
        leading = max(terms, key=lambda term: abs(term[1]) * spread[term[0]])
        factor = 1.0
        if self._net.activation.is_homogeneous:
            factor = abs(leading[1])
        elif self._net.activation.is_odd:
            factor = float(np.sign(leading[1]))
        gain *= abs(factor)
        scaled = [(at, value / factor) for at, value in terms]
        written = [(at, self._rounded(value, spread[at] * gain)) for at, value in scaled]
        moved = sum((v - w) * centre[at] for (at, v), (_, w) in zip(scaled, written, strict=True))
        constant = self._rounded(bias / factor + moved, gain, may_vanish=True)
        written.sort(key=lambda term: (term[1] < 0, term[0]))
        return Sum(name, _nonzero(written), constant), factor

    def _output(
        self, name: str, k: int, start: int, spread: np.ndarray, divisor: np.ndarray
    ) -> Sum:
        net = self._net
        resolution = 0.0 if self._resolution is None else float(self._resolution[k])
        gain = 1 / resolution if resolution else np.inf
        terms = _column(net.output.weight, k, divisor)
        constant = float(net.output.bias[k])
        direct = terms if not net.hidden else _column(net.skip, k, self._spread)
        constant -= sum(value * self._centre[at] for at, value in direct)
        written = [(at, self._rounded(v, self._spread[at] * gain)) for at, v in direct]
        constant += sum(
            (v - w) * self._centre[at] for (at, v), (_, w) in zip(direct, written, strict=True)
        )
        written.sort(key=lambda term: -abs(term[1]) * self._spread[term[0]])
        if net.hidden:
            units = [(at, self._rounded(v, spread[at] * gain)) for at, v in terms]
            units.sort(key=lambda term: -abs(term[1]) * spread[term[0]])
            written = [(start + at, value) for at, value in units] + written
        return Sum(name, _nonzero(written), self._rounded(constant, gain, may_vanish=True))

    def _gains(self) -> list[np.ndarray]:
        """Return, of the units of each hidden layer, how many times what matters 1 more changes."""
        layers = [*self._net.hidden[1:], self._net.output][::-1] if self._net.hidden else []
        if self._resolution is None or not self._resolution.all():
            return [np.full(layer.n_units, np.inf) for layer in self._net.hidden]
        gains, after = [], 1 / self._resolution
        for layer in layers:
            after = np.array(abs(layer.weight) @ after)
            gains.append(after)
        return gains[::-1]

    def _rounded(self, value: float, gain: float, *, may_vanish: bool = False) -> float:
        """Round to as few digits as change the outputs by no more than matters."""
        value = float(value)
        if self._resolution is None or not value:
            return value
        if not np.isfinite(gain):
            return float(f"{value:.{_USUAL_DIGITS}g}")
        if abs(value) * gain <= (1 if may_vanish else _NOTHING):
            return 0.0
        for digits in range(1, _MOST_DIGITS):
            found = float(f"{value:.{digits}g}")
            if abs(found - value) * gain <= 1:
                return found
        return float(f"{value:.{_MOST_DIGITS}g}")


def _nonzero(terms: list[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((at, value) for at, value in terms if value)


def _without_decided(net: Lowered, model: Predictor) -> Lowered:
    """Make ReLUs of a single hidden layer linear that are positive on all fitted rows.

    That is so where they are for every combination of values in the ranges of the columns; and
    where they are negative for all, they are gone.
    """
    if len(net.hidden) != 1 or not model.ranges or net.activation != RELU:
        return net
    (layer,) = net.hidden
    low, high = np.array(model.ranges)[_order(net, model)].T
    up, down = layer.weight.maximum(0).T, layer.weight.minimum(0).T
    least, most = up @ low + down @ high + layer.bias, up @ high + down @ low + layer.bias
    linear, kept = least >= 0, (least < 0) & (most > 0)
    direct = layer.weight[:, linear] @ net.output.weight[linear, :]
    bias = net.output.bias + layer.bias[linear] @ net.output.weight[linear, :]
    skip = sparse.csc_array(net.skip + direct)
    if not kept.any():
        return replace(net, hidden=(), output=Units(skip, bias), skip=sparse.csc_array(skip.shape))
    hidden = Units(layer.weight[:, kept], layer.bias[kept])
    output = Units(net.output.weight[kept, :], bias)
    return replace(net, hidden=(hidden,), output=output, skip=skip)


def _order(net: Lowered, model: Predictor) -> np.ndarray:
    """Return which of the model's inputs with a weight each input of the lowered one is."""
    places = [model.starts[entry.column] + (entry.level or 0) for entry in net.inputs]
    return np.searchsorted(model.network.live_inputs, places)


def _last_output(net: Lowered) -> Lowered:
    output = Units(net.output.weight[:, [1]], net.output.bias[1:])
    return replace(net, output=output, skip=net.skip[:, [1]])


def _column(weight: sparse.csc_array, unit: int, divisor: np.ndarray) -> list[tuple[int, float]]:
    """Return the terms into a unit, in units of what they are read from."""
    span = slice(weight.indptr[unit], weight.indptr[unit + 1])
    places = weight.indices[span]
    values = weight.data[span] / divisor[places]
    return list(zip(places.tolist(), values.tolist(), strict=True))


def _size(unit: Sum, centre: np.ndarray, spread: np.ndarray) -> float:
    """Return how large a unit usually is."""
    middle = unit.constant + sum(value * centre[at] for at, value in unit.terms)
    varied = sum((value * spread[at]) ** 2 for at, value in unit.terms)
    return float(abs(middle) + np.sqrt(varied))
