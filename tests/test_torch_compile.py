"""`torch.compile(fullgraph=True)` on every kind of module: one graph, the same numbers, whatever the batch.

Without a code generator behind it (``aot_eager``): what is ours is what it makes the graph of, and that is quick.
"""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from nas.engine import DAGModule, apply
from nas.graph import random_dag
from tests.kinds import KINDS, input_of, made

# Of those that differ in nothing but their numbers, one.
KINDS_TO_COMPILE = [
    kind for kind in KINDS if kind not in ("dag of many activations", "masked dense", "manifold square")
]


@pytest.fixture(autouse=True)
def _afresh():
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    yield
    torch._dynamo.reset()


def compiled(module: nn.Module, **options: object) -> nn.Module:
    return torch.compile(module, fullgraph=True, backend="aot_eager", **options)


def gradients(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    x = x.clone().requires_grad_()
    wanted = [x, *(p for p in module.parameters() if p.requires_grad)]
    y = module(x)
    return [y, *torch.autograd.grad(y.pow(2).sum(), wanted, allow_unused=True, materialize_grads=True)]


@pytest.mark.parametrize("kind", KINDS_TO_COMPILE)
def test_a_compiled_module_gives_the_same_values_and_gradients(kind):
    module = made(kind)
    graph = compiled(module)
    x = input_of(module)
    for found, wanted in zip(gradients(graph, x), gradients(module, x), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-7, atol=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(graph(x), module(x))


def test_one_graph_serves_batches_of_any_size():
    module = made("dag")
    graph = compiled(module, dynamic=True)
    for batch in (3, 70, 200):
        x = input_of(module, batch=batch)
        for found, wanted in zip(gradients(graph, x), gradients(module, x), strict=True):
            torch.testing.assert_close(found, wanted)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_the_weights_of_the_day_are_used_and_a_step_learns():
    module = made("dag", torch.float32)
    plain = copy.deepcopy(module)
    x = input_of(module, dtype=torch.float32)
    for each in (compiled(module), plain):
        torch.manual_seed(0)
        optimiser = torch.optim.SGD(each.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            each(x).square().mean().backward()
            optimiser.step()
    torch.testing.assert_close(module.weight, plain.weight)


def test_dense_parts_and_infinities_go_the_same_way():
    dag = random_dag(16, 64, 4, density=1.0, rng=np.random.default_rng(0))
    module = DAGModule(dag, "relu")
    x = torch.randn(40, 16)
    x[3, 2] = torch.inf
    for found, wanted in zip(gradients(compiled(module), x), gradients(module, x), strict=True):
        torch.testing.assert_close(found, wanted, equal_nan=True)


@pytest.mark.parametrize("kind", ["dag", "recurrent"])
def test_transforms_within_a_graph_are_refused(kind):
    module = made(kind)
    each = torch.func.vmap(lambda row: module(row[None])[0])
    x = input_of(module)
    torch.testing.assert_close(each(x), module(x))  # without a graph they are right
    with pytest.raises(Exception, match="do not work within torch.compile; transform them without compiling"):
        torch.compile(each, fullgraph=True, backend="aot_eager")(x)


def test_an_operator_keeps_torchs_promises():
    module = made("dag", torch.float64)
    x = input_of(module).requires_grad_()
    arguments = (x, module.weight, module.bias, None, None, module.plan.name, "tanh", True)
    torch.library.opcheck(
        torch.ops.dag_nas.run.default, arguments,
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor"),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["dag", "wired", "manifold free"])
def test_fake_and_meta_tensors_have_the_shapes_of_results(kind):
    from torch._subclasses.fake_tensor import FakeTensorMode

    module = made(kind)
    wanted = module(input_of(module))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert module(mode.from_tensor(input_of(module))).shape == wanted.shape
    y = copy.deepcopy(module).to("meta")(input_of(module).to("meta"))
    assert (y.shape, y.device.type) == (wanted.shape, "meta")


@pytest.mark.parametrize("kind", ["dag", "wired", "manifold", "masked engine"])
def test_any_leading_shape_is_kept(kind):
    module = made(kind)
    x = input_of(module, batch=6)
    wanted = module(x)
    torch.testing.assert_close(module(x.reshape(2, 3, -1)), wanted.reshape(2, 3, -1))
    torch.testing.assert_close(module(x[0]), wanted[0])
    assert module(x[:0].reshape(0, 2, x.shape[1])).shape == (0, 2, wanted.shape[1])
    with pytest.raises(ValueError, match=rf"shape \(.*{x.shape[1]}\)"):
        module(x[:, 1:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["dag", "wired", "manifold free"])
def test_short_types_are_computed_in_float32(kind, dtype):
    module = made(kind, dtype)
    x = input_of(module, dtype=dtype)
    found = gradients(module, x)
    wanted = gradients(copy.deepcopy(module).float(), x.float())
    assert {each.dtype for each in found} == {dtype}
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("kind", ["dag", "wired", "manifold free"])
def test_autocast_leaves_the_engine_in_float32(kind):
    module = made(kind, torch.float32)
    x = input_of(module, dtype=torch.float32)
    before = nn.Linear(x.shape[1], x.shape[1])
    with torch.autocast("cpu", torch.bfloat16):
        found = module(before(x))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, module(before(x)), rtol=5e-2, atol=5e-2)
    with torch.autocast("cpu", torch.bfloat16):
        y = compiled(nn.Sequential(before, module))(x)
    torch.testing.assert_close(y, found)


def test_what_does_not_fit_is_refused_in_a_graph_too():
    module = made("dag")
    with pytest.raises(Exception, match="must have shape"):
        compiled(module)(input_of(module)[:, 1:])
    with pytest.raises(ValueError, match="floating-point"):
        apply(module.plan, input_of(module), module.weight.int())


def test_a_module_that_was_sent_can_be_compiled():
    module = pickle.loads(pickle.dumps(made("recurrent lstm")))
    x = input_of(module)
    torch.testing.assert_close(compiled(module)(x), module(x))
