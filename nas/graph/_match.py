"""Which neuron or edge of one DAG is which of another: the ids that survive mutation decide.

Ids and siblings: a mutation gives new neurons the ids ``next_id, next_id + 1, …``, by default from the parent's largest
id + 1. Two children of one parent then give the same id to unrelated new neurons. A search therefore passes
``next_id=first_id_of_trial(number)``: trials have distinct numbers, so their new neurons have distinct ids, without any
counter that asynchronous workers would share, and networks of one study can be compared neuron by neuron.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nas.errors import GraphError
from nas.graph._kernels import Int64Array

if TYPE_CHECKING:
    from nas.graph._dag import DAG

_BLOCK = 32  # bits: ids reserved for each trial
_TRIALS = 30  # bits


def first_id_of_trial(number: int) -> int:
    """The first of 2^32 ids that belong to trial ``number`` (0…2^30 - 2) alone; ids below 2^32 are for start graphs."""
    if not 0 <= number < 2**_TRIALS - 1:
        raise GraphError(f"a trial number must lie in 0…{2**_TRIALS - 2}, but is {number}")
    return (number + 1) << _BLOCK


def match_neurons(parent: DAG, child: DAG) -> Int64Array:
    """The parent's number of each neuron of the child by id, (child.n,); -1 where the neuron is new."""
    order = np.argsort(parent.ids)
    place = np.searchsorted(parent.ids, child.ids, sorter=order)
    candidate = order[np.minimum(place, parent.n - 1)]
    return np.where(parent.ids[candidate] == child.ids, candidate, -1)


def match_edges(parent: DAG, child: DAG) -> Int64Array:
    """The parent's number of each edge of the child, (child.n_edges,); -1 where it is new.

    Edges are the same when the ids of both ends are, wherever renumbering has put them.
    """
    if not parent.n_edges:
        return np.full(child.n_edges, -1, dtype=np.int64)
    neuron = match_neurons(parent, child)
    sources, targets = neuron[child.sources], neuron[child.targets]
    keys = parent.targets.astype(np.int64) * parent.n + parent.sources  # ascending, by the order of edges
    wanted = targets * parent.n + sources
    place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where((sources >= 0) & (targets >= 0) & (keys[place] == wanted), place, -1)
