"""The specification of the closeness before its cutoff, in plain torch operations."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from nas.manifold.kernels import WAVE_FLOOR, WIDTH_FLOOR

__all__ = ["gauss_wave", "reference_d"]


def reference_d(p: Tensor, targets: Tensor, period: float, *parameters: Tensor) -> Tensor:
    """d by plain torch operations, as written at the top of `nas.manifold._closeness`: the specification of `fused_d`.

    Args:
        p: displacement of each edge, (E,).
        targets: number of each edge's target among the non-input neurons, (E,) int64.
        period: see `Closeness`.
        parameters: the seven of `NEURON_PARAMETERS`, each (m,).
    """
    return gauss_wave(p, period, *(parameter[targets] for parameter in parameters))


def gauss_wave(
    p: Tensor,
    period: float,
    alpha: Tensor,
    beta: Tensor,
    gamma: Tensor,
    theta: Tensor,
    phi: Tensor,
    sigma: Tensor,
    mu: Tensor,
) -> Tensor:
    """The same, of parameters (E,) of each edge's target."""
    gauss = torch.exp(-((p - mu) ** 2) / (2 * softplus(sigma).clamp(min=WIDTH_FLOOR) ** 2))
    angle = 2 * math.pi * p / (period * softplus(theta).clamp(min=WIDTH_FLOOR) / math.log(2)) + phi
    base = (0.5 + 0.5 * torch.sin(angle)).clamp(min=WAVE_FLOOR)
    wave = base ** (beta + 1).clamp(min=0)
    return (2 * torch.sigmoid(alpha) - 1) * gauss * (wave - torch.sigmoid(gamma))
