"""On a real GPU where there is one; elsewhere that its absence is told, and that the kernels compile for one."""

import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

from nas.engine import DAGModule, reference_apply
from nas.engine.cuda import CudaGPU, NoGPUError, gpu_apply, gpu_of, program, why_no_gpu
from nas.engine.cuda._apply import MODULE
from nas.engine.cuda._nvrtc import NVRTCError, compiled, nvrtc, target_of
from nas.graph import random_dag
from nas.manifold import ManifoldNetwork, measures_of
from nas.training import Candidate, Dataset, Genome, LossWeights, TrainingConfig, run_trials
from nas.training.fused.trainer import FusedTrainer
from nas.training.gpu._state import candidate
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer
from nas.training.loss_terms import cuda_terms, structure_costs
from nas.training.optimisers import cuda_optimisers

needs_gpu = pytest.mark.skipif(why_no_gpu() is not None, reason=f"no GPU: {why_no_gpu()}")


@pytest.mark.skipif(why_no_gpu() is None, reason="needs a machine without a GPU")
def test_no_gpu_is_told():
    with pytest.raises(NoGPUError, match="CUDA|driver"):
        CudaGPU()


@pytest.mark.parametrize(("name", "struct", "header"), [("module.cu", MODULE, "module.h"), ("train.cu", candidate(len(measures_of())), "candidate.h")])  # fmt: skip # noqa: E501
def test_kernels_compile_for_a_gpu(name, struct, header, tmp_path, monkeypatch):
    generated = ("optimisers.cuh", cuda_optimisers()), ("terms.cuh", cuda_terms(measures_of()))
    source = program(name, struct, header, ((1, 0),), "float", generated)
    monkeypatch.setattr("nas.engine.cuda._nvrtc.cache_folder", lambda: tmp_path)
    try:
        nvrtc()
    except NVRTCError:
        if shutil.which("nvcc") is None:
            pytest.skip("neither NVRTC nor nvcc is installed")
        unit = tmp_path / "kernels.cu"
        unit.write_text(source, encoding="utf-8")
        command = ["nvcc", "-arch=sm_90", "-cubin", "-Xptxas", "-v", "-o", str(tmp_path / "a.cubin"), str(unit)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert set(re.findall(r"(\d+) bytes spill", done.stderr)) == {"0"}  # every number stays in registers
        return
    cubin = compiled(source, 90)
    assert cubin.startswith(b"\x7fELF")
    assert compiled(source, 90) == cubin  # from the cache
    with pytest.raises(NVRTCError, match="NVRTC refused the kernels"):
        compiled("not C++", 90)
    assert target_of(997).startswith("compute_")  # a GPU that this NVRTC does not know: the driver finishes PTX
    assert b".visible .entry" in compiled(source, 997)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("sizes", [(40, 60, 5), (784, 206, 10), (64, 1000, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_equals_reference_on_the_gpu(sizes, dtype, activation):
    dag = random_dag(*sizes, density=0.05, rng=np.random.default_rng(0))
    generator = torch.Generator().manual_seed(0)
    fan_in = torch.from_numpy(np.maximum(np.diff(dag.in_ptr), 1)[dag.targets].astype(np.float64))

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    host = [draw(200, dag.n_inputs), draw(dag.n_edges) / fan_in.sqrt(), draw(dag.n - dag.n_inputs)]
    sent = draw(200, dag.n_outputs)
    host = [tensor.requires_grad_() for tensor in host]
    slow = reference_apply(dag, *host, activation=activation)
    wanted = [slow, *torch.autograd.grad((slow * sent).sum(), host)]
    there = [tensor.detach().to("cuda", dtype).requires_grad_() for tensor in host]
    fast = gpu_apply(gpu_of(0), dag, *there, activation=activation)
    got = [fast, *torch.autograd.grad((fast * sent.to("cuda", dtype)).sum(), there)]
    for one, two in zip(got, wanted, strict=True):
        apart = (one.detach().cpu().double() - two.detach()).norm() / two.detach().norm()
        assert apart < (1e-12 if dtype is torch.float64 else 1e-4)


@pytest.mark.gpu
@needs_gpu
def test_a_module_moves_to_the_gpu():
    dag = random_dag(20, 60, 4, density=0.2, rng=np.random.default_rng(0))
    module = DAGModule(dag, "tanh")
    x = torch.randn(100, 20)
    before = module(x)
    there = module.to("cuda")
    torch.testing.assert_close(there(x.to("cuda")).cpu(), before, rtol=1e-4, atol=1e-5)
    optimizer = torch.optim.Adam(there.parameters(), lr=1e-2)
    target = torch.sin(x[:, :4]).to("cuda")
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = ((there(x.to("cuda")) - target) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def _data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 64)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    return Dataset("xor", "classification", x, y, x[:500], y[:500], x[500:900], y[500:900], classes=("no", "yes"))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("parametrisation", ["free", "masked", "manifold"])
@pytest.mark.parametrize("population", [1, 10_000], ids=["team", "one block"])
def test_training_on_the_gpu_goes_as_on_the_processor(parametrisation, population):
    data, dag = _data(), random_dag(64, 200, 2, density=0.3, rng=np.random.default_rng(1))
    config = TrainingConfig(batch_size=128, losses=LossWeights(flow=1e-8, sparsity=0.01))
    numbers, rates = np.random.default_rng(2).integers(0, 2000, (20, 128)), np.full(20, 1e-3)
    ends = []
    for place in ("cpu", "gpu", "gpu"):
        net = ManifoldNetwork(dag, parametrisation=parametrisation, generator=np.random.default_rng(3))
        costs = structure_costs(config, dag)
        trainer = (
            FusedTrainer(net, data, config, costs, threads=1)
            if place == "cpu"
            else GPUTrainer(net, GPUData(gpu_of(0), data), config, costs, population=population)
        )
        start = torch.cat([p.detach().flatten() for p in net.parameters()])
        report = trainer.run(numbers, rates)
        trainer.write_back()
        ends.append((report, torch.cat([p.detach().flatten() for p in net.parameters()]) - start))
    (wanted, a), (got, b), (again, c) = ends
    assert got.objective == pytest.approx(wanted.objective, rel=1e-2)
    assert (b - a).norm() < 0.05 * a.norm()
    assert torch.equal(b, c) and got == again  # every sum is taken in a fixed order


@pytest.mark.gpu
@needs_gpu
def test_trials_on_the_gpu():
    config = TrainingConfig(batch_size=128, inference_batch=256)
    made = [random_dag(64, 20 + k, 2, density=0.4, rng=np.random.default_rng(k)) for k in range(8)]
    group = [Candidate(k, Genome(dag), k, 300) for k, dag in enumerate(made)]
    results = run_trials(group, _data(), config, device="cuda")
    assert [result.status.value for result in results] == ["complete"] * 8, [result.reason for result in results]
    assert all(result.metrics["train_step_seconds"] > 0 for result in results)
    assert max(result.metrics["test_accuracy"] for result in results) > 0.6
