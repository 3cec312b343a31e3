"""d of all edges in one pass over memory, values and gradients, on the CPU.

In eager torch the closeness functions are some twenty kernels over all edges forward and as many backward, and cost
more than the network they feed. Here one loop over the edges, grouped by target so that the neuron's seven numbers
are read once, writes d and the three transcendental values that the backward loop needs.
`nas.manifold.reference_d` is the specification.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["WAVE_FLOOR", "WIDTH_FLOOR", "fused_d"]

# The wave's base touches 0, where x^(beta+1) has no finite derivative for beta < 0 (nor in beta); it is floored here.
WAVE_FLOOR = 1e-6
# softplus underflows; a Gaussian or a wavelength of width 0 has no finite gradient. In neurons, and in periods.
WIDTH_FLOOR = 1e-6

Array = np.ndarray[Any, Any]


def fused_d(p: Tensor, in_ptr: Tensor, period: float, *parameters: Tensor) -> Tensor:
    """d (E,) of the edges grouped by target; differentiable once, in the seven parameters.

    Args:
        p: displacement of each edge, (E,); constant.
        in_ptr: in-edges of non-input neuron i are ``in_ptr[i]:in_ptr[i + 1]``, (m + 1,) int64.
        period: see `nas.manifold.Closeness`.
        parameters: alpha, beta, gamma, theta, phi, sigma, mu, each (m,), of the dtype of ``p``.
    """
    result: Tensor = _FusedD.apply(p, in_ptr, period, *parameters)  # type: ignore[no-untyped-call]
    return result


class _FusedD(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, in_ptr: Tensor, period: float, *parameters: Tensor) -> Tensor:
        stacked = torch.stack(parameters).detach()
        d: Tensor
        d, gauss, wave, log_base, cosine = torch.empty((5, p.numel()), dtype=p.dtype)
        _forward(
            p.numpy(), in_ptr.numpy(), period, stacked.numpy(), d.numpy(), gauss.numpy(), wave.numpy(),
            log_base.numpy(), cosine.numpy(),
        )  # fmt: skip
        ctx.save_for_backward(p, in_ptr, stacked, gauss, wave, log_base, cosine)
        ctx.period = period
        return d

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        p, in_ptr, stacked, gauss, wave, log_base, cosine = ctx.saved_tensors
        result = torch.zeros_like(stacked)
        _backward(
            p.numpy(), in_ptr.numpy(), ctx.period, stacked.numpy(), gauss.numpy(), wave.numpy(), log_base.numpy(),
            cosine.numpy(), gradient.contiguous().numpy(), result.numpy(),
        )  # fmt: skip
        return None, None, None, *result.unbind()


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _forward(
    p: Array, in_ptr: Array, period: float, parameters: Array,
    d: Array, gauss: Array, wave: Array, log_base: Array, cosine: Array,
) -> None:  # fmt: skip
    floor = p.dtype.type(WAVE_FLOOR)
    log_floor = p.dtype.type(math.log(WAVE_FLOOR))
    half, one = p.dtype.type(0.5), p.dtype.type(1.0)
    for i in range(len(in_ptr) - 1):
        alpha, beta, gamma, theta, phi, sigma, mu = parameters[:, i]
        amplitude = p.dtype.type(2.0 * _sigmoid(alpha) - 1.0)
        exponent = max(beta + one, p.dtype.type(0.0))
        threshold = p.dtype.type(_sigmoid(gamma))
        number = p.dtype.type(2.0 * math.pi * math.log(2.0) / (period * max(_softplus(theta), WIDTH_FLOOR)))
        inverse = p.dtype.type(1.0 / max(_softplus(sigma), WIDTH_FLOOR))
        for e in range(in_ptr[i], in_ptr[i + 1]):
            u = (p[e] - mu) * inverse
            g = math.exp(-half * u * u)
            angle = number * p[e] + phi
            base = half + half * math.sin(angle)
            if base > floor:
                logarithm = math.log(base)
                cosine[e] = math.cos(angle)
            else:
                logarithm = log_floor
                cosine[e] = 0.0  # the floor is flat
            w = math.exp(exponent * logarithm)
            gauss[e], wave[e], log_base[e] = g, w, logarithm
            d[e] = amplitude * g * (w - threshold)


@numba.njit(cache=True, nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _backward(
    p: Array, in_ptr: Array, period: float, parameters: Array,
    gauss: Array, wave: Array, log_base: Array, cosine: Array, gradient: Array, result: Array,
) -> None:  # fmt: skip
    for i in range(len(in_ptr) - 1):
        alpha, beta, gamma, theta, _phi, sigma, mu = parameters[:, i]
        on = _sigmoid(alpha)
        amplitude = 2.0 * on - 1.0
        exponent = max(beta + 1.0, 0.0)
        threshold = _sigmoid(gamma)
        width = max(_softplus(sigma), WIDTH_FLOOR)
        length = max(_softplus(theta), WIDTH_FLOOR)
        to_alpha, to_beta, to_gamma, to_theta, to_phi, to_sigma, to_mu = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for e in range(in_ptr[i], in_ptr[i + 1]):
            u = (p[e] - mu) / width
            gated = gradient[e] * gauss[e]
            value = gated * (wave[e] - threshold)  # d amplitude
            to_alpha += value
            to_gamma += gated
            to_mu += value * u
            to_sigma += value * u * u
            to_wave = gated * wave[e]
            to_beta += to_wave * log_base[e]
            to_angle = to_wave * cosine[e] * math.exp(-log_base[e])
            to_phi += to_angle
            to_theta += to_angle * p[e]
        number = 2.0 * math.pi * math.log(2.0) / (period * length)
        length_slope = _sigmoid(theta) / length if length > WIDTH_FLOOR else 0.0
        width_slope = _sigmoid(sigma) / width if width > WIDTH_FLOOR else 0.0
        result[0, i] = to_alpha * 2.0 * on * (1.0 - on)
        result[1, i] = to_beta * amplitude if beta > -1.0 else 0.0
        result[2, i] = -to_gamma * amplitude * threshold * (1.0 - threshold)
        result[3, i] = -to_theta * amplitude * 0.5 * exponent * number * length_slope
        result[4, i] = to_phi * amplitude * 0.5 * exponent
        result[5, i] = to_sigma * amplitude * width_slope
        result[6, i] = to_mu * amplitude / width
