"""What the exporters write of a network: the function it computes, with whatever training needed left out."""

from __future__ import annotations

import os
from typing import Any

from torch import nn

from nas.engine import DAGModule, WiredModule
from nas.errors import ExportError
from nas.graph import DAG, write_dot, write_graphml
from nas.manifold import ManifoldNetwork
from nas.recurrent import RecurrentDAG

__all__ = ["export_dot", "export_graphml", "folded"]


def folded(module: nn.Module) -> nn.Module:
    """`ManifoldNetwork` and `WiredModule` as the plain module that computes the same; anything else as it is."""
    return module.fold() if isinstance(module, ManifoldNetwork | WiredModule) else module


def export_graphml(network: DAG | nn.Module, path: str | os.PathLike[str]) -> None:
    """Write the graph of a network as GraphML, with the weights of its edges where they have one each.

    Args:
        network: a DAG, or any module that has one as its ``dag``.
        path: by convention ending in ``.graphml``.

    Raises:
        ExportError: it is something else.
        OSError: the file cannot be written.
    """
    write_graphml(path, *_graph(network))


def export_dot(network: DAG | nn.Module, path: str | os.PathLike[str]) -> None:
    """Write the graph of a network in the language of Graphviz; see `export_graphml`."""
    write_dot(path, *_graph(network))


def _graph(network: Any) -> tuple[DAG, Any]:
    if isinstance(network, DAG):
        return network, None
    if isinstance(network, nn.Module):
        network = folded(network)
        if isinstance(network, DAGModule | RecurrentDAG):
            return network.dag, network.weight.detach().cpu().numpy()
        dag = getattr(network, "dag", None)
        if isinstance(dag, DAG):
            values = getattr(network, "edge_values", None)
            return dag, None if not isinstance(values, nn.Parameter) else values.detach().cpu().numpy()
    raise ExportError(
        f"a graph is exported of a DAG or of a module that has one as its dag, not of {type(network).__name__}"
    )
