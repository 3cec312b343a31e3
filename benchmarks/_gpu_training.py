"""Training on one GPU: the published schedule for one candidate and for many, and candidates a minute."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch

from benchmarks._training import _MNIST, _data, _network
from nas.engine.cuda import GPU
from nas.graph import layered, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Candidate, Dataset, Genome, SparsifyConfig, TrainingConfig, run_trial
from nas.training._population import Member, train_population
from nas.training.devices import SIMULATED
from nas.training.gpu.data import data_on
from nas.training.gpu.trainer import GPUTrainer, Steps, run_together
from nas.training.loss_terms import structure_costs

__all__ = ["recipe", "schedule", "small_data", "throughput"]

PUBLISHED_SECONDS = 39_333.0
_TRIAL = "from benchmarks._gpu_training import one_trial; one_trial({number}, {steps}, {device!r})"


def schedule(gpu: GPU, population: int, steps: int, *, tiny: bool) -> dict[str, Any]:
    """Seconds of ``steps`` steps of the published MNIST run, of one candidate and of ``population`` at once.

    Times for all its 50,000 steps follow from these: every step does the same work.
    """
    data, source = small_data() if tiny else _data(_MNIST)
    config = TrainingConfig(
        steps=_MNIST.steps, batch_size=_MNIST.batch, learning_rate=_MNIST.learning_rate, schedule="constant",
        parametrisation="manifold", losses=_MNIST.losses,
    )  # fmt: skip

    def seconds(count: int, number: int) -> tuple[float, list[int]]:
        def fresh(seed: int) -> ManifoldNetwork:
            if not tiny and seed == 0:
                return _network(_MNIST, data)
            dag = random_dag(64, 10, 10, density=1.0, rng=np.random.default_rng(0)) if tiny else networks[0].dag
            rng = np.random.default_rng(seed)
            return ManifoldNetwork(dag, parametrisation="manifold", period=data.period, generator=rng)

        networks: list[ManifoldNetwork] = []
        for seed in range(count):
            networks.append(fresh(seed))
        costs = structure_costs(config, networks[0].dag)
        trainers = [
            GPUTrainer(network, data_on(gpu, data), config, costs, seed=seed, population=count)
            for seed, network in enumerate(networks)
        ]
        rates = np.full(number, config.learning_rate)
        run_together([Steps(trainer, None, rates[:2], None) for trainer in trainers])  # compiles
        gpu.synchronize()
        start = time.perf_counter()
        reports = run_together([Steps(trainer, None, rates, None) for trainer in trainers])
        gpu.synchronize()
        return time.perf_counter() - start, [report.live for report in reports]

    one, live = seconds(1, steps)
    many, lives = seconds(population, max(steps // 10, 2))
    whole_one, whole_many = one / steps * _MNIST.steps, many / max(steps // 10, 2) * _MNIST.steps
    waves = -(-population // gpu.multiprocessors)
    return {
        "data": source, "steps": steps, "population": population, "waves": waves,
        "one_seconds": whole_one, "many_seconds": whole_many, "published_seconds": PUBLISHED_SECONDS,
        "many_per_wave_of_one": whole_many / waves / whole_one, "live": live + lives[:3],
    }  # fmt: skip


def throughput(gpu: GPU, population: int, steps: int, processes: int) -> dict[str, Any]:
    """Candidates trained a minute: all in one call, one after another, and each in a process of its own."""
    data, config = small_data()[0], TrainingConfig(steps=steps, parametrisation="free")
    members = [Member(_candidate_network(k, data, config), config, k) for k in range(population)]
    train_population(members[:1], data, gpu=gpu)  # compiles
    members = [Member(_candidate_network(k, data, config), config, k) for k in range(population)]
    start = time.perf_counter()
    ended = train_population(members, data, gpu=gpu)
    together = (time.perf_counter() - start) / population
    if failed := [str(each) for each in ended if isinstance(each, Exception)]:
        raise RuntimeError(f"{len(failed)} of {population} candidates failed: {failed[0]}")
    alone_count = min(4, population)
    members = [Member(_candidate_network(k, data, config), config, k) for k in range(alone_count)]
    start = time.perf_counter()
    for member in members:
        train_population([member], data, gpu=gpu)
    alone = (time.perf_counter() - start) / alone_count
    device = "cuda" if gpu.torch_device.type == "cuda" else SIMULATED
    start = time.perf_counter()
    searched = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])  # noqa: PTH109
    for number in range(processes):
        code = _TRIAL.format(number=number, steps=steps, device=device)
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": searched})
    process = (time.perf_counter() - start) / processes
    minute = {name: 60 / taken for name, taken in (("together", together), ("alone", alone), ("process", process))}
    return {"population": population, "steps": steps, "edges": members[0].network.dag.n_edges, "per_minute": minute}


def recipe(gpu: GPU, population: int, steps: int) -> dict[str, Any]:
    """Wall seconds of ``population`` trainings as a search's first ones are, on the GPU and on one processor thread.

    A layer of 40 neurons with shortcuts, noise on the inputs, cut while it is trained: between two cuts a network is
    another one, so that the processor has more to do than for the plain trainings of `throughput`.
    """
    data = small_data()[0]
    config = TrainingConfig(
        steps=steps, batch_size=128, learning_rate=1e-2, activation="silu", input_noise=0.4,
        sparsify=SparsifyConfig(edges=450),
    )  # fmt: skip
    dag = layered((data.n_inputs, 40, data.n_outputs), density=1.0, shortcuts=1.0)

    def seconds(count: int, where: GPU | None) -> float:
        members = []
        for seed in range(count):
            rng = np.random.default_rng(seed)
            network = ManifoldNetwork(dag, parametrisation="free", activation="silu", generator=rng)
            members.append(Member(network, config, seed))
        start = time.perf_counter()
        ended = train_population(members, data, gpu=where)
        if failed := [str(each) for each in ended if isinstance(each, Exception)]:
            raise RuntimeError(f"{len(failed)} of {count} candidates failed: {failed[0]}")
        return time.perf_counter() - start

    few = max(population // 16, 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds(1, gpu), seconds(1, None)  # compile
        together, alone, processor = seconds(population, gpu), seconds(few, gpu), seconds(few, None)
    finally:
        torch.set_num_threads(threads)
    return {
        "population": population, "few": few, "steps": steps, "edges": dag.n_edges, "cut_to": 450,
        "gpu_seconds": together, "few_gpu_seconds": alone, "few_processor_seconds": processor,
    }  # fmt: skip


def one_trial(number: int, steps: int, device: str) -> None:
    """What a process a trial does: read data, train and time one candidate."""
    data, config = small_data()[0], TrainingConfig(steps=steps, parametrisation="free")
    dag = _candidate_network(number, data, config).dag
    result = run_trial(Candidate(number, Genome(dag), number, steps), data, config, device=device)
    if result.reason:
        raise SystemExit(result.reason)


def _candidate_network(seed: int, data: Dataset, config: TrainingConfig) -> ManifoldNetwork:
    rng = np.random.default_rng(seed)
    dag = random_dag(data.n_inputs, 60 if data.n_inputs == 64 else 10, data.n_outputs, density=0.3, rng=rng)
    return ManifoldNetwork(dag, parametrisation=config.parametrisation, generator=rng)


def small_data() -> tuple[Dataset, str]:
    """64 inputs and ten classes like scikit-learn's digits, but noise: times do not look at values."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(1_400, 64)).astype(np.float32), rng.integers(10, size=1_400)
    parts = (x[:1_000], y[:1_000], x[1_000:1_200], y[1_000:1_200], x[1_200:], y[1_200:])
    return Dataset("noise", "classification", *parts, classes=tuple("0123456789"), period=8), "noise"
