"""One trial from beginning to end: build, train, evaluate, prune, time. What a worker runs."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import socket
import time

import numpy as np
import pydantic
import torch

from nas._text import said_of
from nas.engine.cuda import GPU
from nas.errors import NasError, TrialError
from nas.manifold import ManifoldNetwork, compact, without_idle_neurons
from nas.training._loop import History, OnLog
from nas.training._modules import run_structure
from nas.training._population import Member, train_population
from nas.training._trainer import train_until
from nas.training.cost.calibration import PinnedCosts, pinned_costs
from nas.training.cost.chip import chip_metrics, latencies
from nas.training.cost.costs import costs_for
from nas.training.cost.measured import inference_timing, step_timing, timed_trainer, trainer_bytes
from nas.training.cost.timing import hardware, reference_kernel_seconds
from nas.training.devices import gpu_named, way_on
from nas.training.gpu.measured import gpu_times
from nas.training.quality.evidence import quality
from nas.training.quality.objectives import structure_metrics
from nas.training.types import Candidate, Dataset, TrainingConfig, TrainingState, TrialResult, TrialStatus

__all__ = ["config_of", "failed_result", "network_of", "result_of", "run_trial", "signed"]

logger = logging.getLogger(__name__)

# Wall seconds that a trial may spend on each of its two time measurements.
TIMING_SECONDS = 0.3
REFERENCE_EVERY = 15.0  # seconds


def run_trial(
    candidate: Candidate,
    dataset: Dataset,
    config: TrainingConfig,
    on_log: OnLog | None = None,
    *,
    device: str = "cpu",
    costs: PinnedCosts | None = None,
) -> TrialResult:
    """Train and time a candidate, on the threads torch has now, or on a GPU.

    Running it twice with equal arguments gives equal networks; only the times differ. It keeps no state, so a lost
    trial is simply run again.

    Args:
        candidate: ``candidate.genome.hyperparameters`` override ``config``, ``candidate.steps`` its steps.
        dataset: the objective sees the training part, the result reports validation and test part.
        config: what the job says for all candidates.
        on_log: see `train`.
        device: "cpu", "cuda" or "cuda:1", as this process counts GPUs.
        costs: what the time and memory terms go by; None: the calibration of this machine.

    Returns:
        A complete result: its ``dag`` holds the live edges that lie on a path from an input to an output (all neurons
        stay), its ``arrays`` the parameters on them. Or, whatever went wrong with this candidate, a failed result that
        says why.
    """
    start = time.perf_counter()
    try:
        with pinned_costs(costs):
            result = _run(candidate, dataset, config, on_log, device)
    except Exception as error:  # a search must outlive any candidate
        result = failed_result(candidate, error)
    return signed(result, time.perf_counter() - start)


def failed_result(candidate: Candidate, error: Exception) -> TrialResult:
    """The result of a candidate that ``error`` ended."""
    if not isinstance(error, (NasError, ValueError, MemoryError)):
        logger.error("trial %d failed unexpectedly", candidate.number, exc_info=error)
    return TrialResult.failed(candidate.number, _reason(error))


def signed(result: TrialResult, seconds: float) -> TrialResult:
    """The result with who made it and how long that took."""
    return dataclasses.replace(result, seconds=seconds, worker=f"{socket.gethostname()}:{os.getpid()}")


def config_of(candidate: Candidate, config: TrainingConfig) -> TrainingConfig:
    """How a candidate is trained: the job's configuration with what its genome overrides."""
    return config.with_overrides({**candidate.genome.hyperparameters, "steps": candidate.steps})


def _run(
    candidate: Candidate, dataset: Dataset, config: TrainingConfig, on_log: OnLog | None, device: str
) -> TrialResult:
    config = config_of(candidate, config)
    gpu = gpu_named(device)
    if candidate.genome.structure is not None:
        place = "cpu" if gpu is None else str(gpu.torch_device)
        return _checked(run_structure(candidate.genome.structure, candidate, dataset, config, on_log, place))
    network = network_of(candidate, dataset, config)
    if gpu is None:
        history, state = train_until(
            network, dataset, config, candidate.seed, pause_at=candidate.pause_at, resume=candidate.resume,
            on_log=on_log,
        )  # fmt: skip
    else:
        member = Member(network, config, candidate.seed, on_log, candidate.pause_at, candidate.resume)
        (ended,) = train_population([member], dataset, gpu=gpu)
        if isinstance(ended, Exception):
            raise ended
        history, state = ended
    return result_of(candidate, network, history, state, dataset, config, gpu)


