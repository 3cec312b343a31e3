"""The specification of a time step: one neuron after another, in plain torch."""

from __future__ import annotations

import torch
from torch import Tensor

from nas.engine import activation_function
from nas.graph import DAG

__all__ = ["reference_step"]


def reference_step(
    dag: DAG,
    x: Tensor,
    state: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gate_weight: Tensor,
    recurrent: Tensor,
    gate_bias: Tensor,
    *,
    activation: str,
) -> tuple[Tensor, Tensor]:
    """All outputs (batch, n_outputs) and the new state of one step of a DAG with K LSTM neurons.

    Args:
        x: (batch, n_inputs), memory included.
        state: (batch, 2 K): h and then c of the LSTM neurons after the step before.
        weight, bias, gate_weight, recurrent, gate_bias: see `nas.recurrent.RecurrentDAG`.
    """
    cells = len(recurrent)
    last, inner = state[:, :cells], state[:, cells:]
    kept: list[Tensor] = []
    emitted = list(x.unbind(dim=1))
    row = cell = 0
    for i in range(dag.n_inputs, dag.n):
        edges = range(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1]))
        read = [emitted[int(dag.sources[e])] for e in edges]
        own = "" if dag.activations is None else dag.activations[i]

        def total(weights: list[Tensor], start: Tensor, read: list[Tensor] = read) -> Tensor:
            return sum((w * h for w, h in zip(weights, read, strict=True)), start.expand(x.shape[0]))

        z = total([weight[e] for e in edges], weight.new_zeros(()) if bias is None else bias[i - dag.n_inputs])
        if own != "lstm":
            emitted.append(z if i >= dag.first_output else activation_function(own or activation)(z))
            continue
        rows = range(row, row + len(read))
        h, c = last[:, cell], inner[:, cell]
        z_input, z_forget, z_output = (
            total([gate_weight[r, q] for r in rows], gate_bias[cell, q]) + recurrent[cell, q] * h for q in range(3)
        )
        candidate = torch.tanh(z + recurrent[cell, 3] * h)
        kept.append(torch.sigmoid(z_forget) * c + torch.sigmoid(z_input) * candidate)
        emitted.append(torch.sigmoid(z_output) * torch.tanh(kept[-1]))
        row, cell = row + len(read), cell + 1
    numbers = [i for i, word in enumerate(dag.activations or ()) if word == "lstm"]
    state = torch.stack([*(emitted[i] for i in numbers), *kept], dim=1) if numbers else state
    return torch.stack(emitted[dag.first_output :], dim=1), state
