"""A trained network without the neurons that do nothing: what its training step is timed on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from nas.graph import DAG, Role

if TYPE_CHECKING:
    from nas.manifold._network import ManifoldNetwork

__all__ = ["compact", "without_idle_neurons"]


def compact(network: ManifoldNetwork) -> ManifoldNetwork:
    """The same function on live edges and on neurons that lie on a path from an input to an output.

    Inputs and outputs all stay. The other neurons keep their order, ids, positions and parameters, so that every
    edge keeps its closeness.

    Raises:
        UnreachableOutputError: an output has lost its last path.
    """
    small = network.pruned()
    dag, keep = without_idle_neurons(small.dag)
    of_all, of_targets = small.dag.n, small.dag.n - small.dag.n_inputs
    arrays = {}
    for name, value in small.to_arrays().items():
        if name == "weight":  # dropping neurons keeps the order of the others, hence that of the edges
            arrays[name] = value
        elif value.shape == (of_all,):
            arrays[name] = value[keep]
        elif value.shape == (of_targets,):
            arrays[name] = value[keep[small.dag.n_inputs :]]
        else:
            arrays[name] = value
    return small.like(dag, arrays)


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
