"""The fast engine against the per-neuron reference: values and gradients, on random DAGs."""

import gc
import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.engine import (
    ACTIVATIONS,
    DAGModule,
    Plan,
    Workspace,
    _passes,
    apply,
    compile_plan,
    reference_apply,
    traceable_apply,
    walks_by_rows,
)
from nas.graph import DAG, complete, random_dag


def tensors(dag, batch, dtype, seed, weights=1.0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape, scale=1.0):
        return (scale * torch.randn(*shape, dtype=dtype, generator=generator)).requires_grad_()

    rest = dag.n - dag.n_inputs
    return draw(batch, dag.n_inputs), draw(dag.n_edges, scale=weights), draw(rest), draw(rest)


def compare(dag, batch, dtype, *, activation, live=None, seed=0, tolerance):
    # Squares of squares of sums of many terms soon have no digits left.
    squares = activation == "square" or "square" in (dag.activations or ())
    arguments = tensors(dag, batch, dtype, seed, weights=1 / dag.n if squares else 1.0)
    weights = torch.randn(batch, dag.n_outputs, dtype=dtype, generator=torch.Generator().manual_seed(seed + 1))
    fast = apply(compile_plan(dag), *arguments, activation=activation, live=live)
    slow = reference_apply(dag, *arguments, activation=activation, live=live)
    torch.testing.assert_close(fast, slow, rtol=tolerance, atol=tolerance)
    fast_grads = torch.autograd.grad((fast * weights).sum(), arguments)
    slow_grads = torch.autograd.grad((slow * weights).sum(), arguments, allow_unused=True)
    for got, expected, argument in zip(fast_grads, slow_grads, arguments, strict=True):
        expected = torch.zeros_like(argument) if expected is None else expected
        scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
        torch.testing.assert_close(got / scale, expected / scale, rtol=tolerance, atol=tolerance)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 40), st.integers(0, 30), st.integers(1, 6)),
    density=st.floats(0.1, 1.0),
    batch=st.sampled_from([1, 2, 15, 16, 17, 33, 64, 70, 130]),
    activation=st.sampled_from(ACTIVATIONS),
    masked=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_equals_reference_in_float64(sizes, density, batch, activation, masked, seed):
    rng = np.random.default_rng(seed)
    dag = random_dag(*sizes, density=density, rng=rng)
    live = torch.from_numpy(rng.random(dag.n_edges) < 0.6) if masked else None
    compare(dag, batch, torch.float64, activation=activation, live=live, seed=seed, tolerance=1e-9)


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
def test_equals_reference_in_float32(activation):
    # weights of a sensible size: float32 rounding grows with depth
    dag = random_dag(30, 40, 4, density=0.1, rng=np.random.default_rng(3))
    compare(dag, 97, torch.float32, activation=activation, tolerance=2e-4)


def test_a_chain_of_ten_thousand_neurons():
    n = 10_000
    dag = DAG(1, n - 2, 1, np.stack([np.arange(n - 1), np.arange(1, n)], axis=1))
    x = torch.full((3, 1), 2.0, dtype=torch.float64, requires_grad=True)
    weight = torch.ones(n - 1, dtype=torch.float64, requires_grad=True)
    y = apply(compile_plan(dag), x, weight)
    y.sum().backward()
    assert torch.equal(y, torch.full((3, 1), 2.0, dtype=torch.float64))
    assert torch.equal(weight.grad, torch.full((n - 1,), 6.0, dtype=torch.float64))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradcheck(activation):
    dag = random_dag(4, 6, 2, density=0.7, rng=np.random.default_rng(5))
    arguments = tensors(dag, 5, torch.float64, 7)
    plan = compile_plan(dag)
    assert torch.autograd.gradcheck(lambda *a: apply(plan, *a, activation=activation), arguments)


