"""The yardstick: one dense torch product with as many multiplications as the graph has edges, and its two gradients."""

from __future__ import annotations

import math

import torch

__all__ = ["DenseChain"]


class DenseChain:
    """``y = x Wᵀ``, ``dx = dy W``, ``dW = dyᵀ x`` with W square of about ``n_edges`` cells; solves no problem."""

    def __init__(self, n_edges: int, batch: int) -> None:
        width = max(1, round(math.sqrt(n_edges)))
        generator = torch.Generator().manual_seed(0)
        self.x = torch.randn(batch, width, generator=generator)
        self.weight = torch.randn(width, width, generator=generator) / math.sqrt(width)
        self.y, self.grad_x = torch.empty(batch, width), torch.empty(batch, width)
        self.grad_y = torch.randn(batch, width, generator=generator)
        self.grad_weight = torch.empty(width, width)
        self.flops = 6 * batch * width * width

    @torch.no_grad()
    def run(self) -> None:
        torch.mm(self.x, self.weight.t(), out=self.y)
        torch.mm(self.grad_y, self.weight, out=self.grad_x)
        torch.mm(self.grad_y.t(), self.x, out=self.grad_weight)
