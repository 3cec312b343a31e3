"""Networks as ONNX files: any runtime can run them, and a sparse network stays as small as its edges."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from torch import nn

from nas._files import write_whole
from nas.checkpoint._file import Record, record_json
from nas.checkpoint._folded import folded
from nas.checkpoint._onnx_dag import numbers, write_dag, write_recurrent
from nas.checkpoint._onnx_graph import Graph, activation_nodes, onnx_package
from nas.checkpoint._onnx_inputs import take_raw
from nas.engine import DAGModule, MaskedLinear
from nas.errors import ExportError
from nas.layers import LayerDAG
from nas.layers import onnx_model as layers_model
from nas.recurrent import RecurrentDAG

__all__ = ["export_onnx", "onnx_model"]


def export_onnx(
    module: nn.Module, path: str | os.PathLike[str], record: Record | None = None, *, raw: bool = False
) -> None:
    """Write a network as an ONNX file with an input "x" (batch, inputs) and an output "y" (batch, outputs).

    The batch may have any size. Needs the optional package onnx; ONNX Runtime, to run the file, is another.

    Args:
        module: `DAGModule`, `ManifoldNetwork`, `WiredModule`, `MaskedLinear`, a network of layers (`LayerDAG`), or
            ``nn.Sequential`` of the first four with Linear, BatchNorm1d (as in evaluation), Dropout and Flatten (left
            out), Identity, and the usual activations.
        path: by convention ending in ``.onnx``; an existing file is replaced.
        record: kept as JSON in the file's metadata, under "record"; see `nas.checkpoint.save`.
        raw: take features as they were measured, as the record of `nas export` says, instead of scaled inputs: they
            are then "features" (batch, features) of float64, or where there are categories, dates or missing values an
            input of its own name for each column (batch, 1): float64 with NaN where missing, text with "", seconds
            since 1970. "y" is in the units of the targets, or "probabilities" are beside it.

    Raises:
        CheckpointError: the record holds something that is no JSON.
        ExportError: the package is missing, or a module is of another kind; the message names its place.
        OSError: the file cannot be written.
    """
    onnx = onnx_package()
    model = layers_model(module) if isinstance(module, LayerDAG) else onnx_model(module)
    if record is not None and raw:
        take_raw(model, record)
    if record is not None:
        onnx.helper.set_model_props(model, {"record": record_json(record)})
    write_whole(path, model.SerializeToString())


def onnx_model(module: nn.Module) -> Any:
    """The ``onnx.ModelProto`` of a network that is no `LayerDAG`; see `export_onnx`."""
    graph = Graph()
    rows = graph.add("Transpose", ["x"], perm=[1, 0])  # neurons are rows: those of a level lie together
    rows, n_inputs, n_outputs = _write(graph, module, rows, None, "")
    if n_inputs is None:
        raise ExportError("a network needs a layer that knows its number of inputs; there is none in the module given")
    return graph.model(rows, n_inputs, n_outputs)


def _write(graph: Graph, module: nn.Module, rows: str, width: int | None, place: str) -> tuple[str, int | None, int]:
    """Write ``module`` on ``rows`` (width, batch); returns its rows, the inputs it wants, and how many rows it has."""
    module = folded(module)
    if isinstance(module, RecurrentDAG):
        last, n_inputs, n_outputs = write_recurrent(graph, module, rows)
        _fits(width, n_inputs, place)
        return last, n_inputs, n_outputs
    if isinstance(module, nn.Sequential):
        wanted = width
        for name, child in module.named_children():
            rows, inputs, width = _write(graph, child, rows, width, f"{place}.{name}" if place else name)
            wanted = inputs if wanted is None else wanted
        return rows, wanted, width or 0
    if isinstance(module, DAGModule):
        _fits(width, module.dag.n_inputs, place)
        bias = None if module.bias is None else numbers(module.bias)
        found = write_dag(graph, module.dag, numbers(module.weight), bias, module.activation, rows)
        return found, module.dag.n_inputs, module.dag.n_outputs
    if isinstance(module, MaskedLinear):
        _fits(width, module.in_features, place)
        bias = None if module.bias is None else numbers(module.bias)
        found = write_dag(graph, module.dag, numbers(module.edge_values), bias, "identity", rows)
        return found, module.in_features, module.out_features
    if isinstance(module, nn.Linear):
        _fits(width, module.in_features, place)
        found = graph.add("MatMul", [graph.constant(numbers(module.weight)), rows])
        if module.bias is not None:
            found = graph.add("Add", [found, graph.constant(numbers(module.bias)[:, None])])
        return found, module.in_features, module.out_features
    if isinstance(module, nn.BatchNorm1d) and module.running_var is not None and module.running_mean is not None:
        _fits(width, module.num_features, place)
        scale = 1 / np.sqrt(numbers(module.running_var).astype(np.float64) + module.eps)
        shift = -numbers(module.running_mean) * scale
        if module.affine:
            scale, shift = scale * numbers(module.weight), shift * numbers(module.weight) + numbers(module.bias)
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


def _fits(width: int | None, wanted: int, place: str) -> None:
    if width is not None and width != wanted:
        raise ExportError(f"module {place!r} reads {wanted} numbers a sample, but the one before it gives {width}")


_TORCH: Final[dict[type[nn.Module], Callable[[Graph, str, Any], str]]] = {
    nn.ReLU: lambda graph, rows, module: graph.add("Relu", [rows]),
    nn.LeakyReLU: lambda graph, rows, module: graph.add("LeakyRelu", [rows], alpha=module.negative_slope),
    nn.Sigmoid: lambda graph, rows, module: graph.add("Sigmoid", [rows]),
    nn.Tanh: lambda graph, rows, module: graph.add("Tanh", [rows]),
    nn.ELU: lambda graph, rows, module: graph.add("Elu", [rows], alpha=module.alpha),
    nn.SiLU: lambda graph, rows, module: activation_nodes(graph, "silu", rows),
    nn.GELU: lambda graph, rows, module: graph.add("Gelu", [rows], approximate=module.approximate),
    nn.Softmax: lambda graph, rows, module: graph.add("Softmax", [rows], axis=0),
}
