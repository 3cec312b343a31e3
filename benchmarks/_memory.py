"""Section 6: peak memory of training, one fresh process a size; also the script that such a process runs."""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._progress import Progress

__all__ = ["memory"]

_SIZES = ((1_000, 10_000), (1_000, 100_000), (10_000, 100_000), (100_000, 200_000), (100_000, 1_000_000))
_BATCH = 128


def memory(progress: Progress, quick: bool) -> dict[str, Any]:
    """Resident memory before the graph exists, and its peak after Adam steps on batches of 128."""
    points = []
    for neurons, edges in _SIZES[:2] if quick else _SIZES:
        command = [sys.executable, "-m", "benchmarks._memory", str(neurons), str(edges)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the memory process for {neurons:,} neurons failed: {done.stderr[-500:]}")
        point: dict[str, Any] = json.loads(done.stdout)
        points.append(point)
        progress.say(
            f"      {neurons:,} neurons, {edges:,} edges: {(point['peak'] - point['before']) / 2**20:.0f} MiB, "
            f"{1e3 * point['step_seconds']:.3g} ms a step"
        )
    return {"batch": _BATCH, "points": points}


def _peak_bytes() -> int:
    """Peak resident memory since `_forget_peak`, or of the whole process where the system cannot forget."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _forget_peak() -> None:
    """Loading the libraries takes more for a moment than they hold afterwards, which would hide a small network."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main() -> None:
    """Train one network for five steps and print what it took."""
    import torch
    from torch.nn import functional

    from benchmarks._graphs import random_of
    from nas.engine import DAGModule

    parser = argparse.ArgumentParser()
    parser.add_argument("neurons", type=int)
    parser.add_argument("edges", type=int)
    arguments = parser.parse_args()
    tiny = DAGModule(random_of(20, 100))
    _step(tiny, torch.optim.Adam(tiny.parameters()), torch.randn(_BATCH, 64), functional.cross_entropy)
    _forget_peak()
    before = _peak_bytes()  # with all libraries and kernels loaded
    dag = random_of(arguments.neurons, arguments.edges)
    with_graph = _peak_bytes()
    module = DAGModule(dag)
    optimiser = torch.optim.Adam(module.parameters(), fused=True)
    x = torch.randn(_BATCH, dag.n_inputs)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        _step(module, optimiser, x, functional.cross_entropy)
        seconds.append(time.perf_counter() - start)
    print(
        json.dumps(
            {
                "neurons": dag.n,
                "edges": dag.n_edges,
                "before": before,
                "with_graph": with_graph,
                "peak": _peak_bytes(),
                "square": 4 * dag.n**2,
                "step_seconds": min(seconds),
            }
        )
    )


def _step(module: Any, optimiser: Any, x: Any, loss: Any) -> None:
    import torch

    optimiser.zero_grad()
    loss(module(x), torch.zeros(len(x), dtype=torch.long)).backward()
    optimiser.step()


if __name__ == "__main__":
    main()
