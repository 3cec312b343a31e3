"""The torch module: one DAG, run once a time step, its memory carried over."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nas.engine import DAGModule
from nas.graph import DAG
from nas.recurrent._edit import check_memory, slot_edges
from nas.recurrent._function import LSTM, apply_sequence, compile_sequence

__all__ = ["Outputs", "RecurrentDAG"]

Outputs = Literal["last", "all"]


class RecurrentDAG(nn.Module):
    """A network on a DAG whose last ``memory`` outputs are its last ``memory`` inputs at the next time step.

    Maps (batch, time, n_inputs) of the sequence to (batch, n_outputs) of the last step, or (batch, time, n_outputs);
    also rows (batch, time * features), one step after another, where it knows ``time``. Gradients go back through all
    steps (Werbos 1990, backpropagation through time).

    A neuron whose activation in the graph (`DAG.activations`) is "lstm" is an LSTM neuron: it keeps a state of its own
    from step to step, and its gates read what it reads (Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins
    2000; equations in `nas.recurrent.kernels`).

    Args:
        dag: inputs are the features and then the memory, outputs the results and then the memory.
        memory: k; 0 without LSTM neurons makes a feed-forward network, applied to each step alone.
        activation: of computational neurons without one of their own, one of `nas.engine.ACTIVATIONS`.
        memory_activation: of what is carried over; outputs are linear, so without one ("identity") memory may grow
            without bound.
        time: steps in a row; None: only three axes are understood.
        outputs: "last" (of the last step) or "all".
        learn_initial: whether the memory before the first step is trained; else it is 0.
        bias, dtype, generator: as in `nas.engine.DAGModule`.

    Attributes:
        weight, bias: (n_edges,), and (n - n_inputs of the DAG,) or None, as in `nas.engine.DAGModule`. The edge from
            a memory input to its own output, where there is one, starts at 1: at first, what is remembered stays (Le,
            Jaitly and Hinton 2015, arXiv:1504.00941).
        initial: (memory,) before the first step, starts at 0; None if it is not trained.
        gate_weight: (in-edges of LSTM neurons, 3): of input, forget and output gate, in the order of the edges;
            ``weight`` has those of the candidate. Starts like ``weight``. None without LSTM neurons, like:
        recurrent: (LSTM neurons, 4): of a neuron's own last value, for the three gates and the candidate; starts at 0.
        gate_bias: (LSTM neurons, 3): that of the forget gate starts at 1 (Jozefowicz, Zaremba and Sutskever 2015).

    Raises:
        GraphError: the memory leaves no input or output, or time is below 1.
        UnreachableOutputError: the data do not reach an output.
        ValueError: unknown activation or kind of outputs.
    """

    weight: nn.Parameter
    bias: nn.Parameter | None
    initial: nn.Parameter | None
    gate_weight: nn.Parameter | None
    recurrent: nn.Parameter | None
    gate_bias: nn.Parameter | None

    def __init__(
        self,
        dag: DAG,
        memory: int,
        activation: str = "tanh",
        *,
        memory_activation: str = "tanh",
        time: int | None = None,
        outputs: Outputs = "last",
        learn_initial: bool = False,
        bias: bool = True,
        dtype: torch.dtype | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_memory(dag, memory)
        if time is not None and time < 1:
            raise ValueError(f"time must be at least 1 step, or None, but is {time}")
        if outputs not in ("last", "all"):
            raise ValueError(f"outputs must be 'last' or 'all', but is {outputs!r}")
        self._sequence = compile_sequence(dag, memory, activation, memory_activation)
        cells = [k for k, word in enumerate(dag.activations or ()) if word == LSTM]
        step = DAGModule(
            dag.with_activations(dict.fromkeys(cells, "tanh")), activation, bias, dtype=dtype, generator=generator
        )
        self.dag, self.weight, self.bias = dag, step.weight, step.bias
        self.memory, self.activation, self.memory_activation = memory, activation, memory_activation
        self.time, self.outputs = time, outputs
        self.initial = nn.Parameter(torch.zeros(memory, dtype=self.weight.dtype)) if learn_initial and memory else None
        slots = slot_edges(dag, memory)
        with torch.no_grad():
            self.weight[torch.from_numpy(slots[slots >= 0])] = 1.0
        self.gate_weight = self.recurrent = self.gate_bias = None
        if cells:
            edges = torch.from_numpy(self._sequence.gate_edges)
            fan_in = torch.from_numpy(np.diff(dag.in_ptr)[dag.targets[edges]]).to(self.weight.dtype)
            gates = torch.randn(len(edges), 3, dtype=self.weight.dtype, generator=generator)
            self.gate_weight = nn.Parameter(gates / fan_in.sqrt()[:, None])
            self.recurrent = nn.Parameter(torch.zeros(len(cells), 4, dtype=self.weight.dtype))
            self.gate_bias = nn.Parameter(
                torch.tensor([[0.0, 1.0, 0.0]], dtype=self.weight.dtype).repeat(len(cells), 1)
            )

    @property
    def features(self) -> int:
        """Numbers that are read a step."""
        return self.dag.n_inputs - self.memory

    @property
    def n_inputs(self) -> int | None:
        """Numbers in a row of all steps; None where ``time`` is not known."""
        return None if self.time is None else self.time * self.features

    @property
    def n_outputs(self) -> int:
        """Numbers that are given a step."""
        return self.dag.n_outputs - self.memory

    def forward(self, x: Tensor) -> Tensor:
        x = self._sequences(x)
        every = self.outputs == "all"
        if self.memory == 0 and self.recurrent is None and not every:
            x = x[:, -1:]  # nothing else is seen
        none = self.weight.new_zeros
        gates = (
            (none(0, 3), none(0, 4), none(0, 3))
            if self.gate_weight is None or self.recurrent is None or self.gate_bias is None
            else (self.gate_weight, self.recurrent, self.gate_bias)
        )
        return apply_sequence(self._sequence, x, self.weight, self.bias, *gates, self.initial, every=every)

    def _sequences(self, x: Tensor) -> Tensor:
        """(batch, time, features)."""
        if x.ndim == 2 and self.time is not None and x.shape[1] == self.n_inputs:
            return x.reshape(x.shape[0], self.time, self.features)
        if x.ndim == 3 and x.shape[1] > 0 and x.shape[2] == self.features:
            return x
        rows = f" or (batch, {self.n_inputs}), {self.time} steps in a row" if self.time is not None else ""
        raise ValueError(f"x must have shape (batch, time, {self.features}){rows}, but has {tuple(x.shape)}")

    def edge_weights(self) -> np.ndarray:
        """(n_edges,), a copy."""
        found: np.ndarray = self.weight.detach().cpu().numpy().copy()
        return found

    def extra_repr(self) -> str:
        return (
            f"features={self.features}, memory={self.memory}, computational={self.dag.n_computational}, "
            f"outputs={self.n_outputs} ({self.outputs}), edges={self.dag.n_edges}, activation={self.activation!r}"
        )
