"""d of all edges as a differentiable torch function, computed by `nas.manifold.kernels`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from nas.engine.simd import LANES
from nas.manifold import kernels

__all__ = ["fused_d"]

_NARROW = LANES[16]


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
        d = torch.empty_like(p)
        saved = torch.empty((4, p.numel()), dtype=p.dtype)
        derived = torch.empty((kernels.DERIVED, stacked.shape[1]), dtype=p.dtype)
        kernels.derive(_NARROW, stacked.numpy(), 0, stacked.shape[1], period, derived.numpy())
        kernels.all_values(_NARROW, p.numpy(), in_ptr.numpy(), derived.numpy(), d.numpy(), saved.numpy())
        ctx.save_for_backward(p, in_ptr, stacked, derived, saved)
        return d

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        p, in_ptr, stacked, derived, saved = ctx.saved_tensors
        sums = torch.empty_like(stacked)
        gradients = torch.empty_like(stacked)
        kernels.all_gradients(
            _NARROW, p.numpy(), in_ptr.numpy(), derived.numpy(), saved.numpy(), gradient.contiguous().numpy(),
            sums.numpy(),
        )  # fmt: skip
        kernels.chain_rule(stacked.numpy(), derived.numpy(), sums.numpy(), 0, stacked.shape[1], gradients.numpy())
        return None, None, None, *gradients.unbind()
