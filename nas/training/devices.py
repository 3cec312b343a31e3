"""Where trials are trained, by name."""

from __future__ import annotations

from functools import lru_cache

from nas.engine.cuda import GPU, SimulatedGPU, Verdict, gpu_at, verdict_on

__all__ = ["SIMULATED", "gpu_named", "way_on"]

SIMULATED = "simulated"  # a GPU's kernels on the processor: for tests, slow


@lru_cache(maxsize=1)
def _simulated() -> GPU:
    return SimulatedGPU()


def gpu_named(device: str) -> GPU | None:
    """The GPU of "cuda" or "cuda:1" (as this process counts them); None for "cpu".

    Raises:
        NoGPUError: there is no such GPU.
        ValueError: no device of that name.
    """
    if device == "cpu":
        return None
    if device == SIMULATED:
        return _simulated()
    kind, _, index = device.partition(":")
    if kind != "cuda" or not (index == "" or index.isdecimal()):
        raise ValueError(f'a device is "cpu", "cuda" or "cuda:1", but got {device!r}')
    return gpu_at(int(index or 0))


def way_on(gpu: GPU) -> Verdict:
    """Whether networks are trained on this GPU by kernels, or by plain torch operations, and why."""
    return verdict_on(gpu, "nas.training.gpu.check")
