"""Scaling, missing values, categories and dates of a raw table as nodes of an ONNX graph, before the network itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from nas.checkpoint._encoding import EncodedColumn, Encoding
from nas.checkpoint._file import Record
from nas.checkpoint._onnx_graph import onnx_package

__all__ = ["take_raw"]

_NETWORK: Final = "x"  # what the network reads
_DAY: Final = 86_400.0


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

    def call(self, operator: str, value: str, number: float) -> str:
        """``value`` and a number."""
        return self.add(operator, [value, self.constant(np.array(number))])

    def floored(self, value: str, divisor: float) -> str:
        return self.add("Floor", [self.call("Div", value, divisor)])

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
    return [*parts, nodes.as_double(missing)] if column.flagged else parts


def _is(nodes: _Nodes, name: str, level: str) -> str:
    return nodes.as_double(nodes.add("Equal", [name, nodes.constant(np.array([level], dtype=object))]))


def _part(nodes: _Nodes, seconds: str, part: str) -> str:
    if part == "days":
        return nodes.call("Div", seconds, _DAY)
    days = nodes.floored(seconds, _DAY)
    if part == "weekday":
        shifted = nodes.call("Add", days, 3.0)
        return nodes.add("Sub", [shifted, nodes.call("Mul", nodes.floored(shifted, 7.0), 7.0)])
    if part == "hour":
        return nodes.floored(nodes.add("Sub", [seconds, nodes.call("Mul", days, _DAY)]), 3600.0)
    return _month(nodes, days)


def _month(nodes: _Nodes, days: str) -> str:
    """The month, 1 to 12, of days since 1970, in whole numbers that float64 holds exactly.

    Years begin in March here, so that the leap day is the last, and repeat every 146,097 days (Hinnant 2013,
    "chrono-compatible low-level date algorithms", `civil_from_days`).
    """
    since = nodes.call("Add", days, 719_468.0)
    of_era = nodes.add("Sub", [since, nodes.call("Mul", nodes.floored(since, 146_097.0), 146_097.0)])
    leap = nodes.add("Sub", [of_era, nodes.floored(of_era, 1_460.0)])
    leap = nodes.add("Add", [leap, nodes.floored(of_era, 36_524.0)])
    leap = nodes.add("Sub", [leap, nodes.floored(of_era, 146_096.0)])
    year = nodes.floored(leap, 365.0)
    before = nodes.add("Add", [nodes.call("Mul", year, 365.0), nodes.floored(year, 4.0)])
    before = nodes.add("Sub", [before, nodes.floored(year, 100.0)])
    of_year = nodes.add("Sub", [of_era, before])
    month = nodes.floored(nodes.call("Add", nodes.call("Mul", of_year, 5.0), 2.0), 153.0)  # 0 is March
    early = nodes.call("Less", month, 10.0)
    shift = nodes.add("Where", [early, nodes.constant(np.array(3.0)), nodes.constant(np.array(-9.0))])
    return nodes.add("Add", [month, shift])
