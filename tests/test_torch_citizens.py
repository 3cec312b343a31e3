"""Every kind of module under what torch offers to modules: each is right there, or refuses; none is silently wrong."""

import io

import numpy as np
import pytest
import torch
from torch import nn

from nas.engine import DAGModule, apply, reference_apply
from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.recurrent import RecurrentDAG
from tests.kinds import KINDS, input_of, made, plain

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")

# Those that are not torch's own operations.
TWICE = [kind for kind in KINDS if kind != "layers"]


def leaves(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    return [x.requires_grad_(), *(p for p in module.parameters() if p.requires_grad)]


def penalised(module: nn.Module, x: torch.Tensor, of: object) -> list[torch.Tensor]:
    """Gradients of a loss with a gradient penalty, whose incoming gradient needs none."""
    y = of(x)
    (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    loss = y.sum() + (slope.norm(dim=1) - 1).square().sum()
    return list(torch.autograd.grad(loss, leaves(module, x), allow_unused=True, materialize_grads=True))


@pytest.mark.parametrize("kind", TWICE)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)])
def test_a_gradient_penalty_is_that_of_plain_operations(kind, dtype, tolerance):
    module = made(kind, dtype)
    x = input_of(module, dtype=dtype).requires_grad_()
    found = penalised(module, x, module)
    wanted = penalised(module, x, lambda x: plain(module, x))
    assert any(bool(each.abs().max() > 1e-3) for each in wanted[1:])
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance * max(1.0, float(other.abs().max())))


# Outputs of the two others have numbers that act, but are not trained: no gradient is that of a difference.
@pytest.mark.parametrize("kind", [kind for kind in TWICE if kind not in ("manifold linear", "manifold square")])
def test_first_and_second_derivatives_are_those_of_differences(kind):
    module = made(kind)
    x = input_of(module, batch=2).requires_grad_()
    tensors = leaves(module, x)

    def function(*_: torch.Tensor) -> torch.Tensor:
        return module(x)

    assert torch.autograd.gradcheck(function, tensors)
    assert torch.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize("kind", TWICE)
def test_a_third_derivative(kind):
    module = made(kind)
    x = input_of(module).requires_grad_()
    found = []
    for of in (module, lambda x: plain(module, x)):
        last = of(x).pow(3).sum()
        for _ in range(3):
            (gradient,) = torch.autograd.grad(last, x, create_graph=True)
            last = gradient.square().sum()
        found.append(torch.autograd.grad(last, leaves(module, x), allow_unused=True, materialize_grads=True))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9 * (1 + float(other.abs().max())))


def test_a_residual_of_a_differential_equation_is_that_of_plain_operations():
    module = DAGModule(random_dag(1, 12, 1, density=0.6, rng=np.random.default_rng(0)), "tanh").double()
    t = torch.linspace(0, 1, 9, dtype=torch.float64)[:, None].requires_grad_()

    def residual(of: object) -> list[torch.Tensor]:
        u = of(t)
        (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        return list(torch.autograd.grad((slope + u).square().mean(), module.parameters()))

    for one, other in zip(residual(module), residual(lambda t: plain(module, t)), strict=True):
        torch.testing.assert_close(one, other)


def test_an_argument_that_depends_on_another_is_counted_once():
    module = made("dag")
    x = input_of(module).requires_grad_()

    def slopes(of: object) -> torch.Tensor:
        weight = module.weight * x.sum()  # made from the data, as in a hypernetwork
        y = of(x, weight)
        return torch.autograd.grad(y.square().sum(), x, create_graph=True)[0]

    found = slopes(lambda x, w: apply(module.plan, x, w, module.bias, activation="tanh"))
    wanted = slopes(lambda x, w: reference_apply(module.dag, x, w, module.bias, activation="tanh"))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", list(KINDS))
def test_transforms_of_functions(kind):
    module = made(kind)
    x = input_of(module)
    of = lambda x: module(x)  # noqa: E731
    wanted = plain(module, x)
    torch.testing.assert_close(torch.func.vmap(lambda row: of(row[None])[0])(x), wanted)
    jacobian = torch.func.jacrev(of)(x)
    torch.testing.assert_close(jacobian, torch.autograd.functional.jacobian(lambda x: plain(module, x), x))
    curvature = torch.autograd.functional.hessian(lambda x: plain(module, x).pow(3).sum(), x)
    torch.testing.assert_close(torch.func.hessian(lambda x: of(x).pow(3).sum())(x), curvature)
    direction = torch.ones_like(x)
    _, tangent = torch.func.jvp(of, (x,), (direction,))
    moved = (jacobian * direction).sum((-2, -1))
    torch.testing.assert_close(tangent, moved)
    with torch.autograd.forward_ad.dual_level():
        y = module(torch.autograd.forward_ad.make_dual(x, direction))
        torch.testing.assert_close(torch.autograd.forward_ad.unpack_dual(y).tangent, tangent)


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_trace_is_the_module_for_any_batch_and_any_weights(kind):
    module = made(kind)
    traced = torch.jit.trace(module, input_of(module, batch=2), check_trace=False)
    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)  # no Python is left in it
    buffer.seek(0)
    traced = torch.jit.load(buffer)
    x = input_of(module, batch=7, seed=9)
    torch.testing.assert_close(traced(x), module(x))
    with torch.no_grad():
        for other, own in zip(traced.parameters(), module.parameters(), strict=True):
            own.mul_(0.5)
            other.copy_(own)
    torch.testing.assert_close(traced(x), module(x))
    with pytest.raises(RuntimeError):
        traced(torch.cat([x, x], dim=1))  # twice as wide, or twice as long


