"""Measuring what the engine costs on this machine: networks of many sizes, timed as trials time theirs.

Training steps are measured for each parametrisation, for closeness is evaluated on every edge. Each point is
measured in two rounds and the lesser counts: what else runs on a machine only ever adds. The bytes of the memory term
are those of the trainer's arrays, which need no clock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
import torch

from nas import engine
from nas.graph import DAG, layered, random_dag
from nas.manifold import ManifoldNetwork, Parametrisation, compact
from nas.training.cost._fit import CostFit, Fits, fit_costs
from nas.training.cost.measured import step_timing, timed_trainer, trainer_bytes
from nas.training.cost.timing import pinned_threads, time_inference
from nas.training.cost.work import BASE_ACTIVATION, Work, memory_work, work_of
from nas.training.fused.trainer import FusedTrainer
from nas.training.plain import PlainTrainer
from nas.training.types import Dataset, TrainingConfig

__all__ = ["PARAMETRISATIONS", "calibrate"]

PARAMETRISATIONS: Final[tuple[Parametrisation, ...]] = get_args(Parametrisation)
TRAINING_BATCHES: Final = (32, 128, 512)
INFERENCE_BATCHES: Final = (128, 1024, 4096)
# inputs, computational neurons, outputs, edges; from digits to the largest networks that fit a cache
SIZES: Final = (
    (64, 30, 10, 300), (64, 60, 10, 1_500), (64, 400, 10, 4_000), (64, 300, 2, 12_000), (64, 1000, 10, 30_000),
    (784, 20, 10, 800), (784, 60, 10, 3_000), (784, 100, 30, 6_000), (784, 200, 10, 6_000), (784, 800, 10, 8_000),
    (784, 200, 10, 20_000), (784, 300, 10, 60_000), (256, 120, 10, 2_500), (256, 500, 100, 10_000),
)  # fmt: skip
# The network that every activation is measured on: layers, density. One hidden layer, as squares of squares overflow.
ACTIVATED: Final = ((256, 500, 10), 0.04)
MOST_SAMPLES: Final = 512  # of the data that training steps read
ROUNDS: Final = 2


@dataclass(slots=True)
class _Point:
    kind: str
    work: Work
    call: Callable[[], float]
    seconds: float = float("inf")


def calibrate(
    threads: Sequence[int], *, point_seconds: float = 0.02, say: Callable[[str], None] = lambda text: None
) -> dict[int, Fits]:
    """Measure and fit, for each of ``threads``; about half a minute a thread count.

    Args:
        threads: counts of CPU threads.
        point_seconds: wall time each measurement may take in each round; less is noisier.
        say: told what is going on.
    """
    fits = {}
    for count in threads:
        with pinned_threads(count):
            networks = {p: _networks(p) for p in PARAMETRISATIONS}
            points = [*_inference_points(networks["free"], count, point_seconds)]
            for parametrisation in PARAMETRISATIONS:
                points += _training_points(parametrisation, networks[parametrisation], point_seconds)
            for number in range(1, ROUNDS + 1):
                say(f"{count} thread{'s' if count > 1 else ''}: {len(points)} measurements, round {number} of {ROUNDS}")
                for point in points:
                    point.seconds = min(point.seconds, point.call())
            times = {kind: _fit([p for p in points if p.kind == kind]) for kind in ("inference", *PARAMETRISATIONS)}
            memory = {p: _fit_memory(networks[p], count) for p in PARAMETRISATIONS}
        fits[count] = Fits(inference=times.pop("inference"), training=times, memory=memory)
    return fits


def _fit(points: Sequence[_Point]) -> CostFit:
    return fit_costs([point.work for point in points], [point.seconds for point in points])


def _networks(parametrisation: Parametrisation) -> list[ManifoldNetwork]:
    rng = np.random.default_rng(0)
    dags = [(random_dag(*sizes, n_edges=edges, rng=rng), BASE_ACTIVATION) for *sizes, edges in SIZES]
    widths, density = ACTIVATED
    activated = layered(widths, density=density, shortcuts=0.0, rng=rng)
    dags += [(activated, name) for name in engine.ACTIVATIONS]
    networks = []
    for dag, activation in dags:
        network = ManifoldNetwork(
            dag,
            parametrisation=parametrisation,
            activation=activation,
            generator=rng,
            init=None if parametrisation == "free" else "open",
        )
        networks.append(compact(network))
    return networks


def _inference_points(networks: Sequence[ManifoldNetwork], threads: int, seconds: float) -> Iterator[_Point]:
    rng = np.random.default_rng(1)
    for network in networks:
        module = network.fold()
        for batch in INFERENCE_BATCHES if network.activation == BASE_ACTIVATION else (INFERENCE_BATCHES[1],):
            x = torch.from_numpy(rng.standard_normal((batch, network.dag.n_inputs), np.float32))

            def call(module: torch.nn.Module = module, x: torch.Tensor = x) -> float:
                return time_inference(module, x, threads=threads, samples=5, budget_seconds=seconds).seconds

            yield _Point("inference", work_of(module.dag, batch, network.activation), call)


def _training_points(parametrisation: str, networks: Sequence[ManifoldNetwork], seconds: float) -> Iterator[_Point]:
    for network in networks:
        for batch in TRAINING_BATCHES if network.activation == BASE_ACTIVATION else (TRAINING_BATCHES[1],):
            trainer = _trainer(network, batch)
            call = functools.partial(_seconds_of_step, trainer, seconds)
            yield _Point(parametrisation, work_of(network.dag, batch, network.activation), call)


def _seconds_of_step(trainer: FusedTrainer | PlainTrainer, seconds: float) -> float:
    return step_timing(trainer, seconds, samples=5, warmup=1).seconds


def _trainer(network: ManifoldNetwork, batch: int) -> FusedTrainer | PlainTrainer:
    config = TrainingConfig(batch_size=batch, activation=network.activation, parametrisation=network.parametrisation)
    return timed_trainer(network, _samples(network.dag), config)


def _samples(dag: DAG) -> Dataset:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((MOST_SAMPLES, dag.n_inputs), np.float32)
    y = rng.integers(0, dag.n_outputs, MOST_SAMPLES)
    classes = tuple(str(k) for k in range(dag.n_outputs))
    return Dataset("calibration", "classification", x, y, x, y, x, y, classes=classes)


def _fit_memory(networks: Sequence[ManifoldNetwork], threads: int) -> CostFit:
    works, sizes = [], []
    for network in networks:
        for batch in TRAINING_BATCHES:
            works.append(memory_work(network.dag, batch, network.activation, threads))
            sizes.append(float(trainer_bytes(_trainer(network, batch))))
    return fit_costs(works, sizes)
