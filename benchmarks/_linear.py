"""Section 2: is the cost linear in live edges, whatever the depth? And what bounds it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks._graphs import of_depth, random_of, within_window
from benchmarks._measure import side_by_side
from benchmarks._problem import Engine, make_problem
from benchmarks._progress import Progress
from benchmarks._staged import Staged, stages_by_level
from nas.engine import choose_tiling
from nas.graph import DAG

__all__ = ["fit_line", "linear"]

_BATCH = 128


def fit_line(x: list[float], y: list[float]) -> dict[str, float]:
    """Least squares ``y = intercept + slope x`` weighted by 1 / y (small points count as much as large), its R², and
    the exponent of ``y ~ x^exponent``, 1 when linear."""
    a, b = np.asarray(x, float), np.asarray(y, float)
    slope, intercept = np.polyfit(a, b, 1, w=1 / b)
    residual = b - (intercept + slope * a)
    positive = a > 0
    exponent = np.polyfit(np.log(a[positive]), np.log(b[positive]), 1)[0]
    total = float(((b - b.mean()) ** 2).sum())
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "r2": 1.0 - float((residual**2).sum()) / total if total > 0 else 1.0,
        "exponent": float(exponent),
    }


def linear(progress: Progress, quick: bool) -> dict[str, Any]:
    """Series of graphs that differ in one thing only."""
    scale = 10 if quick else 1
    edges = [_point(random_of(2_000, count // scale), progress, quick) for count in _EDGES]
    depths = [
        _point(of_depth(10_000 // scale, depth, 4), progress, quick, levels=True) for depth in _depths(10_000 // scale)
    ]
    chain = _point(of_depth(10_000 // scale, 10_000 // scale, 1), progress, quick, levels=True)
    neurons = [
        _point(random_of(count, 200_000 // scale), progress, quick) for count in (_NEURONS[:3] if quick else _NEURONS)
    ]
    count = 20_000 // scale
    windows = [_point(within_window(count, window, 16), progress, quick) for window in _WINDOWS if window <= count]
    return {
        "batch": _BATCH,
        "edges": {"points": edges, "fit": _fit(edges, "edges")},
        "depth": {"points": depths, "fit": _fit(depths, "depth"), "chain": chain},
        "neurons": {"points": neurons, "fit": _fit(neurons, "neurons")},
        "windows": {"points": windows},
    }


_EDGES = (20_000, 40_000, 80_000, 160_000, 320_000, 640_000, 1_280_000)
_NEURONS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
_WINDOWS = (32, 128, 512, 2_048, 8_192, 20_000)


def _depths(neurons: int) -> list[int]:
    return [depth for depth in (1, 10, 100, 1_000, 3_000, 10_000) if depth <= neurons]


def _fit(points: list[dict[str, Any]], key: str) -> dict[str, float]:
    return fit_line([point[key] for point in points], [point["engine"]["median"] for point in points])


def _point(dag: DAG, progress: Progress, quick: bool, *, levels: bool = False) -> dict[str, Any]:
    """The engine's pass, and that of the hand-written levels next to it where depth is the question."""
    progress.detail(f"{dag}, depth {dag.depth}")
    problem = make_problem(dag, _BATCH)
    engine = Engine(problem)
    engine.run()
    calls: dict[str, Callable[[], object]] = {"engine": engine.run}
    if levels:
        staged = Staged(problem, stages_by_level, "needed")
        staged.run()
        calls["levels"] = staged.run
    samples = side_by_side(calls, seconds=(0.2 if quick else 1.2) * len(calls))
    size, tiles, threads = choose_tiling(dag.n_edges, _BATCH, torch.get_num_threads())
    line = f"{dag.n:,} neurons, {dag.n_edges:,} edges, depth {dag.depth:,}: {1e3 * samples['engine'].median:.3g} ms"
    progress.say("      " + line)
    return {
        "neurons": dag.n,
        "edges": dag.n_edges,
        "depth": dag.depth,
        # How far back an edge reads at most, in neurons: the activations in between must sit in a cache.
        "reach": int((dag.targets - dag.sources)[dag.sources >= dag.n_inputs].max(initial=0)),
        "tile": size,
        "tiles": tiles,
        "threads": threads,
        "flops": problem.flops,
        **{name: sample.to_json() for name, sample in samples.items()},
    }
