"""One neuron after another in torch: a handful of framework calls each, with the backward pass written by hand."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks._problem import Execution, Problem

__all__ = ["PerNeuron"]


class PerNeuron(Execution):
    """Gathers each neuron's sources and does two matrix-vector products and an outer one for it."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        dag, dtype = problem.dag, problem.weight.dtype
        self.h = torch.zeros(dag.n, problem.batch, dtype=dtype)
        self.dz = torch.zeros(dag.n, problem.batch, dtype=dtype)
        self.grad_weight = torch.zeros_like(problem.weight)
        sources = torch.tensor(dag.sources, dtype=torch.long)
        self.neurons = []
        for i in range(dag.n_inputs, dag.n):
            edges = slice(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1]))
            behind = edges.start + int((sources[edges] < dag.n_inputs).sum())  # sources ascend: inputs come first
            own = slice(behind, edges.stop)
            self.neurons.append(
                (
                    self.h[i], self.dz[i], problem.bias[i - dag.n_inputs], problem.weight[edges], sources[edges],
                    self.grad_weight[edges], problem.weight[own, None], sources[own], i < dag.first_output,
                )
            )  # fmt: skip

    @torch.no_grad()
    def run(self) -> Tensor:
        dag, h, dz = self.problem.dag, self.h, self.dz
        h[: dag.n_inputs].copy_(self.problem.x.t())
        for own, _, bias, weight, sources, _, _, _, rectified in self.neurons:
            torch.add(weight @ h.index_select(0, sources), bias, out=own)
            if rectified:
                own.relu_()
        y = h[dag.first_output :].t().contiguous()
        dz[: dag.first_output].zero_()
        dz[dag.first_output :].copy_(self.problem.grad_y.t())
        for own, grad, _, _, sources, grad_weight, back, behind, rectified in reversed(self.neurons):
            if rectified:
                torch.ops.aten.threshold_backward.grad_input(grad, own, 0, grad_input=grad)
            torch.mv(h.index_select(0, sources), grad, out=grad_weight)
            if behind.numel():
                dz.index_add_(0, behind, back * grad)
        self.grad_bias = dz[dag.n_inputs :].sum(dim=1)
        return y

    def gradients(self) -> tuple[Tensor, Tensor]:
        return self.grad_weight, self.grad_bias
