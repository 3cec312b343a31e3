"""The value object against networkx and brute force, and every rule that it refuses to break."""

from __future__ import annotations

import pickle

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import CycleError, GraphError, UnreachableOutputError
from nas.graph import DAG, Role, complete, random_dag

# 0, 1 inputs; 2, 3 computational; 4, 5 outputs
EDGES = [(0, 2), (1, 2), (2, 3), (3, 4), (0, 5), (2, 5)]


def small(**changes: object) -> DAG:
    arguments: dict[str, object] = {"n_inputs": 2, "n_computational": 2, "n_outputs": 2, "edges": EDGES} | changes
    return DAG(**arguments)  # type: ignore[arg-type]


def test_edges_are_sorted_by_target_then_source_whatever_the_order_given() -> None:
    dag = small(edges=EDGES[::-1])
    assert dag.edges.tolist() == sorted(map(list, EDGES), key=lambda edge: (edge[1], edge[0]))
    assert dag.edges.dtype == np.int32
    assert dag == small()
    assert hash(dag) == hash(small())


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_any_integer_type_is_accepted(dtype: type) -> None:
    assert small(edges=np.array(EDGES, dtype=dtype)) == small()


def test_sizes_roles_and_density() -> None:
    dag = small()
    assert (dag.n, dag.n_edges, dag.first_output, dag.sizes) == (6, 6, 4, (2, 2, 2))
    assert dag.roles.tolist() == [Role.INPUT] * 2 + [Role.COMPUTATIONAL] * 2 + [Role.OUTPUT] * 2
    assert dag.usable_cells == (36 - 4 - 4 - 2) // 2
    assert dag.density == pytest.approx(6 / 13)
    assert "inputs=2" in repr(dag)
    assert "edges=6" in repr(dag)


