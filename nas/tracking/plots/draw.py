"""One call from a network to a picture of it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from nas._files import write_whole
from nas.errors import GraphError
from nas.graph import DAG
from nas.tracking.plots.dag import dag_png

__all__ = ["draw"]


def draw(
    network: Any, path: str | os.PathLike[str] | None = None, *, period: int | None = None, title: str = ""
) -> bytes:
    """Draw a DAG or a network that has one, edges coloured by the sign of their weight; returns a PNG file.

    Args:
        network: a `DAG`, or a module with an attribute ``dag`` (a trained one is folded first, if it can be).
        path: also write the picture there; by convention ending in ``.png``.
        period: row width of image data; see `dag_png`.
        title: first line of the picture.

    Raises:
        GraphError: it has no graph.
        OSError: the file cannot be written.
    """
    dag, weight = _graph(network)
    picture = dag_png(dag, weight, period=period, title=title)
    if path is not None:
        write_whole(path, picture)
    return picture


def _graph(network: Any) -> tuple[DAG, np.ndarray | None]:
    if isinstance(network, DAG):
        return network, None
    if callable(getattr(network, "fold", None)):
        network = network.fold()
    dag = getattr(network, "dag", None)
    if not isinstance(dag, DAG):
        raise GraphError(
            f"only a DAG or a network with an attribute dag can be drawn, but this is a {type(network).__name__}; "
            "of an nn.Sequential, draw the part"
        )
    for name in ("values", "weight"):  # one value an edge: of a masked layer, of the others
        found: Any = getattr(network, name, None)
        if getattr(found, "shape", None) == (dag.n_edges,):
            return dag, found.detach().cpu().numpy()
    return dag, None
