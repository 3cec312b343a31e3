"""Neurons and edges of a child found in its parent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GraphError
from nas.graph import DAG, add_neuron, first_id_of_trial, match_edges, match_neurons, mutate, random_dag


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_matches_agree_with_a_dictionary(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    parent = mutate(random_dag(3, 8, 2, density=0.3, rng=rng), rng, count=5).dag
    child = mutate(parent, rng, count=count).dag
    number = {identity: place for place, identity in enumerate(parent.ids.tolist())}
    assert match_neurons(parent, child).tolist() == [number.get(identity, -1) for identity in child.ids.tolist()]
    ids = parent.ids[parent.edges].tolist()
    edge = {tuple(pair): place for place, pair in enumerate(ids)}
    expected = [edge.get(tuple(pair), -1) for pair in child.ids[child.edges].tolist()]
    assert match_edges(parent, child).tolist() == expected


def test_a_graph_without_edges_matches_nothing() -> None:
    empty = DAG(1, 0, 1, [], allow_unreachable=True)
    assert match_edges(empty, DAG(1, 0, 1, [(0, 1)])).tolist() == [-1]
    assert match_edges(DAG(1, 0, 1, [(0, 1)]), empty).tolist() == []


def test_siblings_with_ids_of_their_trials_never_share_a_new_neuron() -> None:
    parent = DAG(1, 1, 1, [(0, 1), (1, 2)])
    older, younger = (add_neuron(parent, 0, next_id=first_id_of_trial(number)) for number in (7, 8))
    assert (match_neurons(older, younger) == -1).sum() == 1
    grandchild = add_neuron(younger, 0, next_id=first_id_of_trial(9))  # later trials have larger ids
    assert grandchild.n == 5
    with pytest.raises(GraphError, match="a trial number must lie in 0"):
        first_id_of_trial(-1)
