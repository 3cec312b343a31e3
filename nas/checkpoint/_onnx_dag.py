"""A DAG of neurons as ONNX nodes.

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

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch

from nas.checkpoint._onnx_graph import Graph, activation_nodes
from nas.engine import ACTIVATIONS, Level, activation_codes, levels_of
from nas.errors import ExportError
from nas.graph import DAG
from nas.recurrent import LSTM, RecurrentDAG

__all__ = ["numbers", "write_dag", "write_recurrent"]

MOST_GATHERED: Final = 2**15  # numbers a sample that one node gathers: 16 MiB at batch 128

Array = np.ndarray


def numbers(tensor: torch.Tensor) -> Array:
    """As float32."""
    found: Array = tensor.detach().cpu().float().numpy()
    return found


def write_recurrent(graph: Graph, module: RecurrentDAG, rows: str) -> tuple[str, int, int]:
    """Its time steps one after another; they share their constants. Outputs of all steps lie in a row."""
    if module.time is None or module.n_inputs is None:
        raise ExportError(
            "a network with memory is written with its time steps; set its attribute time to their number"
        )
    weight, bias = numbers(module.weight), None if module.bias is None else numbers(module.bias)
    initial = np.zeros(module.memory) if module.initial is None else numbers(module.initial)
    batch = graph.add("Shape", ["x"], start=0, end=1)
    shape = graph.add("Concat", [graph.constant(np.array([module.memory])), batch], axis=0)
    memory = graph.add("Expand", [graph.constant(initial[:, None]), shape])

    def part(of: str, start: int, end: int) -> str:
        return graph.add("Slice", [of, graph.constant(np.array([start])), graph.constant(np.array([end]))])

    cells = _Cells.of(module)
    dag = module.dag
    if cells is not None:  # activations are looked up for ordinary neurons alone
        dag = dag.with_activations(dict.fromkeys(np.flatnonzero(cells.mask).tolist(), ""))
    found = []
    for step in range(module.time):
        now = part(rows, step * module.features, (step + 1) * module.features)
        if module.memory:
            now = graph.add("Concat", [now, memory], axis=0)
        y = write_dag(graph, dag, weight, bias, module.activation, now, cells)
        found.append(part(y, 0, module.n_outputs))
        if module.memory:
            carried = part(y, module.n_outputs, module.n_outputs + module.memory)
            memory = activation_nodes(graph, module.memory_activation, carried)
    if module.outputs == "last":
        return found[-1], module.n_inputs, module.n_outputs
    return graph.add("Concat", found, axis=0), module.n_inputs, module.time * module.n_outputs


@dataclass(slots=True, eq=False)
class _Cells:
    """The LSTM neurons of a network, spread over all its neurons and edges, and what they carry to the next step."""

    mask: Array  # (n,) bool
    gates: Array  # (n_edges, 3)
    recurrent: Array  # (n, 4)
    gate_bias: Array  # (n - n_inputs, 3)
    carried: dict[int, tuple[str, str]] = field(default_factory=dict)  # rows of h and c of the cells of a level

    @classmethod
    def of(cls, module: RecurrentDAG) -> _Cells | None:
        if module.gate_weight is None or module.recurrent is None or module.gate_bias is None:
            return None
        dag = module.dag
        mask = np.array([word == LSTM for word in dag.activations or ()])
        gates, recurrent = np.zeros((dag.n_edges, 3), np.float32), np.zeros((dag.n, 4), np.float32)
        gate_bias = np.zeros((dag.n - dag.n_inputs, 3), np.float32)
        gates[mask[dag.targets]] = numbers(module.gate_weight)
        recurrent[mask] = numbers(module.recurrent)
        gate_bias[mask[dag.n_inputs :]] = numbers(module.gate_bias)
        return cls(mask, gates, recurrent, gate_bias)


def write_dag(
    graph: Graph,
    dag: DAG,
    weight: Array,
    bias: Array | None,
    activation: str,
    rows: str,
    cells: _Cells | None = None,
) -> str:
    """All outputs (n_outputs, batch) of a DAG on the rows (n_inputs, batch) of its inputs."""
    emitted = rows
    *hidden, last = levels_of(dag)
    batch = graph.add("Shape", ["x"], start=0, end=1)

    def sums(level: Level, weight: Array, bias: Array | None) -> str:
        found, order = _level(graph, level, weight[level.edges], bias, dag, emitted, batch)
        return found if (np.diff(order) == 1).all() else _gather(graph, found, np.argsort(order))

    for number, level in enumerate(hidden):
        inner = np.zeros(level.neurons.size, bool) if cells is None else cells.mask[level.neurons]
        plain, lstm = _part(level, ~inner), _part(level, inner)
        parts = []
        if plain.neurons.size:
            parts.append(_activated(graph, sums(plain, weight, bias), plain.neurons, dag, activation))
        if cells is not None and lstm.neurons.size:
            z = [sums(lstm, cells.gates[:, q], cells.gate_bias[:, q]) for q in range(3)]
            parts.append(_lstm(graph, [*z, sums(lstm, weight, bias)], lstm.neurons, number, cells))
        new = parts[0]
        if len(parts) > 1:
            back = np.argsort(np.concatenate([np.flatnonzero(~inner), np.flatnonzero(inner)]))
            new = _gather(graph, graph.add("Concat", parts, axis=0), back)
        emitted = graph.add("Concat", [emitted, new], axis=0)
    return sums(last, weight, bias)


def _part(level: Level, mask: Array) -> Level:
    """The neurons of the mask."""
    if mask.all():
        return level
    inside = mask[level.places]
    places = (np.cumsum(mask) - 1)[level.places[inside]]
    return Level(level.neurons[mask], level.edges[inside], level.rows[inside], places)


def _lstm(graph: Graph, z: list[str], neurons: Array, number: int, cells: _Cells) -> str:
    """What LSTM neurons emit, from the sums of input, forget and output gate and candidate; see `nas.recurrent`."""
    if number in cells.carried:
        h, c = cells.carried[number]
        own = cells.recurrent[neurons]
        z = [
            graph.add("Add", [sums, graph.add("Mul", [h, graph.constant(own[:, q : q + 1])])])
            for q, sums in enumerate(z)
        ]
    gate_input, gate_forget, gate_output = (graph.add("Sigmoid", [sums]) for sums in z[:3])
    inner = graph.add("Mul", [gate_input, graph.add("Tanh", [z[3]])])
    if number in cells.carried:
        inner = graph.add("Add", [inner, graph.add("Mul", [gate_forget, c])])
    emitted = graph.add("Mul", [gate_output, graph.add("Tanh", [inner])])
    cells.carried[number] = emitted, inner
    return emitted


def _activated(graph: Graph, sums: str, neurons: Array, dag: DAG, activation: str) -> str:
    """Rows of ``sums``, one a neuron, through their activations: one operation for all neurons that share one."""
    codes = activation_codes(dag, activation)[neurons]
    found = np.unique(codes)
    if found.size == 1:
        return activation_nodes(graph, ACTIVATIONS[found[0]], sums)
    members = [np.flatnonzero(codes == code) for code in found]
    parts = [
        activation_nodes(graph, ACTIVATIONS[code], _gather(graph, sums, rows))
        for code, rows in zip(found, members, strict=True)
    ]
    return _gather(graph, graph.add("Concat", parts, axis=0), np.argsort(np.concatenate(members)))


def _level(
    graph: Graph, level: Level, weight: Array, bias: Array | None, dag: DAG, emitted: str, batch: str
) -> tuple[str, Array]:
    """The sums of a level's neurons as rows, and which neuron (0..m-1) each row is."""
    rows, places, neurons = level.rows, level.places, level.neurons
    degree = np.bincount(places, minlength=neurons.size)
    start = np.cumsum(degree) - degree
    used = np.unique(rows)
    own = np.zeros(neurons.size, np.float32) if bias is None else bias[neurons - dag.n_inputs]
    if degree.min() > 0 and used.size * neurons.size <= 2 * rows.size:
        block = np.zeros((neurons.size, used.size), np.float32)
        block[places, np.searchsorted(used, rows)] = weight
        sums = graph.add("MatMul", [graph.constant(block), _gather(graph, emitted, used)])
        pieces, order = [sums], np.arange(neurons.size)
    else:
        groups = _like_degrees(degree)
        pieces = [_padded(graph, emitted, batch, rows, weight, start[g], degree[g]) for g in groups]
        order = np.concatenate(groups)
    sums = pieces[0] if len(pieces) == 1 else graph.add("Concat", pieces, axis=0)
    if own.any():
        sums = graph.add("Add", [sums, graph.constant(own[order][:, None])])
    return sums, order


def _padded(graph: Graph, emitted: str, batch: str, rows: Array, weight: Array, start: Array, degree: Array) -> str:
    """Sums of some neurons, whose in-edges begin at ``start`` of ``rows`` and ``weight``, (m, batch)."""
    most = int(degree.max())
    if most == 0:
        shape = graph.add("Concat", [graph.constant(np.array([degree.size], np.int64)), batch], axis=0)
        return graph.add("Expand", [graph.constant(np.zeros((1, 1), np.float32)), shape])
    column = np.arange(most)
    inside = column < degree[:, None]
    edge = np.where(inside, start[:, None] + column, start[:, None])  # padding reads what the first edge reads, times 0
    gathered = _gather(graph, emitted, rows[edge])
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


def _gather(graph: Graph, values: str, rows: Array) -> str:
    return graph.add("Gather", [values, graph.constant(rows.astype(np.int32))], axis=0)
