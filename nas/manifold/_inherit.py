"""A child's initial parameters from its parent's trained ones, so that a trial refines instead of starting over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from nas.graph import DAG, match_edges, match_neurons
from nas.manifold._families import DEFAULT_FAMILY
from nas.manifold._network import ManifoldNetwork, initial_weight, parametrisation_of

__all__ = ["inherit"]


def inherit(
    parent_dag: DAG,
    parent_arrays: Mapping[str, np.ndarray],
    child_dag: DAG,
    rng: np.random.Generator,
    *,
    family: str = DEFAULT_FAMILY,
) -> dict[str, np.ndarray]:
    """Parameters for ``child_dag`` from those of its parent, neurons and edges matched by ids.

    Neurons that both have keep their parameters, position and offset, so a common edge keeps its closeness and its
    weight even where the mutation renumbered the neurons. With free weights (masked, free) what is new does not
    change the function: new edges into old neurons start at 0, while a new neuron gets random in-weights, so that the
    gradient finds both. In a manifold network a new neuron emits nothing at first (gain and bias 0; the activation
    must be 0 at 0, as all but sigmoid and softplus are), which keeps the function too; but a new edge between old
    neurons has the closeness of its place, and there the function changes.

    Args:
        parent_dag: what ``parent_arrays`` are parameters of (`ManifoldNetwork.to_arrays`).
        parent_arrays: their names tell the parametrisation, which the child shares.
        child_dag: a mutation of the parent.
        rng: draws what is new.
        family: of the closeness of both.

    Raises:
        ValueError: the arrays do not fit ``parent_dag``.
    """
    parent = ManifoldNetwork.from_arrays(parent_dag, parent_arrays, family=family)
    child = ManifoldNetwork(child_dag, parametrisation=parametrisation_of(parent_arrays), generator=rng, family=family)
    ancestor = match_neurons(parent_dag, child_dag)  # (n,)
    if child.closeness is not None and parent.closeness is not None:
        child.closeness.period = parent.closeness.period
        position, offset = _places(child_dag, ancestor, parent_dag, parent_arrays)
        child.closeness.position.copy_(torch.from_numpy(position))
        child.closeness.offset.copy_(torch.from_numpy(offset))
        child.closeness.reset("published" if child.weight is None else "open", rng)
    arrays = child.to_arrays()
    own = ancestor[child_dag.n_inputs :]
    old = own >= parent_dag.n_inputs
    for name, value in arrays.items():
        if name in ("position", "offset", "period", "weight"):
            continue
        if name == "cutoff":
            value[...] = parent_arrays[name]
        else:
            value[old] = parent_arrays[name][own[old] - parent_dag.n_inputs]
    if "gain" in arrays:
        arrays["gain"][~old] = arrays["bias"][~old] = 0.0
    if "weight" in arrays:
        child.load_arrays(arrays)
        arrays["weight"] = _weights(child, ancestor, parent, rng)
    return arrays


def _places(
    dag: DAG, ancestor: np.ndarray, parent_dag: DAG, parent_arrays: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Position (n,) and offset (m,) of the child's neurons: the parent's, or for new neurons their neighbours' mean."""
    lacking = len(parent_dag.ids) - len(parent_arrays["offset"])
    offset_of = np.concatenate([np.full(lacking, float(parent_dag.n_inputs)), parent_arrays["offset"]])
    places = np.stack([parent_arrays["position"], offset_of])[:, ancestor].astype(np.float64)
    out_ptr, out_edges = dag.csc()
    for k in np.flatnonzero(ancestor < 0):  # ascending, so that a new source has its place already
        before = dag.sources[dag.in_ptr[k] : dag.in_ptr[k + 1]]
        after = dag.targets[out_edges[out_ptr[k] : out_ptr[k + 1]]]
        after = after[ancestor[after] >= 0]
        means = [places[:, group].mean(axis=1) for group in (before, after) if len(group)]
        places[:, k] = np.mean(means, axis=0) if means else (k, dag.n_inputs)
    return places[0].astype(np.float32), places[1, dag.n_inputs :].astype(np.float32)


def _weights(
    child: ManifoldNetwork, ancestor: np.ndarray, parent: ManifoldNetwork, rng: np.random.Generator
) -> np.ndarray:
    """Free weights (E,) of the child: the parent's, random in front of new neurons, 0 in front of old ones."""
    assert parent.weight is not None
    weight = initial_weight(child.dag, child.closeness_values(), rng)
    weight[ancestor[child.dag.targets] >= 0] = 0.0
    edge = match_edges(parent.dag, child.dag)
    weight[edge >= 0] = parent.weight.detach().numpy()[edge[edge >= 0]]
    return weight.astype(np.float32)
