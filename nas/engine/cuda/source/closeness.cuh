// The closeness of a neuron's in-edges, an edge a lane, values and gradients; symbols as in nas.manifold.kernels.
#pragma once
#include "math.cuh"

#define WAVE_FLOOR real(1e-6)
#define WIDTH_FLOOR real(1e-6)

enum { ALPHA, BETA, GAMMA, THETA, PHI, SIGMA, MU };

// What all edges of a row share.
struct Row {
    real amplitude, exponent, threshold, number, phase, inverse, centre;
    real alpha_slope, theta_slope, sigma_slope;
    bool beta_moves;
};

// parameters: (7, m)
DEVICE Row derive(const real* parameters, int m, int i, real period) {
    Row row;
    real on = sigmoid(parameters[ALPHA * m + i]);
    real beta = parameters[BETA * m + i], theta = parameters[THETA * m + i], sigma = parameters[SIGMA * m + i];
    real stretch = softplus(theta), width = softplus(sigma);
    bool stretches = stretch > WIDTH_FLOOR, widens = width > WIDTH_FLOOR;
    stretch = fmax(stretch, WIDTH_FLOOR);
    width = fmax(width, WIDTH_FLOOR);
    row.amplitude = real(2) * on - real(1);
    row.exponent = fmax(beta + real(1), real(0));
    row.threshold = sigmoid(parameters[GAMMA * m + i]);
    row.number = real(4.355172180607204) / period / stretch;  // 2 pi ln 2
    row.phase = parameters[PHI * m + i];
    row.inverse = real(1) / width;
    row.centre = parameters[MU * m + i];
    row.alpha_slope = real(2) * on * (real(1) - on);
    row.theta_slope = stretches ? row.number * sigmoid(theta) / stretch : real(0);
    row.sigma_slope = widens ? sigmoid(sigma) : real(0);
    row.beta_moves = beta > real(-1);
    return row;
}

struct Edge {
    real d, gauss, wave, log_base, slope;
};

DEVICE Edge edge_value(const Row& row, real x) {
    Edge edge;
    real u = (x - row.centre) * row.inverse;
    edge.gauss = exp(real(-0.5) * u * u);
    real sine, cosine;
    sine_cosine(fma(row.number, x, row.phase), sine, cosine);
    real raw = fma(real(0.5), sine, real(0.5));
    real base = fmax(raw, WAVE_FLOOR);
    edge.log_base = log(base);
    edge.wave = exp(row.exponent * edge.log_base);
    edge.slope = raw > WAVE_FLOOR ? edge.wave * cosine / base : real(0);  // the floor is flat
    edge.d = row.amplitude * edge.gauss * (edge.wave - row.threshold);
    if (raw != raw) edge.d = raw;  // fmax drops a NaN
    return edge;
}

DEVICE void edge_gradient(const Row& row, real x, real grad_d, real gauss, real wave, real log_base, real slope,
                          real (&sums)[7]) {
    real gated = grad_d * gauss;
    real u = (x - row.centre) * row.inverse;
    real value = gated * (wave - row.threshold);
    real to_angle = gated * slope;
    sums[ALPHA] += value;
    sums[BETA] = fma(gated * wave, log_base, sums[BETA]);
    sums[GAMMA] += gated;
    sums[THETA] = fma(to_angle, x, sums[THETA]);
    sums[PHI] += to_angle;
    sums[SIGMA] = fma(value, u * u, sums[SIGMA]);
    sums[MU] = fma(value, u, sums[MU]);
}

// The gradient of parameter `which`, given the sum that belongs to it.
DEVICE real chain_rule(const Row& row, int which, real sum) {
    real half = row.amplitude * real(0.5) * row.exponent;
    switch (which) {
        case ALPHA: return sum * row.alpha_slope;
        case BETA: return row.beta_moves ? sum * row.amplitude : real(0);
        case GAMMA: return -sum * row.amplitude * row.threshold * (real(1) - row.threshold);
        case THETA: return -sum * half * row.theta_slope;
        case PHI: return sum * half;
        case SIGMA: return sum * row.amplitude * row.sigma_slope * row.inverse;
        default: return sum * row.amplitude * row.inverse;
    }
}
