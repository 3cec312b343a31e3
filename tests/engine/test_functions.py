"""The vector functions against NumPy, in both precisions."""

import numpy as np
import pytest
from numba import njit

from nas.engine import functions
from nas.engine.simd import LANES, load, load_some, sqrt, store, store_some, total, transpose_in

CASES = {
    "v_exp": (functions.v_exp, np.exp, (-80.0, 80.0)),
    "v_log": (functions.v_log, np.log, (1e-6, 1e6)),
    "v_sin": (functions.v_sin, np.sin, (-300.0, 300.0)),
    "v_cos": (functions.v_cos, np.cos, (-300.0, 300.0)),
    "v_sigmoid": (functions.v_sigmoid, lambda x: 1 / (1 + np.exp(-x)), (-30.0, 30.0)),
    "v_tanh": (functions.v_tanh, np.tanh, (-12.0, 12.0)),
    "v_softplus": (functions.v_softplus, lambda x: np.logaddexp(0, x), (-40.0, 40.0)),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matches_numpy(name, dtype):
    function, reference, (low, high) = CASES[name]

    @njit
    def apply(lanes, x, out):
        for start in range(0, x.size, 16):
            store(out, start, function(load(lanes, x, start)))

    x = np.linspace(low, high, 4096).astype(dtype)
    out = np.empty_like(x)
    apply(LANES[16], x, out)
    expected = reference(x.astype(np.float64))
    tolerance = 4e-7 if dtype == np.float32 else 2e-15
    # sin and tanh pass through zero, where only the absolute error is promised
    np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)


def test_nan_stays_nan_and_extremes_saturate():
    @njit
    def apply(lanes, x, out):
        store(out, 0, functions.v_exp(load(lanes, x, 0)))

    x = np.zeros(16, np.float32)
    x[:4] = np.nan, np.inf, -np.inf, 1e30
    out = np.empty_like(x)
    apply(LANES[16], x, out)
    assert np.isnan(out[0])
    assert out[1] > 1e38
    assert out[3] > 1e38
    assert 0 <= out[2] < 1e-37
    assert out[4] == 1


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_transpose_and_total(lanes):
    @njit
    def apply(width, rows, numbers, stride, out, sums):
        transpose_in(width, rows, numbers, 1, stride, 3, out, 0)
        for k in range(16):
            sums[k] = total(load(width, out, k * lanes))

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 29)).astype(np.float32)
    numbers = rng.integers(0, 200, lanes + 1)
    out, sums = np.zeros(16 * lanes, np.float32), np.zeros(16, np.float32)
    apply(LANES[lanes], rows.ravel(), numbers, 29, out, sums)
    expected = rows[numbers[1:], 3:19].T
    np.testing.assert_array_equal(out.reshape(16, lanes), expected)
    np.testing.assert_allclose(sums, expected.sum(axis=1), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 20])
def test_masked_access_and_square_root(count):
    @njit
    def apply(lanes, x, out, count):
        store_some(out, 2, sqrt(load_some(lanes, x, 1, count)), count)

    x = np.arange(40, dtype=np.float32)
    out = np.full(40, -1, np.float32)
    apply(LANES[16], x, out, count)
    expected = np.full(40, -1, np.float32)
    taken = min(count, 16)
    expected[2 : 2 + taken] = np.sqrt(x[1 : 1 + taken])
    np.testing.assert_allclose(out, expected, rtol=1e-6)