def test_dead_edges_get_no_gradient_and_do_not_count():
    dag = complete(3, 5, 2)
    x, weight, bias, gain = tensors(dag, 9, torch.float64, 0)
    live = torch.zeros(dag.n_edges, dtype=torch.bool)
    y = apply(compile_plan(dag), x, weight, bias, gain, live=live)
    torch.testing.assert_close(y, bias[-2:].expand(9, 2))
    y.sum().backward()
    assert not weight.grad.any()


def test_threads_change_nothing_but_the_order_of_sums(threads_taken):
    dag = random_dag(20, 200, 5, density=0.2, rng=np.random.default_rng(0))
    arguments = tensors(dag, 300, torch.float64, 0)
    arguments = (arguments[0], (arguments[1] * 0.05).detach().requires_grad_(), *arguments[2:])
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            y = apply(compile_plan(dag), *arguments)
            results.append((y, *torch.autograd.grad(y.sum(), arguments)))
            assert threads_taken[-1] == threads
    finally:
        torch.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-12)


def test_concurrent_callers_do_not_disturb_each_other():
    dag = random_dag(20, 200, 5, density=0.2, rng=np.random.default_rng(0))
    plan = compile_plan(dag)
    x, weight, bias, gain = (t.detach() for t in tensors(dag, 256, torch.float32, 0))
    weight = weight * 0.05
    expected = apply(plan, x, weight, bias, gain)
    failures = []

    def call():
        for _ in range(50):
            if not torch.equal(apply(plan, x, weight, bias, gain), expected):
                failures.append(1)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_bad_arguments_are_named():
    dag = complete(3, 2, 1)
    plan = compile_plan(dag)
    x, weight, bias, _ = (t.detach() for t in tensors(dag, 4, torch.float32, 0))
    with pytest.raises(ValueError, match=r"x must have shape \(4, 3\)"):
        apply(plan, x[:, :2], weight)
    with pytest.raises(ValueError, match="one value an edge"):
        apply(plan, x, weight[1:])
    with pytest.raises(ValueError, match=r"x must be torch.float32 like weight"):
        apply(plan, x.double(), weight)
    with pytest.raises(ValueError, match="bias must have shape"):
        apply(plan, x, weight, bias[:1])
    with pytest.raises(ValueError, match="unknown activation 'tan'"):
        apply(plan, x, weight, activation="tan")
    with pytest.raises(ValueError, match="real floating-point"):
        apply(plan, x.int(), weight.int())
    with pytest.raises(ValueError, match=r"x must be torch.float16 like weight"):
        apply(plan, x, weight.half())
    with pytest.raises(ValueError, match="live must be a bool array"):
        apply(plan, x, weight, live=torch.ones(2, dtype=torch.bool))


def test_a_plan_is_shared_while_it_is_used_and_then_forgotten():
    dag = random_dag(4, 12, 2, density=0.5, rng=np.random.default_rng(2))
    same = DAG.from_json(dag.to_json())
    plan = compile_plan(dag)
    assert compile_plan(same) is plan
    forgotten = weakref.ref(plan), weakref.ref(dag)
    del dag, same, plan
    gc.collect()
    assert [each() for each in forgotten] == [None, None]


def test_nan_reaches_the_output():
    dag = complete(2, 4, 1)
    x = torch.tensor([[float("nan"), 1.0]])
    for activation in ACTIVATIONS:
        assert apply(compile_plan(dag), x, torch.ones(dag.n_edges), activation=activation).isnan().all(), activation


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch", [1, 20])
def test_nan_passes_through_every_activation(activation, batch):
    dag = DAG.from_edges([("x", "h"), ("h", "y")], ["x"], ["y"])
    y = apply(compile_plan(dag), torch.full((batch, 1), float("nan")), torch.ones(2), activation=activation)
    assert y.isnan().all()


def test_large_graphs_walk_by_rows():
    assert not walks_by_rows(57_000, 4)
    assert walks_by_rows(574_000, 4)