def test_compressed_rows_and_columns_list_every_edge_of_a_neuron() -> None:
    dag = random_dag(4, 20, 3, density=0.3, rng=np.random.default_rng(0))
    out_ptr, order = dag.csc()
    for neuron in range(dag.n):
        into = [(s, t) for s, t in dag.edges.tolist() if t == neuron]
        out_of = [(s, t) for s, t in dag.edges.tolist() if s == neuron]
        assert [tuple(e) for e in dag.edges[dag.in_ptr[neuron] : dag.in_ptr[neuron + 1]].tolist()] == into
        assert [tuple(e) for e in dag.edges[order[out_ptr[neuron] : out_ptr[neuron + 1]]].tolist()] == out_of


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4), st.integers(0, 12), st.integers(1, 3), st.floats(0, 1), st.integers(0, 2**32))
def test_levels_depth_and_reachability_agree_with_networkx(
    n_inputs: int, n_computational: int, n_outputs: int, density: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    full = complete(n_inputs, n_computational, n_outputs)
    dag = full.with_edges(rng.random(full.n_edges) < density, allow_unreachable=True)
    graph = dag.to_networkx()
    inputs, outputs = range(n_inputs), range(dag.first_output, dag.n)
    assert dag.depth == nx.dag_longest_path_length(graph)
    level = [0] * dag.n
    for neuron in range(dag.n):
        level[neuron] = max((level[source] + 1 for source in graph.predecessors(neuron)), default=0)
    assert dag.levels().tolist() == level
    after = set(inputs).union(*(nx.descendants(graph, i) for i in inputs))
    before = set(outputs).union(*(nx.ancestors(graph, o) for o in outputs))
    assert set(np.flatnonzero(dag.reached_neurons()).tolist()) == after
    assert set(np.flatnonzero(dag.useful_neurons()).tolist()) == after & before
    assert dag.unreachable_outputs() == tuple(o for o in outputs if o not in after)


def test_a_hundred_thousand_neurons_in_a_chain_are_no_problem() -> None:
    n = 100_000
    dag = DAG(1, n - 2, 1, np.stack([np.arange(n - 1), np.arange(1, n)], axis=1))
    assert dag.depth == n - 1


def test_a_million_edges_in_any_order() -> None:
    rng = np.random.default_rng(0)
    dag = random_dag(784, 5000, 10, n_edges=1_000_000, rng=rng)
    shuffled = dag.edges[rng.permutation(dag.n_edges)]
    other = DAG(*dag.sizes, shuffled)
    assert other == dag
    assert other.depth == dag.depth and (other.useful_neurons() == dag.useful_neurons()).all()


def test_arrays_and_fields_cannot_be_changed() -> None:
    dag = small()
    for array in (dag.edges, dag.ids, dag.sources, dag.targets, dag.in_ptr, dag.roles, dag.levels(), *dag.csc()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        dag.n_inputs = 3  # type: ignore[misc]


def test_the_callers_arrays_stay_the_callers() -> None:
    edges, ids = np.array(EDGES, dtype=np.int32), np.arange(6) * 10
    dag = small(edges=edges, ids=ids)
    before = hash(dag)
    edges[0], ids[0] = (1, 3), 7
    assert dag == small(ids=np.arange(6) * 10)
    assert before == hash(small(ids=np.arange(6) * 10))


def test_equality_looks_at_structure_and_ids_not_at_names() -> None:
    assert small() != small(edges=EDGES[:-1])
    assert small() != small(ids=[0, 1, 2, 3, 4, 6])
    assert small() != small(n_inputs=1, n_computational=3, edges=[*EDGES[1:], (0, 1)])
    assert small() == small(names=list("abcdef"))
    assert small() != "a graph"


def test_pickle_keeps_everything_and_stays_read_only() -> None:
    dag = small(ids=[5, 6, 7, 8, 9, 2**62], names=list("abcdef"), allow_unreachable=True)
    other = pickle.loads(pickle.dumps(dag))
    assert other == dag
    assert other.names == dag.names
    assert other.allow_unreachable
    assert not other.edges.flags.writeable
    assert other.depth == dag.depth


def test_with_edges_takes_a_mask_or_edges() -> None:
    dag = small(ids=range(10, 16))
    mask = np.ones(dag.n_edges, dtype=bool)
    mask[dag.edges.tolist().index([2, 5])] = False
    assert dag.with_edges(mask) == dag.with_edges([edge for edge in EDGES if edge != (2, 5)])
    assert dag.with_edges(mask).ids.tolist() == list(range(10, 16))
    with pytest.raises(GraphError, match=r"a mask must have shape \(6,\).*has shape \(5,\)"):
        dag.with_edges(mask[:5])
    with pytest.raises(UnreachableOutputError, match=r"4 has none"):
        dag.with_edges([(0, 5)])
    assert dag.with_edges([(0, 5)], allow_unreachable=True).unreachable_outputs() == (4,)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"edges": [*EDGES, (3, 2)]}, CycleError, r"2 edges close the cycle (2->3->2|3->2->3)"),
        ({"edges": [*EDGES, (3, 3)]}, CycleError, "neuron 3 has an edge to itself"),
        ({"edges": [(0, 3), (3, 2), (2, 4), (2, 5)]}, GraphError, "edge 3->2; use DAG.from_edges"),
        ({"edges": EDGES[:3] + EDGES[4:]}, UnreachableOutputError, "but 4 has none; add edges"),
        ({"edges": [(2, 3), (2, 4), (3, 5)]}, UnreachableOutputError, "but 4, 5 have none"),
        ({"edges": []}, UnreachableOutputError, "4, 5 have none"),
        ({"edges": [*EDGES, (0, 1)]}, GraphError, "no edge may enter an input .* edge 0->1"),
        ({"edges": [*EDGES, (4, 5)]}, GraphError, "no edge may leave an output .* edge 4->5"),
        ({"edges": [*EDGES, (2, 5)]}, GraphError, "2->5 is given twice"),
        ({"edges": [*EDGES, (0, 6)]}, GraphError, "0…5, but there is edge 0->6; unknown neuron"),
        ({"edges": [*EDGES, (-1, 4)]}, GraphError, "edge -1->4; unknown neuron"),
        ({"edges": [*EDGES, (2**40, 4)]}, GraphError, "edge 1099511627776->4; unknown neuron"),
        ({"edges": [*EDGES, (10**30, 4)]}, GraphError, "must fit in 64 bits"),
        ({"edges": [(0, 2, 3)]}, GraphError, r"shape \(E, 2\).*have shape \(1, 3\)"),
        ({"edges": [(0, 2), (1,)]}, GraphError, "edges must be an array of whole numbers"),
        (
            {"edges": np.array(EDGES, dtype=float)},
            GraphError,
            "edges must be whole numbers below 2.63, but are of type float64",
        ),
        ({"edges": np.array(EDGES) > 1}, GraphError, "but are of type bool"),
        ({"edges": "0-2"}, GraphError, "whole numbers"),
        ({"n_inputs": 0}, GraphError, "n_inputs must lie in 1…"),
        ({"n_outputs": 0}, GraphError, "n_outputs must lie in 1…"),
        ({"n_computational": -1}, GraphError, "n_computational must lie in 0…"),
        ({"n_computational": 10**12}, GraphError, "n_computational must lie in .* but is 1000000000000"),
        ({"n_computational": 10**5000}, GraphError, "n_computational must lie in .* but is a number of"),
        ({"n_inputs": 2.0}, GraphError, "n_inputs must be a whole number, but is 2.0"),
        ({"n_inputs": True}, GraphError, "n_inputs must be a whole number, but is True"),
        ({"ids": [0, 1, 2, 3, 4]}, GraphError, r"ids must have shape \(6,\).*\(5,\)"),
        ({"ids": [0, 1, 2, 1, 4, 5]}, GraphError, "neurons 1 and 3 both have id 1"),
        ({"ids": [0, 1, 2, -3, 4, 5]}, GraphError, "that of neuron 3 is -3"),
        ({"ids": [0, 1, 2, 2**63, 4, 5]}, GraphError, "ids must be whole numbers below 2"),
        ({"ids": np.array([0, 1, 2, 2**63, 4, 5], dtype=np.uint64)}, GraphError, "that of neuron 3 is 92233720"),
        ({"ids": [0.0, 1, 2, 3, 4, 5]}, GraphError, "ids must be whole numbers"),
        ({"names": ["a"]}, GraphError, r"one string a neuron \(6\), but holds 1"),
        ({"names": "abcdef"}, GraphError, "the single string 'abcdef'"),
        ({"names": [1, 2, 3, 4, 5, 6]}, GraphError, "the name of neuron 0 must be a string, but is 1"),
    ],
)
def test_a_broken_rule_is_refused_and_the_culprit_named(
    changes: dict[str, object], error: type[GraphError], message: str
) -> None:
    with pytest.raises(error, match=message):
        small(**changes)


