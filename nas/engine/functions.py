"""exp, log, sin and what is built from them, on the vectors of `simd`.

numba maps ``math.exp`` to a scalar library call; sixty-four of these a neuron would cost more than the neuron's edges.
The functions here are range reduction plus a polynomial, in either precision: relative error below 3e-7 in float32 and
1e-15 in float64 (`tests/engine/test_functions.py`). Arguments outside the representable range saturate; NaN stays NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.extending import overload

from nas.engine.simd import (
    add,
    clamp,
    div,
    floor,
    fma,
    ldexp,
    like,
    maximum,
    mul,
    split_exponent,
    sub,
    where_positive,
)

__all__ = ["v_cos", "v_exp", "v_log", "v_sigmoid", "v_sin", "v_softplus", "v_tanh"]

_LOG2_E = 1.0 / math.log(2.0)
# ln 2 and pi/2 in two and three parts, the leading ones short, so that n times each is exact.
_LN2_HIGH, _LN2_LOW = 0.693145751953125, 1.4286068203094172321e-06
_HALF_PI = (1.5703125, 4.837512969970703e-04, 7.549789948768648e-08)
_HALF_PI_64 = (1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21)


def _horner(coefficients: list[float]) -> Callable[[Any], Any]:
    """A numba function evaluating ``sum(c[k] * x**k)``, unrolled: the source is built so that LLVM sees constants."""
    body = f"like(x, {coefficients[-1]!r})"
    for coefficient in reversed(coefficients[:-1]):
        body = f"fma(x, {body}, like(x, {coefficient!r}))"
    namespace: dict[str, Any] = {"like": like, "fma": fma}
    exec(f"def polynomial(x):\n    return {body}\n", namespace)  # constants of this module only
    return njit(inline="always")(namespace["polynomial"])  # type: ignore[no-any-return]


_exp_poly = {size: _horner([1 / math.factorial(k) for k in range(n)]) for size, n in ((32, 8), (64, 14))}
# log m = 2 atanh(s) = 2 s (1 + s²/3 + s⁴/5 + …), s = (m − 1)/(m + 1); polynomial in s².
_atanh_poly = {size: _horner([2 / (2 * k + 1) for k in range(n)]) for size, n in ((32, 6), (64, 13))}
_sin_poly = {size: _horner([(-1) ** k / math.factorial(2 * k + 1) for k in range(n)]) for size, n in ((32, 5), (64, 9))}
_cos_poly = {size: _horner([(-1) ** k / math.factorial(2 * k) for k in range(n)]) for size, n in ((32, 6), (64, 10))}


def _bits(vec: Any) -> int:
    return 32 if vec.dtype == types.float32 else 64


def v_exp(x: Any) -> Any:
    """e**x; saturates near the ends of the normal range."""
    raise NotImplementedError("only inside numba kernels")


@overload(v_exp)
def _v_exp(x: Any) -> Any:
    polynomial = _exp_poly[_bits(x)]
    low, high = (-87.3, 88.3) if _bits(x) == 32 else (-708.0, 709.0)

    def implementation(x: Any) -> Any:
        x = clamp(x, like(x, low), like(x, high))
        n = floor(fma(x, like(x, _LOG2_E), like(x, 0.5)))
        r = fma(n, like(x, -_LN2_LOW), fma(n, like(x, -_LN2_HIGH), x))
        return ldexp(polynomial(r), n)

    return implementation


def v_log(x: Any) -> Any:
    """Natural logarithm of positive normal x."""
    raise NotImplementedError("only inside numba kernels")


@overload(v_log)
def _v_log(x: Any) -> Any:
    polynomial = _atanh_poly[_bits(x)]

    def implementation(x: Any) -> Any:
        mantissa, exponent = split_exponent(x)
        large = sub(mantissa, like(x, math.sqrt(2.0)))
        exponent = where_positive(large, add(exponent, like(x, 1.0)), exponent)
        mantissa = where_positive(large, mul(mantissa, like(x, 0.5)), mantissa)
        s = div(sub(mantissa, like(x, 1.0)), add(mantissa, like(x, 1.0)))
        return fma(exponent, like(x, _LN2_HIGH), fma(exponent, like(x, _LN2_LOW), mul(s, polynomial(mul(s, s)))))

    return implementation


def v_sin(x: Any) -> Any:
    """sin x for |x| below about 1e4 (float32) or 1e8 (float64); beyond that some number in about [-1, 1]."""
    raise NotImplementedError("only inside numba kernels")


def v_cos(x: Any) -> Any:
    """cos x, same range as `v_sin`."""
    raise NotImplementedError("only inside numba kernels")


def _circular(shift: float) -> Callable[[Any], Any]:
    """sin(x + shift·π/2), as an overload."""

    def build(x: Any) -> Any:
        sine, cosine = _sin_poly[_bits(x)], _cos_poly[_bits(x)]
        high, middle, low = _HALF_PI if _bits(x) == 32 else _HALF_PI_64

        def implementation(x: Any) -> Any:
            n = floor(fma(x, like(x, 2.0 / math.pi), like(x, 0.5)))
            r = fma(n, like(x, -low), fma(n, like(x, -middle), fma(n, like(x, -high), x)))
            # Too large an x leaves no digits to reduce; the result is then arbitrary, but no more than 1.
            r = clamp(r, like(x, -math.pi / 4 - 1e-3), like(x, math.pi / 4 + 1e-3))
            quadrant = add(n, like(x, shift))
            quadrant = fma(floor(mul(quadrant, like(x, 0.25))), like(x, -4.0), quadrant)  # 0, 1, 2, 3
            odd = fma(floor(mul(quadrant, like(x, 0.5))), like(x, -2.0), quadrant)  # 0, 1
            square = mul(r, r)
            value = where_positive(odd, cosine(square), mul(r, sine(square)))
            return where_positive(sub(quadrant, like(x, 1.5)), sub(like(x, 0.0), value), value)

        return implementation

    return build


overload(v_sin)(_circular(0.0))
overload(v_cos)(_circular(1.0))


def v_sigmoid(x: Any) -> Any:
    """1 / (1 + e**-x)."""
    raise NotImplementedError("only inside numba kernels")


@overload(v_sigmoid)
def _v_sigmoid(x: Any) -> Any:
    def implementation(x: Any) -> Any:
        return div(like(x, 1.0), add(like(x, 1.0), v_exp(sub(like(x, 0.0), x))))

    return implementation


def v_tanh(x: Any) -> Any:
    """Hyperbolic tangent; absolute error below 1e-7 (float32)."""
    raise NotImplementedError("only inside numba kernels")


@overload(v_tanh)
def _v_tanh(x: Any) -> Any:
    def implementation(x: Any) -> Any:
        return sub(like(x, 1.0), div(like(x, 2.0), add(like(x, 1.0), v_exp(add(x, x)))))

    return implementation


def v_softplus(x: Any) -> Any:
    """log(1 + e**x), without overflow."""
    raise NotImplementedError("only inside numba kernels")


@overload(v_softplus)
def _v_softplus(x: Any) -> Any:
    def implementation(x: Any) -> Any:
        zero = like(x, 0.0)
        magnitude = where_positive(x, x, sub(zero, x))
        tail = v_log(add(like(x, 1.0), v_exp(sub(zero, magnitude))))  # of NaN some number
        return add(maximum(x, zero), tail)

    return implementation
