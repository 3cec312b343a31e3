"""``torch.sparse`` by level: one CSR product a level, with the backward pass written by hand.

Autograd's own backward of a CSR product was no option as a yardstick: it builds the transpose anew in every pass. Here
the transposes' patterns are made once, and only their values are permuted.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks._problem import Execution, Problem
from benchmarks._staged import stages_by_level

__all__ = ["SparseLevels", "sparse_bytes"]


@dataclass(frozen=True, slots=True, eq=False)
class _Level:
    """One level: its rows of h and dz, and its matrix (rows, columns = all neurons before it)."""

    h: Tensor
    dz: Tensor
    read: Tensor
    grad_read: Tensor
    bias: Tensor
    edges: Tensor  # numbers of the level's edges, by row
    matrix: Tensor  # CSR
    pattern: Tensor  # CSR of zeros, for the gradient
    back_edges: Tensor  # numbers of the edges from computational neurons, by column
    transposed: Tensor  # CSR (computational columns, rows)


def sparse_bytes(problem: Problem) -> int:
    """Bytes of all matrices: a transposed one has a pointer for each neuron before its level, however few it reads."""
    widths = np.array([stage[0].size for stage in stages_by_level(problem.dag)])
    pointers = int((problem.dag.n_inputs + np.cumsum(widths) - widths).sum())
    return 8 * pointers + 4 * 12 * problem.dag.n_edges


class SparseLevels(Execution):
    """A pass with sparse products only."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        dag, dtype, batch = problem.dag, problem.weight.dtype, problem.batch
        self.h = torch.zeros(dag.n, batch, dtype=dtype)
        self.dz = torch.zeros(dag.n, batch, dtype=dtype)
        self.grad_weight = torch.empty_like(problem.weight)
        place = np.arange(dag.n)
        self.levels: list[_Level] = []
        at = dag.n_inputs
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta|Sparse invariant checks")
            for stage in stages_by_level(dag):
                neurons = stage[0]
                place[neurons] = np.arange(at, at + neurons.size)
                self.levels.append(self._make(neurons, at, place))
                at += neurons.size
        self.rows = torch.from_numpy(place[dag.n_inputs :])

    def _make(self, neurons: np.ndarray, at: int, place: np.ndarray) -> _Level:
        dag, problem = self.problem.dag, self.problem
        ranges = [np.arange(dag.in_ptr[i], dag.in_ptr[i + 1]) for i in neurons]
        edges = np.concatenate(ranges)
        row = np.repeat(np.arange(neurons.size), [r.size for r in ranges])
        column = place[dag.sources[edges]]
        by_row = np.lexsort((column, row))
        edges, row, column = edges[by_row], row[by_row], column[by_row]
        behind = np.flatnonzero(column >= dag.n_inputs)
        behind = behind[np.lexsort((row[behind], column[behind]))]
        shape = (neurons.size, at)
        end = at + neurons.size
        return _Level(
            h=self.h[at:end],
            dz=self.dz[at:end],
            read=self.h[:at],
            grad_read=self.dz[dag.n_inputs : at],
            bias=problem.bias[neurons - dag.n_inputs, None].clone(),
            edges=torch.from_numpy(edges),
            matrix=_csr(row, column, problem.weight[edges], shape),
            pattern=_csr(row, column, torch.zeros(edges.size, dtype=problem.weight.dtype), shape),
            back_edges=torch.from_numpy(edges[behind]),
            transposed=_csr(
                column[behind] - dag.n_inputs, row[behind], problem.weight[edges[behind]],
                (at - dag.n_inputs, neurons.size),
            ),
        )  # fmt: skip

    @torch.no_grad()
    def run(self) -> Tensor:
        dag, weight = self.problem.dag, self.problem.weight
        self.h[: dag.n_inputs].copy_(self.problem.x.t())
        last = self.levels[-1]
        for level in self.levels:
            torch.index_select(weight, 0, level.edges, out=level.matrix.values())
            torch.add(level.matrix @ level.read, level.bias, out=level.h)
            if level is not last:
                level.h.relu_()
        y = last.h.t().contiguous()
        self.dz.zero_()
        last.dz.copy_(self.problem.grad_y.t())
        for level in reversed(self.levels):
            if level is not last:
                torch.ops.aten.threshold_backward.grad_input(level.dz, level.h, 0, grad_input=level.dz)
            grad = torch.sparse.sampled_addmm(level.pattern, level.dz, level.read.t(), beta=0.0)
            self.grad_weight.index_copy_(0, level.edges, grad.values())
            if level.back_edges.numel():
                torch.index_select(weight, 0, level.back_edges, out=level.transposed.values())
                level.grad_read.add_(level.transposed @ level.dz)
        self.grad_bias = self.dz[dag.n_inputs :].sum(dim=1)
        return y

    def gradients(self) -> tuple[Tensor, Tensor]:
        return self.grad_weight, self.grad_bias[self.rows - self.problem.dag.n_inputs]


def _csr(row: np.ndarray, column: np.ndarray, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A CSR matrix from cells sorted by row; int32 indices, which MKL takes without copying them."""
    pointer = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))]).astype(np.int32)
    return torch.sparse_csr_tensor(
        torch.from_numpy(pointer),
        torch.from_numpy(column.astype(np.int32)),
        values.clone(),
        shape,
        check_invariants=False,
    )
