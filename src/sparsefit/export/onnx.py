"""ONNX, for onnxruntime and others: standard operators of version 17, in float32.

The input ``X`` (rows, columns) is a row of the table: numbers, NaN where missing, and the places
of levels for categories. The outputs are ``values`` or, for classes, ``label`` (text) and
``probabilities``. Names of columns, levels, classes and targets are JSON in the metadata.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsefit.core.activations import GELU, Activation, LeakyReLU
from sparsefit.export._onnx_graph import OnnxGraph, numbers
from sparsefit.predictor.lowering import Lowered, float32

if TYPE_CHECKING:
    import onnx

IS_SINGLE = True
SUFFIX = ".onnx"


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
    >>> from sparsefit.predictor import Column, Predictor, lower
    >>> network = Network((Layer(np.array([[2.0]])),))
    >>> model = Predictor(network=network, columns=(Column(name="age"),), targets=("y",))
    >>> data = build(lower(model), "model")
    >>> [output.name for output in onnx.load_from_string(data).graph.output]
    ['values']
    """
    graph = OnnxGraph()
    inputs = _read_inputs(graph, net)
    values = inputs
    for layer in net.hidden:
        products = graph.add("MatMul", values, graph.weight(layer.weight))
        sums = graph.add("Add", products, graph.constant(float32(layer.bias)))
        values = _activated(graph, net.activation, sums)
    values = graph.add("MatMul", values, graph.weight(net.output.weight))
    if net.skip.nnz:
        linear = graph.add("MatMul", inputs, graph.weight(net.skip))
        values = graph.add("Add", values, linear)
    outputs = _answer(graph, net, values)
    columns = [{"name": column.name, "levels": column.levels} for column in net.columns]
    facts = {"columns": columns, "targets": net.targets, "classes": net.classes, "made": net.made}
    return graph.finish(name, [numbers("X", len(net.columns))], outputs, facts)


def _activated(graph: OnnxGraph, activation: Activation, sums: str) -> str:
    """Return the activations of sums."""
    match activation:
        case LeakyReLU(slope=slope):
            return graph.add("LeakyRelu", sums, alpha=slope)
        case GELU():
            # Version 17 has no operator for it: z (1 + erf(z / sqrt(2))) / 2.
            root, one, half = (graph.constant(float32(v)) for v in (math.sqrt(0.5), 1.0, 0.5))
            share = graph.add("Add", graph.add("Erf", graph.add("Mul", sums, root)), one)
            return graph.add("Mul", graph.add("Mul", sums, share), half)
    operators = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "sine": "Sin"}
    return graph.add(operators[activation.name], sums)


def _read_inputs(graph: OnnxGraph, net: Lowered) -> str:
    """Gather the columns that are read, and turn them into inputs."""
    measured, categories = net.inputs[: net.n_numbers], net.inputs[net.n_numbers :]
    parts = []
    if measured:
        x = graph.add("Gather", "X", _columns(graph, measured), axis=1)
        means = graph.constant(float32([entry.mean for entry in measured]))
        factors = graph.constant(float32([1 / entry.scale for entry in measured]))
        x = graph.add("Mul", graph.add("Sub", x, means), factors)
        zero = graph.constant(np.zeros((), dtype=np.float32))
        parts.append(graph.add("Where", graph.add("IsNaN", x), zero, x))
    if categories:
        from onnx import TensorProto

        codes = graph.add("Gather", "X", _columns(graph, categories), axis=1)
        levels = graph.constant(float32([entry.level for entry in categories]))
        parts.append(graph.add("Cast", graph.add("Equal", codes, levels), to=TensorProto.FLOAT))
    return graph.add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]


def _columns(graph: OnnxGraph, inputs: tuple[Any, ...]) -> str:
    return graph.constant(np.array([entry.column for entry in inputs], dtype=np.int64))


def _answer(graph: OnnxGraph, net: Lowered, values: str) -> list[onnx.ValueInfoProto]:
    """Add the last biases and what comes after them; return the outputs of the graph."""
    from onnx import TensorProto, helper

    bias = graph.constant(float32(net.output.bias))
    if not net.classes:
        if net.exponential:
            graph.add("Exp", graph.add("Add", values, bias), output="values")
        else:
            graph.add("Add", values, bias, output="values")
        return [numbers("values", len(net.targets))]
    scores = graph.add("Add", values, bias)
    texts = [text.encode("utf-8", "replace") for text in net.classes]
    names = graph.constant(np.array(texts, dtype=object))
    place = graph.add("ArgMax", scores, axis=1, keepdims=0)
    graph.add("Gather", names, place, output="label")
    graph.add("Softmax", scores, output="probabilities", axis=1)
    return [
        helper.make_tensor_value_info("label", TensorProto.STRING, ["rows"]),
        numbers("probabilities", len(net.classes)),
    ]