def result_of(
    candidate: Candidate,
    network: ManifoldNetwork,
    history: History,
    state: TrainingState | None,
    dataset: Dataset,
    config: TrainingConfig,
    gpu: GPU | None,
) -> TrialResult:
    """What is reported of a candidate once its network is trained, or paused with ``state``: metrics and times.

    Raises:
        TrialError: an output has no path, or a metric is not finite.
    """
    final = network.pruned()
    if state is not None:
        metrics = quality(final, dataset, parts=("val",)).metrics | _structure(network, final)
        used = hardware(torch.get_num_threads())
        return _checked(
            TrialResult(
                candidate.number, TrialStatus.PAUSED, metrics=metrics, hardware=used, state=state, steps=state.step
            )
        )
    found = quality(final, dataset)
    metrics = found.metrics | _structure(network, final) | _times(final, dataset, config, gpu)
    module = final.fold()
    metrics |= chip_metrics(module, dataset, config, candidate.seed)
    if config.latency:
        metrics["latency"] = latencies({0: module}, dataset, config.precision)[0]
    facts = costs_for(config).facts() if gpu is None else {"device": gpu.name, **way_on(gpu).facts}
    result = TrialResult(
        candidate.number,
        TrialStatus.COMPLETE,
        metrics=metrics,
        history=history.curves,
        dag=final.dag,
        arrays=final.to_arrays(),
        hardware={**hardware(torch.get_num_threads()), **facts},
        evidence=found.evidence,
        steps=None if candidate.steps else 0,  # who asks tells networks that were trained from others by it
    )
    return _checked(result)


def network_of(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> ManifoldNetwork:
    """The network of neurons of a candidate before its training; ``config`` has the genome's overrides in it."""
    network = ManifoldNetwork(
        candidate.genome.dag,
        parametrisation=config.parametrisation,
        activation=config.activation,
        readout=config.readout,
        family=config.closeness,
        period=dataset.period,
        generator=np.random.default_rng([candidate.seed, 0]),
    )
    if candidate.inherited is not None:
        network.load_arrays(candidate.inherited)
    return network


def _checked(result: TrialResult) -> TrialResult:
    if bad := [f"{name} = {value}" for name, value in result.metrics.items() if not math.isfinite(value)]:
        raise TrialError(f"every metric of a trained network must be finite, but {', '.join(bad)}")
    return result


def _structure(network: ManifoldNetwork, final: ManifoldNetwork) -> dict[str, float]:
    with torch.no_grad():
        terms = network.terms()
    # Of the network as it leaves: neurons that do nothing must not make it look sparser.
    dag, _ = without_idle_neurons(final.dag)
    return {
        **structure_metrics(dag),
        "neurons": float(dag.n_computational),
        "flow": float(terms.flow),
        "smooth_edges": float(terms.smooth_edges),
    }


def _times(final: ManifoldNetwork, dataset: Dataset, config: TrainingConfig, gpu: GPU | None) -> dict[str, float]:
    """Process time of inference (the folded network) and of a training step (closeness, engine, optimiser); bytes."""
    small = compact(final)  # neurons that do nothing would still be walked
    if gpu is not None:  # no predictions: calibrations are of processors
        return gpu_times(final, small, dataset, config, gpu, TIMING_SECONDS)
    trainer = timed_trainer(small, dataset, config)
    inference = inference_timing(final.fold(), dataset, config, TIMING_SECONDS)
    predicted = costs_for(config).predictions(small.dag)
    if not small.compiled:  # calibrations are of compiled training
        predicted = {name: value for name, value in predicted.items() if "_train_" not in name}
    return {
        "train_step_seconds": step_timing(trainer, TIMING_SECONDS, samples=5).seconds,
        "train_bytes": float(trainer_bytes(trainer)),
        "inference_seconds": inference.seconds,
        "inference_spread": inference.spread,
        "reference_seconds": _reference_seconds(torch.get_num_threads()),
        **predicted,
    }


_references: dict[int, tuple[float, float]] = {}  # by threads: when it was taken last, and what it took


def _reference_seconds(threads: int) -> float:
    """The reference kernel's time, taken anew every few seconds: it costs as much as a short trial's own timing."""
    now = time.monotonic()
    if threads not in _references or now - _references[threads][0] > REFERENCE_EVERY:
        _references[threads] = now, reference_kernel_seconds(threads)
    return _references[threads][1]


def _reason(error: Exception) -> str:
    if isinstance(error, pydantic.ValidationError):
        found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return f"the genome's hyperparameters do not fit the training configuration: {found}"
    said = said_of(error, named=False)
    if isinstance(error, MemoryError) or "out of memory" in said.lower():
        return f"out of memory: {said}"
    return said if isinstance(error, NasError) else said_of(error)
