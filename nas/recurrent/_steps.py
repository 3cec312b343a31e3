"""A sequence through a DAG with memory in plain torch operations, one step after another: what can be followed."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.engine import activation_function, traceable_apply
from nas.graph import DAG
from nas.recurrent._reference import reference_step

__all__ = ["traceable_sequence"]


def traceable_sequence(
    dag: DAG,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gate_weight: Tensor,
    recurrent: Tensor,
    gate_bias: Tensor,
    initial: Tensor,
    *,
    activation: str,
    memory_activation: str,
    every: bool,
) -> Tensor:
    """What `nas.recurrent._function.apply_sequence` gives, of the same arguments."""
    memory, steps = len(initial), int(x.shape[1])
    # A traced program has as many steps as it was traced with; this refuses a sequence of another length.
    x = x.reshape(x.shape[0], steps, dag.n_inputs - memory)
    held = initial.expand(x.shape[0], memory)
    state = x.new_zeros(x.shape[0], 2 * len(recurrent))
    own = dag.n_outputs - memory
    found = []
    for step in range(steps):
        inputs = torch.cat([x[:, step], held], dim=1)
        if len(recurrent) == 0:
            y = traceable_apply(dag, inputs, weight, bias, activation=activation)
        else:
            gates = gate_weight, recurrent, gate_bias
            y, state = reference_step(dag, inputs, state, weight, bias, *gates, activation=activation)
        held = activation_function(memory_activation)(y[:, own:])
        found.append(y[:, :own])
    return torch.stack(found, dim=1) if every else found[-1]
