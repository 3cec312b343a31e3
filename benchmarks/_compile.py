"""Section 5: what it takes before the first pass, and when the live edges change."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import torch

from benchmarks._graphs import random_of
from benchmarks._measure import side_by_side
from benchmarks._problem import make_problem
from benchmarks._progress import Progress
from nas.engine import apply, compile_plan
from nas.graph import DAG, random_dag

__all__ = ["compile_times"]

_FIRST_CALL = """
import json, time
start = time.perf_counter()
import numpy as np, torch
torch_done = time.perf_counter()
from nas.engine import DAGModule
from nas.graph import random_dag
imported = time.perf_counter()
torch.set_num_threads({threads})
dag = random_dag(64, 1000, 10, n_edges=50_000, rng=np.random.default_rng(0))
made = time.perf_counter()
module = DAGModule(dag)
x = torch.randn(128, 64)
module(x).sum().backward()
first = time.perf_counter()
module(x).sum().backward()
second = time.perf_counter()
print(json.dumps({{"import_torch": torch_done - start, "import_nas": imported - torch_done, "graph": made - imported,
                  "first_pass": first - made, "second_pass": second - first}}))
"""


def compile_times(progress: Progress, quick: bool) -> dict[str, Any]:
    """Plan, restriction, and the first pass of a fresh process with and without kernels on disk."""
    edges = 50_000
    rng = np.random.default_rng(0)
    plans, graphs = [], []
    for _ in range(3 if quick else 15):
        start = time.perf_counter()
        dag = random_dag(64, 1_000, 10, n_edges=edges, rng=rng)
        graphs.append(time.perf_counter() - start)
        fresh = DAG(*dag.sizes, dag.edges)  # with nothing remembered
        start = time.perf_counter()
        compile_plan(fresh)
        plans.append(time.perf_counter() - start)
    progress.say(f"      plan of 1,000 neurons, {edges:,} edges: {1e3 * statistics.median(plans[1:]):.2f} ms")
    result: dict[str, Any] = {
        "neurons": 1_074,
        "edges": edges,
        "graph_seconds": statistics.median(graphs[1:]),
        "plan_seconds": statistics.median(plans[1:]),
        "plan_seconds_worst": max(plans[1:]),
        "live": _live_changes(edges),
        "warm": _fresh_process({}),
    }
    progress.say(f"      fresh process, first pass: {1e3 * result['warm']['first_pass']:.0f} ms with kernels on disk")
    if not quick:
        with tempfile.TemporaryDirectory() as empty:
            result["cold"] = _fresh_process({"NUMBA_CACHE_DIR": empty})
        progress.say(f"      {result['cold']['first_pass']:.1f} s when they must be compiled")
    return result


def _live_changes(edges: int) -> dict[str, Any]:
    """A pass whose live edges change every time, against one whose edges are all live and as many."""
    dag = random_of(1_000, edges)
    problem, plan = make_problem(dag, 128), compile_plan(dag)
    weight, bias = problem.weight.clone().requires_grad_(), problem.bias.clone().requires_grad_()
    rng = np.random.default_rng(1)
    masks = [torch.from_numpy(rng.random(edges) < 0.5) for _ in range(16)]
    turn = iter(range(2**62))

    def changing() -> None:
        y = apply(plan, problem.x, weight, bias, live=masks[next(turn) % len(masks)])
        y.backward(problem.grad_y)  # type: ignore[no-untyped-call]
        weight.grad = bias.grad = None

    half = DAG(*dag.sizes, dag.edges[masks[0].numpy()], allow_unreachable=True)
    half_plan = compile_plan(half)
    half_weight = problem.weight[masks[0]].clone().requires_grad_()

    def fixed() -> None:
        y = apply(half_plan, problem.x, half_weight, bias)
        y.backward(problem.grad_y)  # type: ignore[no-untyped-call]
        half_weight.grad = bias.grad = None

    def restriction() -> None:
        plan.restrict(masks[next(turn) % len(masks)].numpy())

    calls = {"changing": changing, "fixed": fixed, "restrict": restriction}
    for call in calls.values():
        call()
    samples = side_by_side(calls, seconds=2.0)
    return {"allowed": edges, "live": half.n_edges, **{name: sample.to_json() for name, sample in samples.items()}}


def _fresh_process(environment: dict[str, str]) -> dict[str, float]:
    script = _FIRST_CALL.format(threads=torch.get_num_threads())
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ | environment
    )
    times: dict[str, float] = json.loads(done.stdout)
    return times
