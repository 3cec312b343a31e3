"""Directed acyclic graphs of neurons: one immutable value object, ways in and out of it, and ways to change it.

Nothing here knows of weights or of training: neurons keep their ids through every change, and whoever holds weights
finds the old ones by id.
"""

from nas.graph._dag import DAG, Role
from nas.graph._generators import complete, random_dag

__all__ = [
    "DAG",
    "Role",
    "complete",
    "random_dag",
]
