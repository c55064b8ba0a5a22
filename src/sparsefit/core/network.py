"""The answer of every method: a network stored by its nonzeros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from sparsefit.core.activations import RELU, Activation
from sparsefit.core.file_rows import FileRows, Rows, chunks
from sparsefit.core.gates import RandomGates
from sparsefit.core.layer import Layer
from sparsefit.core.network_file import NetworkParts, read_network, write_network

_PREDICT_BYTES = 32 * 2**20
# Factors up to here, and its inverse, keep clear of the ends of single precision.
_LEAST_SINGLE = 1e-30


@dataclass(frozen=True, eq=False)
class Network:
    """A sparse feed-forward network.

    Attributes
    ----------
    layers : tuple of Layer
        From the inputs to the outputs. With `fused`, all of them are hidden layers.
    fused : bool
        The single output is the plain sum of the last hidden layer: w_j = u_j v_j.
    gates : RandomGates or None
        Gates of the last hidden layer where they are not its own weights (``--convex``): unit j
        gives 1[x . h_j > 0] (x . w_j). They are stored as a seed.
    skip : Layer or None
        The skip connection: linear from the inputs to the outputs, added to what the hidden layers
        give. Its bias is that of the outputs, so it has one only where no output layer does.
    activation : Activation
        What hidden units make of their sums; by default a ReLU.

    Examples
    --------
    >>> layer = Layer.from_flat([0, 3], [1.0, -2.0], n_inputs=2, n_units=2)
    >>> network = Network((layer,), fused=True)
    >>> network.nnz, network.predict(np.array([[1.0, -1.0]])).tolist()
    (2, [[3.0]])
    >>> linear = Layer(np.array([[10.0], [0.0]]), np.array([0.5]))
    >>> network = Network((layer,), fused=True, skip=linear)
    >>> network.nnz, network.predict(np.array([[1.0, -1.0]])).tolist()
    (4, [[13.5]])
    """

    layers: tuple[Layer, ...]
    fused: bool = False
    gates: RandomGates | None = None
    skip: Layer | None = None
    activation: Activation = RELU

    @property
    def hidden_layers(self) -> tuple[Layer, ...]:
        """The layers followed by the activation."""
        return self.layers if self.fused else self.layers[:-1]

    @property
    def n_outputs(self) -> int:
        """Columns of a prediction."""
        return 1 if self.fused else self.layers[-1].n_units

    @property
    def n_inputs(self) -> int:
        """Columns of X."""
        return self.layers[0].n_inputs

    @property
    def all_layers(self) -> tuple[Layer, ...]:
        """The layers and, where there is one, the skip connection: all that is stored."""
        return self.layers if self.skip is None else (*self.layers, self.skip)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of `all_layers`: "hidden 1", ..., unless fused "output", and "skip"."""
        hidden = [f"hidden {number}" for number, _ in enumerate(self.hidden_layers, start=1)]
        output = [] if self.fused else ["output"]
        return (*hidden, *output, *([] if self.skip is None else ["skip"]))

    @property
    def nnz(self) -> int:
        """Nonzero stored numbers: weights, biases, output weights and the skip connection."""
        return sum(layer.nnz for layer in self.all_layers)

    @property
    def n_params(self) -> int:
        """Numbers that a dense network of this shape stores."""
        return sum(
            layer.n_inputs * layer.n_units + (0 if layer.bias is None else layer.n_units)
            for layer in self.all_layers
        )

    @property
    def live_inputs(self) -> np.ndarray:
        """The inputs that have a weight, increasing."""
        first = (self.layers[0],) if self.skip is None else (self.layers[0], self.skip)
        return np.unique(np.concatenate([layer.weight.indices for layer in first]))

    def on_inputs(self, places: np.ndarray) -> Network:
        """Return the network that reads only the inputs at `places`, all others being zero.

        Examples
        --------
        >>> network = Network((Layer(np.array([[0.0], [2.0], [3.0]])),), fused=True)
        >>> network.on_inputs(np.array([1])).predict(np.array([[10.0]])).tolist()
        [[20.0]]
        """
        return self._from_inputs(lambda weight: weight[places, :])

    def among_inputs(self, places: np.ndarray, n_inputs: int) -> Network:
        """Return the network whose inputs are those at `places` of `n_inputs`.

        Examples
        --------
        >>> network = Network((Layer(np.array([[2.0]])),), fused=True)
        >>> network.among_inputs(np.array([1]), 3).predict(np.array([[7.0, 10.0, 7.0]])).tolist()
        [[20.0]]
        """

        def spread(weight: sparse.csc_array) -> sparse.csc_array:
            shape = n_inputs, weight.shape[1]
            return sparse.csc_array((weight.data, places[weight.indices], weight.indptr), shape)

        return self._from_inputs(spread)

    def _from_inputs(self, changed: Callable[[sparse.csc_array], sparse.csc_array]) -> Network:
        """Return the network with other weights from the inputs."""
        first, *others = self.layers
        skip = self.skip and Layer(changed(self.skip.weight), self.skip.bias)
        return replace(self, layers=(Layer(changed(first.weight), first.bias), *others), skip=skip)

    def on_scaled_inputs(self, scale: float) -> Network:
        """Return the network that gives for X what this one gives for ``scale * X``.

        Examples
        --------
        >>> network = Network((Layer(np.array([[2.0]])),))
        >>> network.on_scaled_inputs(4.0).predict(np.array([[1.0]])).tolist()
        [[8.0]]
        """
        first, *others = self.layers
        skip = self.skip and self.skip.scaled(scale)
        return replace(self, layers=(first.scaled(scale), *others), skip=skip)

    def times(self, scale: float) -> Network:
        """Return the network whose outputs are `scale` > 0 times those of this one.

        Examples
        --------
        >>> network = Network((Layer(np.array([[2.0]])),), fused=True)
        >>> network.times(10.0).predict(np.array([[1.0]])).tolist()
        [[20.0]]
        """
        layers, skip = self.layers, self.skip
        if not _LEAST_SINGLE < scale < 1 / _LEAST_SINGLE:
            # In single precision the products, or what units add up, may be no numbers.
            layers, skip = tuple(layer.double() for layer in layers), skip and skip.double()
        *others, last = layers
        return replace(self, layers=(*others, last.times(scale)), skip=skip and skip.times(scale))

    def without_output_bias(self) -> tuple[Network, np.ndarray]:
        """Return the network without biases of its outputs, and those, shape (n_outputs,).

        Examples
        --------
        >>> network = Network((Layer(np.eye(1)), Layer(np.eye(1), np.array([3.0]))))
        >>> rest, bias = network.without_output_bias()
        >>> rest.nnz, bias.tolist()
        (2, [3.0])
        """
        constant, layers, skip = np.zeros(self.n_outputs), self.layers, self.skip
        if not self.fused and layers[-1].bias is not None:
            constant = constant + layers[-1].bias
            layers = (*layers[:-1], Layer(layers[-1].weight))
        if skip is not None and skip.bias is not None:
            constant = constant + skip.bias
            skip = Layer(skip.weight)
        return replace(self, layers=layers, skip=skip), constant

    def predict(self, X: Rows) -> np.ndarray:
        """Evaluate the network, using its nonzeros only.

        Parameters
        ----------
        X : ndarray or FileRows of shape (n, n_inputs)

        Returns
        -------
        ndarray of shape (n, n_outputs)
            Raw outputs: values, or the scores of the classes.
        """
        layers, gate_rows = self._live_part()
        rows = max(1, _PREDICT_BYTES // (8 * (1 + max(layer.n_units for layer in layers))))
        if isinstance(X, FileRows):
            rows = min(rows, X.rows_per_chunk)
        parts = [self._forward(layers, gate_rows, chunk) for chunk in chunks(X, rows)]
        return np.concatenate(parts) if parts else np.zeros((0, self.n_outputs))

    def _live_part(self) -> tuple[list[Layer], np.ndarray | None]:
        """Return the layers without dead hidden units, and the gates of the last hidden layer.

        A unit without incoming numbers is dead, where the activation of 0 is 0.
        """
        layers: list[Layer] = []
        live = inputs = np.arange(self.n_inputs)
        for number, layer in enumerate(self.layers):
            weight, bias = layer.weight[live, :], layer.bias
            if number < len(self.hidden_layers):
                occupied = np.diff(layer.weight.indptr) > 0
                inputs = live if bias is None else np.append(live, layer.n_inputs)
                occupied = occupied if bias is None else occupied | (bias != 0)
                live = np.flatnonzero(occupied | (self.activation.at_zero != 0))
                weight, bias = weight[:, live], None if bias is None else bias[live]
            layers.append(Layer(weight, bias))
        if self.gates is None:
            return layers, None
        return layers, self.gates.rows(live)[:, inputs].astype(self.layers[0].weight.dtype)

    def _forward(
        self, layers: list[Layer], gate_rows: np.ndarray | None, x: np.ndarray
    ) -> np.ndarray:
        n_hidden = len(self.hidden_layers)
        linear = None if self.skip is None else self.skip(x)
        for number, layer in enumerate(layers[:n_hidden], start=1):
            z = layer(x)
            if gate_rows is not None and number == n_hidden:
                ones = np.ones((len(x), 0 if layer.bias is None else 1), x.dtype)
                x = z * (np.hstack([x, ones]) @ gate_rows.T > 0)
            else:
                x = self.activation(z)
        outputs = x.sum(axis=1, keepdims=True) if self.fused else layers[-1](x)
        return outputs if linear is None else outputs + linear

    def save(self, path: Path, extra: dict[str, Any] | None = None) -> None:
        """Write the network as safetensors: indices and values of the nonzeros, and a header.

        Parameters
        ----------
        path : Path
        extra : dict, optional
            What else the header has, as JSON has it.
        """
        parts = NetworkParts(self.layers, self.fused, self.gates, self.skip, self.activation)
        write_network(parts, path, extra)

    @classmethod
    def load(cls, path: Path) -> Network:
        """Read a network that `save` wrote.

        Raises
        ------
        DataError
            If the file is not one, is damaged, or is of a newer format.
        """
        return cls.load_with_header(path)[0]

    @classmethod
    def load_with_header(cls, path: Path) -> tuple[Network, dict[str, Any]]:
        """Read a network that `save` wrote, and the whole header; raises as `load`."""
        parts, header = read_network(path)
        return cls(*parts), header
