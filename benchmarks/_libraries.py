"""Libraries for neuron-level networks, when they happen to be importable; none of them is a dependency.

Each gets the same graph as the engine. What it computes may differ, and the table says how:

- deepstruct's ``MaskedDeepDAN`` (MIT; pinned to numpy 1 and torch 1) adds a dense layer before and after the graph and
  applies relu to each skip connection before they are summed, so outputs cannot be compared, only the work.
- neat-python (BSD) has no gradients: forward only, in pure Python, sample by sample; its outputs are checked.

``make bench-others`` installs them in an environment of their own and runs this section there.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._graphs import random_of
from benchmarks._measure import ONCE_SECONDS, Sample, fastest_threads, side_by_side
from benchmarks._problem import Engine, Problem, make_problem
from benchmarks._progress import Progress

__all__ = ["libraries", "neat_forward"]

_BATCH = 128


def libraries(progress: Progress, quick: bool) -> dict[str, Any]:
    """The engine and each library found on one graph: 1,000 neurons, 10,000 edges, batch 128."""
    dag = random_of(100, 400) if quick else random_of(1_000, 10_000)
    problem = make_problem(dag, _BATCH)
    engine = Engine(problem)
    y = engine.run()

    def forward() -> Tensor:
        with torch.inference_mode():
            result: Tensor = engine.module(problem.x)
        return result

    samples = side_by_side({"pass": engine.run, "forward": forward}, seconds=1.0)
    rows: list[dict[str, Any]] = [
        {"name": "engine", "work": "training pass", **samples["pass"].to_json()},
        {"name": "engine", "work": "forward pass", **samples["forward"].to_json()},
    ]
    for name, package, work, make, comparable in _LIBRARIES:
        row: dict[str, Any] = {"name": name, "work": work}
        progress.detail(name)
        call = make(problem)
        if call is None:
            rows.append(row | {"status": f"not installed ({package})"})
            continue
        got = call()
        if comparable and not torch.allclose(got, y, rtol=1e-3, atol=1e-3):
            rows.append(row | {"status": "disagrees with the engine"})
            continue
        threads, seconds = fastest_threads(call)
        sample = Sample(seconds, seconds, seconds, 1)
        if seconds < ONCE_SECONDS:
            sample = side_by_side({name: call}, seconds=1.0, threads={name: threads})[name]
        rows.append(row | sample.to_json())
        progress.say(f"      {name}, {work}: {1e3 * sample.median:.3g} ms")
    return {"neurons": dag.n, "edges": dag.n_edges, "depth": dag.depth, "batch": _BATCH, "rows": rows}


def neat_forward(problem: Problem) -> Callable[[], Tensor] | None:
    """The forward pass of the problem's batch in neat-python, None when it is not installed."""
    if importlib.util.find_spec("neat") is None:
        return None
    neat: Any = importlib.import_module("neat.nn")
    dag = problem.dag
    weight, bias = problem.weight.tolist(), problem.bias.tolist()
    names = [-j - 1 if j < dag.n_inputs else j for j in range(dag.n)]  # inputs are negative in neat-python
    evals = []
    for i in range(dag.n_inputs, dag.n):
        edges = range(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1]))
        links = [(names[int(dag.sources[e])], weight[e]) for e in edges]
        rectify = (lambda z: max(z, 0.0)) if i < dag.first_output else (lambda z: z)
        evals.append((names[i], rectify, sum, bias[i - dag.n_inputs], 1.0, links))
    network = neat.FeedForwardNetwork(names[: dag.n_inputs], names[dag.first_output :], evals)
    rows = problem.x.tolist()
    return lambda: torch.from_numpy(np.array([network.activate(row) for row in rows], np.float32))


def _deepstruct_pass(problem: Problem) -> Callable[[], Tensor] | None:
    """Forward and backward of a ``MaskedDeepDAN`` whose structure is the graph, None when it is not installed."""
    if importlib.util.find_spec("deepstruct") is None:
        return None
    graphs: Any = importlib.import_module("deepstruct.graph")
    sparse: Any = importlib.import_module("deepstruct.sparse")
    dag = problem.dag
    structure = graphs.CachedLayeredGraph()
    structure.add_nodes_from(range(dag.n))
    structure.add_edges_from(dag.edges.tolist())
    network = sparse.MaskedDeepDAN(dag.n_inputs, dag.n_outputs, structure)

    def run() -> Tensor:
        network.zero_grad()
        y: Tensor = network(problem.x)
        y.backward(problem.grad_y)  # type: ignore[no-untyped-call]
        return y.detach()

    return run


_Maker = Callable[[Problem], Callable[[], Tensor] | None]
_LIBRARIES: tuple[tuple[str, str, str, _Maker, bool], ...] = (
    ("deepstruct", "pip install deepstruct", "training pass, another function", _deepstruct_pass, False),
    ("neat-python", "pip install neat-python", "forward pass", neat_forward, True),
)
