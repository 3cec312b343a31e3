"""Networks with memory against the specification: a plain loop over the slow reference, in values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nas.engine import activation_function, reference_apply
from nas.errors import GraphError, UnreachableOutputError
from nas.graph import DAG, random_dag
from nas.recurrent import RecurrentDAG, reach_outputs, remember


def network(memory: int = 3, seed: int = 0, **options: Any) -> RecurrentDAG:
    rng = np.random.default_rng(seed)
    dag = random_dag(2 + memory, 6, 3 + memory, density=0.5, rng=rng)
    dag = reach_outputs(remember(dag, memory), memory, rng)
    options = {"dtype": torch.float64, "generator": torch.Generator().manual_seed(seed), **options}
    return RecurrentDAG(dag, memory, **options)


def plain_loop(module: RecurrentDAG, x: Tensor) -> Tensor:
    """All outputs, (batch, time, outputs)."""
    carried = torch.zeros(len(x), module.memory, dtype=x.dtype)
    if module.initial is not None:
        carried = module.initial.expand(len(x), -1)
    found = []
    for step in range(x.shape[1]):
        inputs = torch.cat([x[:, step], carried], dim=1)
        y = reference_apply(module.dag, inputs, module.weight, module.bias, activation=module.activation)
        found.append(y[:, : y.shape[1] - module.memory])
        carried = activation_function(module.memory_activation)(y[:, y.shape[1] - module.memory :])
    return torch.stack(found, dim=1)


@pytest.mark.parametrize(
    ("memory", "options"),
    [
        (3, {}),
        (3, {"outputs": "all", "activation": "relu"}),
        (2, {"memory_activation": "identity", "learn_initial": True}),
        (1, {"bias": False, "activation": "sin"}),
        (0, {"outputs": "all"}),
        (0, {}),
    ],
)
def test_equals_a_plain_loop_in_values_and_gradients(memory: int, options: dict[str, Any]) -> None:
    module = network(memory, **options)
    with torch.no_grad():  # of no special value
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)).double())
    x = torch.randn(5, 7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2), requires_grad=True)
    wanted = plain_loop(module, x) if module.outputs == "all" else plain_loop(module, x)[:, -1]
    found = module(x)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    factors = torch.randn(wanted.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    leaves = [x, *module.parameters()]
    for one, other in zip(
        torch.autograd.grad((found * factors).sum(), leaves),
        torch.autograd.grad((wanted * factors).sum(), leaves),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_rows_are_sequences_one_step_after_another() -> None:
    module = network(time=4)
    x = torch.randn(6, 4, 2, dtype=torch.float64)
    assert (module.n_inputs, module.n_outputs, module.features) == (8, 3, 2)
    torch.testing.assert_close(module(x.flatten(1)), module(x), rtol=0, atol=0)
    assert module(x[:, :2]).shape == (6, 3)  # of any length
    for wrong in (torch.zeros(6, 7).double(), torch.zeros(6, 4, 3).double(), torch.zeros(6, 0, 2).double()):
        with pytest.raises(ValueError, match=r"x must have shape \(batch, time, 2\) or \(batch, 8\), 4 steps in a row"):
            module(wrong)


def test_memory_starts_by_keeping_what_it_has() -> None:
    module = network(3)
    first_input, first_output = module.dag.n_inputs - 3, module.dag.n - 3
    for slot in range(3):
        (edge,) = np.flatnonzero((module.dag.edges == [first_input + slot, first_output + slot]).all(axis=1))
        assert module.weight[int(edge)].item() == 1.0


def test_an_output_may_be_reached_over_memory_alone() -> None:
    over_memory = [(0, 3), (1, 2)]  # x -> memory, memory -> y
    module = RecurrentDAG(DAG(2, 0, 2, over_memory), 1, memory_activation="identity", bias=False)
    with torch.no_grad():
        module.weight.fill_(1.0)
    x = torch.tensor([[[5.0], [7.0], [9.0]]])
    assert module(x).item() == 7.0  # a delay of one step


@pytest.mark.parametrize(
    ("dag", "memory", "error", "message"),
    [
        (DAG(1, 0, 2, [(0, 1), (0, 2)]), 1, GraphError, "memory must lie in 0…0, so that of 1 inputs"),
        (DAG(2, 0, 1, [(0, 2), (1, 2)]), 1, GraphError, "memory must lie in 0…0, so that of 1 outputs"),
        (DAG(2, 0, 2, [(0, 2), (1, 3)]), -1, GraphError, "but is -1"),
        (DAG(2, 0, 2, [(1, 2), (1, 3)]), 1, UnreachableOutputError, "no path|there is none to .*2"),
    ],
)
def test_memory_that_does_not_fit_is_refused(dag: DAG, memory: int, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        RecurrentDAG(dag, memory)
