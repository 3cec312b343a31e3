"""Scaling, missing values, categories and dates of a raw table as nodes of an ONNX graph, before the network itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from nas.checkpoint._encoding import EncodedColumn, Encoding, date_part
from nas.checkpoint._file import Record
from nas.checkpoint._onnx_graph import onnx_package

__all__ = ["take_raw"]

_NETWORK: Final = "x"  # what the network reads


def take_raw(model: Any, record: Record) -> None:
    """Let a model of `nas.checkpoint.onnx_model` take features as they were measured, by the record of its network.

    Without an encoding its input is "features" (batch, features) of float64. With one, each column is an input
    (batch, 1) of its own name: float64 of numbers, NaN where missing; text of categories, "" where missing; seconds
    since 1970 in float64 of dates. Of a regression the output "y" is in the units of the targets; of a classification
    there are "probabilities" beside it.
    """
    statistics = record.get("statistics") or {}
    encoding = Encoding.from_json(record.get("encoding"))
    graph = model.graph
    nodes = _Nodes()
    kept = list(graph.node)
    width = int(graph.input[0].type.tensor_type.shape.dim[1].dim_value)
    del graph.input[:]
    if encoding is None:
        graph.input.append(nodes.input("features", nodes.double, width))
        found = "features"
    else:
        parts = []
        for column in encoding.columns:
            text = column.kind == "category"
            graph.input.append(nodes.input(column.name, nodes.text if text else nodes.double, 1))
            parts += _inputs_of(nodes, column)
        found = nodes.add("Concat", parts, axis=1)
    mean, scale = (np.asarray(statistics.get(name) or (), dtype=np.float64) for name in ("mean", "scale"))
    if mean.size:
        found = nodes.add("Div", [nodes.add("Sub", [found, nodes.constant(mean)]), nodes.constant(scale)])
    nodes.named("Cast", [found], _NETWORK, to=nodes.single)
    ending = _Nodes("end")
    target_mean, target_scale = (
        np.asarray(statistics.get(f"target_{name}") or (), dtype=np.float32) for name in ("mean", "scale")
    )
    outputs = int(graph.output[0].type.tensor_type.shape.dim[1].dim_value)
    if record.get("task") == "classification":
        ending.named("Softmax", ["y"], "probabilities", axis=1)
        graph.output.append(ending.input("probabilities", ending.single, outputs))
    elif target_mean.size:
        for node in kept:
            for place, name in enumerate(node.output):
                if name == "y":
                    node.output[place] = "scaled"
        scaled = ending.add("Mul", ["scaled", ending.constant(target_scale)])
        ending.named("Add", [scaled, ending.constant(target_mean)], "y")
    del graph.node[:]
    graph.node.extend([*nodes.made, *kept, *ending.made])
    graph.initializer.extend([*nodes.constants, *ending.constants])
    onnx_package().checker.check_model(model)


class _Nodes:
    """Nodes and constants under construction, by names that no other part of a model has."""

    def __init__(self, prefix: str = "raw") -> None:
        self._onnx = onnx_package()
        self._prefix = prefix
        self.made: list[Any] = []
        self.constants: list[Any] = []
        types = self._onnx.TensorProto
        self.double, self.single, self.text = types.DOUBLE, types.FLOAT, types.STRING

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        return self.named(operator, inputs, f"{self._prefix}{len(self.made)}", **attributes)

    def named(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.made.append(self._onnx.helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def constant(self, values: Any) -> str:
        name = f"{self._prefix}_c{len(self.constants)}"
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def input(self, name: str, kind: int, width: int) -> Any:
        return self._onnx.helper.make_tensor_value_info(name, kind, ["batch", width])

    def as_double(self, value: str) -> str:
        return self.add("Cast", [value], to=self.double)


def _inputs_of(nodes: _Nodes, column: EncodedColumn) -> list[str]:
    """The columns (batch, 1) that a column of a table becomes; `EncodedColumn.apply`."""
    if column.kind == "category":
        known = [_is(nodes, column.name, level) for level in column.levels]
        if column.other:
            every = [*known, *([] if column.base is None else [_is(nodes, column.name, column.base)])]
            some = every[0] if len(every) == 1 else nodes.add("Sum", every)
            known.append(nodes.add("Sub", [nodes.constant(np.array(1.0)), some]))
        return known
    found, missing = column.name, ""
    if column.fill is not None:
        missing = nodes.add("IsNaN", [column.name])
        found = nodes.add("Where", [missing, nodes.constant(np.array(column.fill)), column.name])
    parts = [found] if column.kind != "date" else [_part(nodes, found, part) for part in column.parts]
    flags = [nodes.as_double(missing)] if column.flagged else []
    return [*parts, *flags, *(_ramp(nodes, found, low, high) for low, high in column.ramps)]


def _ramp(nodes: _Nodes, found: str, low: float, high: float) -> str:
    above = nodes.add("Sub", [found, nodes.constant(np.array(low))])
    share = nodes.add("Div", [above, nodes.constant(np.array(high - low))])
    return nodes.add("Clip", [share, nodes.constant(np.array(0.0)), nodes.constant(np.array(1.0))])


def _is(nodes: _Nodes, name: str, level: str) -> str:
    return nodes.as_double(nodes.add("Equal", [name, nodes.constant(np.array([level], dtype=object))]))


def _part(nodes: _Nodes, seconds: str, part: str) -> str:
    found: _Value = date_part(
        _Value(nodes, seconds),
        part,
        lambda value: value.then("Floor"),
        lambda test, *others: test.then("Where", *others),
    )
    return found.name


class _Value:
    """A value of a graph under construction, to calculate with."""

    def __init__(self, nodes: _Nodes, name: str) -> None:
        self._nodes, self.name = nodes, name

    def then(self, operator: str, *others: _Value | float) -> _Value:
        names = [each.name if isinstance(each, _Value) else self._nodes.constant(np.array(each)) for each in others]
        return _Value(self._nodes, self._nodes.add(operator, [self.name, *names]))

    def __add__(self, other: _Value | float) -> _Value:
        return self.then("Add", other)

    def __sub__(self, other: _Value | float) -> _Value:
        return self.then("Sub", other)

    def __mul__(self, other: float) -> _Value:
        return self.then("Mul", other)

    def __truediv__(self, other: float) -> _Value:
        return self.then("Div", other)

    def __lt__(self, other: float) -> _Value:
        return self.then("Less", other)
