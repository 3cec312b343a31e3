"""Evolve neural networks whose structure is any directed acyclic graph, and know what each costs in process time.

A search, and what it found::

    study = nas.search("churn.csv", target="churn", minutes=5)
    study.front                              # accuracy against process time, a table in a notebook
    study.best().predict(rows)               # raw rows in, labels out

    module = nas.load("best.safetensors")    # a torch.nn.Module
    outputs = module(inputs)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.cexport import export_c
    from nas.checkpoint import Predictor, export_dot, export_graphml, export_onnx, export_program, load, save
    from nas.engine import DAGModule, Edge, MaskedLinear, WiredModule, wire
    from nas.estimators import DagClassifier, DagRegressor
    from nas.graph import DAG, read_edge_list, read_graphml
    from nas.manifold import ManifoldNetwork
    from nas.study import Study, search
    from nas.tracking import draw

__all__ = [
    "DAG",
    "DAGModule",
    "DagClassifier",
    "DagRegressor",
    "Edge",
    "ManifoldNetwork",
    "MaskedLinear",
    "Predictor",
    "Study",
    "WiredModule",
    "draw",
    "export_c",
    "export_dot",
    "export_graphml",
    "export_onnx",
    "export_program",
    "load",
    "read_edge_list",
    "read_graphml",
    "save",
    "search",
    "wire",
]

_HOMES = {
    "DAG": "nas.graph",
    "DAGModule": "nas.engine",
    "DagClassifier": "nas.estimators",
    "DagRegressor": "nas.estimators",
    "Edge": "nas.engine",
    "ManifoldNetwork": "nas.manifold",
    "MaskedLinear": "nas.engine",
    "Predictor": "nas.checkpoint",
    "Study": "nas.study",
    "WiredModule": "nas.engine",
    "draw": "nas.tracking",
    "export_c": "nas.cexport",
    "export_dot": "nas.checkpoint",
    "export_graphml": "nas.checkpoint",
    "export_onnx": "nas.checkpoint",
    "export_program": "nas.checkpoint",
    "load": "nas.checkpoint",
    "read_edge_list": "nas.graph",
    "read_graphml": "nas.graph",
    "save": "nas.checkpoint",
    "wire": "nas.engine",
}


def __getattr__(name: str) -> Any:
    # On first use: `import nas` must not take the seconds that torch takes, for a command line that only prints help.
    if name == "search":  # the package, which can be called
        return importlib.import_module("nas.search")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("dag-nas")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
