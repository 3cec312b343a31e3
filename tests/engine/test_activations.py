"""Each activation is one entry; what comes of it is the same on every back end, in value and slope."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from numba import njit

from nas.cexport import _float
from nas.checkpoint._onnx_graph import Graph, activation_nodes
from nas.engine import (
    ACTIVATIONS,
    DAGModule,
    _activations,
    activate,
    activation_function,
    activation_named,
    code_of,
    derivative,
    reference_apply,
)
from nas.engine._activations import Activation
from nas.engine.cuda import SimulatedGPU, _apply, _source, gpu_apply
from nas.engine.formulas import (
    cos,
    exp,
    fma,
    h,
    of_value,
    sigmoid,
    slope_of,
    softplus,
    tanh,
    tensor_of,
    where_positive,
    x,
)
from nas.engine.simd import LANES, first, splat
from nas.graph import random_dag

NUMBERS = (-3.1, -1.3, -0.2, 0.4, 2.1)
# What no activation of the table is made of is in these.
TOYS = {
    "mish": Activation(x * tanh(softplus(x)), rectifies=True),
    "bump": Activation(exp(0 - x * x)),
    "ratio": Activation(where_positive(x - 0.3, x / (1 + x * x), 0.3 / 1.09 + 0 * x)),
    "waves": Activation(fma(0.5, cos(x), x) - 1 / (2 + sigmoid(x))),
}


@pytest.fixture(params=["the table", *TOYS])
def names(request, monkeypatch):
    """Activations to look at: those of the table, or one that has just been added to it."""
    if request.param == "the table":
        return ACTIVATIONS
    monkeypatch.setitem(_activations._TABLE, request.param, TOYS[request.param])
    return (request.param,)


def expected(name, numbers=NUMBERS):
    """Values and slopes, float64."""
    z = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    value = activation_function(name)(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach().numpy(), slope.numpy()


def compiled():
    """Kernels that nobody has compiled before; they take a code of a type that nobody has used, or numba remembers."""

    @njit
    def value(lanes, code, x):
        return first(activate(code, splat(lanes, x)))

    @njit
    def slope(lanes, code, h, x):
        return first(derivative(code, splat(lanes, h), splat(lanes, x)))

    return value, slope


def test_the_formula_is_the_function_of_torch(names):
    for name in names:
        z = torch.linspace(-4, 4, 41, dtype=torch.float64)
        torch.testing.assert_close(tensor_of(activation_named(name).value, x=z), activation_function(name)(z))


def test_the_slope_is_that_of_torch(names):
    for name in names:
        values, slopes = expected(name)
        found = activation_named(name).derivative.replaced(h, x)  # of the value, where it is by the value
        by_value = not activation_named(name).needs_input
        given = torch.from_numpy(values) if by_value else torch.tensor(NUMBERS, dtype=torch.float64)
        np.testing.assert_allclose(tensor_of(found, x=given).numpy(), slopes, rtol=1e-12, err_msg=name)


def test_kernels(names):
    value, slope = compiled()
    code_type = {"mish": np.uint8, "bump": np.uint16, "ratio": np.uint32, "waves": np.int16}.get(names[0], np.int64)
    for name in names:
        code = code_type(code_of(name))
        for number, wanted, wanted_slope in zip(NUMBERS, *expected(name), strict=True):
            assert value(LANES[16], code, number) == pytest.approx(wanted, rel=1e-12), name
            assert slope(LANES[16], code, wanted, number) == pytest.approx(wanted_slope, rel=1e-12), name


@pytest.mark.skipif(shutil.which("g++") is None, reason="the simulator needs g++")
def test_cuda(names):
    _source.program.cache_clear(), _apply._kernel.cache_clear()
    gpu, rng = SimulatedGPU(), np.random.default_rng(0)
    dag = random_dag(4, 2 * len(names), 2, density=0.8, rng=rng)
    dag = dag.with_activations([names[k % len(names)] for k in range(dag.n_computational)])
    given = [torch.from_numpy(0.4 * rng.normal(size=s)) for s in ((5, 4), dag.n_edges, dag.n - dag.n_inputs)]
    given = [each.requires_grad_() for each in given]
    wanted, found = reference_apply(dag, *given), gpu_apply(gpu, dag, *given)
    torch.testing.assert_close(found, wanted)
    sent = torch.from_numpy(rng.normal(size=tuple(wanted.shape)))
    for one, two in zip(torch.autograd.grad(found, given, sent), torch.autograd.grad(wanted, given, sent), strict=True):
        torch.testing.assert_close(one, two)
    _source.program.cache_clear(), _apply._kernel.cache_clear()


def test_onnx(names):
    onnxruntime = pytest.importorskip("onnxruntime")
    for name in names:
        graph = Graph()
        rows = graph.add("Transpose", ["x"], perm=[1, 0])
        model = graph.model(activation_nodes(graph, name, rows), 1, 1)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"x": np.array(NUMBERS, np.float32)[:, None]})
        np.testing.assert_allclose(found[:, 0], expected(name)[0], rtol=2e-6, atol=1e-6, err_msg=name)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler")
def test_c(names, tmp_path):
    class Uses:
        activations = names

    lines = ["#include <math.h>", "#include <stdio.h>", *_float.activation_lines("f", Uses), "int main(void)", "{"]
    for name in names:
        for number in NUMBERS:
            lines.append(f'    printf("%.9g\\n", (double)({_float.activation_of("f", name, f"({number}f)")}));')
    source = tmp_path / "a.c"
    source.write_text("\n".join([*lines, "    return 0;", "}", ""]))
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wdouble-promotion", "-pedantic", "-Werror"]
    subprocess.run(["gcc", "-std=c99", *warnings, str(source), "-o", str(tmp_path / "a"), "-lm"], check=True)
    printed = subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout.split()
    wanted = np.concatenate([expected(name)[0] for name in names])
    np.testing.assert_allclose(np.array(printed, float), wanted, rtol=2e-6, atol=1e-6)


def test_an_unknown_code_is_no_other_activation():
    value, slope = compiled()
    assert np.isnan(value(LANES[16], 100, 0.5)) and np.isnan(slope(LANES[16], 100, 0.5, 0.5))


def test_a_module_takes_what_was_added(monkeypatch):
    """Beyond the kernels nothing knows activations by name: what starts weights, checks names and traces does not."""
    monkeypatch.setitem(_activations._TABLE, "mish", TOYS["mish"])
    dag = random_dag(4, 40, 2, density=0.8, rng=np.random.default_rng(0))
    module = DAGModule(dag, "mish", generator=torch.Generator().manual_seed(0))
    linear = DAGModule(dag, "identity", generator=torch.Generator().manual_seed(0))
    hidden = torch.from_numpy(dag.targets < dag.first_output)
    torch.testing.assert_close(module.weight[hidden], 2**0.5 * linear.weight[hidden])


def test_formulas_read_as_they_are_written():
    assert str(slope_of(x * sigmoid(x))) == "fma(x, sigmoid(x) * (1 - sigmoid(x)), sigmoid(x))"
    assert str(of_value(tanh(x), slope_of(tanh(x)))) == "(1 - h * h)"
    with pytest.raises(ValueError, match="unknown activation 'toy'"):
        activation_named("toy")
