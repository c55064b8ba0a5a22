"""An ONNX graph that is built node by node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from sparsefit._version import __version__
from sparsefit.core.errors import SparsefitError
from sparsefit.predictor.lowering import float32

if TYPE_CHECKING:
    import onnx

# Old enough for the runtimes of 2022.
_OPSET, _IR = 17, 8
# Bytes of a number alone, and with its place among others.
_DENSE_BYTES, _SPARSE_BYTES = 4, 12


class OnnxGraph:
    """Nodes and constants, named as they come.

    Raises
    ------
    SparsefitError
        If the package ``onnx`` is not installed.
    """

    def __init__(self) -> None:
        try:
            import onnx  # noqa: F401
        except ImportError:
            raise SparsefitError(
                "--to onnx needs the package onnx: pip install 'sparsefit[onnx]'"
            ) from None
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        from onnx import helper

        output = output or f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, values: np.ndarray) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, values: np.ndarray | sparse.csc_array) -> str:
        """Add an array with zeros, which the file holds in the shorter of two ways."""
        entries = sparse.coo_array(values.reshape(values.shape[0], -1))
        size = int(np.prod(values.shape))
        if size * _DENSE_BYTES <= entries.nnz * _SPARSE_BYTES:
            dense = entries.toarray().reshape(values.shape)
            return self.constant(float32(dense))
        # The nonzeros are put among zeros, once: runtimes fold what is constant when they load.
        places = entries.row.astype(np.int64) * entries.shape[1] + entries.col
        zeros = self.add("ConstantOfShape", self.constant(np.array([size])))
        numbers = self.constant(float32(entries.data))
        filled = self.add("ScatterElements", zeros, self.constant(places), numbers)
        return self.add("Reshape", filled, self.constant(np.array(values.shape, dtype=np.int64)))

    def finish(
        self, name: str, inputs: list[Any], outputs: list[Any], facts: Mapping[str, object]
    ) -> bytes:
        """Return the file, checked by the ``onnx`` package.

        Parameters
        ----------
        name : str
            Of the graph.
        inputs, outputs : list of onnx.ValueInfoProto
        facts : dict
            Metadata, stored as JSON.
        """
        import onnx

        whole = onnx.helper.make_graph(self._nodes, name, inputs, outputs, self._constants)
        model = onnx.helper.make_model(
            whole, opset_imports=[onnx.helper.make_opsetid("", _OPSET)], ir_version=_IR,
            producer_name="sparsefit", producer_version=__version__,
        )  # fmt: skip
        onnx.helper.set_model_props(model, {key: json.dumps(fact) for key, fact in facts.items()})
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))


def numbers(name: str, *shape: int) -> onnx.ValueInfoProto:
    """Describe an input or output of float32, of any number of rows."""
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", *shape])
