"""d of all edges as a differentiable torch function, computed by `nas.manifold.kernels`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from nas.engine import being_compiled, gradients_again, operations_wanted
from nas.engine.simd import LANES
from nas.manifold import kernels
from nas.manifold._reference import reference_d

__all__ = ["fused_d"]

_NARROW = LANES[16]


def fused_d(p: Tensor, in_ptr: Tensor, period: float, *parameters: Tensor) -> Tensor:
    """d (E,) of the edges grouped by target; differentiable in the seven parameters.

    Args:
        p: displacement of each edge, (E,); constant.
        in_ptr: in-edges of non-input neuron i are ``in_ptr[i]:in_ptr[i + 1]``, (m + 1,) int64.
        period: see `nas.manifold.Closeness`.
        parameters: alpha, beta, gamma, theta, phi, sigma, mu, each (m,), of the dtype of ``p``.
    """
    if being_compiled() or operations_wanted() or not p.is_cpu:
        return _operations(p, in_ptr, period, *parameters)
    result: Tensor = _FusedD.apply(p, in_ptr, period, *parameters)  # type: ignore[no-untyped-call]
    return result


def _operations(p: Tensor, in_ptr: Tensor, period: float, *parameters: Tensor) -> Tensor:
    rows = torch.arange(in_ptr.numel() - 1, device=p.device)
    return reference_d(p, torch.repeat_interleave(rows, in_ptr.diff(), output_size=p.numel()), period, *parameters)


class _FusedD(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, in_ptr: Tensor, period: float, *parameters: Tensor) -> Tensor:
        stacked = torch.stack(parameters).detach()
        d = torch.empty_like(p)
        saved = p.new_empty((4, p.numel()))
        derived = p.new_empty((kernels.DERIVED, stacked.shape[1]))
        kernels.derive(_NARROW, stacked.numpy(), 0, stacked.shape[1], period, derived.numpy())
        kernels.all_values(_NARROW, p.numpy(), in_ptr.numpy(), derived.numpy(), d.numpy(), saved.numpy())
        ctx.save_for_backward(p, in_ptr, stacked, derived, saved, *parameters)
        ctx.period = period
        return d

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        p, in_ptr, stacked, derived, saved, *parameters = ctx.saved_tensors
        if torch.is_grad_enabled():  # what is computed here is itself to be differentiated

            def function(*own: Tensor) -> Tensor:
                return _operations(p, in_ptr, ctx.period, *own)

            return None, None, None, *gradients_again(function, parameters, ctx.needs_input_grad[3:], gradient)
        sums = torch.empty_like(stacked)
        gradients = torch.empty_like(stacked)
        kernels.all_gradients(
            _NARROW, p.numpy(), in_ptr.numpy(), derived.numpy(), saved.numpy(), gradient.contiguous().numpy(),
            sums.numpy(),
        )  # fmt: skip
        kernels.chain_rule(stacked.numpy(), derived.numpy(), sums.numpy(), 0, stacked.shape[1], gradients.numpy())
        return None, None, None, *gradients.unbind()
