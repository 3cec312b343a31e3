"""A child's initial parameters from its parent's trained ones, so that a trial refines instead of starting over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from nas.graph import DAG
from nas.manifold._network import ManifoldNetwork, parametrisation_of

__all__ = ["inherit"]

# A closeness weaker than this is not divided by: the free weight would have to be huge to pass a signal through.
WEAKEST = 0.05


def inherit(
    parent_dag: DAG, parent_arrays: Mapping[str, np.ndarray], child_dag: DAG, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Parameters for ``child_dag`` from those of its parent, neurons and edges matched by ids.

    Neurons that both have keep their parameters, position and offset, so a common edge keeps its closeness and its
    weight even where the mutation renumbered the neurons. With free weights (masked, free) what is new does not
    change the function: new edges into old neurons start at 0, while a new neuron gets random in-weights, so that the
    gradient finds both. A neuron that splits an edge (parent j -> i, child j -> k -> i) passes its signal on: in-weight
    1, out-weight that of the edge; exact for rectifiers behind a computational neuron, else a start. In a manifold
    network new edges have the closeness of their place, and the function changes.

    Args:
        parent_dag: what ``parent_arrays`` are parameters of (`ManifoldNetwork.to_arrays`).
        parent_arrays: their names tell the parametrisation, which the child shares.
        child_dag: a mutation of the parent, or a crossover with it.
        rng: draws what is new.

    Raises:
        ValueError: the arrays do not fit ``parent_dag``.
    """
    parent = ManifoldNetwork.from_arrays(parent_dag, parent_arrays)
    child = ManifoldNetwork(child_dag, parametrisation=parametrisation_of(parent_arrays), generator=rng)
    ancestor = _matches(child_dag.ids, parent_dag.ids)  # (n,) the parent's number of each neuron, -1: new
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
    if "weight" in arrays:
        child.load_arrays(arrays)
        arrays["weight"] = _weights(child, ancestor, parent)
    return arrays


def _matches(ids: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where each of ``ids`` stands in ``known``, -1 where it does not."""
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known, ids, sorter=order), len(known) - 1)]
    return np.where(known[found] == ids, found, -1)


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


def _weights(child: ManifoldNetwork, ancestor: np.ndarray, parent: ManifoldNetwork) -> np.ndarray:
    """Free weights (E,) of the child, whose present ones are random and stay only in front of new neurons."""
    assert child.weight is not None and parent.weight is not None
    dag = child.dag
    weight = child.weight.detach().numpy().copy()
    weight[ancestor[dag.targets] >= 0] = 0.0
    edge = _parent_edges(parent.dag, ancestor[dag.sources], ancestor[dag.targets])
    weight[edge >= 0] = parent.weight.detach().numpy()[edge[edge >= 0]]

    strength = child.closeness_values()
    effective = parent.edge_weights().detach().numpy()
    kept = set(edge.tolist())
    out_ptr, out_edges = dag.csc()
    for k in np.flatnonzero(ancestor < 0):
        incoming = np.arange(dag.in_ptr[k], dag.in_ptr[k + 1])
        outgoing = out_edges[out_ptr[k] : out_ptr[k + 1]]
        pairs = np.array(np.meshgrid(incoming, outgoing)).reshape(2, -1)
        split = _parent_edges(parent.dag, ancestor[dag.sources[pairs[0]]], ancestor[dag.targets[pairs[1]]])
        for (enter, leave), lost in zip(pairs.T, split.tolist(), strict=True):
            if lost >= 0 and lost not in kept and min(abs(strength[enter]), abs(strength[leave])) > WEAKEST:
                weight[incoming] = 0.0
                weight[enter] = 1.0 / strength[enter]
                weight[leave] = effective[lost] / strength[leave]
                break
    return weight


def _parent_edges(dag: DAG, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Number of each edge source -> target in ``dag``, -1 where there is none or an end is -1."""
    keys = dag.targets.astype(np.int64) * dag.n + dag.sources  # ascending: the order of dag.edges
    wanted = np.where((sources >= 0) & (targets >= 0), targets.astype(np.int64) * dag.n + sources, -1)
    if dag.n_edges == 0:
        return np.full(len(wanted), -1)
    found = np.minimum(np.searchsorted(keys, wanted), dag.n_edges - 1)
    return np.where(keys[found] == wanted, found, -1)
