"""No two threads of a kernel meet at one place of memory without a barrier between; and a missing barrier is found."""

import re

import numpy as np
import pytest
import torch

from nas.engine.cuda import SimulatedGPU, _simulator, gpu_apply
from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, LossWeights, TrainingConfig
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer
from nas.training.loss_terms import structure_costs

ONE_BLOCK, TEAM = (SimulatedGPU(multiprocessors=count, watched=True) for count in (1, 4))


def run_module(gpu, seed=2):
    dag = random_dag(20, 61, 5, density=0.4, rng=np.random.default_rng(seed))
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(*shape, generator=generator).requires_grad_() for shape in ((200, 20), (dag.n_edges,)))
    gpu_apply(gpu, dag, x, weight, activation="silu").sum().backward()


def run_training(gpu, parametrisation, readout="activated"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 20)).astype(np.float32)
    y = rng.integers(4, size=300)
    data = Dataset("s", "classification", x, y, x, y, x, y, classes=tuple("abcd"))
    net = ManifoldNetwork(
        random_dag(20, 31, 4, density=0.5, rng=rng), parametrisation=parametrisation, readout=readout, generator=rng
    )
    if net.closeness is not None:
        with torch.no_grad():
            net.closeness.cutoff.fill_(0.5)  # edges die and revive
    config = TrainingConfig(batch_size=130, losses=LossWeights(flow=1e-3, sparsity=0.3, time=0.1))
    trainer = GPUTrainer(net, GPUData(gpu, data), config, structure_costs(config, net.dag), watched=True)
    trainer.run(None, np.full(3, 1e-2))


@pytest.mark.parametrize("gpu", [ONE_BLOCK, TEAM], ids=["one block", "team"])
def test_no_races(gpu):
    for seed in (2, 3):
        run_module(gpu, seed)
    for arguments in (("free",), ("masked",), ("manifold", "square"), ("manifold", "linear")):
        run_training(gpu, *arguments)


def masked(gpu):
    run_training(gpu, "masked")


@pytest.mark.parametrize(
    ("barrier", "function", "number", "run"),
    [
        ("__syncthreads();", "forward_tile", 2, run_module),
        ("__syncthreads();", "load_inputs", 1, run_module),
        ("__syncthreads();", "hand_in", 2, masked),
        ("__syncwarp();", "update_rows", 1, masked),
        ("team_barrier(c.meeting, team);", "train", 1, masked),
    ],
)
def test_a_missing_barrier_is_found(barrier, function, number, run, monkeypatch):
    library = _simulator._library

    def without(source, watched):
        begin = re.search(rf"DEVICE \w+ {function}\(", source)
        if begin is None:  # the other kernels of the module
            return library(source, watched)
        at = list(re.compile(re.escape(barrier)).finditer(source, begin.end()))[number - 1].start()
        return library(source[:at] + source[at + len(barrier) :], watched)

    monkeypatch.setattr(_simulator, "_library", without)
    with pytest.raises(RuntimeError, match="without a barrier between"):
        run(TEAM)
