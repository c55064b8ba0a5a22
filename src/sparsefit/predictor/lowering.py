"""A model without all that cannot change its answers: what every format starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sparsefit.core.activations import RELU, Activation
from sparsefit.core.errors import DataError, SparsefitError
from sparsefit.core.files import mark
from sparsefit.core.layer import Layer
from sparsefit.predictor.columns import Column
from sparsefit.predictor.predictor import Predictor

# Of the spread of a column, to rounding.
_MOST_LOST = 0.01


@dataclass(frozen=True, kw_only=True)
class Input:
    """An input of the network and how it comes from a row.

    Attributes
    ----------
    column : int
        The column that it is made from.
    mean, scale : float
        Of a number x, which becomes (x - mean) / scale, and 0 where it is NaN.
    level : int or None
        Of a category, whose code becomes 1 where it is this one, else 0. None for a number.
    """

    column: int
    mean: float = 0.0
    scale: float = 1.0
    level: int | None = None


@dataclass(frozen=True, eq=False)
class Units:
    """A layer in float64, with biases.

    Attributes
    ----------
    weight : scipy.sparse.csc_array
        Shape (n_before, n_units); column j holds the weights into unit j, in order.
    bias : ndarray of shape (n_units,)
    """

    weight: sparse.csc_array
    bias: np.ndarray

    def __post_init__(self) -> None:
        """Bring the weights to the form that `Layer` has them in."""
        object.__setattr__(self, "weight", Layer(self.weight).weight)

    @property
    def n_units(self) -> int:
        """Units of the layer."""
        return len(self.bias)


@dataclass(frozen=True, eq=False, kw_only=True)
class Lowered:
    """The live part of a model, in float64.

    The answer to a row is the outputs or, for classes, their softmax and its largest place.

    Attributes
    ----------
    columns : tuple of Column
        All of them, in the order of a row.
    targets : tuple of str
        Names of the outputs; for classes the one target.
    classes : tuple of str
        By output; empty for regression.
    inputs : tuple of Input
        Those with a weight, numbers first; at least one.
    hidden : tuple of Units
        Layers with an activation, each from the units before it; all of them have units.
    activation : Activation
        Of all hidden layers.
    output : Units
        From the last hidden layer, or the inputs if there is none, to the outputs. Its biases
        include the intercepts of the model.
    exponential : bool
        Whether the values are the exponentials of the outputs.
    made : str
        What a file says of its origin: see `sparsefit.core.files.mark`.
    skip : scipy.sparse.csc_array
        Weights from the inputs to the outputs, added to the output; none where there are no
        hidden layers.
    """

    columns: tuple[Column, ...]
    targets: tuple[str, ...]
    classes: tuple[str, ...]
    inputs: tuple[Input, ...]
    hidden: tuple[Units, ...]
    output: Units
    skip: sparse.csc_array
    exponential: bool = False
    made: str = ""
    activation: Activation = RELU

    @property
    def n_numbers(self) -> int:
        """Inputs that are numbers."""
        return sum(entry.level is None for entry in self.inputs)

    @property
    def wired(self) -> list[Units]:
        """The layers for an evaluation in one list of values.

        The list starts with the inputs; each unit appends one value. Row i of the weights of each
        layer here is for place i of the list. The last layer gives the outputs.
        """
        layers, start, end = [], 0, len(self.inputs)
        for layer in self.hidden:
            above = _nothing((start, layer.n_units))
            layers.append(Units(sparse.vstack([above, layer.weight]), layer.bias))
            start, end = end, end + layer.n_units
        weight = self.output.weight
        if self.hidden:
            above = _nothing((start - len(self.inputs), weight.shape[1]))
            weight = sparse.vstack([self.skip, above, weight])
        return [*layers, Units(weight, self.output.bias)]

    @property
    def nnz(self) -> int:
        """Nonzero weights and biases."""
        return sum(layer.weight.nnz + np.count_nonzero(layer.bias) for layer in self.wired)


def lower(model: Predictor) -> Lowered:
    """Drop what does not matter from a model, and fold what is the same on all rows.

    A hidden unit without weights is a constant, and becomes a part of biases after it; one that
    nothing reads is dropped, as are inputs without a weight. A single score of two classes
    becomes two, the first 0.

    Raises
    ------
    SparsefitError
        If the network has random gates, or a number in it is not finite.

    Examples
    --------
    >>> from sparsefit.core.network import Network
    >>> first = Layer(np.array([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), np.array([0.0, 3.0, -1.0]))
    >>> second = Layer(np.array([[1.0], [10.0], [10.0]]))
    >>> columns = (Column(name="age"), Column(name="height"))
    >>> model = Predictor(network=Network((first, second)), columns=columns, targets=("y",))
    >>> small = lower(model)
    >>> small.hidden[0].n_units, small.output.weight.toarray().tolist(), small.output.bias.tolist()
    (1, [[1.0]], [30.0])
    """
    if model.network.gates is not None:
        raise SparsefitError("a network with random gates (--convex) cannot be exported")
    hidden, output, skip = _parts(model)
    activation = model.network.activation
    hidden, output = _without_unread(*_without_constants(hidden, output, activation))
    if not hidden or not hidden[-1].n_units:
        # Nothing between inputs and outputs is left, so one layer is all there is.
        direct = skip if hidden else output.weight + skip
        hidden, output, skip = [], Units(direct, output.bias), _nothing(skip.shape)
    if model.link == "logistic":
        output = Units(_after_zero(output.weight), np.append(0, output.bias))
        skip = _after_zero(skip)
    live, inputs = _inputs(model, [hidden[0].weight if hidden else output.weight, skip])
    first, *others = (*hidden, output)
    layers = (Units(first.weight[live, :], first.bias), *others)
    return Lowered(
        columns=model.columns, targets=model.targets, classes=model.classes, inputs=inputs,
        hidden=layers[:-1], output=layers[-1], skip=skip[live, :],
        exponential=model.exponential, made=mark(model.source),
        activation=activation,
    )  # fmt: skip


def imprecise_columns(net: Lowered) -> list[str]:
    """Return the columns that are read whose values, in float32, lose a hundredth of their spread.

    Examples
    --------
    >>> from sparsefit.core.network import Network
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> columns = (Column(name="serial", mean=1e9, scale=1.0),)
    >>> imprecise_columns(lower(Predictor(network=network, columns=columns, targets=("y",))))
    ['serial']
    """
    rounding = np.finfo(np.float32).eps / 2
    return [
        net.columns[entry.column].name
        for entry in net.inputs
        if entry.level is None and abs(entry.mean) * rounding > _MOST_LOST * entry.scale
    ]


def n_numbers(model: Predictor) -> int:
    """Return how many weights and constants a model has to store, as its exports have them.

    Examples
    --------
    >>> from sparsefit.core.network import Network
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> n_numbers(Predictor(
    ...     network=network, columns=(Column(name="a"),), targets=("y",), intercepts=(5.0,)
    ... ))
    2
    """
    if model.network.gates is not None:
        return model.network.nnz + int(np.count_nonzero(model.intercepts))
    return int(lower(model).nnz)


def float32(values: object) -> np.ndarray:
    """Return numbers in the precision of most formats.

    Raises
    ------
    DataError
        If one is too large for it.

    Examples
    --------
    >>> float32([0.5, 2.0]).dtype
    dtype('float32')
    """
    with np.errstate(over="ignore", divide="ignore"):
        narrow = np.asarray(values, dtype=np.float64).astype(np.float32)
    if not np.isfinite(narrow).all():
        raise DataError("a number of the model is too large for this format, whose limit is 3.4e38")
    return narrow


def _parts(model: Predictor) -> tuple[list[Units], Units, sparse.csc_array]:
    """Return hidden layers, outputs and skip connection, the first two with biases."""
    network = model.network
    for layer in network.all_layers:
        bias = () if layer.bias is None else layer.bias
        if not np.isfinite(layer.weight.data).all() or not np.isfinite(bias).all():
            raise DataError("a weight of the model is not finite, so it cannot be exported")
    hidden = [_full(layer) for layer in network.hidden_layers]
    last = network.layers[-1]
    output = _full(Layer(np.ones((last.n_units, 1))) if network.fused else last)
    skip = _nothing((network.n_inputs, network.n_outputs))
    bias = output.bias + np.array(model.intercepts or 0.0)
    if network.skip is not None:
        linear = _full(network.skip)
        skip, bias = linear.weight, bias + linear.bias
    return hidden, Units(output.weight, bias), skip


def _full(layer: Layer) -> Units:
    """Return the layer in float64 and with biases."""
    bias = np.zeros(layer.n_units) if layer.bias is None else layer.bias
    return Units(layer.weight.astype(np.float64), bias.astype(np.float64))


def _nothing(shape: tuple[int, int]) -> sparse.csc_array:
    return sparse.csc_array(shape, dtype=np.float64)


def _without_constants(
    hidden: list[Units], output: Units, activation: Activation
) -> tuple[list[Units], Units]:
    """Move units that no weight leads to into the biases after them."""
    before, kept = hidden[0] if hidden else output, []
    for after in [*hidden[1:], output] if hidden else []:
        fixed = np.diff(before.weight.indptr) == 0
        bias = after.bias + np.where(fixed, activation(before.bias), 0) @ after.weight
        kept.append(Units(before.weight[:, ~fixed], before.bias[~fixed]))
        before = Units(after.weight[~fixed, :], bias)
    return kept, before


def _without_unread(hidden: list[Units], output: Units) -> tuple[list[Units], Units]:
    """Drop units that no weight leads from, the last layers first: that may free others."""
    after, kept = output, []
    for before in reversed(hidden):
        read = np.diff(after.weight.tocsr().indptr) > 0
        kept.append(Units(after.weight[read, :], after.bias))
        after = Units(before.weight[:, read], before.bias[read])
    kept.append(after)
    *hidden, output = reversed(kept)
    return hidden, output


def _after_zero(weight: sparse.csc_array) -> sparse.csc_array:
    """Return the weights into two scores, the first always 0."""
    return sparse.csc_array(sparse.hstack([_nothing(weight.shape), weight]))


def _inputs(
    model: Predictor, weights: list[sparse.csc_array]
) -> tuple[np.ndarray, tuple[Input, ...]]:
    """Return the inputs that the weights read, numbers first, and what they are."""
    live = np.unique(np.concatenate([weight.indices for weight in weights]))
    if not len(live):
        # A constant model keeps one, so that no format has to do without any.
        live = np.array([0])
    places = np.searchsorted(model.starts, live, side="right") - 1
    inputs = []
    for at, place in zip(live.tolist(), places.tolist(), strict=True):
        column = model.columns[place]
        level = at - model.starts[place] if column.levels else None
        inputs.append(Input(column=place, mean=column.mean, scale=column.scale, level=level))
    order = np.argsort([entry.level is not None for entry in inputs], kind="stable")
    return live[order], tuple(inputs[at] for at in order)
