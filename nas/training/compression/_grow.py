"""Edges that would help most: absent ones by the size of the objective's gradient, as in RigL (Evci 2020).

The gradient of an absent edge j -> i at weight 0 is the mean over samples of h_j times the gradient of x_i, so one pass
over the neurons forward and one back give those of all absent edges at once, as one product of matrices.
"""

from __future__ import annotations

import numpy as np
import torch

from nas.engine import activation_function
from nas.graph import DAG, match_edges
from nas.manifold import ManifoldNetwork
from nas.training.types import Dataset

__all__ = ["absent_gradients", "drawn_rows", "extended", "grown"]

_SAMPLES = 512  # as many as a batch or some: RigL takes one


def grown(network: ManifoldNetwork, dataset: Dataset, count: int, rng: np.random.Generator) -> ManifoldNetwork:
    """The same function with the ``count`` absent edges of largest gradient added, at weight 0.

    Edges come between useful neurons only, and forward in the order of the numbers, so no cycle can close. Fewer come
    where fewer are absent.

    Raises:
        ValueError: the network's weights are not free, or its outputs are not what reaches them.
    """
    if network.parametrisation != "free" or network.readout != "activated":
        raise ValueError(
            "sparsify.grow needs parametrisation free and readout activated, "
            f"but they are {network.parametrisation} and {network.readout}"
        )
    dag = network.dag
    gradient = np.abs(absent_gradients(network, dataset, drawn_rows(dataset, rng)))
    flat = gradient.ravel()
    count = min(count, int(np.count_nonzero(flat > 0)))
    if not count:
        return network
    best = np.argpartition(-flat, count - 1)[:count]
    targets, sources = np.divmod(best, dag.n)
    return extended(network, np.concatenate([dag.edges, np.stack([sources, targets + dag.n_inputs], axis=1)]))


def drawn_rows(dataset: Dataset, rng: np.random.Generator) -> np.ndarray:
    """The samples by which edges are chosen."""
    return rng.choice(len(dataset.x_train), min(_SAMPLES, len(dataset.x_train)), replace=False)


def extended(network: ManifoldNetwork, edges: np.ndarray) -> ManifoldNetwork:
    """The same function on ``edges``, (E, 2), those of the network among them; the others have weight 0."""
    dag = network.dag
    larger = DAG(
        *dag.sizes, edges, ids=dag.ids, names=dag.names, allow_unreachable=dag.allow_unreachable,
        activations=dag.activations,
    )  # fmt: skip
    arrays = network.to_arrays()
    old = match_edges(dag, larger)
    arrays["weight"] = np.where(old >= 0, arrays["weight"][old], np.float32(0))
    return network.like(larger, arrays)


def absent_gradients(network: ManifoldNetwork, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """d objective / d weight, (m, n), of each edge from neuron j (column) into the i-th neuron that is no input (row).

    0 where the edge is there already or may not be: into itself or against the order, out of an output, at a neuron on
    no path.
    """
    dag = network.dag
    x, y = torch.from_numpy(dataset.x_train[rows]), torch.from_numpy(dataset.y_train[rows])
    weight = network.to_arrays()["weight"]
    bias = network.bias.detach()
    h = torch.empty(dag.n, len(rows))
    slope = torch.ones(dag.n, len(rows))
    h[: dag.n_inputs] = x.T
    useful = dag.useful_neurons()
    pointers, sources = dag.in_ptr, dag.sources.astype(np.int64)
    read = np.bincount(sources, minlength=dag.n) > 0
    live = [i for i in range(dag.n_inputs, dag.n) if read[i] or i >= dag.first_output]
    h[dag.n_inputs :] = 0.0
    own = dag.activations
    for i in live:
        into = slice(int(pointers[i]), int(pointers[i + 1]))
        total = torch.from_numpy(weight[into]) @ h[sources[into]] + bias[i - dag.n_inputs]
        if i >= dag.first_output:
            h[i] = total
            continue
        total.requires_grad_()
        emitted = activation_function((own[i] if own else "") or network.activation)(total)
        (slope[i],) = torch.autograd.grad(emitted.sum(), total)
        h[i] = emitted.detach()
    outputs = h[dag.first_output :].T.clone().requires_grad_()
    objective = torch.nn.CrossEntropyLoss() if dataset.task == "classification" else torch.nn.MSELoss()
    (at_outputs,) = torch.autograd.grad(objective(outputs, y), outputs)
    into_h = torch.zeros(dag.n, len(rows))
    into_h[dag.first_output :] = at_outputs.T
    for i in reversed(live):
        into_h[i] *= slope[i]  # from here on the gradient of x_i
        into = slice(int(pointers[i]), int(pointers[i + 1]))
        if into.start < into.stop:
            into_h[sources[into]] += torch.from_numpy(weight[into])[:, None] * into_h[i]
    gradient: np.ndarray = (into_h[dag.n_inputs :] @ h.T).numpy()
    gradient[~useful[dag.n_inputs :]] = 0
    usable = useful.copy()
    usable[: dag.n_inputs] = True
    usable[dag.first_output :] = False
    gradient[:, ~usable] = 0
    gradient[np.arange(dag.n)[None, :] >= np.arange(dag.n_inputs, dag.n)[:, None]] = 0
    gradient[dag.targets - dag.n_inputs, dag.sources] = 0
    return gradient
