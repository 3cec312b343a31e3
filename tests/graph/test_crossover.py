"""Recombination: common structure stays, differences mix, nothing new appears."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import GraphError
from nas.graph import DAG, add_edge, crossover, first_id_of_trial, mutate, random_dag


def by_id(dag: DAG) -> set[tuple[int, int]]:
    return {(int(dag.ids[s]), int(dag.ids[t])) for s, t in dag.edges}


def family(seed: int, count: int = 12) -> tuple[DAG, DAG, np.random.Generator]:
    rng = np.random.default_rng(seed)
    sizes = int(rng.integers(1, 4)), int(rng.integers(1, 10)), int(rng.integers(1, 4))
    start = random_dag(*sizes, density=float(rng.random()), rng=rng)
    a, b = (mutate(start, rng, count=count, next_id=first_id_of_trial(trial)).dag for trial in (0, 1))
    return a, b, rng


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.floats(0, 1))
def test_the_child_is_made_of_its_parents(seed: int, count: int, share: float) -> None:
    a, b, rng = family(seed, count)
    child = crossover(a, b, rng, share=share)  # the constructor checks order, roles and reachability
    ids = set(child.ids.tolist())
    assert by_id(a) & by_id(b) <= by_id(child) <= by_id(a) | by_id(b)
    assert set(a.ids.tolist()) & set(b.ids.tolist()) <= ids <= set(a.ids.tolist()) | set(b.ids.tolist())
    assert child.unreachable_outputs() == ()
    assert child.ids[: a.n_inputs].tolist() == a.ids[: a.n_inputs].tolist()
    assert child.ids[child.first_output :].tolist() == a.ids[a.first_output :].tolist()


def test_extreme_shares_and_equal_parents() -> None:
    a, b, rng = family(3)
    assert crossover(a, a, rng) == a
    assert by_id(crossover(a, b, rng, share=0)) == by_id(a)
    all_b = crossover(a, b, rng, share=1)
    assert len(by_id(all_b) & by_id(b)) > len(by_id(all_b) & by_id(a) - by_id(b))


def test_half_of_the_difference_comes_from_each_parent() -> None:
    rng = np.random.default_rng(0)
    start = random_dag(20, 100, 5, density=0.1, rng=rng)
    a, b = (mutate(start, rng, operators={"rewire_edges": 1}, count=200).dag for _ in range(2))
    child = by_id(crossover(a, b, rng))
    only_a, only_b = by_id(a) - by_id(b), by_id(b) - by_id(a)
    assert 0.4 < len(child & only_a) / len(only_a) < 0.6
    assert 0.2 < len(child & only_b) / len(only_b) < 0.6  # fewer: some stand against a's order


def test_contradicting_orders_give_an_acyclic_child_in_which_a_wins() -> None:
    start = DAG(1, 2, 1, [(0, 1), (0, 2), (1, 3), (2, 3)])
    a, b = add_edge(start, 1, 2), add_edge(start, 2, 1)
    seen = set()
    for seed in range(30):
        child = by_id(crossover(a, b, np.random.default_rng(seed)))
        assert not {(1, 2), (2, 1)} <= child
        seen |= child
    assert {(1, 2), (2, 1)} <= seen


def test_a_neuron_of_one_parent_comes_with_its_edges() -> None:
    start = DAG(1, 1, 1, [(0, 1), (1, 2)], names=["i", "h", "o"])
    rng = np.random.default_rng(0)
    b = mutate(start, rng, operators={"duplicate_neurons": 1}).dag
    child = crossover(start, b, rng, share=1)
    assert child == b
    assert child.names == ("i", "h", "n3", "o")


@pytest.mark.parametrize("swap", [False, True])
def test_a_neuron_of_one_parent_comes_with_all_its_edges_or_not_at_all(swap: bool) -> None:
    start = random_dag(3, 6, 2, density=0.5, rng=np.random.default_rng(0))
    wider = mutate(start, np.random.default_rng(0), operators={"duplicate_neurons": 1}).dag
    new = int(wider.ids.max())
    edges = {edge for edge in by_id(wider) if new in edge}
    a, b = (wider, start) if swap else (start, wider)
    children = [by_id(crossover(a, b, np.random.default_rng(seed))) for seed in range(20)]
    seen = [edges & child for child in children]
    assert edges in seen
    assert set() in seen
    assert all(part in (edges, set()) for part in seen)


def test_outputs_stay_reachable_even_if_the_parents_have_nothing_to_spare() -> None:
    a = DAG(1, 3, 1, [(0, 1), (1, 2), (2, 3), (3, 4)])
    b = DAG(1, 3, 1, [(0, 1), (1, 2), (2, 3), (3, 4)], ids=[0, 3, 2, 1, 4])
    for seed in range(20):
        child = crossover(a, b, np.random.default_rng(seed))
        assert by_id(child) >= by_id(a)  # all that a has is needed


def test_the_same_seed_gives_the_same_child() -> None:
    a, b, _ = family(5)
    first, second = (crossover(a, b, np.random.default_rng(1)) for _ in range(2))
    assert first == second


def test_parents_of_different_kind_are_refused() -> None:
    a = DAG(1, 1, 1, [(0, 2)])
    rng = np.random.default_rng(0)
    with pytest.raises(GraphError, match="same inputs, but have 1 and 2"):
        crossover(a, DAG(2, 1, 1, [(0, 3)]), rng)
    with pytest.raises(GraphError, match="number 0 of the outputs has id 2 and 9"):
        crossover(a, DAG(1, 1, 1, [(0, 2)], ids=[0, 1, 9]), rng)
    with pytest.raises(GraphError, match="share must lie in"):
        crossover(a, a, rng, share=1.5)