def mixed(dag, seed):
    rng = np.random.default_rng(seed)
    return dag.with_activations([str(rng.choice(["", *ACTIVATIONS])) for _ in range(dag.n_computational)])


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 30), st.integers(1, 6)),
    density=st.floats(0.1, 1.0),
    batch=st.sampled_from([1, 17, 64, 130]),
    activation=st.sampled_from(ACTIVATIONS),
    seed=st.integers(0, 1000),
)
def test_every_neuron_may_have_its_own_activation(sizes, density, batch, activation, seed):
    dag = mixed(random_dag(*sizes, density=density, rng=np.random.default_rng(seed)), seed)
    compare(dag, batch, torch.float64, activation=activation, seed=seed, tolerance=1e-9)


def test_the_plain_torch_form_knows_activations_by_neuron():
    dag = mixed(random_dag(10, 40, 3, density=0.2, rng=np.random.default_rng(1)), 1)
    arguments = tensors(dag, 9, torch.float64, 0)
    torch.testing.assert_close(
        traceable_apply(dag, *arguments, activation="tanh"), reference_apply(dag, *arguments, activation="tanh")
    )


def test_gradcheck_of_mixed_activations():
    dag = mixed(random_dag(4, 12, 2, density=0.5, rng=np.random.default_rng(2)), 2)
    plan = compile_plan(dag)
    assert torch.autograd.gradcheck(lambda *a: apply(plan, *a, activation="sin"), tensors(dag, 5, torch.float64, 3))


def test_unknown_activations_of_neurons_are_named():
    dag = random_dag(2, 2, 1, density=1.0, rng=np.random.default_rng(2))
    with pytest.raises(ValueError, match="unknown activation 'cosh'"):
        DAGModule(dag, ["cosh", "sin"])
    with pytest.raises(ValueError, match=r"neuron 3 is an LSTM neuron.*RecurrentDAG"):
        DAGModule(dag, ["sin", "lstm"])
    module = DAGModule(dag, ["sin", "relu"])
    assert module.dag.activations == ("", "", "sin", "relu", "")


def blocks(sizes, fills, seed):
    """Layers that read every layer before, each with a share of the edges drawn from ``fills``."""
    rng = np.random.default_rng(seed)
    bounds = np.cumsum([0, *sizes])
    edges = []
    for layer in range(1, len(sizes)):
        for below in range(layer):
            cells = np.mgrid[bounds[below] : bounds[below + 1], bounds[layer] : bounds[layer + 1]].reshape(2, -1).T
            edges.append(cells[rng.random(len(cells)) < rng.choice(fills)])
        edges.append([(bounds[layer] - 1, bounds[layer])])
    for output in range(bounds[-2], bounds[-1]):
        edges.append([(0, output)])
    pairs = np.unique(np.concatenate(edges), axis=0)
    return DAG(sizes[0], sum(sizes[1:-1]), sizes[-1], pairs)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=3, max_size=5),
    batch=st.sampled_from([2, 16, 33, 64, 130]),
    activation=st.sampled_from(["relu", "tanh", "gelu"]),
    mix=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_dense_parts_equal_the_reference(sizes, batch, activation, mix, seed):
    dag = blocks(sizes, [0.0, 0.05, 0.7, 1.0], seed)
    if mix:
        dag = mixed(dag, seed)
    compare(dag, batch, torch.float64, activation=activation, seed=seed, tolerance=1e-9)


