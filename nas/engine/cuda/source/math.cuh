// Functions of one number: activations with their derivatives, and what the closeness is made of.
//
// The same formulas as the processor's kernels, in ordinary library functions; but sine and cosine are reduced here,
// because the library's own reduction of large arguments needs local memory.
#pragma once
#include "platform.h"

DEVICE real sigmoid(real x) { return real(1) / (real(1) + exp(-x)); }

DEVICE real softplus(real x) { return fmax(x, real(0)) + log1p(exp(-fabs(x))); }

// sin and cos of x, for |x| below about 1e4 (float) or 1e8 (double); beyond that some number in about [-1, 1].
DEVICE void sine_cosine(real x, real& sine, real& cosine) {
    real n = floor(fma(x, real(0.6366197723675814), real(0.5)));
    real r, s, c;
    if (sizeof(real) == 4) {
        r = fma(n, real(-7.549789948768648e-08), fma(n, real(-4.837512969970703e-04), fma(n, real(-1.5703125), x)));
    } else {
        r = fma(n, real(-2.02226624879595063154e-21), fma(n, real(-6.07710050630396597660e-11),
                                                          fma(n, real(-1.57079632673412561417), x)));
    }
    const real most = real(0.78639816);  // pi/4 and a little: no digits are left to reduce a larger x with
    r = fmin(fmax(r, -most), most);
    real q = r * r;
    if (sizeof(real) == 4) {
        s = fma(q, fma(q, fma(q, fma(q, real(2.7557319e-06), real(-1.9841270e-04)), real(8.3333333e-03)),
                       real(-1.6666667e-01)), real(1)) * r;
        c = fma(q, fma(q, fma(q, fma(q, fma(q, real(-2.7557319e-07), real(2.4801587e-05)), real(-1.3888889e-03)),
                              real(4.1666667e-02)), real(-0.5)), real(1));
    } else {
        s = sin(r);
        c = cos(r);
    }
    real quadrant = n - real(4) * floor(n * real(0.25));
    bool odd = quadrant == real(1) || quadrant == real(3);
    sine = odd ? c : s;
    cosine = odd ? s : c;
    if (quadrant >= real(2)) sine = -sine;
    if (quadrant == real(1) || quadrant == real(2)) cosine = -cosine;
    if (x != x) sine = cosine = x;
}

DEVICE real sine(real x) {
    real s, c;
    sine_cosine(x, s, c);
    return s;
}

DEVICE real cosine(real x) {
    real s, c;
    sine_cosine(x, s, c);
    return c;
}

// activate(code, x) and derivative(code, h, x), from the table of nas.engine._activations; x is looked at only where h
// does not tell the slope.
#include "activations.cuh"
