"""What bounds the engine: how fast this processor multiplies, and reads rows of activations from each cache.

Per edge and tile the forward walk reads one row (the source's activations) and does one multiply-add on it; the
backward walk reads one row (the target's gradient) and does two. No execution that takes edge by edge can be faster
than the slower of both, whatever its overheads; dense parts, where four neurons share a row, may be. The rates are
measured with loops that do nothing else, one thread, in vectors of the same width as the engine's. With 64 samples in
AVX-512 registers that is 4 loads and 4 multiply-adds forward, 4 loads and 8 multiply-adds backward (and, not counted
here, a third of 13 shuffles and additions that sum over samples, an index and a weight), of which current cores do two
each a cycle while rows sit in first-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit

from benchmarks._graphs import random_of
from benchmarks._measure import seconds_of, side_by_side
from benchmarks._problem import Engine, make_problem
from benchmarks._progress import Progress
from nas.engine import Workspace
from nas.engine.simd import LANES, add, fma, like, load, store

__all__ = ["bound_seconds", "bounds"]

_WIDTHS = (16, 32, 64)
_KIB = (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384)
_ROWS = 20_000  # read in random order, as many as a graph has edges
_REPEATS = 7


@njit(nogil=True, error_model="numpy")
def _read_rows(lanes, size, data, order, out):  # type: ignore[no-untyped-def]
    even = load(lanes, data, order[0] * size)
    odd = like(even, 0.0)
    for k in range(1, order.size - 1, 2):
        even = add(even, load(lanes, data, order[k] * size))
        odd = add(odd, load(lanes, data, order[k + 1] * size))
    store(out, 0, add(even, odd))


@njit(nogil=True, error_model="numpy")
def _multiply(lanes, data, out, count):  # type: ignore[no-untyped-def]
    """``8 * count`` independent multiply-adds of 32 lanes."""
    a = load(lanes, data, 0)
    b, c, d, e, f, g, h = a, add(a, a), a, add(a, a), a, add(a, a), a
    b, d, f, h = add(b, a), add(c, d), add(e, f), add(g, h)
    x = data[0]
    for _ in range(count):
        a, b, c, d = fma(x, a, a), fma(x, b, b), fma(x, c, c), fma(x, d, d)
        e, f, g, h = fma(x, e, e), fma(x, f, f), fma(x, g, g), fma(x, h, h)
    store(out, 0, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))


def bounds(progress: Progress, quick: bool) -> dict[str, Any]:
    """Rates of one core: GFLOP/s, ns a row by width and size of what is read; and what a pass costs without edges."""
    rng = np.random.default_rng(0)
    scratch = Workspace(256, np.dtype(np.float32)).array
    scratch[:] = 1e-3
    count = 20_000
    _multiply(LANES[32], scratch, scratch, 1)
    fastest = min(seconds_of(lambda: _multiply(LANES[32], scratch, scratch, count)) for _ in range(_REPEATS))
    gflops = 2 * 32 * 8 * count / fastest / 1e9
    progress.say(f"      {gflops:.0f} GFLOP/s a core")
    reads: dict[str, list[list[float]]] = {}
    for size in _WIDTHS:
        points = []
        for kib in _KIB[:4] if quick else _KIB:
            progress.detail(f"{kib} KiB in rows of {size}")
            rows = kib * 1_024 // 4 // size
            memory = Workspace(rows * size, np.dtype(np.float32))
            memory.array[:] = 0.5
            order = rng.integers(0, rows, _ROWS).astype(np.int32)
            arguments = (LANES[size], size, memory.array, order, scratch)
            _read_rows(*arguments)
            points.append([kib, min(seconds_of(lambda a=arguments: _read_rows(*a)) for _ in range(_REPEATS)) / _ROWS])  # type: ignore[misc]
        reads[str(size)] = points
        progress.say(f"      rows of {size}: " + ", ".join(f"{k} KiB {1e9 * s:.2f} ns" for k, s in points[::2]))
    empty = Engine(make_problem(random_of(40, 100), 128))
    empty.run()
    one = empty.problem.x[:1].contiguous()
    samples = side_by_side({"pass": empty.run}, seconds=0.5)
    with torch.inference_mode():
        samples |= side_by_side({"forward": lambda: empty.module(one)}, seconds=0.5)
    progress.say(
        f"      a pass of 100 edges: {1e6 * samples['pass'].median:.0f} µs, "
        f"one sample {1e6 * samples['forward'].median:.1f} µs"
    )
    return {
        "gflops": gflops,
        "reads": reads,
        "empty_pass": samples["pass"].to_json(),
        "empty_forward": samples["forward"].to_json(),
    }


def bound_seconds(section: dict[str, Any], cell: dict[str, Any]) -> float | None:
    """The least time of the edges of a cell's pass at the measured rates, on all threads that it uses.

    Args:
        section: from `bounds`.
        cell: has edges, from_inputs (edges), tile (width), tiles, threads and reach (neurons back that nearly all
            edges read at most).

    Returns:
        Seconds; None for a single sample, which goes without vectors.
    """
    size = cell["tile"]
    if size < _WIDTHS[0]:
        return None
    kib, seconds = np.array(section["reads"][str(size)]).T
    read = float(np.interp(np.log(4 * size * max(cell["reach"], 1) / 1_024), np.log(kib), seconds))
    multiply = 2 * size / section["gflops"] / 1e9
    inner = cell["edges"] - cell["from_inputs"]
    once: float = max(read, multiply) * (cell["edges"] + cell["from_inputs"]) + max(read, 2 * multiply) * inner
    return float(once * -(-cell["tiles"] // cell["threads"]))