def test_a_traced_sequence_has_the_length_it_was_traced_with():
    module = made("recurrent")
    x = torch.randn(2, 5, 2, dtype=torch.float64)
    traced = torch.jit.trace(module, x, check_trace=False)
    torch.testing.assert_close(traced(x), module(x))
    with pytest.raises(RuntimeError, match="shape"):
        traced(torch.randn(2, 10, 2, dtype=torch.float64))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_older_exporter_of_onnx(kind, dtype, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    module = made(kind, dtype)
    path = tmp_path / "module.onnx"
    torch.onnx.export(
        module, (input_of(module, batch=2, dtype=dtype),), str(path), dynamo=False, opset_version=18,
        input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "batch"}},
    )  # fmt: skip
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == ["x"]
    x = input_of(module, batch=5, dtype=dtype, seed=9)
    (found,) = session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), module(x).detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["manifold", "manifold masked", "manifold square"])
def test_a_network_with_closeness_is_exported_as_it_is(kind):
    module = made(kind)
    assert isinstance(module, ManifoldNetwork)
    x = input_of(module, batch=2)
    program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    other = input_of(module, batch=6, seed=9)
    torch.testing.assert_close(program.module()(other), module(other))


def test_the_length_of_an_exported_sequence_is_kept():
    module = made("recurrent")
    assert isinstance(module, RecurrentDAG)
    x = torch.randn(2, 4, 2, dtype=torch.float64)
    program = torch.export.export(module, (x,))
    torch.testing.assert_close(program.module()(x), module(x))


@pytest.mark.parametrize("kind", list(KINDS))
def test_results_are_where_the_numbers_are_whatever_the_default_device_is(kind):
    module = made(kind)
    x = input_of(module)
    tensors = leaves(module, x)

    def passed() -> list[torch.Tensor]:
        y = module(x)
        return [y, *torch.autograd.grad(y.square().sum(), tensors, allow_unused=True, materialize_grads=True)]

    wanted = passed()
    with torch.device("meta"):
        found = passed()
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("gradients", [False, True])
def test_what_a_transform_left_over_is_a_batch_like_any(gradients):
    module = made("dag")
    x = input_of(module)
    left = []
    torch.func.grad(lambda x: left.append(x.sin()) or x.sum())(x)
    with torch.set_grad_enabled(gradients):
        torch.testing.assert_close(module(left[0]), module(x.sin()))


def test_weights_that_torch_puts_in_place_of_a_parameter_count():
    module = made("dag")
    x = input_of(module)
    halves = {"weight": module.weight.detach() / 2}
    wanted = apply(module.plan, x, halves["weight"], module.bias, activation="tanh")
    torch.testing.assert_close(torch.func.functional_call(module, halves, x), wanted)

    class Half(nn.Module):
        def forward(self, weight):
            return weight / 2

    torch.nn.utils.parametrize.register_parametrization(module, "weight", Half())
    torch.testing.assert_close(module(x), wanted)
