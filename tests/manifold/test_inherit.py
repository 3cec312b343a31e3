"""Inheritance: a child computes what its parent did, wherever the mutation has renumbered the neurons."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, add_edge, add_neuron, match_edges, match_neurons, mutate, random_dag, remove_neuron
from nas.manifold import ManifoldNetwork, inherit, without_idle_neurons

NEURON_ARRAYS = ["alpha", "beta", "gamma", "theta", "phi", "sigma", "mu", "offset", "bias"]


def trained(dag: DAG, parametrisation: str, seed: int, activation: str = "leaky_relu") -> ManifoldNetwork:
    """A network whose parameters are not those of any start."""
    kind: Any = parametrisation
    generator = np.random.default_rng(seed)
    net = ManifoldNetwork(dag, parametrisation=kind, activation=activation, period=4, generator=generator)
    rng = np.random.default_rng(seed + 1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.from_numpy(rng.normal(0, 0.1, parameter.shape)).float())
        if net.closeness is not None:
            net.closeness.cutoff.fill_(-1.0)
    return net


def child_of(parent: ManifoldNetwork, dag: DAG, seed: int = 9) -> ManifoldNetwork:
    arrays = inherit(parent.dag, parent.to_arrays(), dag, np.random.default_rng(seed))
    return ManifoldNetwork.from_arrays(dag, arrays, activation=parent.activation)


def inputs(width: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(11, width)).astype(np.float32))


def gap(parent: ManifoldNetwork, child: ManifoldNetwork) -> float:
    """Largest difference of two networks' outputs, in float64: parameters are float32, so equal ones are the same."""
    x = inputs(parent.dag.n_inputs).double()
    with torch.no_grad():
        return float((child.double()(x) - parent.double()(x)).abs().max())


# What each mutation that is meant to keep the function changes, and the parametrisations in which it does.
PRESERVING = {
    "add_edges": ("masked", "free"),
    "add_neurons": ("masked", "free", "manifold"),
    "insert_neurons": ("masked", "free", "manifold"),
    "duplicate_neurons": ("masked", "free", "manifold"),
}


@pytest.mark.parametrize(
    ("operator", "parametrisation"), [(name, kind) for name, kinds in PRESERVING.items() for kind in kinds]
)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 12), activation=st.sampled_from(["leaky_relu", "tanh"]))
@settings(max_examples=25, deadline=None)
def test_what_preserves_the_function_does(
    operator: str, parametrisation: str, seed: int, count: int, activation: str
) -> None:
    rng = np.random.default_rng(seed)
    parent = trained(random_dag(5, 12, 3, density=0.4, rng=rng), parametrisation, seed, activation)
    dag = mutate(parent.dag, rng, operators={operator: 1.0}, count=count).dag
    assert dag.n_edges > parent.dag.n_edges
    assert gap(parent, child_of(parent, dag)) < 1e-6


