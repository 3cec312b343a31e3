"""Ways in and out: labelled edges, networkx, matrices."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import CycleError, GraphError, UnreachableOutputError
from nas.graph import DAG, complete, mutate, random_dag


def random_case(seed: int) -> DAG:
    """A graph with mixed-up ids: some mutations after a random start."""
    rng = np.random.default_rng(seed)
    sizes = int(rng.integers(1, 5)), int(rng.integers(0, 12)), int(rng.integers(1, 4))
    dag = random_dag(*sizes, density=float(rng.random()), rng=rng)
    return mutate(dag, rng, count=int(rng.integers(1, 10))).dag if sizes[1] else dag


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_round_trip_through_every_format(seed: int) -> None:
    dag = random_case(seed)
    ends = dag.n_inputs, dag.n_outputs
    ids = dag.ids.tolist()
    assert DAG.from_json(dag.to_json()) == dag
    assert DAG.from_networkx(dag.to_networkx()) == dag
    assert DAG.from_adjacency(dag.to_adjacency(), *ends, ids=ids) == dag
    assert DAG.from_adjacency(dag.to_adjacency(sparse=True), *ends, ids=ids) == dag
    labels = [f"neuron {identity}" for identity in ids]
    again = DAG.from_edges(
        [(labels[s], labels[t]) for s, t in dag.edges],
        labels[: dag.n_inputs],
        labels[dag.first_output :],
        neurons=labels,
        ids=dict(zip(labels, ids, strict=True)),
    )
    assert again == dag
    assert again.names == tuple(labels)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_shuffled_neurons_are_sorted_back_into_an_isomorphic_graph(seed: int) -> None:
    dag = random_case(seed)
    rng = np.random.default_rng(seed)
    inner = np.arange(dag.n_inputs, dag.first_output)
    shuffle = np.arange(dag.n)
    shuffle[inner] = rng.permutation(inner)
    matrix = dag.to_adjacency()[np.ix_(shuffle, shuffle)]
    result = DAG.from_adjacency(matrix, dag.n_inputs, dag.n_outputs, ids=dag.ids[shuffle].tolist())
    by_id = {(int(dag.ids[s]), int(dag.ids[t])) for s, t in dag.edges}
    assert {(int(result.ids[s]), int(result.ids[t])) for s, t in result.edges} == by_id
    assert set(result.ids.tolist()) == set(dag.ids.tolist())


# ------------------------------------------------------------------------ from_edges


def test_labels_of_any_kind_are_sorted_topologically() -> None:
    dag = DAG.from_edges([("h", "out"), (("g", 1), "h"), ("a", ("g", 1)), ("a", "out")], ["a"], ["out"])
    assert dag.names == ("a", "('g', 1)", "h", "out")
    assert dag.edges.tolist() == [[0, 1], [1, 2], [0, 3], [2, 3]]


def test_numbers_already_in_order_need_no_names() -> None:
    assert DAG.from_edges([(0, 1), (1, 2)], [0], [2]).names is None
    assert DAG.from_edges([(0, 2), (2, 1)], [0], [1]).names == ("0", "2", "1")


def test_neurons_without_edges_are_kept_when_listed() -> None:
    dag = DAG.from_edges([("a", "o")], ["a"], ["o"], neurons=["lonely"])
    assert dag.n_computational == 1


@pytest.mark.parametrize(
    ("edges", "options", "error", "message"),
    [
        ([("a", "x"), ("x", "y"), ("y", "x"), ("y", "o")], {}, CycleError, "cycle (x->y->x|y->x->y)"),
        ([("a", "o"), ("x", "x")], {}, CycleError, "neuron x has an edge to itself"),
        ([("a", "o"), ("x", "a")], {}, GraphError, "enter an input, but there is edge 'x'->'a'"),
        ([("a", "o"), ("o", "x")], {}, GraphError, "leave an output, but there is edge 'o'->'x'"),
        ([("a", "o"), ("a", "o")], {}, GraphError, r"0 \('a'\)->1 \('o'\) is given twice"),
        ([("x", "o")], {}, UnreachableOutputError, r"\('o'\) has none"),
        ([("a", "o"), ("a", "z")], {"neurons": ["x"]}, GraphError, "names the unknown neuron 'z'"),
        ([("a", "o"), ("a",)], {}, GraphError, r"an edge is a pair \(source, target\), but there is \('a',\)"),
        ([("a", "o")], {"inputs": ["a", "a"]}, GraphError, "'a' is duplicate: in inputs and again in inputs"),
        ([("a", "o")], {"outputs": ["o", "o"]}, GraphError, "'o' is duplicate: in outputs and again in outputs"),
        ([("a", "o")], {"outputs": ["o", "a"]}, GraphError, "'a' is duplicate: in inputs and again in outputs"),
        ([("a", "o")], {"inputs": []}, GraphError, "n_inputs must lie in 1"),
        ([("a", "o")], {"ids": {"a": 3}}, GraphError, "ids must cover every neuron, but lack 'o'"),
        ([("a", "o")], {"ids": {"a": 3, "o": 3}}, GraphError, "neurons 0 and 1 both have id 3"),
    ],
)
def test_bad_edges_are_refused_by_label(
    edges: list[tuple[str, ...]], options: dict[str, object], error: type[GraphError], message: str
) -> None:
    arguments: dict[str, object] = {"inputs": ["a"], "outputs": ["o"]} | options
    with pytest.raises(error, match=message):
        DAG.from_edges(edges, **arguments)  # type: ignore[arg-type]


# ------------------------------------------------------------------------ networkx


def test_roles_of_a_plain_networkx_graph_follow_from_its_degrees() -> None:
    graph = nx.DiGraph([("a", "h"), ("b", "h"), ("h", "o"), ("a", "o")])
    dag = DAG.from_networkx(graph)
    assert dag.sizes == (2, 1, 1)
    assert dag.names == ("a", "b", "h", "o")
    assert DAG.from_networkx(graph, inputs=["b", "a"]).names == ("b", "a", "h", "o")


def test_networkx_keeps_ids_names_and_roles() -> None:
    dag = DAG(1, 2, 1, [(0, 3)], ids=[9, 8, 7, 6], names=["i", "x", "y", "o"])  # x and y would look like inputs
    back = DAG.from_networkx(dag.to_networkx())
    assert back == dag
    assert back.names == dag.names
    assert nx.get_node_attributes(dag.to_networkx(), "nas_role")[1] == "computational"


def test_bad_networkx_graphs_are_refused() -> None:
    with pytest.raises(GraphError, match="undirected; use a DiGraph"):
        DAG.from_networkx(nx.path_graph(3))
    with pytest.raises(CycleError, match="cycle"):
        DAG.from_networkx(nx.DiGraph([(0, 1), (1, 2), (2, 1), (2, 3)]))
    with pytest.raises(GraphError, match="unknown neuron: 'z' is named as input"):
        DAG.from_networkx(nx.DiGraph([(0, 1)]), inputs=["z"])
    graph = nx.DiGraph([(0, 1)])
    graph.nodes[0]["nas_role"] = "hidden"
    with pytest.raises(GraphError, match="nas_role of node 0 must be input, computational or output, but is 'hidden'"):
        DAG.from_networkx(graph)
    with pytest.raises(GraphError, match="is given twice"):
        DAG.from_networkx(nx.MultiDiGraph([(0, 1), (0, 1)]))


# ------------------------------------------------------------------------ matrices


def test_rows_read_columns() -> None:
    matrix = np.zeros((4, 4))
    matrix[2, 0], matrix[2, 1], matrix[3, 2] = 0.5, -1, 2
    dag = DAG.from_adjacency(matrix, 2, 1)
    assert dag.edges.tolist() == [[0, 2], [1, 2], [2, 3]]
    values = np.array([0.5, -1, 2])
    assert np.array_equal(dag.to_adjacency(values), matrix)
    assert np.array_equal(dag.to_adjacency(values, sparse=True).toarray(), matrix)


def test_every_kind_of_matrix_gives_the_same_graph() -> None:
    dag = complete(2, 3, 1)
    matrix = dag.to_adjacency()
    kinds = [matrix, matrix.astype(float), matrix.astype(np.int8), matrix.tolist()]
    kinds += [kind(matrix) for kind in (scipy.sparse.csr_array, scipy.sparse.csc_matrix, scipy.sparse.coo_array)]
    assert all(DAG.from_adjacency(kind, 2, 1) == dag for kind in kinds)


def test_stored_zeros_of_a_sparse_matrix_are_no_edges() -> None:
    matrix = scipy.sparse.coo_array(([1.0, 0.0], ([2, 2], [0, 1])), shape=(3, 3))
    assert DAG.from_adjacency(matrix, 2, 1).edges.tolist() == [[0, 2]]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.zeros((3, 4)), r"square \(n, n\).*has shape \(3, 4\)"),
        (np.zeros(3), r"has shape \(3,\)"),
        (1.0, r"has shape \(\)"),
        (scipy.sparse.csr_array((2, 3)), r"has shape \(2, 3\)"),
        (np.zeros((1, 1)), "1 rows, fewer than 1 inputs and 1 outputs"),
        (np.array([[0, 0], [np.nan, 0]]), r"entry \[1, 0\] .* must be finite, but is nan"),
        (np.array([["", ""], ["x", ""]]), "holds numbers or booleans, but is of type"),
        (np.array([[0, 0], [0, 0]]), "1 has none"),
        (np.array([[0, 1], [1, 0]]), "enter an input, but there is edge 1->0"),
        (np.array([[0, 0], [1, 1]]), "neuron 1 has an edge to itself"),
    ],
)
def test_bad_matrices_are_refused(matrix: object, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        DAG.from_adjacency(matrix, 1, 1)


def test_values_of_another_length_are_refused() -> None:
    with pytest.raises(GraphError, match=r"values must have shape \(1,\)"):
        DAG(1, 0, 1, [(0, 1)]).to_adjacency([1.0, 2.0])


# ------------------------------------------------------------------------ graphs of other programs


FOREIGN = {
    "id": lambda k: f"n{k}",
    "role": lambda k: ["admin", "input", 3][k % 3],
    "name": lambda k: "the same",
    "activation": lambda k: 0.7 * k,
    "nas": lambda k: None,
}


@pytest.mark.parametrize("attributes", [*([each] for each in FOREIGN), list(FOREIGN), ["id", "name"]])
def test_attributes_of_other_programs_are_theirs(attributes: list[str]) -> None:
    graph = nx.DiGraph([("a", "h"), ("b", "h"), ("h", "y")])
    expected = DAG.from_networkx(graph)
    for number, node in enumerate(graph):
        graph.nodes[node].update({key: FOREIGN[key](number) for key in attributes})
    found = DAG.from_networkx(graph)
    assert found == expected
    assert found.names == ("a", "b", "h", "y")
    assert found.activations is None


def test_graphs_from_before_the_prefix_are_still_ours() -> None:
    dag = DAG(1, 2, 1, [(0, 3), (0, 2)], [9, 8, 7, 6], list("ixyo"), activations=["", "sin", "", ""])
    graph = dag.to_networkx()
    for _, attributes in graph.nodes(data=True):
        for key in list(attributes):
            attributes[key.removeprefix("nas_")] = attributes.pop(key)
    assert DAG.from_networkx(graph) == dag
    graph.nodes[0]["colour"] = "red"  # not a graph of ours after all
    with pytest.raises(GraphError, match="one role, but 1 is duplicate"):  # by degrees: it has no edge
        DAG.from_networkx(graph)


def test_labels_that_are_written_alike_are_refused() -> None:
    graph = nx.DiGraph([(1, "y"), ("1", "y")])
    with pytest.raises(GraphError, match=r"1 and '1' \(int and str\) are different but both written '1'"):
        DAG.from_networkx(graph)


@pytest.mark.parametrize(("value", "said"), [(None, "no 'weight'"), ("x", "'x'"), (np.nan, "nan"), (True, "True")])
def test_each_edge_has_a_weight(value: object, said: str) -> None:
    graph = nx.DiGraph([("a", "y", {"weight": 2.0, "n": "3"}), ("b", "y", {"n": 4})])
    if value is not None:
        graph.edges["b", "y"]["weight"] = value
    with pytest.raises(GraphError, match=f"'b'->'y' has .*{said}"):
        DAG.from_networkx(graph, weights=True)
    dag, weight = DAG.from_networkx(graph, weights="n")
    assert dag.names == ("a", "b", "y")
    assert weight.tolist() == [3.0, 4.0]


def test_weights_of_a_matrix_follow_its_edges() -> None:
    rng = np.random.default_rng(1)
    matrix = np.zeros((6, 6))
    matrix[2:, :2] = rng.standard_normal((4, 2))
    matrix[2, 3] = 7.0  # against the order of rows
    matrix[4:, 2:4] = rng.standard_normal((2, 2))
    for kind in (matrix, scipy.sparse.csr_array(matrix), scipy.sparse.coo_array(matrix)):
        dag, weight = DAG.from_adjacency(kind, 2, 2, weights=True)
        back = np.zeros((6, 6))
        back[np.ix_(dag.ids, dag.ids)] = dag.to_adjacency(weight)
        assert np.array_equal(back, matrix)


def test_tables_of_pandas_name_their_neurons() -> None:
    labels = ["eye", "brain", "hand"]
    frame = pd.DataFrame([[0, 0, 0], [2, 0, 0], [0, 3, 0]], labels, labels)
    dag, weight = DAG.from_adjacency(frame, 1, 1, weights=True)
    assert dag.names == tuple(labels)
    assert weight.tolist() == [2.0, 3.0]
    with pytest.raises(GraphError, match="rows are called .* and the columns"):
        DAG.from_adjacency(frame[["brain", "eye", "hand"]], 1, 1)


def test_a_matrix_the_other_way_round_is_told_so() -> None:
    with pytest.raises(GraphError, match="give its transpose"):
        DAG.from_adjacency(complete(2, 3, 1).to_adjacency().T, 2, 1)


def test_entries_of_one_place_count_together() -> None:
    matrix = scipy.sparse.coo_array(([1.0, -1.0, 2.0, 3.0], ([2, 2, 2, 2], [0, 0, 1, 1])), shape=(3, 3))
    dag, weight = DAG.from_adjacency(matrix, 2, 1, weights=True)
    assert dag.edges.tolist() == [[1, 2]]
    assert weight.tolist() == [5.0]
    assert matrix.nnz == 4


def test_names_hold_whole_characters() -> None:
    with pytest.raises(GraphError, match="name of neuron 1 must be text"):
        DAG(1, 0, 1, [(0, 1)], names=["a", "\ud800"])
