"""Random mutation: thousands in a row keep every promise, and every possible change has a chance."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GraphError
from nas.graph import DAG, OPERATORS, complete, draw_activations, match_edges, mutate, random_dag


def by_id(dag: DAG) -> set[tuple[int, int]]:
    return {(int(dag.ids[s]), int(dag.ids[t])) for s, t in dag.edges}


def check(parent: DAG, child: DAG) -> None:
    """Every promise, by means other than those of the package."""
    graph = child.to_networkx()
    assert nx.is_directed_acyclic_graph(graph)
    assert (child.sources < child.targets).all()
    inputs, outputs = range(child.n_inputs), range(child.first_output, child.n)
    assert all(graph.in_degree(i) == 0 for i in inputs)
    assert all(graph.out_degree(o) == 0 for o in outputs)
    assert set(outputs) <= set().union(*(nx.descendants(graph, i) for i in inputs))
    assert child.ids[: child.n_inputs].tolist() == parent.ids[: parent.n_inputs].tolist()
    assert child.ids[child.first_output :].tolist() == parent.ids[parent.first_output :].tolist()
    new = set(child.ids.tolist()) - set(parent.ids.tolist())
    assert all(identity > parent.ids.max() for identity in new)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_hundreds_of_mutations_in_a_row_keep_every_promise(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = int(rng.integers(1, 5)), int(rng.integers(0, 10)), int(rng.integers(1, 5))
    dag = random_dag(*sizes, density=float(rng.random()), rng=rng)
    for _ in range(100):  # 3,000 in all
        count = int(rng.integers(1, 6))
        # What grows is held back so that the walk stays small, where the corner cases are.
        shares = dict(zip(OPERATORS, rng.random(len(OPERATORS)), strict=True))
        if dag.n_computational > 12:
            shares["add_neurons"] = shares["insert_neurons"] = shares["duplicate_neurons"] = 0.0
        mutation = mutate(dag, rng, operators=shares, count=count)
        check(dag, mutation.dag)
        assert sum(mutation.changes.values()) == count or set(mutation.changes) < set(OPERATORS)
        dag = mutation.dag
    ends = dag.n_inputs, dag.n_outputs
    assert DAG.from_json(dag.to_json()) == dag
    assert DAG.from_networkx(dag.to_networkx()) == dag
    assert DAG.from_adjacency(dag.to_adjacency(sparse=True), *ends, ids=dag.ids.tolist()) == dag


def test_thousands_of_single_mutations_of_one_graph() -> None:
    rng = np.random.default_rng(0)
    dag = start = random_dag(8, 60, 4, density=0.05, rng=rng)
    for step in range(3000):
        mutation = mutate(dag, rng)
        assert sum(mutation.changes.values()) == 1
        if step % 50 == 0:
            check(dag, mutation.dag)
        dag = mutation.dag
    check(start, dag)
    assert not np.array_equal(np.sort(dag.ids), dag.ids)  # some edges made a renumbering necessary


EFFECTS = {  # operator: (edges, computational neurons) that each change adds; None: it depends
    "remove_edges": (-1, 0),
    "remove_neurons": (None, -1),
    "rewire_edges": (0, 0),
    "add_neurons": (2, 1),
    "insert_neurons": (None, 1),
    "duplicate_neurons": (None, 1),
    "add_edges": (1, 0),
}


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_each_operator_does_what_it_says_as_often_as_it_says(operator: str, seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = int(rng.integers(1, 4)), int(rng.integers(1, 9)), int(rng.integers(1, 4))
    parent = random_dag(*sizes, density=float(rng.random()), rng=rng)
    try:
        mutation = mutate(parent, rng, operators={operator: 1.0}, count=count)
    except GraphError:  # test_wrong_wishes_are_refused has the message
        assert operator != "add_neurons"  # there is always an edge to split
        return
    child, made = mutation.dag, mutation.changes[operator]
    check(parent, child)
    assert 1 <= made <= count
    assert list(mutation.changes) == [operator]
    assert str(made) in mutation.description
    edges, neurons = EFFECTS[operator]
    assert child.n_computational - parent.n_computational == neurons * made
    if edges is not None:
        assert child.n_edges - parent.n_edges == edges * made
    if operator == "rewire_edges":
        assert len(by_id(parent) - by_id(child)) == made
    if operator in ("add_neurons", "insert_neurons", "duplicate_neurons", "add_edges"):
        assert by_id(parent) <= by_id(child)
    if operator == "add_edges":
        assert made == min(count, parent.usable_cells - parent.n_edges)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 9), st.integers(1, 20))
def test_neurons_can_be_inserted_anywhere_also_where_there_are_none(seed: int, hidden: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = int(rng.integers(1, 6)), hidden, int(rng.integers(1, 4))
    parent = random_dag(*sizes, density=float(rng.random()), rng=rng)
    child = mutate(parent, rng, operators={"insert_neurons": 1.0}, count=count, next_id=1000).dag
    check(parent, child)
    assert child.n_computational == hidden + count
    assert by_id(parent) <= by_id(child)
    assert sorted(set(child.ids.tolist()) - set(parent.ids.tolist())) == list(range(1000, 1000 + count))
    new = np.isin(child.ids, np.arange(1000, 1000 + count))
    read, fed = np.bincount(child.targets, minlength=child.n)[new], np.bincount(child.sources, minlength=child.n)[new]
    assert (read >= min(3, sizes[0])).all()  # on one edge in, a neuron could only copy
    assert (fed >= 1).all()
    assert child.useful_neurons()[new].any()


def test_inserted_neurons_read_and_feed_about_as_many_as_others() -> None:
    rng = np.random.default_rng(0)
    parent = random_dag(40, 60, 10, density=0.25, rng=rng)
    usual = parent.n_edges / 70
    child = mutate(parent, rng, operators={"insert_neurons": 1.0}, count=200).dag
    new = ~np.isin(child.ids, parent.ids)
    read = np.bincount(child.targets, minlength=child.n)[new].mean()
    assert 0.7 * usual < read < 1.3 * usual


def test_every_edge_that_keeps_the_graph_acyclic_has_a_chance() -> None:
    parent = DAG(2, 4, 1, [(0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6)])
    graph = parent.to_networkx()
    legal = {
        (s, t)
        for s in range(6)
        for t in range(2, 7)
        if s != t and not graph.has_edge(s, t) and not nx.has_path(graph, t, s)
    }
    assert (5, 2) in legal  # against the numbering
    rng = np.random.default_rng(0)
    added = set()
    for _ in range(600):
        added |= by_id(mutate(parent, rng, operators={"add_edges": 1}).dag) - by_id(parent)
    assert added == legal


def test_every_edge_that_is_not_needed_has_a_chance_to_go() -> None:
    parent = DAG(1, 2, 1, [(0, 1), (0, 2), (1, 3), (2, 3)])  # two ways: any single edge may go
    rng = np.random.default_rng(0)
    gone = set()
    for _ in range(200):
        gone |= by_id(parent) - by_id(mutate(parent, rng, operators={"remove_edges": 1}).dag)
    assert gone == by_id(parent)


def test_removal_stops_at_what_the_outputs_need() -> None:
    rng = np.random.default_rng(0)
    parent = complete(3, 5, 4)
    bare = mutate(parent, rng, operators={"remove_edges": 1}, count=10_000).dag
    check(parent, bare)
    with pytest.raises(GraphError, match="none of the operators remove_edges can change DAG"):
        mutate(bare, rng, operators={"remove_edges": 1})
    useless = mutate(bare, rng, operators={"remove_edges": 1, "add_edges": 1}, count=2)
    assert sum(useless.changes.values()) == 2  # what one operator cannot do, the other does


def test_weak_edges_go_first() -> None:
    rng = np.random.default_rng(0)
    parent = random_dag(10, 100, 5, density=0.2, rng=rng)
    score = rng.random(parent.n_edges)
    for operator in ("remove_edges", "rewire_edges"):
        mutation = mutate(parent, rng, operators={operator: 1}, count=100, edge_score=score)
        left = np.zeros(parent.n_edges, dtype=bool)
        left[match_edges(parent, mutation.dag)[match_edges(parent, mutation.dag) >= 0]] = True
        gone = score[~left]
        assert gone.size == 100
        assert np.median(gone) < 0.2 < 0.4 < np.median(score[left])


def test_equal_scores_favour_no_edge() -> None:
    parent = layer = complete(10, 0, 40)
    rng = np.random.default_rng(0)
    hits = np.zeros(parent.n_edges)
    for _ in range(300):
        child = mutate(layer, rng, operators={"remove_edges": 1}, count=40, edge_score=np.ones(parent.n_edges)).dag
        kept = match_edges(parent, child)
        hits += 1
        hits[kept] -= 1
    assert abs(hits[:200].sum() / hits.sum() - 0.5) < 0.03


def test_edges_that_have_just_come_count_as_strong() -> None:
    full = complete(3, 6, 2)
    parent = full.with_edges(full.edges[1:])  # lacks 0->3
    score = np.append(np.ones(parent.n_edges - 1), 0.0)
    stayed = 0
    for seed in range(30):  # soon nothing can be added any more, and what is left of the changes is removals
        operators = {"add_edges": 0.8, "remove_edges": 0.2}
        child = mutate(parent, np.random.default_rng(seed), operators=operators, count=30, edge_score=score).dag
        stayed += (0, 3) in by_id(child)
    assert stayed > 25


def test_neurons_with_weak_edges_go_first() -> None:
    rng = np.random.default_rng(0)
    parent = random_dag(10, 200, 5, density=0.2, rng=rng)
    strong = np.arange(parent.n) % 2 == 0
    score = np.where(strong[parent.sources] & strong[parent.targets], 1.0, 0.001)
    child = mutate(parent, rng, operators={"remove_neurons": 1}, count=50, edge_score=score).dag
    gone = np.setdiff1d(parent.ids, child.ids)
    assert (gone % 2 == 1).mean() > 0.8


def test_a_neuron_that_comes_never_gets_the_id_of_one_that_goes() -> None:
    parent = complete(2, 3, 1)
    for seed in range(50):
        rng = np.random.default_rng(seed)
        operators = {"remove_neurons": 1, "add_neurons": 1}
        child = mutate(parent, rng, operators=operators, count=4).dag
        assert all(identity < 5 or identity > 5 for identity in set(child.ids.tolist()) - set(parent.ids.tolist()))
        check(parent, child)
    shifted = mutate(parent, rng, operators={"add_neurons": 1}, count=2, next_id=1000).dag
    assert set(shifted.ids.tolist()) - set(parent.ids.tolist()) == {1000, 1001}


def test_the_same_seed_gives_the_same_mutation() -> None:
    parent = random_dag(5, 30, 3, density=0.2, rng=np.random.default_rng(0))
    first, second = (mutate(parent, np.random.default_rng(7), count=20) for _ in range(2))
    assert first.dag == second.dag
    assert first.description == second.description
    assert mutate(parent, np.random.default_rng(8), count=20).dag != first.dag


def test_unreachable_outputs_that_are_allowed_stay_as_they_are() -> None:
    parent = DAG(1, 2, 2, [(0, 1), (1, 3)], allow_unreachable=True)
    rng = np.random.default_rng(0)
    child = mutate(parent, rng, operators={"remove_neurons": 1}).dag
    assert child.unreachable_outputs() == (3,)
    assert child.allow_unreachable


def test_description_is_for_people() -> None:
    mutation = mutate(complete(2, 3, 1), np.random.default_rng(0), operators={"remove_edges": 1, "rewire_edges": 0})
    assert mutation.description == "remove 1 edge"
    both = mutate(complete(2, 9, 1), np.random.default_rng(1), count=40)
    assert both.description.startswith("remove ")
    assert ", add " in both.description


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operators": {"grow": 1.0}}, "unknown operator 'grow'; known: remove_edges"),
        ({"operators": {"add_edges": -1.0}}, "frequency of operator add_edges must be finite and >= 0, but is -1"),
        ({"operators": {"add_edges": float("nan")}}, "must be finite"),
        ({"operators": {"add_edges": 0.0}}, "some operator must have a frequency > 0"),
        ({"operators": {}}, "some operator must have a frequency > 0"),
        ({"operators": {"add_edges": 1.0}}, "none of the operators add_edges can change DAG"),
        ({"operators": {"rewire_edges": 1.0}}, "none of the operators rewire_edges can change DAG"),
        ({"count": 0}, "count must be at least 1, but is 0"),
        ({"edge_score": [1.0]}, r"edge_score must have shape \(14,\).*\(1,\)"),
        ({"edge_score": [np.nan] * 14}, "edge_score must be finite, but that of edge 0->2 is nan"),
        ({"next_id": 5}, r"larger than every id of the graph \(5\), but is 5"),
    ],
)
def test_wrong_wishes_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        mutate(complete(2, 3, 1), np.random.default_rng(0), **options)  # type: ignore[arg-type]


def test_many_changes_at_once_to_a_large_network() -> None:
    rng = np.random.default_rng(0)
    parent = random_dag(784, 2000, 10, n_edges=200_000, rng=rng)
    assert sum(mutate(parent, rng, count=500, edge_score=np.ones(200_000)).changes.values()) == 500


def test_neurons_keep_their_activations_through_every_operator():
    rng = np.random.default_rng(5)
    dag = random_dag(6, 20, 3, density=0.3, rng=rng)
    dag = draw_activations(dag, ("relu", "sin", "tanh"), rng)
    own = dict(zip(dag.ids.tolist(), dag.activations, strict=True))
    assert set(own.values()) == {"", "relu", "sin", "tanh"}
    for operator in OPERATORS:
        child = mutate(dag, rng, operators={operator: 1.0}, count=4).dag
        assert child != dag
        words = dict(zip(child.ids.tolist(), child.activations, strict=True))
        known = own.keys() & words.keys()
        assert known and all(words[identity] == own[identity] for identity in known)
        if operator == "duplicate_neurons":
            assert all(words[identity] for identity in words.keys() - own.keys())
        if operator == "add_neurons":
            assert not any(words[identity] for identity in words.keys() - own.keys())


def test_activations_are_redrawn_on_demand():
    rng = np.random.default_rng(7)
    dag = random_dag(4, 50, 2, density=0.5, rng=rng).with_activations(["relu"] * 50)
    assert draw_activations(dag, ("sin",), rng) == dag
    assert draw_activations(dag, ("sin",), rng, redraw=7).activations.count("sin") == 7
    with pytest.raises(GraphError, match="redraw <= 50"):
        draw_activations(dag, ("sin",), rng, redraw=51)
