"""The engine as plain torch operations against the reference, and the levels that it walks."""

import numpy as np
import pytest
import torch

from nas.engine import levels_of, reference_apply, traceable_apply
from nas.graph import DAG, complete, random_dag

DAGS = [
    random_dag(6, 20, 3, density=0.3, rng=np.random.default_rng(0)),
    complete(4, 7, 2),
    DAG(3, 4, 2, [(0, 5), (3, 5), (3, 8), (4, 7), (0, 7), (5, 8)]),  # neurons without in-edges
    DAG(2, 0, 2, [(0, 2), (0, 3)]),
]


@pytest.mark.parametrize("dag", DAGS)
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("with_gain", [True, False])
def test_values_and_gradients_are_the_references(dag: DAG, with_bias: bool, with_gain: bool) -> None:
    torch.manual_seed(0)
    m = dag.n - dag.n_inputs
    bias, gain = (torch.randn(m, dtype=torch.float64) if used else None for used in (with_bias, with_gain))
    given = [torch.randn(5, dag.n_inputs, dtype=torch.float64), torch.randn(dag.n_edges, dtype=torch.float64)]
    given += [each for each in (bias, gain) if each is not None]
    results = []
    for function in (traceable_apply, reference_apply):
        leaves = [each.clone().requires_grad_() for each in given]
        rest = iter(leaves[2:])
        b, a = (next(rest) if used else None for used in (with_bias, with_gain))
        y = function(dag, leaves[0], leaves[1], b, a, activation="tanh")
        results.append((y, *torch.autograd.grad(y.square().sum(), leaves, allow_unused=True)))
    for found, expected in zip(*results, strict=True):
        if expected is None:
            expected = torch.zeros(())
        torch.testing.assert_close(torch.zeros(()) if found is None else found, expected, check_dtype=False)


@pytest.mark.parametrize("dag", DAGS)
def test_levels_read_only_what_is_there(dag: DAG) -> None:
    place = list(range(dag.n_inputs))
    seen = []
    for level in levels_of(dag):
        assert level.rows.size == 0 or level.rows.max() < len(place)
        for edge, row, own in zip(level.edges, level.rows, level.places, strict=True):
            assert dag.sources[edge] == place[row]
            assert dag.targets[edge] == level.neurons[own]
            seen.append(edge)
        place.extend(level.neurons.tolist())
    assert sorted(place) == list(range(dag.n))
    assert sorted(seen) == list(range(dag.n_edges))
