"""Section 1: a training pass against every alternative, over families, sizes, densities and batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._alternatives import Alternative, Variant, alternatives
from benchmarks._dense import DenseChain
from benchmarks._graphs import FAMILIES, GraphSpec, build
from benchmarks._measure import ONCE_SECONDS, Sample, fastest_threads, seconds_of, side_by_side, torch_threads
from benchmarks._problem import Engine, Execution, Problem, Results, disagreement, make_problem
from benchmarks._progress import Progress
from nas.engine import choose_tiling

__all__ = ["Cell", "grid", "measure_cell", "prepare", "speed"]

_MOST_SHARE = 0.35  # of the memory that is free when a cell starts
_COPY_RATE = 20e9  # bytes a second, more than this kind of machine copies
_SLOW_SECONDS = 6.0  # on one thread; a second run on all of them would take too long
_CELL_SECONDS = 2.5


@dataclass(frozen=True, slots=True)
class Cell:
    """A graph and a batch."""

    graph: GraphSpec
    batch: int


def grid(quick: bool) -> list[Cell]:
    """What is measured, the most telling cells first: the rest is left out, and said so, when time runs short."""
    if quick:
        return [Cell(GraphSpec("erdos_renyi", 1_000, 0.02), 128), Cell(GraphSpec("banded", 1_000, 0.02), 1)]
    cells = [Cell(GraphSpec("erdos_renyi", 1_000, d), 128) for d in (0.02, 0.05, 0.10, 0.005, 0.5, 1.0)]
    cells += [Cell(GraphSpec("erdos_renyi", 5_000, d), 128) for d in (0.005, 0.05)]
    cells += [Cell(GraphSpec("erdos_renyi", 20_000, 0.005), 128)]
    cells += [Cell(GraphSpec("erdos_renyi", 1_000, d), b) for d in (0.02, 0.10, 0.5, 1.0) for b in (1, 32, 1024)]
    for family in ("barabasi_albert", "watts_strogatz", "banded"):
        cells += [Cell(GraphSpec(family, 1_000, d), 128) for d in (0.02, 0.10)]
        cells += [Cell(GraphSpec(family, 1_000, 0.02), 1)]
        cells += [Cell(GraphSpec(family, 5_000, 0.01), 128)]
    cells += [Cell(GraphSpec("banded", 1_000, 0.5), 128), Cell(GraphSpec("banded", 20_000, 0.005), 128)]
    cells += [Cell(GraphSpec("watts_strogatz", 20_000, 0.005), 128)]
    cells += [Cell(GraphSpec("erdos_renyi", 5_000, 0.01), b) for b in (1, 32, 1024)]
    cells += [Cell(GraphSpec("erdos_renyi", 20_000, 0.005), b) for b in (1, 32)]
    cells += [Cell(GraphSpec("erdos_renyi", 5_000, d), 128) for d in (0.5, 1.0)]
    return cells


def speed(progress: Progress, quick: bool, save: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """All cells of the grid; those that time does not allow are listed as left out.

    Args:
        save: gets what there is after every cell: nothing measured is lost when the run is ended.
    """
    cells = grid(quick)
    done: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    about = {each.name: each.about for each in alternatives()}
    for number, cell in enumerate(cells, 1):
        spec = cell.graph
        title = f"{FAMILIES[spec.family]} {spec.computational:,} neurons, {spec.density:.1%}, batch {cell.batch}"
        if progress.out_of_time():
            left_out.append({"family": spec.family, "computational": spec.computational, "density": spec.density,
                             "batch": cell.batch})  # fmt: skip
            progress.say(f"[{number}/{len(cells)}] {title}: left out, time is up")
            continue
        progress.say(f"[{number}/{len(cells)}] {title}")
        done.append(measure_cell(cell, progress.detail, seconds=0.5 if quick else _CELL_SECONDS))
        progress.say(_one_line(done[-1]))
        save({"cells": done, "left_out": left_out, "alternatives": about})
    return {"cells": done, "left_out": left_out, "alternatives": about}


def measure_cell(cell: Cell, detail: Callable[[str], None], *, seconds: float = _CELL_SECONDS) -> dict[str, Any]:
    """Check every alternative against the engine, pick its fastest variant, and time all side by side."""
    spec = cell.graph
    dag = build(spec)
    problem = make_problem(dag, cell.batch)
    engine = Engine(problem)
    expected: Results = (engine.run(), *engine.gradients())
    dense = DenseChain(dag.n_edges, cell.batch)
    dense.run()
    dense_threads, dense_seconds = fastest_threads(dense.run)
    dense_rate = dense.flops / dense_seconds
    calls: dict[str, Callable[[], object]] = {"engine": engine.run, "dense": dense.run}
    threads = {"dense": dense_threads}
    records: dict[str, dict[str, Any]] = {}
    for alternative in alternatives():
        detail(alternative.name)
        with _memory_limit():
            records[alternative.name], execution = prepare(alternative, problem, expected, dense_rate)
        if execution is not None:
            calls[alternative.name] = execution.run
            threads[alternative.name] = records[alternative.name]["threads"]
    detail("timing")
    samples = side_by_side(calls, seconds=seconds, threads=threads)
    for name, sample in samples.items():
        if name in records:
            records[name] |= {"status": "timed"} | sample.to_json()
    own = samples["engine"]
    timed = {name: record["median"] for name, record in records.items() if "median" in record}
    best = min(timed, key=lambda name: timed[name], default=None)
    return {
        "family": spec.family,
        "computational": spec.computational,
        "density": spec.density,
        "batch": cell.batch,
        "neurons": dag.n,
        "edges": dag.n_edges,
        "depth": dag.depth,
        **_tiling(problem),
        "flops": problem.flops,
        "engine": own.to_json(),
        "dense": samples["dense"].to_json() | {"flops": dense.flops, "threads": dense_threads},
        "flop_rate_share": _rate(problem.flops, own) / _rate(dense.flops, samples["dense"]),
        "alternatives": records,
        "best": best,
        "best_ratio": None if best is None else timed[best] / own.median,
    }


@contextmanager
def _memory_limit() -> Iterator[None]:
    """An allocation that would push the machine into swapping fails instead, and is reported."""
    try:
        import resource
    except ImportError:  # no such limits on Windows
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    limit = now + int(0.7 * _free_bytes())
    if before[1] != resource.RLIM_INFINITY:
        limit = min(limit, before[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def prepare(
    alternative: Alternative, problem: Problem, expected: Results, dense_rate: float
) -> tuple[dict[str, Any], Execution | None]:
    """The record of an alternative so far, and its fastest variant when that may be timed with the others."""
    reasons: list[str] = []
    fastest: tuple[float, str, int, Execution] | None = None
    for variant in alternative.variants:
        if fastest is not None and fastest[0] > ONCE_SECONDS:
            reasons.append(f"{variant.name}: not run, as {fastest[1]} took {fastest[0]:.1f} s")
            continue
        if reason := _refusal(variant, problem, dense_rate, ONCE_SECONDS if fastest is None else fastest[0]):
            reasons.append(f"{variant.name}: {reason}")
            continue
        try:
            execution = variant.make(problem)
            with torch_threads(1):  # where a product is too small for two threads, one is not caught in their barriers
                start = time.perf_counter()
                y = execution.run()
                taken, threads = time.perf_counter() - start, 1
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
                raise
            reasons.append(f"{variant.name}: not run, needs more than {_free_bytes() / 2**30:.0f} GiB")
            continue
        if wrong := disagreement(expected, (y, *execution.gradients())):
            reasons.append(f"{variant.name}: disagrees with the engine, {wrong}")
            continue
        if taken <= ONCE_SECONDS:
            threads, taken = fastest_threads(execution.run)
        elif taken <= _SLOW_SECONDS:
            with_all = seconds_of(execution.run)
            if with_all < taken:
                taken, threads = with_all, torch.get_num_threads()
        if fastest is None or taken < fastest[0]:
            fastest = (taken, variant.name, threads, execution)
    if fastest is None:
        status = "failed" if any("disagrees" in reason for reason in reasons) else "skipped"
        return {"status": status, "reasons": reasons}, None
    taken, name, threads, execution = fastest
    record: dict[str, Any] = {"status": "once", "variant": name, "threads": threads, "reasons": reasons}
    if taken > ONCE_SECONDS:
        return record | Sample(taken, taken, taken, 1).to_json(), None
    return record, execution


def _refusal(variant: Variant, problem: Problem, dense_rate: float, limit: float) -> str:
    """Why a variant is not even tried, or ""; ``limit``: seconds that it must have a chance to stay below."""
    needed = variant.bytes_needed(problem)
    if needed > _MOST_SHARE * _free_bytes():
        return f"not run, needs {needed / 2**30:.0f} GiB"
    if variant.bytes_copied(problem) / _COPY_RATE > _SLOW_SECONDS:
        return f"not run, copies {variant.bytes_copied(problem) / 2**30:,.0f} GiB a pass"
    least = variant.flops_needed(problem) / dense_rate
    if least > limit:
        return f"not run, its FLOPs alone take at least {least:.2g} s at the rate of the dense product"
    return ""


def _tiling(problem: Problem) -> dict[str, int]:
    """What `benchmarks._bounds.bound_seconds` wants to know of a cell."""
    dag = problem.dag
    size, tiles, threads = choose_tiling(dag.n_edges, problem.batch, torch.get_num_threads(), single=True)
    inner = dag.sources >= dag.n_inputs
    distance = (dag.targets - dag.sources)[inner]
    return {
        "tile": size,
        "tiles": tiles,
        "threads": threads,
        "from_inputs": int(dag.n_edges - inner.sum()),
        "reach": int(np.quantile(distance, 0.9)) if distance.size else 1,
    }


def _free_bytes() -> int:
    """Memory that can be had without swapping; 16 GiB where the system does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as file:
            fields = dict(line.split(":") for line in file)
        return 1_024 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError):
        return 16 * 2**30


def _rate(flops: int, sample: Sample) -> float:
    return flops / sample.median


def _one_line(cell: dict[str, Any]) -> str:
    parts = [f"engine {1e3 * cell['engine']['median']:.3g} ms", f"{cell['flop_rate_share']:.0%} of dense rate"]
    for name, record in cell["alternatives"].items():
        parts.append(f"{name} {1e3 * record['median']:.3g} ms" if "median" in record else f"{name} {record['status']}")
    return "      " + " · ".join(parts)
