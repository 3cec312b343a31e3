"""Networks with memory: a DAG of neurons some of whose outputs are its own inputs at the next time step.

Within a step nothing changes: the graph stays acyclic, and the engine runs it. Between steps the last k outputs become
the last k inputs, so that a sequence of any length is read, and training goes back through time by autograd.

    module = RecurrentDAG(dag, memory=4)  # inputs: features, then memory; outputs: the network's own, then memory
    module(torch.randn(32, 10, dag.n_inputs - 4))  # (batch, time, features) -> (batch, outputs) of the last step

A neuron to which the graph gives the activation `LSTM` keeps a state of its own besides.
"""

import nas.recurrent._operator  # noqa: F401 - torch knows it from then on
from nas.recurrent._edit import grow_memory, reach_outputs, remember, shrink_memory, unreached_outputs
from nas.recurrent._function import LSTM
from nas.recurrent._recurrent_dag import RecurrentDAG
from nas.recurrent._reference import reference_step
from nas.recurrent._structure import RecurrentStructure

__all__ = [
    "LSTM",
    "RecurrentDAG",
    "RecurrentStructure",
    "grow_memory",
    "reach_outputs",
    "reference_step",
    "remember",
    "shrink_memory",
    "unreached_outputs",
]