def test_messages_use_names() -> None:
    with pytest.raises(UnreachableOutputError, match=r"5 \('dog'\) has none"):
        small(edges=EDGES[:4], names=["x", "y", "h1", "h2", "cat", "dog"])


def test_a_long_cycle_is_cut_in_the_message() -> None:
    n = 1000
    edges = [(i, i + 1) for i in range(n - 1)] + [(n - 2, 1)]
    with pytest.raises(CycleError, match="998 edges close the cycle") as caught:
        DAG(1, n - 2, 1, edges)
    assert len(str(caught.value)) < 200


def test_activations_of_neurons_are_part_of_the_value() -> None:
    plain = small()
    own = plain.with_activations(["sin", ""])
    assert own.activations == ("", "", "sin", "", "", "")
    assert own != plain
    assert plain.with_activations(["", ""]) == plain
    assert own.with_activations(None) == plain
    assert own.with_activations({3: "tanh"}).activations == ("", "", "sin", "tanh", "", "")
    for copy in (pickle.loads(pickle.dumps(own)), DAG.from_json(own.to_json()), DAG.from_networkx(own.to_networkx())):
        assert copy == own
    assert own.with_edges(np.ones(own.n_edges, bool)).activations == own.activations
    labels = DAG.from_edges([("x", "h"), ("h", "y")], ["x"], ["y"], activations={"h": "sin"})
    assert labels.activations == ("", "sin", "")


@pytest.mark.parametrize(
    ("activations", "message"),
    [
        (["", "", "sin", "", ""], "one string a neuron"),
        ("abcdef", "one string a neuron"),
        (["", "", 1, "", "", ""], "activation of neuron 2 must be a string"),
        (["sin", "", "", "", "", ""], "neuron 0 is an input and has no activation"),
        (["", "", "", "", "", "sin"], "neuron 5 is an output and has no activation"),
    ],
)
def test_wrong_activations_are_refused(activations: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        small(activations=activations)
    with pytest.raises(GraphError, match="one word for each of the 2 computational"):
        small().with_activations(["sin"])
    with pytest.raises(GraphError, match="is given for 5; leave it out"):
        small().with_activations({5: "sin"})
    with pytest.raises(GraphError, match="unknown neurons: 'z'"):
        DAG.from_edges([("x", "y")], ["x"], ["y"], activations={"z": "sin"})
