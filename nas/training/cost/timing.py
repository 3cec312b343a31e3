"""Process time, measured so that two numbers may be compared.

What is measured is the CPU time of this process (``time.process_time``: all its threads, but not the time it waits
while others run), or on a GPU the device time between two events. A sample repeats the work until it spans many
ticks of the clock; the least of the samples is the result, for what else runs on the machine only ever adds to a time:
eight processes that had the processor for a third of the time agreed on the least of DAGs of neurons within 6 %, on
their median within 8 to 34 %, and the least was that of an idle machine. Threads are pinned and memory is kept
(`steady_memory`) for as long as the measurement lasts. A fixed kernel timed in the same minute tells how fast the
machine was at that moment, so that times of different or busy machines become comparable as ratios.

The interval that goes with a time is meant to hold the time that a fresh process would measure, in 95 of 100 cases:
samples in one process agree far better than processes do, whose arrays lie elsewhere in caches and pages. It is put
together from the samples' own range and from what benchmarks/timing.py found between processes.

Process time counts every thread of the process: measure while this process does nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib.metadata
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from nas.training.cost._memory import steady_memory
from nas.training.types import Scalar

__all__ = [
    "Timing",
    "half_interval",
    "hardware",
    "measure",
    "pinned_threads",
    "reference_kernel_seconds",
    "time_inference",
    "time_training_step",
]

_TICKS_PER_SAMPLE: Final = 100  # clock quantisation stays below 1 % of a sample
_MIN_SAMPLE_SECONDS: Final = 1e-3
_MAX_SAMPLE_SECONDS: Final = 0.1  # where ticks are so long that a hundred of them would take a second
_REFERENCE_SIZE: Final = 256
_REFERENCE_REPEATS: Final = 4
_SAMPLES: Final = 31
# From eight processes that had the processor for a third of the time (benchmarks/timing.py): how far those of others
# lie. Samples that are often slow by much (layers, whose memory others push out of the caches) make a least that is
# less sure; the farthest of them say nothing.
_WITHIN: Final = 1.5  # of the distance between the least and the upper quartile
_BETWEEN: Final = 0.08  # of the time
# The same where an array that passes between parts of the network is larger than a second-level cache: then the time is
# that of the third level and of memory, which others on the machine share. From minute to minute in one process
# convolutions of 16 channels took 2.6 to 3.6 ms, with the same pages and with fresh ones, the reference kernel
# beside them 1.25 to 1.31.
_STREAMED: Final = 0.3
_CACHED: Final = 2**19  # bytes
_BUSY: Final = 0.1  # of the time, were this process to wait for a processor all the while


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of process time (GPU: device time) of one call."""

    seconds: float  # least of the samples
    spread: float  # half the interval that holds 95 % of what fresh processes measure, seconds; see `half_interval`
    samples: int  # how many samples the two are taken from
    calls: int  # calls in each sample
    threads: int  # CPU threads during the measurement
    device: str  # "cpu" or "cuda"
    busy: float = 0.0  # share of the wall time that went by without this process running; 0 on a GPU
    largest: int = 0  # bytes of the largest array of a call, where known; 0 on a GPU, whose memory nobody shares


def measure(
    call: Callable[[], object],
    *,
    threads: int = 1,
    device: str = "cpu",
    samples: int = _SAMPLES,
    budget_seconds: float = 0.5,
    warmup: int = 3,
    largest: int = 0,
    calls: int | None = None,
) -> Timing:
    """Process time of ``call``.

    Args:
        call: the work; its result is thrown away.
        threads: CPU threads that torch and numba may use meanwhile.
        device: "cpu": process time; "cuda": device time between events on the current stream.
        samples: samples to take; at least 3 are taken even when the budget is spent before.
        budget_seconds: wall seconds after which no further sample is started.
        warmup: calls before the first sample (compilation, caches, allocator).
        largest: bytes of the largest array that a call writes, where known.
        calls: of a sample, where an earlier measurement has found how many it takes; None: that is found first.

    Returns:
        Least and `half_interval` of the samples, seconds a call.

    Raises:
        ValueError: fewer than 3 samples or 1 thread, or an unknown device.
    """
    if samples < 3 or warmup < 0:
        raise ValueError(f"samples must be at least 3 and warmup at least 0, got {samples} and {warmup}")
    kind = torch.device(device).type
    if kind not in ("cpu", "cuda"):
        raise ValueError(f'device must be "cpu" or "cuda", got {device!r}')
    clock = _cuda_seconds if kind == "cuda" else _process_seconds
    with pinned_threads(threads), _no_collection(), steady_memory():
        for _ in range(warmup):
            call()
        calls = calls or _calls_per_sample(call, clock)
        start = time.perf_counter()
        taken: list[float] = []
        used = time.process_time()
        while len(taken) < samples and (len(taken) < 3 or time.perf_counter() - start < budget_seconds):
            taken.append(clock(call, calls) / calls)
        wall, used = time.perf_counter() - start, time.process_time() - used
    busy = 0.0 if kind == "cuda" else min(1.0, max(0.0, 1.0 - used / wall))
    largest = 0 if kind == "cuda" else largest
    spread = half_interval(taken, busy, largest)
    return Timing(min(taken), spread, len(taken), calls, threads, kind, busy, largest)


def half_interval(samples: Sequence[float], busy: float = 0.0, largest: int = 0) -> float:
    """Half the 95 % interval, around their least, of the same time measured in another process; seconds.

    Args:
        samples: times in this process, seconds.
        busy: share of the wall time meanwhile in which this process did not run. Others then had the caches, and will
            have them again, or not, when a time is taken next.
        largest: bytes of the largest array of a call, as `Timing` has it.
    """
    least = min(samples)
    within = float(np.quantile(samples, 0.75)) - least
    between = _STREAMED if largest > _CACHED else _BETWEEN
    return math.hypot(_WITHIN * within, (between + _BUSY * busy) * least)


