"""Networks on disk: indices and values of the nonzeros as safetensors, and a JSON header."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparsefit.core.activations import RELU, Activation, activation_named
from sparsefit.core.errors import DataError
from sparsefit.core.files import parse_json
from sparsefit.core.gates import RandomGates
from sparsefit.core.layer import Layer

FORMAT = "sparsefit-network"
# Files say the first version that wrote such: 2 came with skip connections, 3 with activations
# other than ReLU.
FORMAT_VERSION = 3
# Of a layer: what a file claims must not take more memory than the file could need.
_MOST_UNITS = 10**8
_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class NetworkParts(NamedTuple):
    """What a file holds of a network; see `Network`."""

    layers: tuple[Layer, ...]
    fused: bool
    gates: RandomGates | None
    skip: Layer | None
    activation: Activation

    @property
    def n_outputs(self) -> int:
        """Columns of a prediction."""
        return 1 if self.fused else self.layers[-1].n_units


def write_network(network: NetworkParts, path: Path, extra: dict[str, Any] | None = None) -> None:
    """Write a network; its size on disk grows with its nonzeros alone.

    Parameters
    ----------
    network : NetworkParts
    path : Path
    extra : dict, optional
        What else the header has, as JSON has it.
    """
    from safetensors.numpy import save

    header: dict[str, Any] = {
        "format": FORMAT,
        "version": _version(network),
        "fused": network.fused,
        "gates": None if network.gates is None else [network.gates.seed, network.gates.n_inputs],
        "shapes": [_shape(layer) for layer in network.layers],
    } | ({} if network.skip is None else {"skip": _shape(network.skip)})
    if network.activation != RELU:
        header["activation"] = str(network.activation)
    tensors: dict[str, np.ndarray] = {}
    for number, layer in enumerate(network.layers):
        tensors |= _to_tensors(str(number), layer)
    if network.skip is not None:
        tensors |= _to_tensors("skip", network.skip)
    text = json.dumps(header | (extra or {}), sort_keys=True)
    # Not by save_file, whose files none but their owner may read.
    Path(path).write_bytes(save(tensors, metadata={"sparsefit": text}))


def _version(network: NetworkParts) -> int:
    if network.activation != RELU:
        return FORMAT_VERSION
    return 1 if network.skip is None else 2


def read_network(path: Path) -> tuple[NetworkParts, dict[str, Any]]:
    """Read a network that `write_network` wrote, and its whole header.

    Raises
    ------
    DataError
        If the file is not one, is damaged, or is of a newer format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            header = parse_json((file.metadata() or {}).get("sparsefit", "{}"))
            if not isinstance(header, dict) or header.get("format") != FORMAT:
                raise DataError(f"{path} is not a network file of sparsefit")
            if header["version"] > FORMAT_VERSION:
                raise DataError(f"{path} was written by a newer version of sparsefit")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _network(header, tensors), header
    except (
        OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError, AttributeError,
    ) as error:  # fmt: skip
        raise DataError(f"{path} cannot be read as a network: {error}") from error


def _network(header: dict[str, Any], tensors: dict[str, np.ndarray]) -> NetworkParts:
    shapes = [_checked_shape(shape) for shape in header["shapes"]]
    layers = tuple(_read_layer(tensors, str(at), shape) for at, shape in enumerate(shapes))
    if not layers or any(
        before.n_units != after.n_inputs for before, after in itertools.pairwise(layers)
    ):
        raise ValueError("its layers do not fit together")
    skip = None
    if "skip" in header:
        skip = _read_layer(tensors, "skip", _checked_shape(header["skip"]))
    gates = RandomGates(*header["gates"]) if header["gates"] else None
    activation = activation_named(header.get("activation", str(RELU)))
    network = NetworkParts(layers, bool(header["fused"]), gates, skip, activation)
    ends = layers[0].n_inputs, network.n_outputs
    if skip is not None and (skip.n_inputs, skip.n_units) != ends:
        raise ValueError("its skip connection does not fit to its layers")
    return network


def _shape(layer: Layer) -> list[int | bool]:
    return [layer.n_inputs, layer.n_units, layer.bias is not None]


def _checked_shape(shape: Any) -> tuple[int, int, bool]:
    n_inputs, n_units, has_bias = shape
    for width in (n_inputs, n_units):
        if type(width) is not int or not 1 <= width <= _MOST_UNITS:
            raise ValueError(f"a layer has {width!r} units, more or fewer than there can be")
    return n_inputs, n_units, bool(has_bias)


def _to_tensors(name: str, layer: Layer) -> dict[str, np.ndarray]:
    by_unit = layer.weight.tocoo()
    flat = by_unit.col.astype(np.int64) * layer.n_inputs + by_unit.row
    order = np.argsort(flat)
    tensors = {f"{name}.indices": flat[order], f"{name}.values": by_unit.data[order]}
    if layer.bias is not None:
        tensors[f"{name}.bias.indices"] = np.flatnonzero(layer.bias)
        tensors[f"{name}.bias.values"] = layer.bias[layer.bias != 0]
    return tensors


def _read_layer(tensors: dict[str, np.ndarray], name: str, shape: tuple[int, int, bool]) -> Layer:
    n_inputs, n_units, has_bias = shape
    indices, values = _nonzeros(tensors, name, n_inputs * n_units)
    layer = Layer.from_flat(indices, values, n_inputs, n_units)
    if not has_bias:
        return layer
    bias = np.zeros(n_units, dtype=values.dtype)
    places, numbers = _nonzeros(tensors, f"{name}.bias", n_units)
    bias[places] = numbers
    return Layer(layer.weight, bias)


def _nonzeros(
    tensors: dict[str, np.ndarray], name: str, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return increasing places below `size`, and the numbers there."""
    indices, values = tensors[f"{name}.indices"], tensors[f"{name}.values"]
    if indices.dtype != np.int64 or values.dtype not in _DTYPES or indices.ndim != 1:
        raise ValueError(f"{name} has an unknown type of number")
    if indices.shape != values.shape:
        raise ValueError(f"{name} has {indices.size} indices and {values.size} values")
    if len(indices) and (indices[0] < 0 or indices[-1] >= size or (np.diff(indices) <= 0).any()):
        raise ValueError(f"the indices of {name} are out of range or out of order")
    return indices, values
