"""An ONNX graph under construction, and activations in ONNX's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from nas.engine import activation_named
from nas.engine.formulas import FUNCTIONS, Expression
from nas.errors import ExportError

__all__ = ["OPSET", "Graph", "activation_nodes", "onnx_package"]

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


def activation_nodes(graph: Graph, name: str, rows: str) -> str:
    """An activation of rows, by ONNX's own operator where it has one, else by those that its formula is made of."""
    entry = activation_named(name)
    if entry.onnx is not None:
        operator, attributes = entry.onnx
        return graph.add(operator, [rows], **attributes)
    return _formula(graph, entry.value, rows)


_ARITHMETIC: Final = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}


def _formula(graph: Graph, formula: Expression, rows: str) -> str:
    if formula.operator == "x":
        return rows
    if formula.operator == "number":
        return graph.constant(np.array(formula.number))
    parts = [_formula(graph, part, rows) for part in formula.parts]
    match formula.operator:
        case "fma":
            return graph.add("Add", [graph.add("Mul", parts[:2]), parts[2]])
        case "where":
            condition = graph.add("Greater", [parts[0], graph.constant(np.array(0.0))])
            return graph.add("Where", [condition, *parts[1:]])
        case operator:
            return graph.add(_ARITHMETIC.get(operator) or FUNCTIONS[operator].onnx, parts)
