"""Arrays for NumPy, float64 and without pickle: ``numpy.load(path, allow_pickle=False)``.

``header``
    JSON text as bytes (uint8): ``columns`` (each a name and the texts of its levels, none for a
    number), ``targets``, ``classes`` (empty for regression), ``layers``, the names of the layers
    in order, such as ``["hidden1", "output"]``, and ``activation``, such as ``"relu"``.
``input_columns``, ``input_means``, ``input_scales``, ``input_levels``
    What the network reads. Where the level is -1, the input is (x - mean) / scale of that column
    of a row, and 0 where x is missing (NaN); else it is 1 where the column has that level's place
    in ``columns``, and 0 elsewhere.
``L.starts``, ``L.indices``, ``L.values``, ``L.bias`` for each layer L
    Unit j adds to its bias the product of each of the values from starts[j] to starts[j + 1] and
    what the layer before has at its index. Hidden layers apply the activation.
``skip.starts``, ``skip.indices``, ``skip.values``
    Are from the inputs, and added to the output.

The outputs are values or, where the header says ``exponential``, their logarithms; for classes they
are scores, whose softmax are the probabilities.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from scipy import sparse

from sparsefit.predictor.lowering import Lowered

IS_SINGLE = False
SUFFIX = ".npz"


def build(net: Lowered, name: str) -> bytes:
    """Return the file.

    Parameters
    ----------
    net : Lowered
    name : str
        Not used: the arrays have fixed names.

    Examples
    --------
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.predictor import Column, Predictor, lower
    >>> network = Network((Layer(np.array([[2.0], [0.0]])),))
    >>> columns = (Column(name="age"), Column(name="height"))
    >>> model = Predictor(network=network, columns=columns, targets=("y",))
    >>> arrays = np.load(io.BytesIO(build(lower(model), "model")), allow_pickle=False)
    >>> json.loads(arrays["header"].tobytes())["targets"], arrays["output.values"].tolist()
    (['y'], [2.0])
    """
    layers = {f"hidden{number}": layer for number, layer in enumerate(net.hidden, start=1)}
    layers["output"] = net.output
    levels = [-1 if entry.level is None else entry.level for entry in net.inputs]
    arrays: dict[str, Any] = {
        "header": np.frombuffer(json.dumps(_header(net, list(layers))).encode(), dtype=np.uint8),
        "input_columns": np.array([entry.column for entry in net.inputs]),
        "input_means": np.array([entry.mean for entry in net.inputs]),
        "input_scales": np.array([entry.scale for entry in net.inputs]),
        "input_levels": np.array(levels),
        **_by_unit("skip", net.skip),
    }
    for label, layer in layers.items():
        arrays |= {**_by_unit(label, layer.weight), f"{label}.bias": layer.bias}
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _header(net: Lowered, layers: list[str]) -> dict[str, Any]:
    columns = [{"name": column.name, "levels": column.levels} for column in net.columns]
    return {
        "columns": columns, "targets": net.targets, "classes": net.classes, "layers": layers,
        "exponential": net.exponential, "activation": str(net.activation), "made": net.made,
    }  # fmt: skip


def _by_unit(label: str, weight: sparse.csc_array) -> dict[str, np.ndarray]:
    return {
        f"{label}.starts": weight.indptr.astype(np.int64),
        f"{label}.indices": weight.indices.astype(np.int64),
        f"{label}.values": weight.data,
    }
