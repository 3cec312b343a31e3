"""Networks as ONNX files: any runtime can run them, and a sparse network stays as small as its edges.

A DAG is written level by level. The values of all neurons so far are the rows of one matrix (neurons, batch); a level
gathers the rows that it reads, multiplies, sums, and appends its own rows. Three ways to write a level were measured
(ONNX Runtime, one thread, batch 128; kB of the file / milliseconds of process time):

    inputs/computational/outputs, edges, depth     dense block     scatter-add     padded rows
    784/206/10    5,776    14                      368 / 0.34      122 / 0.44       98 / 0.29
    784/206/10   51,980    76                      805 / 1.67    1,070 / 3.86      671 / 2.23
    64/1000/10   11,483    39                      999 / 0.73      249 / 1.15      231 / 0.68
    64/1000/10   57,414   173                    1,503 / 3.79    1,223 / 5.45      849 / 3.83

(The numbers of the rows took 64 bits there; with 32, as below, padded rows take 66, 478, 154 and 587 kB.)

So: rows padded to the largest in-degree (neurons of like in-degree together, so that at most half is padding), and a
dense block only where it is no larger. Writing a level's rows into one matrix of all neurons in place (ScatterND) was
5 to 25 % slower than appending them. Blocks are cut so that what is gathered at a time stays small.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from nas.checkpoint._file import Record, record_json
from nas.checkpoint._folded import folded
from nas.engine import ACTIVATIONS, DAGModule, MaskedLinear, activation_codes, levels_of
from nas.errors import ExportError
from nas.graph import DAG
from nas.layers import LayerDAG
from nas.layers import export_onnx as export_layers
from nas.recurrent import RecurrentDAG

__all__ = ["OPSET", "export_onnx", "onnx_model"]

OPSET: Final = 23
IR_VERSION: Final = 11  # what ONNX 1.18, the first with opset 23, writes
MOST_GATHERED: Final = 2**15  # numbers a sample that one node gathers: 16 MiB at batch 128

Array = np.ndarray


def export_onnx(module: nn.Module, path: str | os.PathLike[str], record: Record | None = None) -> None:
    """Write a network as an ONNX file with an input "x" (batch, inputs) and an output "y" (batch, outputs).

    The batch may have any size. Needs the optional package onnx; ONNX Runtime, to run the file, is another.

    Args:
        module: `DAGModule`, `ManifoldNetwork`, `WiredModule`, `MaskedLinear`, a network of layers (`LayerDAG`), or
            ``nn.Sequential`` of the first four with Linear, BatchNorm1d (as in evaluation), Dropout and Flatten (left
            out), Identity, and the usual activations.
        path: by convention ending in ``.onnx``; an existing file is replaced.
        record: kept as JSON in the file's metadata, under "record"; see `nas.checkpoint.save`.

    Raises:
        CheckpointError: the record holds something that is no JSON.
        ExportError: the package is missing, or a module is of another kind; the message names its place.
        OSError: the file cannot be written.
    """
    onnx = _package()
    if isinstance(module, LayerDAG):
        export_layers(module, path)
        if record is None:
            return
        model = onnx.load(os.fspath(path))
    else:
        model = onnx_model(module)
    if record is not None:
        onnx.helper.set_model_props(model, {"record": record_json(record)})
    Path(path).write_bytes(model.SerializeToString())


def onnx_model(module: nn.Module) -> Any:
    """The ``onnx.ModelProto`` of a network that is no `LayerDAG`; see `export_onnx`."""
    graph = _Graph()
    rows = graph.add("Transpose", ["x"], perm=[1, 0])  # neurons are rows: those of a level lie together
    rows, n_inputs, n_outputs = _write(graph, module, rows, None, "")
    if n_inputs is None:
        raise ExportError("a network needs a layer that knows its number of inputs; there is none in the module given")
    return graph.model(rows, n_inputs, n_outputs)


def _package() -> Any:
    try:
        import onnx
    except ImportError as error:
        raise ExportError(
            "ONNX export needs the package onnx, which is not installed; install it with: pip install 'dag-nas[export]'"
        ) from error
    return onnx


class _Graph:
    """The nodes and constants of an ONNX graph under construction."""

    def __init__(self) -> None:
        self._onnx = _package()
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


def _write(graph: _Graph, module: nn.Module, rows: str, width: int | None, place: str) -> tuple[str, int | None, int]:
    """Write ``module`` on ``rows`` (width, batch); returns its rows, the inputs it wants, and how many rows it has."""
    module = folded(module)
    if isinstance(module, RecurrentDAG):
        return _recurrent(graph, module, rows, width, place)
    if isinstance(module, nn.Sequential):
        wanted = width
        for name, child in module.named_children():
            rows, inputs, width = _write(graph, child, rows, width, f"{place}.{name}" if place else name)
            wanted = inputs if wanted is None else wanted
        return rows, wanted, width or 0
    if isinstance(module, DAGModule):
        _fits(width, module.dag.n_inputs, place)
        bias = None if module.bias is None else _numbers(module.bias)
        found = _dag(graph, module.dag, _numbers(module.weight), bias, module.activation, rows)
        return found, module.dag.n_inputs, module.dag.n_outputs
    if isinstance(module, MaskedLinear):
        _fits(width, module.in_features, place)
        bias = None if module.bias is None else _numbers(module.bias)
        found = _dag(graph, module.dag, _numbers(module.values), bias, "identity", rows)
        return found, module.in_features, module.out_features
    if isinstance(module, nn.Linear):
        _fits(width, module.in_features, place)
        found = graph.add("MatMul", [graph.constant(_numbers(module.weight)), rows])
        if module.bias is not None:
            found = graph.add("Add", [found, graph.constant(_numbers(module.bias)[:, None])])
        return found, module.in_features, module.out_features
    if isinstance(module, nn.BatchNorm1d) and module.running_var is not None and module.running_mean is not None:
        _fits(width, module.num_features, place)
        scale = 1 / np.sqrt(_numbers(module.running_var).astype(np.float64) + module.eps)
        shift = -_numbers(module.running_mean) * scale
        if module.affine:
            scale, shift = scale * _numbers(module.weight), shift * _numbers(module.weight) + _numbers(module.bias)
        found = graph.add("Mul", [rows, graph.constant(scale[:, None])])
        return graph.add("Add", [found, graph.constant(shift[:, None])]), module.num_features, module.num_features
    if isinstance(module, nn.Identity | nn.Dropout | nn.Flatten):
        return rows, width, width or 0
    for kind, write in _TORCH.items():
        if type(module) is kind:
            return write(graph, rows, module), width, width or 0
    where = f"module {place!r}" if place else "the module"
    raise ExportError(
        f"{where} is of the kind {type(module).__name__}, which this exporter cannot write; use DAGModule, "
        "ManifoldNetwork, WiredModule, MaskedLinear, LayerDAG, or nn.Sequential of them with Linear, BatchNorm1d, "
        f"Dropout and {', '.join(kind.__name__ for kind in _TORCH)}"
    )


def _recurrent(
    graph: _Graph, module: RecurrentDAG, rows: str, width: int | None, place: str
) -> tuple[str, int | None, int]:
    """Its time steps one after another; they share their constants. Outputs of all steps lie in a row."""
    if module.time is None or module.n_inputs is None:
        raise ExportError(
            "a network with memory is written with its time steps; set its attribute time to their number"
        )
    _fits(width, module.n_inputs, place)
    weight, bias = _numbers(module.weight), None if module.bias is None else _numbers(module.bias)
    initial = np.zeros(module.memory) if module.initial is None else _numbers(module.initial)
    batch = graph.add("Shape", ["x"], start=0, end=1)
    shape = graph.add("Concat", [graph.constant(np.array([module.memory])), batch], axis=0)
    memory = graph.add("Expand", [graph.constant(initial[:, None]), shape])

    def part(of: str, start: int, end: int) -> str:
        return graph.add("Slice", [of, graph.constant(np.array([start])), graph.constant(np.array([end]))])

    found = []
    for step in range(module.time):
        now = part(rows, step * module.features, (step + 1) * module.features)
        if module.memory:
            now = graph.add("Concat", [now, memory], axis=0)
        y = _dag(graph, module.dag, weight, bias, module.activation, now)
        found.append(part(y, 0, module.n_outputs))
        if module.memory:
            carried = part(y, module.n_outputs, module.n_outputs + module.memory)
            memory = _ACTIVATIONS[module.memory_activation](graph, carried)
    if module.outputs == "last":
        return found[-1], module.n_inputs, module.n_outputs
    return graph.add("Concat", found, axis=0), module.n_inputs, module.time * module.n_outputs


def _fits(width: int | None, wanted: int, place: str) -> None:
    if width is not None and width != wanted:
        raise ExportError(f"module {place!r} reads {wanted} numbers a sample, but the one before it gives {width}")


def _dag(graph: _Graph, dag: DAG, weight: Array, bias: Array | None, activation: str, rows: str) -> str:
    state = rows
    *hidden, last = levels_of(dag)
    batch = graph.add("Shape", ["x"], start=0, end=1)
    for level in hidden:
        sums, order = _level(
            graph, level.rows, level.places, weight[level.edges], level.neurons, bias, dag, state, batch
        )
        if (np.diff(order) != 1).any():
            sums = graph.add("Gather", [sums, graph.constant(np.argsort(order).astype(np.int32))], axis=0)
        state = graph.add("Concat", [state, _activated(graph, sums, level.neurons, dag, activation)], axis=0)
    sums, order = _level(graph, last.rows, last.places, weight[last.edges], last.neurons, bias, dag, state, batch)
    if (np.diff(order) != 1).any():
        sums = graph.add("Gather", [sums, graph.constant(np.argsort(order).astype(np.int32))], axis=0)
    return sums


def _activated(graph: _Graph, sums: str, neurons: Array, dag: DAG, activation: str) -> str:
    """Rows of ``sums``, one a neuron, through their activations: one operation for all neurons that share one."""
    codes = activation_codes(dag, activation)[neurons]
    found = np.unique(codes)
    if found.size == 1:
        return _ACTIVATIONS[ACTIVATIONS[found[0]]](graph, sums)
    members = [np.flatnonzero(codes == code) for code in found]
    parts = [
        _ACTIVATIONS[ACTIVATIONS[code]](
            graph, graph.add("Gather", [sums, graph.constant(rows.astype(np.int32))], axis=0)
        )
        for code, rows in zip(found, members, strict=True)
    ]
    back = np.argsort(np.concatenate(members)).astype(np.int32)
    return graph.add("Gather", [graph.add("Concat", parts, axis=0), graph.constant(back)], axis=0)


def _level(
    graph: _Graph,
    rows: Array,
    places: Array,
    weight: Array,
    neurons: Array,
    bias: Array | None,
    dag: DAG,
    state: str,
    batch: str,
) -> tuple[str, Array]:
    """The sums of a level's neurons as rows, and which neuron (0..m-1) each row is."""
    degree = np.bincount(places, minlength=neurons.size)
    start = np.cumsum(degree) - degree
    used = np.unique(rows)
    own = np.zeros(neurons.size, np.float32) if bias is None else bias[neurons - dag.n_inputs]
    if degree.min() > 0 and used.size * neurons.size <= 2 * rows.size:
        block = np.zeros((neurons.size, used.size), np.float32)
        block[places, np.searchsorted(used, rows)] = weight
        sums = graph.add("MatMul", [graph.constant(block), _gather(graph, state, used)])
        pieces, order = [sums], np.arange(neurons.size)
    else:
        groups = _like_degrees(degree)
        pieces = [_padded(graph, state, batch, rows, weight, start[g], degree[g]) for g in groups]
        order = np.concatenate(groups)
    sums = pieces[0] if len(pieces) == 1 else graph.add("Concat", pieces, axis=0)
    if own.any():
        sums = graph.add("Add", [sums, graph.constant(own[order][:, None])])
    return sums, order


