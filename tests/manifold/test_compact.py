"""A compact network is the same function without the neurons that do nothing, whatever it is made of."""

import numpy as np
import pytest
import torch

from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork, Parametrisation, compact


def wasteful(parametrisation: Parametrisation, seed: int = 0, **more: object) -> ManifoldNetwork:
    """Many of its neurons lead nowhere or are reached by nothing."""
    rng = np.random.default_rng(seed)
    dag = random_dag(6, 60, 3, n_edges=90, rng=rng)
    return ManifoldNetwork(dag, parametrisation=parametrisation, generator=rng, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("readout", ["activated", "linear", "square"])
@pytest.mark.parametrize("parametrisation", ["free", "masked", "manifold"])
def test_same_function_and_no_idle_neuron(parametrisation: Parametrisation, readout: str) -> None:
    checked = 0
    for seed in range(6):
        network = wasteful(
            parametrisation, seed, readout=readout, **({"init": "open"} if parametrisation != "free" else {})
        )
        if network.dag.with_edges(network.live_mask(), allow_unreachable=True).unreachable_outputs():
            continue
        small = compact(network)
        x = torch.randn(20, 6, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(small(x), network(x), rtol=1e-4, atol=1e-5)
        assert small.readout == readout and small.activation == network.activation
        computational = small.dag.useful_neurons()[small.dag.n_inputs : small.dag.first_output]
        assert computational.all() and small.live_mask().all()
        assert small.dag.n_edges == network.pruned().dag.n_edges
        assert small.dag.n_computational < network.dag.n_computational
        checked += 1
    assert checked >= 3


def test_inputs_and_outputs_stay_with_ids_names_and_activations() -> None:
    dag = DAG(
        2, 3, 2, [(0, 2), (2, 5), (3, 5), (0, 6), (1, 4)], ids=[10, 11, 12, 13, 14, 15, 16], names=list("abcdefg"),
        activations=["", "", "sin", "", "tanh", "", ""],
    )  # fmt: skip
    small = compact(ManifoldNetwork(dag, parametrisation="free", generator=np.random.default_rng(0))).dag
    assert small.sizes == (2, 1, 2)
    assert small.ids.tolist() == [10, 11, 12, 15, 16]
    assert small.names == ("a", "b", "c", "f", "g")
    assert small.activations == ("", "", "sin", "", "")
    assert small.edges.tolist() == [[0, 2], [2, 3], [0, 4]]
