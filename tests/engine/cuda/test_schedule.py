"""What the GPU's walk relies on: groups, kinds of edges, and the way back to the DAG's own numbers."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.engine.cuda import schedule_of
from nas.graph import DAG, complete, random_dag


@settings(max_examples=40)
@given(
    sizes=st.tuples(st.integers(1, 30), st.integers(0, 40), st.integers(1, 5)),
    density=st.floats(0.05, 1.0),
    budget=st.sampled_from([0, 10, 128, 10_000]),
    seed=st.integers(0, 1000),
)
def test_every_edge_is_where_its_kind_says(sizes, density, budget, seed):
    dag = random_dag(*sizes, density=density, rng=np.random.default_rng(seed))
    s = schedule_of(dag, budget)
    m, slots = s.m, s.n_slots
    assert sorted(s.neuron_order) == list(range(m))
    assert sorted(s.edge_order) == list(range(dag.n_edges))
    assert s.group_ptr[0] == 0 and s.group_ptr[-1] == m
    group = np.searchsorted(s.group_ptr, np.arange(m), side="right") - 1
    seen = np.zeros(dag.n_edges, int)
    for i in range(m):
        for e in range(s.row_ptr[i], s.row_ptr[i + 1]):
            edge = dag.edges[s.edge_order[e]]
            source, target = s.sources[e], dag.n_inputs + s.neuron_order[i]
            assert target == edge[1]
            old = s.slot_input[source] if source < slots else dag.n_inputs + s.neuron_order[source - slots]
            assert old == edge[0]
            if e < s.outer_ptr[i]:
                assert source < slots
            elif e < s.earlier_ptr[i]:
                assert group[source - slots] < group[i]
            else:
                assert group[source - slots] == group[i] and source - slots < i
                assert i >= s.group_ahead[group[i]] and source - slots < s.group_back[group[i]]
        for q in range(s.column_ptr[i], s.column_ptr[i + 1]):
            e, target = s.column_edges[q], s.column_targets[q]
            seen[e] += 1
            assert s.sources[e] - slots == i and s.row_ptr[target] <= e < s.row_ptr[target + 1]
            kind = int(q >= s.inner_ptr[i]) + int(q >= s.later_ptr[i])
            assert kind == (2 if target >= dag.n_computational else int(group[target] > group[i]))
    for slot in range(slots):
        for q in range(s.input_ptr[slot], s.input_ptr[slot + 1]):
            e = s.input_edges[q]
            seen[e] += 1
            assert s.sources[e] == slot and s.row_ptr[s.input_targets[q]] <= e < s.row_ptr[s.input_targets[q] + 1]
    assert (seen == 1).all()


def test_levels_are_merged_until_the_budget_is_spent():
    n = 100
    chain = DAG(1, n - 2, 1, np.stack([np.arange(n - 1), np.arange(1, n)], axis=1))
    assert schedule_of(chain, 0).n_groups == n - 1  # one neuron a group
    assert schedule_of(chain).n_groups < 10
    assert schedule_of(complete(10, 50, 2), 10_000).n_groups == 2  # one group, and the outputs


def test_inputs_that_nothing_reads_have_no_slot():
    dag = DAG(4, 1, 1, np.array([[1, 4], [3, 4], [4, 5]]))
    assert list(schedule_of(dag).slot_input) == [1, 3]


def test_one_schedule_for_equal_dags():
    one, two = (random_dag(5, 6, 2, density=0.5, rng=np.random.default_rng(0)) for _ in range(2))
    assert schedule_of(one) is schedule_of(two)
