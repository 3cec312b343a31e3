"""What is left of a trained network when everything that has no effect is taken away; the function stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nas import engine
from nas.graph import DAG
from nas.manifold._compact import without_idle_neurons
from nas.manifold._readout import unrolled

if TYPE_CHECKING:
    from nas.manifold._network import ManifoldNetwork

__all__ = ["fold", "pruned"]


def pruned(network: ManifoldNetwork) -> ManifoldNetwork:
    """See `ManifoldNetwork.pruned`."""
    live = network.live_mask()
    live_dag = network.dag.with_edges(live)
    useful = live_dag.useful_neurons()
    arrays = network.to_arrays()
    arrays["bias"] = _bias_with_constants(network, live_dag, live)
    kept = live & useful[network.dag.sources] & useful[network.dag.targets]
    if "weight" in arrays:
        arrays["weight"] = arrays["weight"][kept]
    small = network.like(network.dag.with_edges(kept), arrays)
    small.temperature = network.temperature
    return small


def fold(network: ManifoldNetwork) -> engine.DAGModule:
    """See `ManifoldNetwork.fold`."""
    small = pruned(network)
    dag = small.dag
    folded, keep = without_idle_neurons(dag)
    with torch.no_grad():
        weight = small.edge_weights()
        if small.gain is not None:
            weight = weight * small.gain[torch.from_numpy(dag.targets.astype(np.int64) - dag.n_inputs)]
        # Dropping neurons keeps the order of the others, hence that of the edges.
        bias = small.bias[torch.from_numpy(np.flatnonzero(keep[dag.n_inputs :]))]
    if small.readout == "activated":
        return _module(folded, network.activation, weight, bias)
    plain = unrolled(folded, network.activation, small.readout)
    weights = torch.ones(plain.dag.n_edges, dtype=weight.dtype)
    weights[torch.from_numpy(plain.edges)] = weight
    own = torch.from_numpy(plain.neurons)
    return _module(plain.dag, network.activation, weights, torch.where(own >= 0, bias[own.clamp(min=0)], 0.0))


def _module(dag: DAG, activation: str, weight: torch.Tensor, bias: torch.Tensor) -> engine.DAGModule:
    module = engine.DAGModule(dag, activation=activation)
    assert module.bias is not None
    with torch.no_grad():
        module.weight.copy_(weight)
        module.bias.copy_(bias)
    return module


def _bias_with_constants(network: ManifoldNetwork, live_dag: DAG, live: np.ndarray) -> np.ndarray:
    """Biases (m,) float32 that include what the constant neurons, those no input reaches, add to their readers."""
    bias = network.bias.detach().numpy().astype(np.float64)
    constant = ~live_dag.reached_neurons()
    if constant.any():
        weight = network.edge_weights().detach().numpy()[live].astype(np.float64)
        gain = np.ones_like(bias) if network.gain is None else network.gain.detach().numpy().astype(np.float64)
        linear = network.readout != "activated"
        emitted = np.zeros(live_dag.n)
        summed = np.zeros(live_dag.n)  # before the activation
        from_constant = constant[live_dag.sources]
        for i in range(live_dag.n_inputs, live_dag.n):
            edges = slice(live_dag.in_ptr[i], live_dag.in_ptr[i + 1])
            chosen = from_constant[edges]
            if chosen.any():
                read = summed if linear and i >= live_dag.first_output else emitted
                total = weight[edges][chosen] @ read[live_dag.sources[edges][chosen]]
                bias[i - live_dag.n_inputs] += gain[i - live_dag.n_inputs] * total
            if constant[i] and i < live_dag.first_output:
                own = "" if live_dag.activations is None else live_dag.activations[i]
                activation = engine.activation_function(own or network.activation)
                summed[i] = bias[i - live_dag.n_inputs]
                emitted[i] = activation(torch.tensor(summed[i])).item()
    return bias.astype(np.float32)
