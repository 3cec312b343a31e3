"""Directed acyclic graphs of neurons: one immutable value object, ways in and out of it, and ways to change it.

Nothing here knows of weights or of training: neurons keep their ids through every change, and whoever holds weights
finds the old ones by id (`match_neurons`, `match_edges`). All chance comes from a ``numpy.random.Generator`` passed in.
"""

import nas._stamps  # noqa: F401 - before any kernel is: it decides which cached ones are still right
from nas.graph._bipartite import bipartite
from nas.graph._cells import usable_cells
from nas.graph._dag import DAG, Role
from nas.graph._degrees import degree_limited
from nas.graph._edge_list import read_edge_list, write_edge_list
from nas.graph._edit import add_edge, add_neuron, keep_neurons, remove_edge, remove_neuron, rewire_edge
from nas.graph._families import banded, barabasi_albert, erdos_renyi, layered, watts_strogatz
from nas.graph._files import read_graphml, to_dot, write_dot, write_graphml
from nas.graph._generators import complete, random_dag
from nas.graph._match import first_id_of_trial, match_edges, match_neurons
from nas.graph._mutate import OPERATORS, Mutation, draw_activations, mutate

__all__ = [
    "DAG",
    "OPERATORS",
    "Mutation",
    "Role",
    "add_edge",
    "add_neuron",
    "banded",
    "barabasi_albert",
    "bipartite",
    "complete",
    "degree_limited",
    "draw_activations",
    "erdos_renyi",
    "first_id_of_trial",
    "keep_neurons",
    "layered",
    "match_edges",
    "match_neurons",
    "mutate",
    "random_dag",
    "read_edge_list",
    "read_graphml",
    "remove_edge",
    "remove_neuron",
    "rewire_edge",
    "to_dot",
    "usable_cells",
    "watts_strogatz",
    "write_dot",
    "write_edge_list",
    "write_graphml",
]
