"""ONNX, for onnxruntime and others: standard operators of version 17, in float32.

The input ``X`` (rows, columns) is a row of the table: numbers, NaN where missing, and the places
of levels for categories. The outputs are ``values`` or, for classes, ``label`` (text) and
``probabilities``. Names of columns, levels, classes and targets are JSON in the metadata.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sparsefit._version import __version__
from sparsefit.core.errors import SparsefitError
from sparsefit.export.lowering import Lowered, float32

if TYPE_CHECKING:
    import onnx

IS_SINGLE = True
SUFFIX = ".onnx"
# Old enough for the runtimes of 2022.
_OPSET, _IR = 17, 8
# Bytes of a number alone, and with its place in a matrix.
_DENSE_BYTES, _SPARSE_BYTES = 4, 12


def build(net: Lowered, name: str) -> bytes:
    """Return the file, checked by the ``onnx`` package.

    Parameters
    ----------
    net : Lowered
    name : str
        Name of the graph.

    Raises
    ------
    SparsefitError
        If the package is not installed, or a number is too large for float32.

    Examples
    --------
    >>> import pytest
    >>> onnx = pytest.importorskip("onnx")
    >>> from sparsefit.core.layer import Layer
    >>> from sparsefit.core.network import Network
    >>> from sparsefit.export import lower
    >>> from sparsefit.predictor import Column, Predictor
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> model = Predictor(network=network, columns=(Column(name="age"),), targets=("y",))
    >>> data = build(lower(model), "model")
    >>> [output.name for output in onnx.load_from_string(data).graph.output]
    ['values']
    """
    try:
        import onnx
    except ImportError:
        raise SparsefitError(
            "--to onnx needs the package onnx: pip install 'sparsefit[onnx]'"
        ) from None
    graph = _Graph()
    inputs = _read_inputs(graph, net)
    values = inputs
    for layer in net.hidden:
        products = graph.times(values, layer.weight)
        values = graph.add("Relu", graph.add("Add", products, graph.constant(float32(layer.bias))))
    values = graph.times(values, net.output.weight)
    if net.skip.nnz:
        values = graph.add("Add", values, graph.times(inputs, net.skip))
    outputs = _answer(graph, net, values)
    rows = [_numbers("X", len(net.columns))]
    whole = onnx.helper.make_graph(graph.nodes, name, rows, outputs, graph.constants)
    model = onnx.helper.make_model(
        whole, opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=_IR,
        producer_name="sparsefit", producer_version=__version__,
    )  # fmt: skip
    columns = [{"name": column.name, "levels": column.levels} for column in net.columns]
    facts = {"columns": columns, "targets": net.targets, "classes": net.classes}
    facts["made"] = net.made
    onnx.helper.set_model_props(model, {key: json.dumps(fact) for key, fact in facts.items()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """Nodes and constants, named as they come."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        output = output or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: np.ndarray) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def times(self, values: str, weight: sparse.csc_array) -> str:
        """Multiply by a matrix, which the file holds in the shorter of two ways."""
        size = weight.shape[0] * weight.shape[1]
        if size * _DENSE_BYTES <= weight.nnz * _SPARSE_BYTES:
            return self.add("MatMul", values, self.constant(float32(weight.toarray())))
        # The nonzeros are put among zeros, once: runtimes fold what is constant when they load.
        entries = weight.tocoo()
        flat = entries.row.astype(np.int64) * weight.shape[1] + entries.col
        zeros = self.add("ConstantOfShape", self.constant(np.array([size])))
        places, numbers = self.constant(flat), self.constant(float32(entries.data))
        filled = self.add("ScatterElements", zeros, places, numbers)
        shape = self.constant(np.array(weight.shape, dtype=np.int64))
        return self.add("MatMul", values, self.add("Reshape", filled, shape))


def _read_inputs(graph: _Graph, net: Lowered) -> str:
    """Gather the columns that are read, and turn them into inputs."""
    numbers, categories = net.inputs[: net.n_numbers], net.inputs[net.n_numbers :]
    parts = []
    if numbers:
        x = graph.add("Gather", "X", _columns(graph, numbers), axis=1)
        means = graph.constant(float32([entry.mean for entry in numbers]))
        factors = graph.constant(float32([1 / entry.scale for entry in numbers]))
        x = graph.add("Mul", graph.add("Sub", x, means), factors)
        zero = graph.constant(np.zeros((), dtype=np.float32))
        parts.append(graph.add("Where", graph.add("IsNaN", x), zero, x))
    if categories:
        from onnx import TensorProto

        codes = graph.add("Gather", "X", _columns(graph, categories), axis=1)
        levels = graph.constant(float32([entry.level for entry in categories]))
        parts.append(graph.add("Cast", graph.add("Equal", codes, levels), to=TensorProto.FLOAT))
    return graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _columns(graph: _Graph, inputs: tuple[Any, ...]) -> str:
    return graph.constant(np.array([entry.column for entry in inputs], dtype=np.int64))


def _answer(graph: _Graph, net: Lowered, values: str) -> list[onnx.ValueInfoProto]:
    """Add the last biases and what comes after them; return the outputs of the graph."""
    from onnx import TensorProto, helper

    bias = graph.constant(float32(net.output.bias))
    if not net.classes:
        if net.exponential:
            graph.add("Exp", graph.add("Add", values, bias), output="values")
        else:
            graph.add("Add", values, bias, output="values")
        return [_numbers("values", len(net.targets))]
    scores = graph.add("Add", values, bias)
    texts = [text.encode("utf-8", "replace") for text in net.classes]
    names = graph.constant(np.array(texts, dtype=object))
    place = graph.add("ArgMax", scores, axis=1, keepdims=0)
    graph.add("Gather", names, place, output="label")
    graph.add("Softmax", scores, output="probabilities", axis=1)
    return [
        helper.make_tensor_value_info("label", TensorProto.STRING, ["rows"]),
        _numbers("probabilities", len(net.classes)),
    ]


def _numbers(name: str, n_columns: int) -> onnx.ValueInfoProto:
    """Describe an input or output of numbers."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", n_columns])
