"""The vector functions against NumPy, in both precisions."""

import numpy as np
import pytest
from numba import njit

from nas.engine import _functions as functions
from nas.engine._simd import LANES, load, store, total, transpose_in

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
    assert out[1] > 1e38 and out[3] > 1e38
    assert 0 <= out[2] < 1e-37
    assert out[4] == 1


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_transpose_and_total(lanes):
    @njit
    def apply(width, rows, stride, out, sums, step):
        transpose_in(width, rows, 3, stride, out, 0, step)
        for k in range(16):
            sums[k] = total(load(width, out, k * step))

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(lanes + 1, 29)).astype(np.float32)
    out, sums = np.zeros(16 * lanes, np.float32), np.zeros(16, np.float32)
    apply(LANES[lanes], rows.ravel(), 29, out, sums, lanes)
    expected = rows[:lanes, 3:19].T
    np.testing.assert_array_equal(out.reshape(16, lanes), expected)
    np.testing.assert_allclose(sums, expected.sum(axis=1), rtol=1e-4, atol=1e-4)
