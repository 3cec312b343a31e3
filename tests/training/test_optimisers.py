"""Each optimiser is one entry; its steps are the same on every back end, and those of torch."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from numba import njit

from nas.engine.formulas import exp, sqrt, tanh
from nas.engine.simd import LANES, load, store
from nas.training import TrainingConfig, optimisers
from nas.training.optimisers import BETA_1, BETA_2, OPTIMISERS, Optimiser, code_of, cuda_optimisers, optimised, step_of
from nas.training.reference import torch_optimiser

STEPS, RATE, DECAY = 5, 0.01, 0.1
# A smooth relative of Lion (Chen 2023), of which torch has none; its memory is used in two ways.
_ONE = 0.9 * optimisers.one + 0.1 * optimisers.gradient
TOY = Optimiser(
    (
        ("value", optimisers.value * (1 - optimisers.rate * optimisers.decay) - optimisers.rate * tanh(50 * _ONE)),
        ("one", _ONE),
        ("two", exp(0 - sqrt(optimisers.one * optimisers.one + 1))),
    ),
    lambda groups, lr: torch.optim.Adam(groups, lr=lr),
)


@pytest.fixture(params=[*OPTIMISERS, "toy"])
def name(request, monkeypatch):
    if request.param == "toy":
        monkeypatch.setitem(OPTIMISERS, "toy", TOY)
    return request.param


def start():
    """Values (16,), and a gradient for each step."""
    rng = np.random.default_rng(0)
    return rng.normal(size=16).astype(np.float32), rng.normal(size=(STEPS, 16)).astype(np.float32)


def bias(step):
    return 1 - BETA_1**step, (1 - BETA_2**step) ** 0.5


def by_torch_operations(name):
    value, gradients = start()
    state = [torch.from_numpy(value.copy()), torch.zeros(16), torch.zeros(16)]
    for step, gradient in enumerate(gradients, 1):
        same = dict(zip(("rate", "decay", "bias_1", "bias_2"), (RATE, DECAY, *bias(step)), strict=True))
        given = {key: torch.tensor([number], dtype=torch.float32) for key, number in same.items()}
        given |= dict(zip(("value", "one", "two"), state, strict=True), gradient=torch.from_numpy(gradient))
        state = list(optimised(name, given))
    return torch.stack(state).numpy()


@pytest.mark.parametrize("name", [*OPTIMISERS])
def test_the_formulas_are_those_of_torch(name):
    value, gradients = start()
    parameter = torch.nn.Parameter(torch.from_numpy(value.copy()))
    groups = [{"params": [parameter], "weight_decay": DECAY}]
    theirs = torch_optimiser(groups, TrainingConfig(optimizer=name, learning_rate=RATE))
    for gradient in gradients:
        parameter.grad = torch.from_numpy(gradient.copy())
        theirs.step()
    np.testing.assert_allclose(by_torch_operations(name)[0], parameter.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert OPTIMISERS[name].remembers in theirs.state[parameter]
    assert OPTIMISERS[name].squares == ("exp_avg_sq" in theirs.state[parameter])


def test_kernels(name):
    @njit
    def step(lanes, code, state, gradient, numbers):
        value = load(lanes, state, 0)
        same = (load(lanes, numbers, 0), load(lanes, numbers, 16), load(lanes, numbers, 32), load(lanes, numbers, 48))
        value, one, two = step_of(
            code, value, load(lanes, gradient, 0), load(lanes, state, 16), load(lanes, state, 32), *same
        )
        store(state, 0, value)
        store(state, 16, one)
        store(state, 32, two)

    value, gradients = start()
    state = np.concatenate([value, np.zeros(32, np.float32)])
    code_type = np.uint16 if name == "toy" else np.int64  # numba remembers what it has compiled for a type
    for number, gradient in enumerate(gradients, 1):
        numbers = np.repeat(np.array([RATE, DECAY, *bias(number)], np.float32), 16)
        step(LANES[16], code_type(code_of(name)), state, gradient, numbers)
    np.testing.assert_allclose(state.reshape(3, 16), by_torch_operations(name), rtol=2e-5, atol=2e-6)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_cuda(name, tmp_path):
    value, gradients = start()
    lines = ["#include <cmath>", "#include <cstdio>", "using namespace std;", "typedef float real;", "#define DEVICE"]
    lines += [cuda_optimisers(), "int main() {", "    float value, one, two;"]
    for k in range(16):
        lines.append(f"    value = {value[k]!r}f, one = 0, two = 0;".replace("np.float32(", "").replace(")f", "f"))
        for number, gradient in enumerate(gradients[:, k], 1):
            same = ", ".join(f"{each:.9g}f" if "." in f"{each:.9g}" else f"{each:.1f}f" for each in bias(number))
            call = f"optimise({code_of(name)}, value, {float(gradient)!r}f, one, two, {RATE}f, {DECAY}f, {same});"
            lines.append("    " + call)
        lines.append('    printf("%.9g %.9g %.9g\\n", value, one, two);')
    source = tmp_path / "a.cpp"
    source.write_text("\n".join([*lines, "}", ""]))
    subprocess.run(["g++", str(source), "-o", str(tmp_path / "a")], check=True)
    printed = subprocess.run([tmp_path / "a"], capture_output=True, text=True, check=True).stdout.split()
    found = np.array(printed, float).reshape(16, 3).T
    np.testing.assert_allclose(found, by_torch_operations(name), rtol=2e-5, atol=2e-6)


def test_a_job_knows_the_table_and_no_other():
    for name in OPTIMISERS:
        assert TrainingConfig(optimizer=name).optimizer == name
    with pytest.raises(ValueError, match="'adam', 'adamw' or 'sgd'"):
        TrainingConfig(optimizer="lion")