def _padded(graph: _Graph, state: str, batch: str, rows: Array, weight: Array, start: Array, degree: Array) -> str:
    """Sums of some neurons, whose in-edges begin at ``start`` of ``rows`` and ``weight``, (m, batch)."""
    most = int(degree.max())
    if most == 0:
        shape = graph.add("Concat", [graph.constant(np.array([degree.size], np.int64)), batch], axis=0)
        return graph.add("Expand", [graph.constant(np.zeros((1, 1), np.float32)), shape])
    column = np.arange(most)
    inside = column < degree[:, None]
    edge = np.where(inside, start[:, None] + column, start[:, None])  # padding reads what the first edge reads, times 0
    gathered = _gather(graph, state, rows[edge])
    factors = graph.constant(np.where(inside, weight[edge], 0)[:, None, :].astype(np.float32))
    sums = graph.add("MatMul", [factors, gathered])  # (m, 1, most) x (m, most, batch)
    return graph.add("Squeeze", [sums, graph.constant(np.array([1], np.int64))])


def _like_degrees(degree: Array) -> list[Array]:
    """Neurons in groups whose in-degrees differ by no more than a factor of two, none larger than may be gathered."""
    order = np.argsort(degree, kind="stable")[::-1]
    groups: list[Array] = []
    begin = 0
    for end in range(1, order.size + 1):
        most = int(degree[order[begin]])
        if (
            end == order.size
            or 2 * degree[order[end]] < most
            or (most > 0 and degree[order[end]] == 0)
            or most * (end - begin + 1) > MOST_GATHERED
        ):
            groups.append(np.sort(order[begin:end]))
            begin = end
    return groups


