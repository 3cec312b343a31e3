"""A network with memory as the structure of a genome: what a search mutates, a worker builds and a store keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import torch

from nas.engine import activation_function
from nas.errors import GraphError
from nas.graph import DAG, match_edges, match_neurons
from nas.recurrent._edit import check_memory
from nas.recurrent._function import compile_sequence
from nas.recurrent._recurrent_dag import Outputs, RecurrentDAG

__all__ = ["RecurrentStructure"]

_MAX_TIME: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RecurrentStructure:
    """See `nas.training.Structure` and, for the fields, `RecurrentDAG`.

    Raises:
        GraphError: the memory does not fit the DAG, an activation is unknown, or time is below 1.
        UnreachableOutputError: the data do not reach an output.
    """

    dag: DAG
    memory: int
    time: int | None = None
    activation: str = "tanh"
    memory_activation: str = "tanh"
    outputs: Outputs = "last"
    learn_initial: bool = False
    bias: bool = True

    kind: ClassVar[str] = "recurrent"

    def __post_init__(self) -> None:
        check_memory(self.dag, self.memory)
        if self.time is not None and not 1 <= self.time <= _MAX_TIME:
            raise GraphError(f"time must lie in 1…{_MAX_TIME}, or be None, but is {self.time}")
        if self.outputs not in ("last", "all"):
            raise GraphError(f"outputs must be 'last' or 'all', but is {self.outputs!r}")
        for name in (self.activation, self.memory_activation):
            try:
                activation_function(name)
                compile_sequence(self.dag, self.memory, self.activation, self.memory_activation)
            except ValueError as error:
                raise GraphError(str(error)) from None

    @classmethod
    def of(cls, module: RecurrentDAG) -> RecurrentStructure:
        """The structure that builds such a module."""
        return cls(
            module.dag,
            module.memory,
            module.time,
            module.activation,
            module.memory_activation,
            module.outputs,
            module.initial is not None,
            module.bias is not None,
        )

    def settings_json(self) -> str:
        """Text of all but the DAG, for `from_settings`."""
        return json.dumps({name: getattr(self, name) for name in _SETTINGS})

    @classmethod
    def from_settings(cls, dag: DAG, text: str) -> RecurrentStructure:
        """Inverse of `settings_json`.

        Raises:
            GraphError: the text is damaged, or does not fit the DAG.
        """
        values = _object(text)
        if values.keys() != _SETTINGS.keys():
            raise GraphError(f"a network with memory is described by {', '.join(_SETTINGS)}, got {sorted(values)[:10]}")
        for name, kinds in _SETTINGS.items():
            if type(values[name]) not in kinds:
                raise GraphError(f"{name} of a network with memory cannot be {str(values[name])[:40]!r}")
        return cls(dag, **values)

    def to_json(self) -> str:
        """Text for `from_json`."""
        return json.dumps({"dag": json.loads(self.dag.to_json()), "settings": json.loads(self.settings_json())})

    @classmethod
    def from_json(cls, text: str) -> RecurrentStructure:
        """Inverse of `to_json`.

        Raises:
            GraphError: the text is damaged.
        """
        values = _object(text)
        if values.keys() != {"dag", "settings"}:
            raise GraphError(f"a network with memory is written as dag and settings, got {sorted(values)[:10]}")
        return cls.from_settings(DAG.from_json(json.dumps(values["dag"])), json.dumps(values["settings"]))

    def build(self, seed: int) -> RecurrentDAG:
        """The network with weights drawn from `seed`."""
        return RecurrentDAG(
            self.dag,
            self.memory,
            self.activation,
            memory_activation=self.memory_activation,
            time=self.time,
            outputs=self.outputs,
            learn_initial=self.learn_initial,
            bias=self.bias,
            generator=torch.Generator().manual_seed(seed),
        )

    def inherit(self, parent: Any, arrays: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray] | None:
        """Neurons and edges matched by ids; None where the parent is no network with memory.

        What is new does not change the function: new edges into old neurons start at 0, also those out of a new
        memory slot, while a new neuron or slot gets random in-weights, so that the gradient finds both.
        """
        if not isinstance(parent, RecurrentStructure):
            return None
        found = {name: value.detach().numpy().copy() for name, value in self.build(seed).state_dict().items()}
        ancestor = match_neurons(parent.dag, self.dag)
        found["weight"][ancestor[self.dag.targets] >= 0] = 0.0
        edge = match_edges(parent.dag, self.dag)
        found["weight"][edge >= 0] = arrays["weight"][edge[edge >= 0]]
        own = ancestor[self.dag.n_inputs :]
        if "bias" in found and "bias" in arrays:
            found["bias"][own >= 0] = arrays["bias"][own[own >= 0] - parent.dag.n_inputs]
        slot = ancestor[self.dag.n_inputs - self.memory : self.dag.n_inputs] - (parent.dag.n_inputs - parent.memory)
        if "initial" in found and "initial" in arrays:
            found["initial"][slot >= 0] = arrays["initial"][slot[slot >= 0]]
        if "recurrent" in found and "recurrent" in arrays:
            self._inherit_gates(parent, arrays, found, ancestor, edge)
        return found

    def _inherit_gates(
        self,
        parent: RecurrentStructure,
        arrays: Mapping[str, np.ndarray],
        found: dict[str, np.ndarray],
        ancestor: np.ndarray,
        edge: np.ndarray,
    ) -> None:
        """Weights of LSTM neurons that were LSTM neurons before; in-edges that are new start closed."""
        plans = [compile_sequence(it.dag, it.memory, it.activation, it.memory_activation) for it in (self, parent)]
        own, theirs = plans
        cell = theirs.cells[ancestor[own.cells >= 0]]
        cell[ancestor[own.cells >= 0] < 0] = -1
        for name in ("recurrent", "gate_bias"):
            found[name][cell >= 0] = arrays[name][cell[cell >= 0]]
        row_of_edge = np.full(parent.dag.n_edges, -1)
        row_of_edge[theirs.gate_edges] = np.arange(theirs.gate_edges.size)
        before = edge[own.gate_edges]
        row = np.where(before >= 0, row_of_edge[before], -1)
        old = cell[own.cells[self.dag.targets[own.gate_edges]]] >= 0
        found["gate_weight"][old] = 0.0
        found["gate_weight"][old & (row >= 0)] = arrays["gate_weight"][row[old & (row >= 0)]]

    def measures(self) -> dict[str, float]:
        """Edges, density and depth of the DAG, which is one time step; neurons that compute, memory among them."""
        return {
            "edges": float(self.dag.n_edges),
            "density": self.dag.density,
            "depth": float(self.dag.depth),
            "neurons": float(self.dag.n_computational + self.memory),
        }


_SETTINGS: Final[dict[str, tuple[type, ...]]] = {
    "memory": (int,),
    "time": (int, type(None)),
    "activation": (str,),
    "memory_activation": (str,),
    "outputs": (str,),
    "learn_initial": (bool,),
    "bias": (bool,),
}


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GraphError(f"a network with memory is described by JSON, but: {error}") from None
    if not isinstance(values, dict):
        raise GraphError(f"a network with memory is described by a JSON object, got {type(values).__name__}")
    return values