def time_inference(
    module: nn.Module,
    x: np.ndarray | Tensor,
    *,
    threads: int = 1,
    samples: int = _SAMPLES,
    budget_seconds: float = 0.5,
    like: Timing | None = None,
) -> Timing:
    """Process time of one forward pass of ``module`` on the batch ``x`` (batch, n_inputs), gradients off.

    It runs on the device of the module's parameters; copying ``x`` there is not counted. `like` is an earlier timing of
    the same pass, whose size need not be found again: that takes longer than three samples.
    """
    parameter = next(iter(module.parameters()), None)
    device = parameter.device if parameter is not None else torch.device("cpu")
    batch = torch.as_tensor(x).to(device)
    was_training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            return measure(
                lambda: module(batch),
                threads=threads,
                device=device.type,
                samples=samples,
                budget_seconds=budget_seconds,
                largest=_largest_array(module, batch) if like is None else like.largest,
                calls=None if like is None else like.calls,
            )
    finally:
        module.train(was_training)


def _largest_array(module: nn.Module, batch: Tensor) -> int:
    """Bytes of the largest array that a part of ``module`` gives on, in one forward pass."""
    sizes = [0]

    def seen(_part: nn.Module, _inputs: object, given: object) -> None:
        if isinstance(given, Tensor):
            sizes.append(given.nbytes)

    hooks = [part.register_forward_hook(seen) for part in module.modules()]
    try:
        module(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return max(sizes)


def time_training_step(
    step: Callable[[], object],
    *,
    threads: int = 1,
    device: str = "cpu",
    samples: int = _SAMPLES,
    budget_seconds: float = 0.5,
) -> Timing:
    """Process time of one optimiser step; ``step`` does forward, backward and update on a batch it already holds.

    The steps are real: hand over a copy of the network if its weights must stay as they are.
    """
    return measure(step, threads=threads, device=device, samples=samples, budget_seconds=budget_seconds)


def reference_kernel_seconds(threads: int = 1, device: str = "cpu") -> float:
    """Process time of the fixed reference kernel: four products of 256 x 256 float32 matrices, least of samples.

    On a GPU ("cuda", "cuda:1", …) the same products' device time there.

    Never change the kernel: stored ratios would lose their meaning.
    """
    left, right = (each.to(device) for each in _reference_matrices())

    def kernel() -> None:
        for _ in range(_REFERENCE_REPEATS):
            torch.mm(left, right)

    with torch.inference_mode():
        return measure(kernel, threads=threads, device=device, samples=9, budget_seconds=0.1).seconds


@functools.cache
def _reference_matrices() -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    shape = (2, _REFERENCE_SIZE, _REFERENCE_SIZE)
    left, right = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    return left, right


@contextlib.contextmanager
def pinned_threads(threads: int) -> Iterator[None]:
    """Let torch and numba use exactly ``threads`` CPU threads (numba: at most the number it started with).

    Raises:
        ValueError: fewer than one thread.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    import numba  # a third of a second, and hardware() works without it

    torch_before, numba_before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, _numba_limit()))
    try:
        yield
    finally:
        torch.set_num_threads(torch_before)
        numba.set_num_threads(numba_before)


def _numba_limit() -> int:
    """Threads that numba started with; it refuses to use more."""
    import numba

    return int(getattr(numba.config, "NUMBA_NUM_THREADS"))  # noqa: B009 - the attribute is made at run time


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out of the samples."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _process_seconds(call: Callable[[], object], calls: int) -> float:
    start = time.process_time_ns()
    for _ in range(calls):
        call()
    return (time.process_time_ns() - start) * 1e-9


def _cuda_seconds(call: Callable[[], object], calls: int) -> float:
    events: list[Any] = [torch.cuda.Event(enable_timing=True) for _ in range(2)]  # type: ignore[no-untyped-call]
    start, end = events
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        call()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) * 1e-3


def _calls_per_sample(call: Callable[[], object], clock: Callable[[Callable[[], object], int], float]) -> int:
    """So many calls that a sample spans enough ticks; found by doubling, because one call may be below a tick."""
    enough = max(_MIN_SAMPLE_SECONDS, min(_MAX_SAMPLE_SECONDS, _TICKS_PER_SAMPLE * _tick_seconds()))
    calls = 1
    while (seconds := clock(call, calls)) < enough and calls < 2**20:
        calls = calls * 2 if seconds <= 0 else max(calls + 1, min(calls * 10, int(1.2 * calls * enough / seconds) + 1))
    return calls


@functools.cache
def _tick_seconds() -> float:
    """The smallest step in which process time advances: nanoseconds on a plain kernel, 10 ms in some sandboxes."""
    steps = []
    for _ in range(5):
        start = time.process_time_ns()
        while (now := time.process_time_ns()) == start:
            pass
        steps.append(now - start)
    return min(steps) * 1e-9


@functools.cache
def _machine() -> dict[str, Scalar]:
    facts: dict[str, Scalar] = {
        "processor": _processor_name(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        "logical_cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for library in ("torch", "numpy", "numba"):
        facts[library] = importlib.metadata.version(library)
    facts["gpu"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    return facts


def hardware(threads: int | None = None) -> dict[str, Scalar]:
    """What times were taken on: processor, cores, memory, GPU ("none"), thread count, library versions.

    Args:
        threads: the count that a measurement was pinned to (default: what torch uses now).
    """
    return {**_machine(), "threads": torch.get_num_threads() if threads is None else threads}


def _processor_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"
