"""A trained network without the neurons that do nothing: what its training step is timed on."""

from __future__ import annotations

from nas.manifold._idle import without_idle_neurons
from nas.manifold._network import ManifoldNetwork

__all__ = ["compact"]


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
