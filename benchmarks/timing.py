"""Do the stated intervals of process times hold in fresh processes? ``python -m benchmarks.timing``

Twenty networks of all kinds are timed in a dozen processes, each time in another order. Of every pair of processes, the
time in one is compared with the interval that the other states. Writes benchmarks/results/timing.md and .json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from benchmarks._tables import table
from nas.engine import DAGModule
from nas.graph import random_dag
from nas.layers import Conv, GlobalPool, LayerDAG, LayerSpec, Linear, Node
from nas.manifold import ManifoldNetwork, Parametrisation
from nas.recurrent import RecurrentDAG
from nas.training import hardware, reference_kernel_seconds, time_inference

RESULTS: Final = Path(__file__).parent / "results" / "timing"
_BATCH: Final = 1024


def _layers(width: int, depth: int) -> nn.Module:
    nodes = [
        Node(name="c0", op=Conv(channels=width), norm="batch", activation="relu"),
        *(
            Node(name=f"c{k}", inputs=(f"c{k - 1}",), op=Conv(channels=width), norm="batch", activation="relu")
            for k in range(1, depth)
        ),
        Node(name="mean", inputs=(f"c{depth - 1}",), op=GlobalPool(kind="average")),
        Node(name="out", inputs=("mean",), op=Linear(features=10)),
    ]
    return LayerDAG(LayerSpec.of((1, 8, 8), nodes), seed=0)


def _neurons(computational: int, density: float) -> nn.Module:
    dag = random_dag(64, computational, 10, density=density, rng=np.random.default_rng(computational))
    return DAGModule(dag, activation="tanh", generator=torch.Generator().manual_seed(0))


def _manifold(parametrisation: Parametrisation, computational: int) -> nn.Module:
    dag = random_dag(64, computational, 2, density=0.9, rng=np.random.default_rng(computational))
    return ManifoldNetwork(dag, parametrisation=parametrisation, period=8, generator=np.random.default_rng(0)).fold()


def _recurrent(computational: int, steps: int) -> nn.Module:
    memory = 8
    dag = random_dag(64 // steps + memory, computational, 2 + memory, density=0.3, rng=np.random.default_rng(1))
    return nn.Sequential(nn.Unflatten(1, (steps, 64 // steps)), RecurrentDAG(dag, memory))


NETWORKS: Final[dict[str, Callable[[], nn.Module]]] = {
    **{f"neurons {n}, {d:.0%}": partial(_neurons, n, d) for n, d in
       ((20, 0.05), (50, 0.3), (100, 0.1), (200, 0.3), (500, 0.02), (500, 0.3))},
    **{f"masked {n}": partial(_manifold, "masked", n) for n in (20, 60, 200, 400)},
    **{f"manifold {n}": partial(_manifold, "manifold", n) for n in (50, 150)},
    **{f"layers {w} wide, {d} deep": partial(_layers, w, d) for w, d in
       ((2, 1), (4, 2), (8, 1), (8, 3), (16, 2))},
    **{f"recurrent {n}, {s} steps": partial(_recurrent, n, s) for n, s in ((20, 4), (60, 8), (120, 16))},
}  # fmt: skip


def once(seed: int) -> dict[str, list[float]]:
    """Seconds and stated interval of each network, in this process."""
    x = np.random.default_rng(0).standard_normal((_BATCH, 64)).astype(np.float32)
    found = {}
    for name in np.random.default_rng(seed).permutation(list(NETWORKS)).tolist():
        module = NETWORKS[name]()
        batch = x.reshape(_BATCH, 1, 8, 8) if name.startswith("layers") else x
        timing = time_inference(module, batch, budget_seconds=0.3)
        found[name] = [timing.seconds, timing.spread]
    return {**found, "reference": [reference_kernel_seconds(), 0.0]}


def summary(runs: list[dict[str, list[float]]]) -> list[dict[str, Any]]:
    """By network: the range of its times, its median interval and the share of other processes' times in it."""
    rows = []
    for name in NETWORKS:
        seconds, spread = np.array([run[name] for run in runs]).T
        pairs = list(itertools.permutations(range(len(runs)), 2))
        inside = [abs(seconds[j] - seconds[i]) <= spread[i] for i, j in pairs]
        rows.append(
            {
                "network": name,
                "median": float(np.median(seconds)),
                "least": float(seconds.min()),
                "most": float(seconds.max()),
                "interval": float(np.median(spread / seconds)),
                "inside": float(np.mean(inside)),
            }
        )
    return rows


def report(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    rows = [
        [
            row["network"],
            f"{1e3 * row['median']:.3g}",
            f"{1e3 * row['least']:.3g} to {1e3 * row['most']:.3g}",
            f"± {100 * row['interval']:.0f} %",
            f"{100 * row['inside']:.0f} %",
        ]
        for row in found["networks"]
    ]
    share = float(np.mean([row["inside"] for row in found["networks"]]))
    return (
        "# Do the intervals of process times hold in fresh processes?\n\n"
        f"`python -m benchmarks.timing`: {len(found['networks'])} networks, each timed in {found['processes']} fresh "
        f"processes in another order (inference of {_BATCH:,} samples, one thread; load {found['load'][0]:.1f} to "
        f"{found['load'][1]:.1f}, {found['hardware']['processor']}). Of all pairs of "
        f"processes, the time in one lies in the interval that the other states in {100 * share:.1f} %.\n\n"
        + table(["network", "median, ms", "all processes, ms", "stated interval", "times inside"], rows)
        + "\n"
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=12)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to, without .md and .json")
    parser.add_argument("--once", type=int, metavar="SEED", help="time all networks in this process, print JSON")
    options = parser.parse_args()
    if options.once is not None:
        print(json.dumps(once(options.once)))
        return
    load, runs = os.getloadavg()[0], []
    for seed in range(options.processes):
        command = [sys.executable, "-m", "benchmarks.timing", "--once", str(seed)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(said.splitlines()[-1]))
        print(f"{seed + 1} of {options.processes}", flush=True)
    found = {
        "processes": options.processes,
        "load": (load, os.getloadavg()[0]),
        "hardware": dict(hardware(1)),
        "networks": summary(runs),
        "runs": runs,
    }
    options.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(report(found))
    print("\n" + report(found))


if __name__ == "__main__":
    main()
