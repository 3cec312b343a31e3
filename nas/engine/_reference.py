"""The specification of the engine: one neuron after another, in plain torch.

Slow (a few framework calls a neuron) and obvious. Every fast path is tested against it, values and gradients; use it
only for that, or to read what the engine computes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.engine._activations import activation_function
from nas.graph import DAG

__all__ = ["reference_apply"]


def reference_apply(
    dag: DAG,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    gain: Tensor | None = None,
    *,
    activation: str = "relu",
    live: Tensor | None = None,
) -> Tensor:
    """Same arguments and result as `nas.engine.apply`, with the DAG itself in place of its plan."""
    emitted = list(x.unbind(dim=1))  # h of the inputs is the datum
    for i in range(dag.n_inputs, dag.n):
        total = x.new_zeros(x.shape[0])
        for e in range(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1])):
            if live is None or bool(live[e]):
                total = total + weight[e] * emitted[int(dag.sources[e])]
        k = i - dag.n_inputs
        if gain is not None:
            total = gain[k] * total
        if bias is not None:
            total = total + bias[k]
        own = "" if dag.activations is None else dag.activations[i]
        emitted.append(total if i >= dag.first_output else activation_function(own or activation)(total))
    return torch.stack(emitted[dag.n - dag.n_outputs :], dim=1)