def _gather(graph: _Graph, state: str, rows: Array) -> str:
    return graph.add("Gather", [state, graph.constant(rows.astype(np.int32))], axis=0)


def _numbers(tensor: torch.Tensor) -> Array:
    found: Array = tensor.detach().cpu().float().numpy()
    return found


def _silu(graph: _Graph, rows: str) -> str:
    return graph.add("Mul", [rows, graph.add("Sigmoid", [rows])])


_ACTIVATIONS: Final[dict[str, Callable[[_Graph, str], str]]] = {
    "identity": lambda graph, rows: rows,
    "relu": lambda graph, rows: graph.add("Relu", [rows]),
    "leaky_relu": lambda graph, rows: graph.add("LeakyRelu", [rows], alpha=0.01),
    "sigmoid": lambda graph, rows: graph.add("Sigmoid", [rows]),
    "tanh": lambda graph, rows: graph.add("Tanh", [rows]),
    "elu": lambda graph, rows: graph.add("Elu", [rows], alpha=1.0),
    "softplus": lambda graph, rows: graph.add("Softplus", [rows]),
    "silu": _silu,
    "gelu": lambda graph, rows: graph.add("Gelu", [rows], approximate="tanh"),
    "sin": lambda graph, rows: graph.add("Sin", [rows]),
    "square": lambda graph, rows: graph.add("Mul", [rows, rows]),
}

_TORCH: Final[dict[type[nn.Module], Callable[[_Graph, str, Any], str]]] = {
    nn.ReLU: lambda graph, rows, module: graph.add("Relu", [rows]),
    nn.LeakyReLU: lambda graph, rows, module: graph.add("LeakyRelu", [rows], alpha=module.negative_slope),
    nn.Sigmoid: lambda graph, rows, module: graph.add("Sigmoid", [rows]),
    nn.Tanh: lambda graph, rows, module: graph.add("Tanh", [rows]),
    nn.ELU: lambda graph, rows, module: graph.add("Elu", [rows], alpha=module.alpha),
    nn.SiLU: lambda graph, rows, module: _silu(graph, rows),
    nn.GELU: lambda graph, rows, module: graph.add("Gelu", [rows], approximate=module.approximate),
    nn.Softmax: lambda graph, rows, module: graph.add("Softmax", [rows], axis=0),
}
