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
from nas.recurrent import RecurrentDAG, reach_outputs, reference_step, remember


def network(memory: int = 3, seed: int = 0, words: tuple[str, ...] = (), **options: Any) -> RecurrentDAG:
    rng = np.random.default_rng(seed)
    dag = random_dag(2 + memory, 6, 3 + memory, density=0.5, rng=rng)
    dag = reach_outputs(remember(dag, memory), memory, rng)
    if words:
        dag = dag.with_activations([words[k % len(words)] for k in range(6)])
    options = {"dtype": torch.float64, "generator": torch.Generator().manual_seed(seed), **options}
    return RecurrentDAG(dag, memory, **options)


def plain_loop(module: RecurrentDAG, x: Tensor) -> Tensor:
    """All outputs, (batch, time, outputs)."""
    carried = torch.zeros(len(x), module.memory, dtype=x.dtype)
    if module.initial is not None:
        carried = module.initial.expand(len(x), -1)
    found = []
    gates = module.gate_weight, module.recurrent, module.gate_bias
    state = None if module.recurrent is None else torch.zeros(len(x), 2 * len(module.recurrent), dtype=x.dtype)
    for step in range(x.shape[1]):
        inputs = torch.cat([x[:, step], carried], dim=1)
        if state is None:
            y = reference_apply(module.dag, inputs, module.weight, module.bias, activation=module.activation)
        else:
            y, state = reference_step(
                module.dag, inputs, state, module.weight, module.bias, *gates, activation=module.activation
            )
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
        (0, {"words": ("lstm",)}),
        (2, {"words": ("lstm", "silu", "", "lstm"), "outputs": "all"}),
        (1, {"words": ("relu", "lstm"), "memory_activation": "silu", "learn_initial": True, "bias": False}),
        (2, {"words": ("sin", "gelu", "relu")}),
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


def lstm_of_torch(module: RecurrentDAG, units: int, features: int) -> torch.nn.LSTM:
    """torch's own, with the weights of a module whose computational neurons are unconnected LSTM neurons."""
    theirs = torch.nn.LSTM(features, units, batch_first=True, dtype=torch.float64)
    order = (0, 1, 3, 2)  # torch: input, forget, candidate, output
    gates = module.gate_weight.detach().reshape(units, features, 3)
    candidate = module.weight.detach()[: units * features].reshape(units, features)
    every = [gates[..., 0], gates[..., 1], gates[..., 2], candidate]
    bias = [*module.gate_bias.detach().T, module.bias.detach()[:units]]
    with torch.no_grad():
        theirs.weight_ih_l0.copy_(torch.cat([every[q] for q in order]))
        theirs.weight_hh_l0.copy_(torch.cat([torch.diag(module.recurrent.detach()[:, q]) for q in order]))
        theirs.bias_ih_l0.copy_(torch.cat([bias[q] for q in order]))
        theirs.bias_hh_l0.zero_()
    return theirs


def test_lstm_neurons_are_those_of_torch() -> None:
    units, features = 4, 3
    edges = [(j, features + k) for k in range(units) for j in range(features)]
    edges += [(features + k, features + units + k) for k in range(units)]
    dag = DAG(features, units, units, edges).with_activations(["lstm"] * units)
    module = RecurrentDAG(dag, 0, outputs="all", dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.recurrent.normal_(generator=torch.Generator().manual_seed(1))
        module.weight[units * features :] = 1.0  # outputs give what the LSTM neurons emit
    x = torch.randn(70, 9, features, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(module(x), lstm_of_torch(module, units, features)(x)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [0, 1, 16, 33, 200])
def test_batches_of_any_size_and_both_types(batch: int, dtype: torch.dtype) -> None:
    module = network(2, words=("lstm", "tanh"), dtype=dtype)
    x = torch.randn(batch, 5, 2, dtype=dtype)
    y = module(x)
    assert y.shape == (batch, 3) and y.dtype == dtype
    torch.testing.assert_close(y, plain_loop(module, x)[:, -1], rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(module(x), y, rtol=0, atol=0)  # two steps' room instead of all
    y.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in module.parameters())


def test_gradcheck_of_lstm_neurons() -> None:
    module = network(1, words=("lstm", "", "lstm"), outputs="all", learn_initial=True)
    x = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in module.named_parameters()]
    values = [parameter.detach().clone().requires_grad_() for parameter in module.parameters()]

    def run(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(run, (x, *values))


def test_several_threads_add_up_to_the_same_gradients(threads_taken: list[int]) -> None:
    module = network(2, words=("lstm", "tanh"))
    x = torch.randn(500, 12, 2, dtype=torch.float64)
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(torch.autograd.grad(module(x).square().sum(), list(module.parameters())))
            assert threads_taken[-1] == threads
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
