"""Evolve neural networks whose structure is any directed acyclic graph, and know what each costs in process time.

module = nas.load("best.safetensors")    # a torch.nn.Module
outputs = module(inputs)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.checkpoint import load, save
    from nas.engine import DAGModule
    from nas.graph import DAG
    from nas.manifold import ManifoldNetwork

__all__ = ["DAG", "DAGModule", "ManifoldNetwork", "load", "save"]

_HOMES = {
    "DAG": "nas.graph",
    "DAGModule": "nas.engine",
    "ManifoldNetwork": "nas.manifold",
    "load": "nas.checkpoint",
    "save": "nas.checkpoint",
}


def __getattr__(name: str) -> Any:
    # On first use: `import nas` must not take the seconds that torch takes, for a command line that only prints help.
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'nas' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
