"""ONNX of a torch model: input ``X`` (rows, ...), output ``values``, in float32."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from sparsefit.export._onnx_graph import OnnxGraph, numbers
from sparsefit.predictor.lowering import float32
from sparsefit.torch_export.steps import (
    Activation,
    Convolution,
    Linear,
    Pool,
    Reshape,
    Scale,
    Step,
    Window,
)


def build(steps: Sequence[Step], name: str) -> bytes:
    """Return the file, checked by the ``onnx`` package.

    Parameters
    ----------
    steps : sequence of Step
    name : str
        Name of the graph.

    Raises
    ------
    SparsefitError
        If the package is not installed, or a number is too large for float32.
    """
    graph = OnnxGraph()
    values = "X"
    for step in steps:
        values = _add(step, graph, values)
    graph.add("Identity", values, output="values")
    outputs = [numbers("values", *steps[-1].after)]
    return graph.finish(name, [numbers("X", *steps[0].before)], outputs, {"made": "sparsefit"})


@singledispatch
def _add(step: Step, graph: OnnxGraph, values: str) -> str:
    """Add the nodes of a step and return the name of what they make."""
    raise NotImplementedError(type(step).__name__)


@_add.register
def _(step: Linear, graph: OnnxGraph, values: str) -> str:
    products = graph.add("MatMul", values, graph.weight(step.weight.T))
    return graph.add("Add", products, graph.constant(float32(step.bias)))


@_add.register
def _(step: Convolution, graph: OnnxGraph, values: str) -> str:
    weight, bias = graph.weight(step.weight), graph.constant(float32(step.bias))
    window, dilations = _window(step.window), step.window.dilation
    return graph.add("Conv", values, weight, bias, group=step.groups, dilations=dilations, **window)


@_add.register
def _(step: Pool, graph: OnnxGraph, values: str) -> str:
    window = _window(step.window)
    if step.is_mean:
        counts = int(step.counts_padding)
        return graph.add("AveragePool", values, count_include_pad=counts, **window)
    return graph.add("MaxPool", values, dilations=step.window.dilation, **window)


@_add.register
def _(step: Scale, graph: OnnxGraph, values: str) -> str:
    shape = (-1, *(1 for _ in step.before[1:]))
    factor, term = (graph.constant(float32(v.reshape(shape))) for v in (step.factor, step.term))
    return graph.add("Add", graph.add("Mul", values, factor), term)


@_add.register
def _(step: Activation, graph: OnnxGraph, values: str) -> str:
    if not step.slope:
        return graph.add("Relu", values)
    return graph.add("LeakyRelu", values, alpha=step.slope)


@_add.register
def _(step: Reshape, graph: OnnxGraph, values: str) -> str:
    return graph.add("Reshape", values, graph.constant(np.array([-1, *step.after])))


def _window(window: Window) -> dict[str, Any]:
    starts, ends = zip(*window.padding, strict=True)
    return {"kernel_shape": window.kernel, "strides": window.stride, "pads": [*starts, *ends]}
