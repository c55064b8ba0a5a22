"""Between a stored network and one on its support."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse

from sparsefit.core.errors import SparsefitError
from sparsefit.core.layer import Layer
from sparsefit.core.network import Network
from sparsefit.core.setting import Setting
from sparsefit.gauss_newton.sparse_net import Edges, SparseNet


@dataclass(frozen=True, eq=False)
class Converted:
    """A network on its support, without units that no input reaches or that reach no output.

    Attributes
    ----------
    net : SparseNet
    bias : bool
        Whether its last input is the constant 1.
    units : tuple of ndarray of int
        For each hidden layer, the number that each unit has in the stored network.
    n_idle : int
        Nonzeros of the stored network that belong to units left out.
    """

    net: SparseNet
    bias: bool
    units: tuple[np.ndarray, ...]
    n_idle: int


def from_network(network: Network, dtype: torch.dtype = torch.float64) -> Converted:
    """Return a network as a `SparseNet`, on which Gauss-Newton equations can be formed.

    Parameters
    ----------
    network : Network
    dtype : torch.dtype, optional
        Of the result.

    Raises
    ------
    SparsefitError
        If the network has random gates, or weights that are not finite.

    Examples
    --------
    >>> network = Network((Layer(np.array([[2.0, 0.0], [0.0, 0.0]])),), fused=True)
    >>> found = from_network(network)
    >>> found.net.nnz, found.units[0].tolist(), found.n_idle
    (1, [0], 0)
    """
    if not all(np.isfinite(layer.weight.data).all() for layer in network.all_layers):
        raise SparsefitError("some of its weights are not finite")
    if network.gates is not None:
        raise SparsefitError("its gates are random, not its weights")
    n_hidden, last = len(network.hidden_layers), None if network.fused else network.layers[-1]
    free = [layer.bias for layer in (last, network.skip) if layer and layer.bias is not None]
    bias = bool(free) or any(layer.bias is not None for layer in network.hidden_layers)
    weights = [layer.weight for layer in network.layers]
    if bias:
        for at, layer in enumerate(network.hidden_layers):
            weights[at] = _with_row(layer.weight, layer.bias)
    if last is None:
        weights.append(sparse.csc_array(np.ones((weights[-1].shape[1], 1))))
    units = _live_units(weights)
    inputs = [np.arange(weights[0].shape[0])]
    inputs += map(_with_constant, units, weights, weights[1:])
    outputs = [*units, np.arange(network.n_outputs)]
    parts = [_edges(w[a, :][:, b], dtype) for w, a, b in zip(weights, inputs, outputs, strict=True)]
    skip = sparse.csc_array((network.n_inputs, network.n_outputs))
    skip = skip if network.skip is None else network.skip.weight
    skip = _with_row(skip, free[0] if free else None) if bias else skip
    net = SparseNet(
        tuple(parts[:n_hidden]), parts[-1], _edges(skip, dtype), network.fused,
        skip_counts=network.skip is not None, activation=network.activation,
        biased=bias and n_hidden > 1,
    )  # fmt: skip
    return Converted(net, bias, tuple(units), network.nnz - len(net.values))


def _with_constant(
    units: np.ndarray, into: sparse.csc_array, out_of: sparse.csc_array
) -> np.ndarray:
    """Return units and, where the layer after them has one, the constant input after all units."""
    return np.append(units, np.arange(into.shape[1], out_of.shape[0]))


def _with_row(weight: sparse.csc_array, bias: np.ndarray | None) -> sparse.csc_array:
    last = np.zeros(weight.shape[1]) if bias is None else bias
    return sparse.csc_array(sparse.vstack([weight, sparse.csr_array(last[None, :])]))


def _live_units(weights: list[sparse.csc_array]) -> list[np.ndarray]:
    """Return the hidden units on a path from an input to an output, layer by layer."""
    reached = [np.arange(weights[0].shape[0])]
    sources = reached[0]
    for weight, after in itertools.pairwise(weights):
        into = weight[sources, :]
        reached.append(np.flatnonzero(np.diff(sparse.csc_array(into).indptr)))
        sources = _with_constant(reached[-1], weight, after)
    live = [np.arange(weights[-1].shape[1])]
    for weight, units in zip(weights[:0:-1], reached[:0:-1], strict=True):
        out_of = sparse.csr_array(weight[:, live[0]])[units, :]
        live.insert(0, units[np.diff(out_of.indptr) > 0])
    return live[:-1]


def _edges(weight: sparse.csc_array, dtype: torch.dtype) -> Edges:
    entries = sparse.coo_array(weight)
    kept = entries.data != 0
    source, target = (torch.from_numpy(part[kept].astype(np.int64)) for part in entries.coords)
    values = torch.from_numpy(entries.data[kept]).to(dtype)
    return Edges.build(source, target, values, *weight.shape)


def to_network(net: SparseNet, setting: Setting) -> Network:
    """Return the network with as many units in each hidden layer as the setting has."""
    layers, constant_input = [], setting.bias
    for number, edges in enumerate(net.hidden):
        wide = replace(edges, n_targets=setting.hidden)
        if number:
            before, constant_input = net.hidden[number - 1].n_targets, net.biased
            wide = wide.with_sources(before, setting.hidden - before)
        layers.append(_layer(wide, wide.n_sources, constant_input=constant_input))
    skip = _layer(net.skip, net.skip.n_sources, constant_input=setting.bias)
    if not net.fused:
        # The outputs have their bias in the last layer, as in any other network.
        layers.append(Layer(_layer(net.readout, setting.hidden).weight, skip.bias))
        skip = Layer(skip.weight)
    stored = skip if setting.skip else None
    return Network(tuple(layers), net.fused, skip=stored, activation=net.activation)


def _layer(edges: Edges, n_inputs: int, *, constant_input: bool = False) -> Layer:
    flat = (edges.target * n_inputs + edges.source).cpu().numpy()
    values = edges.values.cpu().numpy()
    return Layer.from_flat(flat, values, n_inputs, edges.n_targets, constant_input=constant_input)


def with_unit_readout(net: SparseNet) -> SparseNet:
    """Scale hidden units so that what each feeds has norm 1; outputs stay as they are.

    With one output and one hidden layer the derivatives by hidden weights are then those of the
    fused form, up to sign. For activations that are not homogeneous nothing is changed.

    Parameters
    ----------
    net : SparseNet
        Without idle units.
    """
    if not net.activation.is_homogeneous:
        return net
    layers = [*net.hidden, net.readout]
    for at in range(len(layers) - 2, -1, -1):
        if net.fused and at == len(layers) - 2:
            continue
        before, after = layers[at], layers[at + 1]
        squares = after.values.new_zeros(after.n_sources)
        norm = squares.index_add(0, after.source, after.values.square()).sqrt()
        norm[before.n_targets :] = 1  # of the constant one
        layers[at] = before.with_values(before.values * norm[before.target])
        layers[at + 1] = after.with_values(after.values / norm[after.source])
    return replace(net, hidden=tuple(layers[:-1]), readout=layers[-1])
