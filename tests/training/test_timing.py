"""Process time: it counts work and not waiting, scales with the work, and leaves the settings as they were."""

import gc
import itertools
import json
import platform
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

from nas.training import (
    half_interval,
    hardware,
    measure,
    pinned_threads,
    reference_kernel_seconds,
    time_inference,
    time_training_step,
)
from nas.training.cost import _memory


def spin(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_known_work_is_measured() -> None:
    timing = measure(lambda: spin(0.005), samples=5, budget_seconds=1)
    assert timing.seconds == pytest.approx(0.005, rel=0.2)
    assert timing.spread < 0.005 * (0.2 + 0.5 * timing.busy)
    assert timing.samples == 5


def test_waiting_does_not_count() -> None:
    timing = measure(lambda: time.sleep(0.01), samples=3, budget_seconds=0.1, warmup=0)
    assert timing.seconds < 0.002


def test_short_calls_are_repeated_until_they_span_many_ticks() -> None:
    timing = measure(lambda: None, samples=3)
    assert timing.calls > 100
    assert 0 < timing.seconds < 1e-5


def test_time_grows_with_the_work() -> None:
    # A factor of 50 in the work; a loaded machine does not turn that into less than 10.
    small, large = (measure(lambda n=n: sum(range(n)), samples=5) for n in (2_000, 100_000))
    assert large.seconds > 10 * small.seconds


def test_the_budget_ends_the_samples() -> None:
    start = time.perf_counter()
    timing = measure(lambda: time.sleep(0.02) or spin(0.002), samples=1000, budget_seconds=0.2, warmup=0)
    assert 3 <= timing.samples < 100
    assert time.perf_counter() - start < 3


def test_settings_are_pinned_and_restored() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[int, bool]] = []
    measure(lambda: seen.append((torch.get_num_threads(), gc.isenabled())), threads=1, samples=3)
    assert set(seen) == {(1, False)}
    assert torch.get_num_threads() == before
    assert gc.isenabled()
    with pytest.raises(RuntimeError, match="inner"), pinned_threads(1):
        raise RuntimeError("inner")
    assert torch.get_num_threads() == before


def test_inference_and_training_step() -> None:
    module = nn.Linear(20, 5).train()
    x = np.zeros((32, 20), dtype=np.float32)
    grads: list[bool] = []
    module.register_forward_hook(lambda *_: grads.append(torch.is_grad_enabled()))
    timing = time_inference(module, x, samples=3, budget_seconds=0.05)
    assert timing.device == "cpu"
    assert timing.seconds > 0
    assert not any(grads)
    assert module.training
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)

    def step() -> None:
        optimizer.zero_grad()
        module(torch.from_numpy(x)).square().mean().backward()
        optimizer.step()

    assert time_training_step(step, samples=3, budget_seconds=0.05).seconds > timing.seconds


def test_the_reference_kernel_is_repeatable() -> None:
    first, second = reference_kernel_seconds(), reference_kernel_seconds()
    assert 1e-5 < first < 1
    assert 0.2 < first / second < 5


def test_hardware_names_what_times_depend_on() -> None:
    facts = hardware(threads=3)
    assert facts["threads"] == 3
    assert {"processor", "cores", "gpu", "python", "torch", "numpy", "numba"} <= facts.keys()
    assert all(isinstance(value, int | float | str) for value in facts.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"threads": 0}, "threads must be"), ({"samples": 2}, "samples must be"), ({"device": "meta"}, "device must be")],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure(lambda: None, **arguments)  # type: ignore[arg-type]


def test_the_interval_holds_what_other_processes_measure() -> None:
    timing = measure(lambda: spin(0.002), samples=5, budget_seconds=1)
    assert timing.spread >= 0.05 * timing.seconds  # processes differ, however well the samples of one agree
    samples = [1.0, 1.1, 1.2, 1.3, 1.4]
    assert half_interval(samples) > 0.4  # and it holds its own samples
    assert half_interval([*samples, 90.0]) < 2 * half_interval(samples)  # but for one that something else disturbed
    assert half_interval([1.0, 1.0, 1.0]) < 0.1 < half_interval([1.0, 1.0, 1.0], busy=0.9)


def test_what_goes_through_memory_that_others_share_is_less_sure() -> None:
    """By benchmarks/results/timing.json: convolutions, whose arrays of megabytes leave the caches."""
    assert half_interval([1.0] * 3, largest=4 * 2**20) > 0.25 > 0.1 > half_interval([1.0] * 3, largest=2**10)
    convolution = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 2))
    batch = np.zeros((256, 1, 8, 8), np.float32)
    taken = {rows: time_inference(convolution, batch[:rows], samples=3, budget_seconds=0.1) for rows in (4, 256)}
    assert taken[256].largest == 256 * 16 * 8 * 8 * 4 and taken[256].spread > 0.25 * taken[256].seconds
    assert taken[4].largest == 4 * 16 * 8 * 8 * 4
    assert not convolution[0]._forward_hooks


def test_what_else_runs_adds_nothing_to_a_time() -> None:
    disturbed = itertools.cycle([0.004, 0.004, 0.002])
    timing = measure(lambda: spin(next(disturbed)), samples=9, budget_seconds=1)
    assert timing.seconds == pytest.approx(0.002, rel=0.2)


# In a process of its own, which holds little: a heap that a long run has left in pieces cannot keep what is large.
_FAULTS = """
import json, resource, runpy, sys

steady_memory = runpy.run_path(sys.argv[1])["steady_memory"]
sizes = (3 * 2**20, 40 * 2**20)  # below and above what glibc keeps of itself

def faults(calls):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(calls):
        for size in sizes:
            bytearray(size)  # writes each byte
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with steady_memory():
    faults(5)
    steady = faults(10)
print(json.dumps([steady, faults(3)]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what it sets are parameters of glibc")
def test_memory_is_mapped_once_and_not_at_each_call() -> None:
    command = [sys.executable, "-c", _FAULTS, _memory.__file__]
    steady, afterwards = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert steady < 1000  # 100,000 where the large one is mapped each time
    assert afterwards > 5000  # what is large goes back to the system
