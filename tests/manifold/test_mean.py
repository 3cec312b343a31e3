"""A mean of networks is one DAG that computes the mean of their outputs."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, draw_activations, random_dag
from nas.manifold import ManifoldNetwork, mean_of

NEW = 1 << 32


def networks(sizes: list[int], seed: int, *, words: bool = False, **kind: Any) -> list[ManifoldNetwork]:
    rng = np.random.default_rng(seed)
    found = []
    for place, hidden in enumerate(sizes):
        dag = random_dag(4, hidden, 3, density=float(rng.uniform(0.3, 1.0)), rng=rng)
        if words and place % 2:
            dag = draw_activations(dag, ("tanh", "relu"), rng)
        net = ManifoldNetwork(dag, activation="silu", generator=rng, **({"parametrisation": "free"} | kind))
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(torch.from_numpy(rng.normal(0, 0.3, parameter.shape)).float())
        found.append(net)
    return found


def mean(of: list[ManifoldNetwork]) -> tuple[DAG, dict[str, np.ndarray]]:
    return mean_of([(net.dag, net.to_arrays()) for net in of], next_id=NEW)


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=5),
    seed=st.integers(0, 10_000),
    words=st.booleans(),
    readout=st.sampled_from(["activated", "linear"]),
)
@settings(max_examples=60, deadline=None)
def test_outputs_are_the_mean(sizes: list[int], seed: int, words: bool, readout: str) -> None:
    members = networks(sizes, seed, words=words, readout=readout)
    dag, arrays = mean(members)
    whole = ManifoldNetwork.from_arrays(dag, arrays, activation="silu", readout=readout)  # type: ignore[arg-type]
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=(7, 4)))
    with torch.no_grad():
        wanted = torch.stack([net.double()(x) for net in members]).mean(dim=0)
        torch.testing.assert_close(whole.double()(x), wanted, rtol=1e-5, atol=1e-5)
    # What is found side by side: neurons of all, edges of all but those that several have from an input to an output.
    assert dag.n_computational == sum(sizes)
    direct = [{*map(tuple, _direct(net.dag))} for net in members]
    assert dag.n_edges == sum(net.dag.n_edges for net in members) - sum(map(len, direct)) + len(set().union(*direct))


def _direct(dag: DAG) -> list[list[int]]:
    """Edges from an input to an output, as places among the inputs and among the outputs."""
    found = dag.edges[(dag.sources < dag.n_inputs) & (dag.targets >= dag.first_output)].astype(int)
    pairs: list[list[int]] = (found - [0, dag.first_output]).tolist()
    return pairs


def test_the_first_keeps_its_ids_and_names_and_relatives_share_none() -> None:
    (net,) = networks([5], 0)
    named = net.dag.with_names([*"abcd", *"vwxyz", *"ABC"])
    dag, _ = mean_of([(named, net.to_arrays()), (net.dag, net.to_arrays())], next_id=NEW)
    assert dag.ids.tolist() == [*net.dag.ids[:9], *range(NEW, NEW + 5), *net.dag.ids[9:]]
    assert dag.names == (*"abcd", *"vwxyz", *(f"n{k}" for k in range(NEW, NEW + 5)), *"ABC")


def test_what_has_no_mean_is_refused() -> None:
    free, other = networks([3, 4], 1)
    (closeness,) = networks([3], 1, parametrisation="masked")
    wide = ManifoldNetwork(
        DAG(5, 0, 3, [[0, 5], [0, 6], [4, 7]]), parametrisation="free", generator=np.random.default_rng()
    )
    with pytest.raises(ValueError, match="at least one network"):
        mean([])
    with pytest.raises(ValueError, match="free weights, but one is masked"):
        mean([free, closeness])
    with pytest.raises(ValueError, match="5 and 3, another 4 and 3"):
        mean([free, other, wide])
