"""Wall time of several calls side by side: their samples alternate, so that a change of the machine's mood hits all.

Wall time, not process time: what is compared uses all threads it is given, each in its own way, and the reader waits.
A sample is as many calls as take five milliseconds, after a pause and ten milliseconds of calls that are not timed. The
pause is for the threads of the call before: OpenMP's spin for milliseconds after a product and hold the core that the
next call's threads want (a pass of 574,000 edges takes 3.4 ms alone and 10 ms right after ten products). The untimed
calls bring data back into the caches, threads back to work and the clock back up, as in training, where one pass
follows another: the first passes after a tenth of a second of rest took 1.3 and 0.58 ms, later ones 0.33.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

__all__ = ["ONCE_SECONDS", "Sample", "fastest_threads", "seconds_of", "side_by_side", "summary", "torch_threads"]

ONCE_SECONDS = 2.0  # what takes longer is run once
_SAMPLE_SECONDS = 5e-3
_PAUSE_SECONDS = 10e-3
_WARM_SECONDS = 10e-3
_RESTED_SECONDS = 50e-3  # calls that take longer warm up by themselves
_SLOW_TRY = 0.2
_SAMPLES = (3, 25)  # fewest and most


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds a call."""

    median: float
    low: float  # first quartile
    high: float  # third quartile
    samples: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summary(seconds: list[float]) -> Sample:
    """Median and quartiles."""
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return Sample(float(median), float(low), float(high), len(seconds))


def seconds_of(call: Callable[[], object], calls: int = 1) -> float:
    """Wall seconds of one of ``calls`` calls."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / max(calls, 1)


def _warming(once: float) -> int:
    """How many untimed calls come first."""
    return 0 if once > _RESTED_SECONDS else math.ceil(_WARM_SECONDS / once)


def fastest_threads(call: Callable[[], object]) -> tuple[int, float]:
    """Which thread count of torch (one, or all it has now) suits a warm call better, and its seconds then.

    Small products are slower on two threads than on one: an alternative is not to lose by that.
    """
    most = torch.get_num_threads()
    with torch_threads(1):
        alone = _typical(call)
    call()  # wakes the threads
    together = _typical(call)
    return (1, alone) if alone < together else (most, together)


def _typical(call: Callable[[], object]) -> float:
    """Median of three runs, or a single one that is slow."""
    first = seconds_of(call)
    return first if first > _SLOW_TRY else statistics.median([first, seconds_of(call), seconds_of(call)])


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def side_by_side(
    calls: Mapping[str, Callable[[], object]], *, seconds: float, threads: Mapping[str, int] | None = None
) -> dict[str, Sample]:
    """Time all calls in turn, round after round.

    Args:
        calls: already warm.
        seconds: to spend in all, roughly; slow calls get fewer rounds (at least 3) than quick ones (at most 25).
        threads: torch's thread count for calls that are to run with another one than is set.
    """
    usual = torch.get_num_threads()
    counts = {name: (threads or {}).get(name, usual) for name in calls}
    with _no_collection():
        plan: dict[str, tuple[int, int]] = {}  # rounds, calls a sample
        for name, call in calls.items():
            with torch_threads(counts[name]):
                once = max(seconds_of(call), 1e-7)
            repeats = max(1, math.ceil(_SAMPLE_SECONDS / once))
            each = once * (repeats + _warming(once))
            rounds = min(max(int(seconds / len(calls) / each), _SAMPLES[0]), _SAMPLES[1])
            plan[name] = (rounds, repeats)
        taken: dict[str, list[float]] = {name: [] for name in calls}
        most = max(rounds for rounds, _ in plan.values())
        for turn in range(most):
            for name, call in calls.items():
                rounds, repeats = plan[name]
                # Spread few rounds over the whole time: they see the same moods of the machine as the many.
                if turn * rounds // most == (turn - 1) * rounds // most:
                    continue
                time.sleep(_PAUSE_SECONDS)
                with torch_threads(counts[name]):
                    seconds_of(call, _warming(taken[name][-1] if taken[name] else _WARM_SECONDS))
                    taken[name].append(seconds_of(call, repeats))
        return {name: summary(seconds) for name, seconds in taken.items()}


@contextmanager
def _no_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
