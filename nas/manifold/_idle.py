"""DAGs without the neurons that do nothing."""

from __future__ import annotations

import dataclasses

import numpy as np

from nas.graph import DAG, Role

__all__ = ["without_idle_neurons"]


def without_idle_neurons(dag: DAG) -> tuple[DAG, np.ndarray]:
    """The DAG without the computational neurons that are on no path and their edges, and which stay, bool (n,)."""
    keep = dag.useful_neurons() | (dag.roles != Role.COMPUTATIONAL)
    number = np.cumsum(keep) - 1
    changes = {
        "n_computational": int(keep[dag.n_inputs : dag.first_output].sum()),
        "edges": number[dag.edges[keep[dag.edges].all(axis=1)]],
        "ids": dag.ids[keep],
    }
    for name in ("names", "activations"):  # one entry a neuron, where there are any
        if (values := getattr(dag, name, None)) is not None:
            changes[name] = [value for value, kept in zip(values, keep, strict=True) if kept]
    return dataclasses.replace(dag, **changes), keep
