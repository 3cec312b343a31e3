"""Elementary changes: what they do, what they refuse, and that identities survive."""

from __future__ import annotations

from collections.abc import Callable

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import CycleError, GraphError, UnreachableOutputError
from nas.graph import DAG, add_edge, add_neuron, random_dag, remove_edge, remove_neuron, rewire_edge

# 0, 1 inputs; 2, 3, 4 computational; 5, 6 outputs. Ids differ from numbers everywhere.
IDS = [10, 11, 12, 13, 14, 15, 16]
DIAMOND = DAG(2, 3, 2, [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6)], ids=IDS, names=list("abcdefg"))


def by_id(dag: DAG) -> set[tuple[int, int]]:
    return {(int(dag.ids[s]), int(dag.ids[t])) for s, t in dag.edges}


def test_an_edge_along_the_numbering_keeps_it() -> None:
    dag = add_edge(DIAMOND, 2, 3)
    assert by_id(dag) == by_id(DIAMOND) | {(12, 13)}
    assert dag.ids.tolist() == IDS


def test_an_edge_against_the_numbering_renumbers() -> None:
    dag = add_edge(DIAMOND, 3, 2)
    assert by_id(dag) == by_id(DIAMOND) | {(13, 12)}
    assert dag.ids.tolist() == [10, 11, 13, 12, 14, 15, 16]
    assert dag.names == tuple("abdcefg")
    assert DIAMOND.ids.tolist() == IDS  # the parent stays as it was


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_exactly_the_edges_that_close_no_cycle_can_be_added(seed: int) -> None:
    rng = np.random.default_rng(seed)
    dag = random_dag(2, int(rng.integers(1, 7)), 2, density=float(rng.random()), rng=rng)
    graph = dag.to_networkx()
    for source in range(dag.n):
        for target in range(dag.n):
            legal = (
                target >= dag.n_inputs
                and source < dag.first_output
                and source != target
                and not graph.has_edge(source, target)
                and not nx.has_path(graph, target, source)
            )
            if legal:
                assert by_id(add_edge(dag, source, target)) == by_id(dag) | {(source, target)}
            else:
                with pytest.raises(GraphError):
                    add_edge(dag, source, target)


def test_remove_edge_by_number_and_by_ends() -> None:
    number = DIAMOND.edges.tolist().index([2, 4])
    dag = DIAMOND.with_edges([*DIAMOND.edges.tolist(), [0, 6]])
    assert by_id(remove_edge(dag, (2, 4))) == by_id(dag) - {(12, 14)}
    with pytest.raises(UnreachableOutputError, match=r"6 \('g'\) has none"):
        remove_edge(DIAMOND, number)


def test_rewire_moves_either_end() -> None:
    assert by_id(rewire_edge(DIAMOND, (2, 4), source=1)) == by_id(DIAMOND) - {(12, 14)} | {(11, 14)}
    assert by_id(rewire_edge(DIAMOND, (0, 2), source=3)) == by_id(DIAMOND) - {(10, 12)} | {(13, 12)}  # renumbers
    both = rewire_edge(DIAMOND.with_edges([*DIAMOND.edges, (0, 6)]), (2, 4), source=4, target=2)
    assert (14, 12) in by_id(both)  # reversed: legal because the old edge goes first
    with pytest.raises(UnreachableOutputError, match=r"6 \('g'\) has none"):
        rewire_edge(DIAMOND, (4, 6), target=5)


def test_split_puts_a_neuron_in_the_middle() -> None:
    dag = add_neuron(DIAMOND, (2, 4), name="new")
    assert by_id(dag) == by_id(DIAMOND) - {(12, 14)} | {(12, 17), (17, 14)}
    assert dag.n_computational == 4
    assert dag.names is not None
    assert dag.names[dag.ids.tolist().index(17)] == "new"
    kept = add_neuron(DIAMOND, (2, 4), keep_edge=True, next_id=99)
    assert by_id(kept) == by_id(DIAMOND) | {(12, 99), (99, 14)}


@pytest.mark.parametrize("edge", [(0, 1), (0, 2), (1, 2)])
def test_a_split_next_to_inputs_and_outputs_lands_among_the_computational(edge: tuple[int, int]) -> None:
    dag = add_neuron(DAG(1, 1, 1, [(0, 1), (1, 2), (0, 2)]), edge)
    assert dag.sizes == (1, 2, 1)
    assert dag.ids[0] == 0
    assert dag.ids[-1] == 2


def test_remove_neuron_takes_its_edges_along() -> None:
    dag = DIAMOND.with_edges([*DIAMOND.edges, (0, 6)])
    smaller = remove_neuron(dag, 2)
    assert smaller.ids.tolist() == [10, 11, 13, 14, 15, 16]
    assert smaller.names == tuple("abdefg")
    assert by_id(smaller) == by_id(dag) - {(10, 12), (12, 14)}
    loose = DAG(2, 3, 2, DIAMOND.edges, allow_unreachable=True)
    assert remove_neuron(loose, 2).unreachable_outputs() == (5,)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda: add_edge(DIAMOND, 4, 2), CycleError, r"4 \('e'\)->2 \('c'\)->4 \('e'\)"),
        (lambda: add_edge(DIAMOND, 2, 2), CycleError, r"neuron 2 \('c'\) has an edge to itself"),
        (lambda: add_edge(DIAMOND, 2, 1), GraphError, "no edge may enter an input, but 2"),
        (lambda: add_edge(DIAMOND, 5, 2), GraphError, "no edge may leave an output, but 5"),
        (lambda: add_edge(DIAMOND, 0, 2), GraphError, r"0 \('a'\)->2 \('c'\) exists already"),
        (lambda: add_edge(DIAMOND, 0, 7), GraphError, "unknown neuron 7: neurons are numbered 0…6"),
        (lambda: add_edge(DIAMOND, -1, 2), GraphError, "unknown neuron -1"),
        (lambda: add_edge(DIAMOND, "a", 2), GraphError, "given by its number, but got 'a'"),  # type: ignore[arg-type]
        (lambda: remove_edge(DIAMOND, 5), GraphError, "unknown edge 5: edges are numbered 0…4"),
        (lambda: remove_edge(DIAMOND, (0, 3)), GraphError, r"no edge 0 \('a'\)->3 \('d'\)"),
        (lambda: remove_edge(DIAMOND, 1.5), GraphError, "but got 1.5"),  # type: ignore[arg-type]
        (lambda: rewire_edge(DIAMOND, (2, 4)), GraphError, "keeps both"),
        (lambda: rewire_edge(DIAMOND, (2, 4), source=0, target=2), GraphError, "exists already"),
        (lambda: rewire_edge(DIAMOND, (0, 2), source=4), CycleError, "cycle"),
        (lambda: add_neuron(DIAMOND, (2, 4), next_id=16), GraphError, r"larger than every id of the graph \(16\)"),
        (lambda: add_neuron(DIAMOND, (2, 4), next_id=2**62 + 1), GraphError, "renumber the graph"),
        (lambda: add_neuron(DIAMOND, (0, 3)), GraphError, "there is no edge"),
        (lambda: remove_neuron(DIAMOND, 0), GraphError, r"0 \('a'\) is an input"),
        (lambda: remove_neuron(DIAMOND, 6), GraphError, r"6 \('g'\) is an output"),
        (lambda: remove_neuron(DIAMOND, 3), UnreachableOutputError, r"without 3 \('d'\) there is none to 5 \('f'\)"),
    ],
)
def test_an_impossible_change_is_refused(change: Callable[[], DAG], error: type[GraphError], message: str) -> None:
    with pytest.raises(error, match=message):
        change()
