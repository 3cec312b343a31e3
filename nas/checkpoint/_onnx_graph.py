"""An ONNX graph under construction, and the activations in ONNX's words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from nas.errors import ExportError

__all__ = ["ACTIVATION_NODES", "OPSET", "Graph", "onnx_package", "silu"]

OPSET: Final = 23
IR_VERSION: Final = 11  # what ONNX 1.18, the first with opset 23, writes

Array = np.ndarray


def onnx_package() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ExportError(
            "ONNX export needs the package onnx, which is not installed; install it with: pip install 'dag-nas[export]'"
        ) from error
    return onnx


class Graph:
    """The nodes and constants of an ONNX graph under construction."""

    def __init__(self) -> None:
        self._onnx = onnx_package()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Append a node; returns the name of its output."""
        name = f"v{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Array) -> str:
        """Append a constant: float32 for numbers, integers as they are."""
        array = np.ascontiguousarray(values, dtype=np.float32 if values.dtype.kind == "f" else values.dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:  # the steps of a network with memory use the same ones
            self._names[key] = f"c{len(self._constants)}"
            self._constants.append(self._onnx.numpy_helper.from_array(array, self._names[key]))
        return self._names[key]

    def model(self, rows: str, n_inputs: int, n_outputs: int) -> Any:
        """The finished model, whose output is ``rows`` (n_outputs, batch) turned."""
        helper, floats = self._onnx.helper, self._onnx.TensorProto.FLOAT
        self._nodes.append(helper.make_node("Transpose", [rows], ["y"], perm=[1, 0]))
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("x", floats, ["batch", n_inputs])],
            [helper.make_tensor_value_info("y", floats, ["batch", n_outputs])],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="dag-nas"
        )
        self._onnx.checker.check_model(model)
        return model


def silu(graph: Graph, rows: str) -> str:
    return graph.add("Mul", [rows, graph.add("Sigmoid", [rows])])


ACTIVATION_NODES: Final[dict[str, Callable[[Graph, str], str]]] = {
    "identity": lambda graph, rows: rows,
    "relu": lambda graph, rows: graph.add("Relu", [rows]),
    "leaky_relu": lambda graph, rows: graph.add("LeakyRelu", [rows], alpha=0.01),
    "sigmoid": lambda graph, rows: graph.add("Sigmoid", [rows]),
    "tanh": lambda graph, rows: graph.add("Tanh", [rows]),
    "elu": lambda graph, rows: graph.add("Elu", [rows], alpha=1.0),
    "softplus": lambda graph, rows: graph.add("Softplus", [rows]),
    "silu": silu,
    "gelu": lambda graph, rows: graph.add("Gelu", [rows], approximate="tanh"),
    "sin": lambda graph, rows: graph.add("Sin", [rows]),
    "square": lambda graph, rows: graph.add("Mul", [rows, rows]),
}