@pytest.mark.parametrize("sizes", [(20, 30, 17, 5), (64, 50, 33, 10)])
def test_connected_layers_are_walked_in_panels(sizes, threads_taken):
    bounds = np.cumsum([0, *sizes])
    edges = [
        (j, i)
        for layer in range(1, len(sizes))
        for i in range(bounds[layer], bounds[layer + 1])
        for j in range(bounds[layer - 1], bounds[layer])
    ]
    dag = DAG(sizes[0], sum(sizes[1:-1]), sizes[-1], np.array(edges))
    dense = compile_plan(dag).dense()
    assert dense is not None
    assert dense.rest < 0.25 * dag.n_edges
    assert dense.stored == dag.n_edges + dense.holes.size
    assert sorted({*dense.places.tolist(), *dense.holes.tolist()}) == list(range(dense.stored))
    assert sorted({*dense.slots.tolist(), *dense.holes.tolist()}) == list(range(dense.stored))
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            for batch in (33, 257):
                compare(dag, batch, torch.float32, activation="relu", tolerance=1e-4)
                compare(dag, batch, torch.float64, activation="softplus", tolerance=1e-9)
            assert max(threads_taken) == threads
        finally:
            torch.set_num_threads(before)


def test_sparse_graphs_have_no_panels():
    assert compile_plan(random_dag(20, 200, 10, density=0.3, rng=np.random.default_rng(0))).dense() is None


