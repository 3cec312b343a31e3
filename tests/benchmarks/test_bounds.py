"""The least time of a cell at measured rates."""

import pytest

from benchmarks._bounds import bound_seconds, bounds
from benchmarks._progress import Progress

_RATES = {
    "gflops": 100.0,
    "reads": {"16": [[16, 1e-9], [64, 1e-9]], "64": [[16, 1e-9], [1024, 3e-9]]},
}
_CELL = {"edges": 1_000, "from_inputs": 200, "tile": 64, "tiles": 4, "threads": 2, "reach": 10}


def test_arithmetic_bounds_where_rows_are_near():
    # 128 FLOPs an edge at 100 GFLOP/s are 1.28 ns, twice that backward but for the inputs' edges
    assert bound_seconds(_RATES, _CELL) == pytest.approx(2 * 1.28e-9 * (1_000 + 200 + 2 * 800))


def test_reading_bounds_where_rows_are_far():
    assert bound_seconds(_RATES, _CELL | {"reach": 10_000}) == pytest.approx(2 * 3e-9 * 2_000)


def test_a_single_sample_has_no_such_bound():
    assert bound_seconds(_RATES, _CELL | {"tile": 1}) is None


def test_rates_are_measured_for_every_width():
    section = bounds(Progress(60), quick=True)
    assert section["gflops"] > 0
    assert all(seconds > 0 for points in section["reads"].values() for _, seconds in points)
    assert set(section["reads"]) == {"16", "32", "64"}
