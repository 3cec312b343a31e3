"""What the processor does for a group of candidates before and after a launch, with the launch itself left out."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from nas.engine.cuda import Kernel
from nas.graph import DAG, random_dag
from nas.manifold import ManifoldNetwork, measures_of
from nas.training import Dataset, TrainingConfig
from nas.training._population import Member, train_population
from nas.training.gpu._state import FINITE, STEPS, TOTALS, candidate

__all__ = ["NoGPU", "host"]


class NoGPU:
    """A GPU of an H100's size, in the processor's memory, that does nothing: each step is reported as done."""

    name, torch_device, threads, multiprocessors, shared_bytes = "none", torch.device("cpu"), 512, 132, 227 * 1024
    why_no_kernels = ""

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        jobs: torch.Tensor | np.ndarray,
        count: int = 1,
        *,
        shared_bytes: int = 0,
        team: int = 1,
    ) -> None:
        """Reports every step as done."""
        rows = jobs.numpy() if isinstance(jobs, torch.Tensor) else jobs
        for row in rows.view(candidate(len(measures_of())).dtype):
            at = (ctypes.c_double * TOTALS).from_address(int(row["report"]))
            at[STEPS], at[FINITE] = float(row["steps"]), 1.0

    def synchronize(self) -> None:
        """Nothing is under way."""

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """A copy, as a copy to a GPU would be."""
        return torch.from_numpy(np.array(array))


def host(dataset: Dataset, population: int, sizes: tuple[int, int], parametrisation: str) -> dict[str, Any]:
    """Process time a candidate, by part, for a group whose DAGs all differ.

    Args:
        sizes: computational neurons and, about, edges of each candidate.
    """
    computational, edges = sizes
    config = TrainingConfig(steps=100, log_every=100, parametrisation=parametrisation)
    cells = _cells(dataset.n_inputs, computational, dataset.n_outputs)

    def made(seed: int) -> DAG:
        rng = np.random.default_rng(seed)
        return random_dag(dataset.n_inputs, computational, dataset.n_outputs, density=edges / cells, rng=rng)

    def network(dag: DAG, seed: int) -> ManifoldNetwork:
        generator = np.random.default_rng(seed)
        return ManifoldNetwork(dag, parametrisation=config.parametrisation, period=dataset.period, generator=generator)

    warm = [Member(network(made(population), 0), config, 0)]
    _train(warm, dataset)
    dags, seconds_dags = _timed(lambda: [made(seed) for seed in range(population)])
    networks, seconds_networks = _timed(lambda: [network(dag, seed) for seed, dag in enumerate(dags)])
    members = [Member(each, config, seed) for seed, each in enumerate(networks)]
    _, seconds_trained = _timed(lambda: _train(members, dataset))
    return {
        "population": population, "edges": int(np.mean([dag.n_edges for dag in dags])),
        "parametrisation": parametrisation, "dags": seconds_dags / population,
        "networks": seconds_networks / population, "training": seconds_trained / population,
    }  # fmt: skip


def _train(members: list[Member], dataset: Dataset) -> None:
    train_population(members, dataset, gpu=NoGPU())


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def _cells(inputs: int, computational: int, outputs: int) -> int:
    return (inputs + outputs) * computational + inputs * outputs + computational * (computational - 1) // 2