@pytest.mark.parametrize("activation", ["relu", "softplus", "tanh"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_does_not_pass_through_holes(bad, activation):
    dag = random_dag(32, 40, 8, density=0.8, rng=np.random.default_rng(0))
    edges = [*dag.edges[dag.edges[:, 0] != 5], (5, dag.n - 1)]  # input 5 is read by one output only
    dag = DAG(32, 40, 8, np.array(sorted(map(tuple, edges))))
    dense = compile_plan(dag).dense()
    assert dense is not None
    assert dense.holes.size > 0
    x, weight, bias, _ = (each.detach() for each in tensors(dag, 20, torch.float64, 0))
    x[:, 5] = bad
    weight.requires_grad_()
    y = apply(compile_plan(dag), x, weight, bias, activation=activation)
    assert not y[:, -1].isfinite().any()
    slow = reference_apply(dag, x, weight, bias, activation=activation)
    torch.testing.assert_close(y[:, :-1], slow[:, :-1])
    y[:, 0].sum().backward()
    expected = weight.grad.clone()
    weight.grad = None
    slow[:, 0].sum().backward()
    finite = weight.grad.isfinite()
    torch.testing.assert_close(expected[finite], weight.grad[finite])


def test_gradients_that_are_not_finite_do_not_pass_through_holes():
    dag = random_dag(32, 40, 8, density=0.8, rng=np.random.default_rng(0))
    assert compile_plan(dag).dense().holes.size > 0
    arguments = [each.detach() for each in tensors(dag, 20, torch.float64, 0, weights=0.1)]
    arguments[1].requires_grad_()
    incoming = torch.ones(20, 8, dtype=torch.float64)
    incoming[:, 3] = float("inf")  # of one output
    fast, slow = (
        torch.autograd.grad(run(of, *arguments, activation="tanh"), arguments[1], incoming)[0]
        for run, of in ((apply, compile_plan(dag)), (reference_apply, dag))
    )
    assert slow.isfinite().any()
    torch.testing.assert_close(fast, slow, equal_nan=True)


def test_a_run_over_inputs_that_nobody_reads_has_data(monkeypatch):
    # Inputs 16 to 19 are in one chunk with neurons 20 to 31, which many read.
    edges = [(j, i) for j in range(16) for i in range(20, 32)]
    edges += [(j, i) for j in range(20, 32) for i in range(32, 44)]
    edges += [(j, i) for j in range(32, 44) for i in range(44, 48)]
    dag = DAG(20, 24, 4, np.array(sorted(edges, key=lambda edge: edge[::-1])))
    dense = compile_plan(dag).dense()
    assert 16 in dense.starts  # else nothing is tested

    class Poisoned(Workspace):
        def __init__(self, size, dtype):
            super().__init__(size, dtype)
            self.array[:] = 255  # every word is NaN

    monkeypatch.setattr("nas.engine._run.Workspace", Poisoned)
    passes = []
    monkeypatch.setattr("nas.engine._passes.forward", _counted(_passes.forward, passes))
    compare(dag, 33, torch.float64, activation="softplus", tolerance=1e-9)
    assert len(passes) == 1  # nothing was NaN


def _counted(function, calls):
    def counted(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return counted


def test_a_parameter_may_get_other_memory_between_the_passes():
    dag = random_dag(20, 200, 4, density=0.5, rng=np.random.default_rng(0))
    x, weight, bias, _ = tensors(dag, 1, torch.float64, 0, weights=0.1)
    weight = torch.nn.Parameter(weight.detach())
    y = apply(compile_plan(dag), x, weight, bias, activation="tanh")
    expected = torch.autograd.grad(y.sum(), weight, retain_graph=True)[0]
    weight.data = torch.full_like(weight, float("nan"))
    torch.testing.assert_close(torch.autograd.grad(y.sum(), weight)[0], expected)


@pytest.mark.filterwarnings("error")
def test_outputs_that_overflow_do_so_without_a_warning():
    dag = random_dag(32, 40, 8, density=0.8, rng=np.random.default_rng(0))
    y = apply(compile_plan(dag), torch.full((20, 32), 1e30), torch.full((dag.n_edges,), 1e10))
    assert y.isinf().any()


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 20), st.integers(1, 30), st.integers(1, 6)),
    density=st.floats(0.1, 1.0),
    activation=st.sampled_from(ACTIVATIONS),
    masked=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_a_single_sample_equals_the_reference(sizes, density, activation, masked, seed):
    rng = np.random.default_rng(seed)
    dag = random_dag(*sizes, density=density, rng=rng)
    live = torch.from_numpy(rng.random(dag.n_edges) < 0.7) if masked else None
    compare(dag, 1, torch.float64, activation=activation, live=live, seed=seed, tolerance=1e-9)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("tiling", [(16, 5, 1), (16, 5, 3), (32, 3, 2), (64, 2, 2)])
@pytest.mark.parametrize("density", [0.2, 1.0])  # edge by edge; in panels
def test_every_walk_and_any_number_of_ranks(monkeypatch, tiling, rows, density):
    monkeypatch.setattr("nas.engine._way.choose_tiling", lambda *_, **__: tiling)
    monkeypatch.setattr("nas.engine._way.goes_by_rows", lambda *_: rows)
    dag = random_dag(20, 60, 5, density=density, rng=np.random.default_rng(3))
    assert (compile_plan(dag).dense() is None) == (density < 1)
    if rows:
        monkeypatch.setattr(Plan, "dense", lambda _: None)
    for activation in ("relu", "silu"):
        compare(dag, 70, torch.float64, activation=activation, tolerance=1e-9)
    plan = compile_plan(dag)
    x, weight, bias, gain = (each.detach() for each in tensors(dag, 70, torch.float64, 1, weights=0.1))
    weight.requires_grad_()  # and nothing else: what comes from inputs passes no gradient on
    fast, slow = (
        torch.autograd.grad(run(of, x, weight, bias, gain, activation="tanh").square().sum(), weight)[0]
        for run, of in ((apply, plan), (reference_apply, dag))
    )
    torch.testing.assert_close(fast, slow)


def test_a_plan_keeps_few_ways_over_batches_and_they_keep_no_plan():
    plan = compile_plan(random_dag(3, 9, 2, density=0.5, rng=np.random.default_rng(4)))
    weight, rows = torch.full((plan.dag.n_edges,), 0.3), torch.randn(2_000, 3)
    whole = apply(plan, rows, weight)
    for batch in [*range(1, 200), 2_000]:  # also one that is longer than any before
        torch.testing.assert_close(apply(plan, rows[:batch], weight), whole[:batch])
    assert 1 <= len(plan.ways) <= 64
    last = weakref.ref(plan)
    gc.disable()
    try:
        del plan
        assert last() is None
    finally:
        gc.enable()