@given(seed=st.integers(0, 10_000), parametrisation=st.sampled_from(["masked", "free"]), count=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_so_do_all_of_them_one_after_another(seed: int, parametrisation: str, count: int) -> None:
    rng = np.random.default_rng(seed)
    first = network = trained(random_dag(5, 12, 3, density=0.4, rng=rng), parametrisation, seed)
    for generation in range(3):
        dag = mutate(network.dag, rng, operators=dict.fromkeys(PRESERVING, 1.0), count=count).dag
        network = child_of(network, dag, seed=generation)
    assert gap(first, network) < 1e-6


@given(seed=st.integers(0, 10_000), parametrisation=st.sampled_from(["masked", "manifold", "free"]))
@settings(max_examples=25, deadline=None)
def test_an_unchanged_or_only_renumbered_graph_keeps_the_function(seed: int, parametrisation: str) -> None:
    rng = np.random.default_rng(seed)
    parent = trained(random_dag(5, 12, 3, density=0.4, rng=rng), parametrisation, seed)
    assert gap(parent, child_of(parent, parent.dag)) == 0
    grown = mutate(parent.dag, rng, operators={"add_edges": 1.0, "add_neurons": 1.0}, count=12).dag
    back = grown.with_edges(match_edges(parent.dag, grown) >= 0)  # the old edges, in the numbering of the mutation
    assert gap(parent, child_of(parent, back)) < 1e-6


@given(seed=st.integers(0, 10_000), parametrisation=st.sampled_from(["masked", "free"]))
@settings(max_examples=25, deadline=None)
def test_removing_what_has_no_weight_keeps_the_function(seed: int, parametrisation: str) -> None:
    """What training has driven to 0 may go."""
    rng = np.random.default_rng(seed)
    parent = trained(random_dag(5, 12, 3, density=0.6, rng=rng), parametrisation, seed)
    assert parent.weight is not None
    score = rng.random(parent.dag.n_edges)
    dag = mutate(parent.dag, rng, operators={"remove_edges": 1.0}, count=10, edge_score=score).dag
    with torch.no_grad():
        parent.weight[torch.from_numpy(match_edges(dag, parent.dag) < 0)] = 0.0
    assert gap(parent, child_of(parent, dag)) < 1e-6


def test_a_new_neuron_of_a_manifold_learns() -> None:
    parent = trained(random_dag(4, 6, 2, density=0.8, rng=np.random.default_rng(0)), "manifold", 0)
    edge = int(np.flatnonzero(parent.live_mask())[0])
    child = child_of(parent, add_neuron(parent.dag, tuple(parent.dag.edges[edge].tolist()), keep_edge=True))
    new = int(np.flatnonzero(match_neurons(parent.dag, child.dag) < 0)[0])
    assert child.gain is not None
    assert child.gain[new - 4] == child.bias[new - 4] == 0
    before = child(inputs(4)).detach()
    optimiser = torch.optim.Adam(child.parameters(), lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        child(inputs(4)).square().sum().backward()
        optimiser.step()
    assert (child(inputs(4)) != before).any()
    assert child.gain[new - 4] != 0


@given(seed=st.integers(0, 10_000), parametrisation=st.sampled_from(["masked", "manifold", "free"]))
@settings(max_examples=40, deadline=None)
def test_what_both_have_is_kept_through_any_mutation(seed: int, parametrisation: str) -> None:
    rng = np.random.default_rng(seed)
    parent = trained(random_dag(5, 12, 3, density=0.4, rng=rng), parametrisation, seed)
    dag = mutate(parent.dag, rng, count=10).dag
    child = child_of(parent, dag)
    before, after = parent.to_arrays(), child.to_arrays()
    neuron, edge = match_neurons(parent.dag, dag), match_edges(parent.dag, dag)
    old = np.flatnonzero(neuron[5:] >= 0)
    for name in NEURON_ARRAYS:
        if name in before:
            np.testing.assert_array_equal(after[name][old], before[name][neuron[5:][old] - 5], err_msg=name)
    if parent.closeness is not None:
        assert after["cutoff"] == before["cutoff"]
        assert after["period"] == before["period"]
        np.testing.assert_array_equal(after["position"][neuron >= 0], before["position"][neuron[neuron >= 0]])
    kept = edge >= 0
    np.testing.assert_allclose(
        child.edge_weights().detach()[kept], parent.edge_weights().detach()[edge[kept]], rtol=1e-6, atol=1e-7
    )


def test_an_edge_against_the_numbering_keeps_the_function() -> None:
    # 2->5 is there; 4->2 renumbers 2 behind 4.
    dag = DAG(2, 3, 1, [(0, 2), (1, 3), (0, 4), (2, 5), (3, 5), (4, 5)])
    parent = trained(dag, "masked", 0)
    child_dag = add_edge(dag, 4, 2)
    assert child_dag.ids.tolist() != dag.ids.tolist()
    child = child_of(parent, child_dag)
    torch.testing.assert_close(child(inputs(2)), parent(inputs(2)), rtol=1e-6, atol=1e-6)


def test_a_new_neuron_learns_at_once() -> None:
    parent = trained(random_dag(4, 6, 2, density=0.6, rng=np.random.default_rng(0)), "masked", 0)
    dag = add_neuron(parent.dag, tuple(parent.dag.edges[0].tolist()), keep_edge=True)
    child = child_of(parent, dag)
    assert child.weight is not None
    new = int(np.flatnonzero(match_neurons(parent.dag, dag) < 0)[0])
    entering, leaving = dag.targets == new, dag.sources == new
    assert (child.weight.detach().numpy()[entering] != 0).all()
    assert (child.weight.detach().numpy()[leaving] == 0).all()
    assert child.live_mask()[entering | leaving].all()
    child(inputs(4)).square().sum().backward()
    assert child.weight.grad is not None
    assert (child.weight.grad.numpy()[leaving] != 0).all()


def test_a_new_neuron_lies_between_its_neighbours() -> None:
    dag = DAG(2, 2, 1, [(0, 2), (1, 3), (2, 4), (3, 4)])
    parent = trained(dag, "masked", 0)
    child_dag = add_neuron(dag, (1, 3))
    position = inherit(dag, parent.to_arrays(), child_dag, np.random.default_rng(0))["position"]
    new = int(np.flatnonzero(match_neurons(dag, child_dag) < 0)[0])
    assert position[new] == 2.0  # between 1 and 3


def test_removal_leaves_the_rest() -> None:
    parent = trained(random_dag(4, 8, 2, density=0.7, rng=np.random.default_rng(3)), "masked", 3)
    dag = remove_neuron(parent.dag, 6)
    child = child_of(parent, dag)
    with torch.no_grad():
        assert parent.weight is not None
        gone = torch.from_numpy((parent.dag.sources == 6) | (parent.dag.targets == 6))
        parent.weight[gone] = 0.0
    torch.testing.assert_close(child(inputs(4)), parent(inputs(4)), rtol=1e-5, atol=1e-5)


def test_same_generator_same_child() -> None:
    parent = trained(random_dag(4, 8, 2, density=0.5, rng=np.random.default_rng(1)), "masked", 1)
    dag = mutate(parent.dag, np.random.default_rng(2), operators={"add_neurons": 1.0}, count=3).dag
    first, second = (inherit(parent.dag, parent.to_arrays(), dag, np.random.default_rng(5)) for _ in range(2))
    other = inherit(parent.dag, parent.to_arrays(), dag, np.random.default_rng(6))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    assert not np.array_equal(first["weight"], other["weight"])


def test_refuses_arrays_of_another_graph() -> None:
    parent = trained(random_dag(4, 8, 2, density=0.5, rng=np.random.default_rng(1)), "free", 1)
    other = random_dag(4, 9, 2, density=0.5, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match=r"array \w+ must have shape"):
        inherit(other, parent.to_arrays(), other, np.random.default_rng(0))


def test_neurons_on_no_path_go_with_their_edges() -> None:
    """Also where these were not cut off before: an edge must not move to the neighbour of the neuron that goes."""
    # 0, 1 inputs; 2 is read by nobody, 3 reads nothing but feeds the output 5, 4 is on a path
    dag = DAG(2, 3, 1, [(0, 2), (1, 4), (3, 5), (4, 5), (3, 4)], ids=[0, 1, 20, 30, 40, 5])
    small, keep = without_idle_neurons(dag)
    assert keep.tolist() == [True, True, False, False, True, True]
    assert small.ids.tolist() == [0, 1, 40, 5]
    assert [(small.ids[s], small.ids[t]) for s, t in small.edges] == [(1, 40), (40, 5)]
