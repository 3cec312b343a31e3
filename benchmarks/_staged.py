"""Dense products by stages, with the backward pass written by hand: level by level, or by blocks of the triangle.

Neurons are put in an order in which each stage is a contiguous range of rows. A stage is one dense product with what
came before; dependencies inside it (none, when stages are levels) are resolved by a small product for each level
within the stage. Absent edges are zeros of the dense matrices, never multiplied by a mask: as fast as this idea gets in
torch, since all views and buffers are made once and no autograd graph is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchmarks._problem import Execution, Problem
from nas.graph import DAG

__all__ = ["Columns", "Staged", "dense_cells", "stages_by_block", "stages_by_level"]

Columns = Literal["all", "needed"]
Stages = list[list[np.ndarray]]  # a stage is a list of levels, each the neurons that may run together

_WORTH_GATHERING = 0.7  # of the range: above, the product over the whole range is cheaper than picking columns


def stages_by_level(dag: DAG) -> Stages:
    """One stage a longest-path level of the computational neurons; all outputs in the last."""
    return [[level] for level in _levels_of(dag, np.arange(dag.n_inputs, dag.first_output))] + [[_outputs(dag)]]


def stages_by_block(dag: DAG, size: int) -> Stages:
    """Blocks of ``size`` computational neurons in topological order; all outputs in the last."""
    starts = range(dag.n_inputs, dag.first_output, size)
    blocks = [np.arange(start, min(start + size, dag.first_output)) for start in starts]
    return [_levels_of(dag, block) for block in blocks] + [[_outputs(dag)]]


def _outputs(dag: DAG) -> np.ndarray:
    return np.arange(dag.first_output, dag.n)


def _levels_of(dag: DAG, block: np.ndarray) -> list[np.ndarray]:
    """The neurons of a contiguous range by longest path inside it."""
    if block.size == 0:
        return []
    first, last = int(block[0]), int(block[-1]) + 1
    if block.size == dag.n_computational:
        depth = dag.levels()[first:last].astype(np.int64)
    else:
        depth = np.zeros(block.size, np.int64)
        for i in range(first, last):
            sources = dag.sources[dag.in_ptr[i] : dag.in_ptr[i + 1]]
            inside = sources[np.searchsorted(sources, first) :] - first
            if inside.size:
                depth[i - first] = depth[inside].max() + 1
    order = np.argsort(depth, kind="stable")
    return [block[part] for part in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1)]


def _column_sets(dag: DAG, stages: Stages, place: np.ndarray, columns: Columns) -> list[tuple[int, np.ndarray | None]]:
    """For each stage the first column of its range, and the columns inside the range when they are picked out."""
    chosen: list[tuple[int, np.ndarray | None]] = []
    start = dag.n_inputs
    for stage in stages:
        rows = np.concatenate(stage)
        read = np.unique(np.concatenate([place[dag.sources[dag.in_ptr[i] : dag.in_ptr[i + 1]]] for i in rows]))
        read = read[read < start]
        first = int(read[0]) if read.size else start
        gather = columns == "needed" and read.size < _WORTH_GATHERING * (start - first)
        chosen.append((first, read if gather else None))
        start += rows.size
    return chosen


def dense_cells(dag: DAG, stages: Stages, columns: Columns) -> int:
    """Cells of all dense matrices: four bytes each for weights and gradients, six FLOPs a sample."""
    place, start, cells = _places(dag, stages), dag.n_inputs, 0
    for stage, (first, picked) in zip(stages, _column_sets(dag, stages, place, columns), strict=True):
        rows = sum(level.size for level in stage)
        cells += rows * (start - first if picked is None else picked.size) + (rows * rows if len(stage) > 1 else 0)
        start += rows
    return cells


def _places(dag: DAG, stages: Stages) -> np.ndarray:
    """Row of each neuron in the order of the stages."""
    order = np.concatenate([np.arange(dag.n_inputs), *(level for stage in stages for level in stage)])
    place = np.empty(dag.n, np.int64)
    place[order] = np.arange(dag.n)
    return place


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """Views of one stage: h, dz (rows, B); outer weights (rows, columns) and inner ones (rows, rows)."""

    h: Tensor
    dz: Tensor
    bias: Tensor  # (rows, 1)
    outer: Tensor
    grad_outer: Tensor
    read: Tensor  # (columns, B): a view of all h, or a buffer to gather them in
    picked: Tensor | None  # (columns,) rows of h to gather
    grad_read: Tensor  # view of the gradients of the computational columns, when not gathered
    back: Tensor  # outer weights of the computational columns, transposed
    picked_back: Tensor | None  # rows of those columns
    inner: Tensor
    grad_inner: Tensor
    steps: tuple[tuple[Tensor, Tensor, Tensor, Tensor, Tensor], ...]  # of each level: h, dz, W, earlier h, earlier dz
    linear: bool


class Staged(Execution):
    """A pass by the stages of ``partition``; ``columns`` "needed" gathers the rows that a stage reads."""

    def __init__(self, problem: Problem, partition: Callable[[DAG], Stages], columns: Columns) -> None:
        self.problem = problem
        dag, dtype, batch = problem.dag, problem.weight.dtype, problem.batch
        stages = partition(dag)
        self.place = _places(dag, stages)
        self.h = torch.zeros(dag.n, batch, dtype=dtype)
        self.dz = torch.zeros(dag.n, batch, dtype=dtype)
        self.rows = torch.from_numpy(self.place[dag.n_inputs :])
        self.bias = torch.empty(dag.n - dag.n_inputs, 1, dtype=dtype)
        self.bias[self.rows - dag.n_inputs, 0] = problem.bias
        self.where: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []  # of each stage's edges: number, row, column
        self.stages = []
        start = dag.n_inputs
        for stage, (first, picked) in zip(stages, _column_sets(dag, stages, self.place, columns), strict=True):
            self.stages.append(self._make(stage, start, first, picked))
            start += sum(level.size for level in stage)

    def _make(self, levels: list[np.ndarray], start: int, first: int, picked: np.ndarray | None) -> _Stage:
        dag, dtype = self.problem.dag, self.problem.weight.dtype
        neurons = np.concatenate(levels)
        rows, end = neurons.size, start + neurons.size
        read_rows = np.arange(first, start) if picked is None else picked
        outer = torch.zeros(rows, read_rows.size, dtype=dtype)
        inner = torch.zeros((rows, rows) if len(levels) > 1 else (0, 0), dtype=dtype)
        ranges = [np.arange(dag.in_ptr[i], dag.in_ptr[i + 1]) for i in neurons]
        edges = np.concatenate(ranges)
        row = np.repeat(np.arange(rows), [r.size for r in ranges])
        column = self.place[dag.sources[edges]]
        outside = column < start
        column[outside] = np.searchsorted(read_rows, column[outside])
        column[~outside] += read_rows.size - start
        self.where.append((edges, row, column))
        weight = self.problem.weight.numpy()
        outer.numpy()[row[outside], column[outside]] = weight[edges[outside]]
        inner.numpy()[row[~outside], column[~outside] - read_rows.size] = weight[edges[~outside]]
        inputs = int(np.searchsorted(read_rows, dag.n_inputs))
        computational = torch.from_numpy(read_rows[inputs:])
        steps = []
        at = start
        for level in levels:
            to = at + level.size
            steps.append(
                (
                    self.h[at:to], self.dz[at:to], inner[at - start : to - start, : at - start],
                    self.h[start:at], self.dz[start:at],
                )
            )  # fmt: skip
            at = to
        return _Stage(
            h=self.h[start:end],
            dz=self.dz[start:end],
            bias=self.bias[start - dag.n_inputs : end - dag.n_inputs],
            outer=outer,
            grad_outer=torch.zeros_like(outer),
            read=self.h[first:start] if picked is None else torch.empty(read_rows.size, self.h.shape[1], dtype=dtype),
            picked=None if picked is None else torch.from_numpy(picked),
            grad_read=self.dz[max(first, dag.n_inputs) : start],
            back=outer[:, inputs:].t(),
            picked_back=None if picked is None else computational,
            inner=inner,
            grad_inner=torch.zeros_like(inner),
            steps=tuple(steps),
            linear=bool(neurons[0] >= dag.first_output),
        )

    @torch.no_grad()
    def run(self) -> Tensor:
        dag = self.problem.dag
        h, dz = self.h, self.dz
        h[: dag.n_inputs].copy_(self.problem.x.t())
        for stage in self.stages:
            if stage.picked is not None:
                torch.index_select(h, 0, stage.picked, out=stage.read)
            torch.addmm(stage.bias, stage.outer, stage.read, out=stage.h)
            for number, (part, _, weight, earlier, _) in enumerate(stage.steps):
                if number:
                    part.addmm_(weight, earlier)
                if not stage.linear:
                    part.relu_()
        y = h[dag.first_output :].t().contiguous()
        dz[: dag.first_output].zero_()
        dz[dag.first_output :].copy_(self.problem.grad_y.t())
        for stage in reversed(self.stages):
            for number in range(len(stage.steps) - 1, -1, -1):
                part, grad, weight, _, grad_earlier = stage.steps[number]
                if not stage.linear:
                    torch.ops.aten.threshold_backward.grad_input(grad, part, 0, grad_input=grad)
                if number:
                    grad_earlier.addmm_(weight.t(), grad)
            if stage.picked is not None:
                torch.index_select(h, 0, stage.picked, out=stage.read)
            torch.mm(stage.dz, stage.read.t(), out=stage.grad_outer)
            if len(stage.steps) > 1:
                torch.mm(stage.dz, stage.h.t(), out=stage.grad_inner)
            if stage.picked_back is None:
                stage.grad_read.addmm_(stage.back, stage.dz)
            elif stage.picked_back.numel():
                dz.index_add_(0, stage.picked_back, stage.back @ stage.dz)
        self.grad_bias = dz[dag.n_inputs :].sum(dim=1)
        return y

    def gradients(self) -> tuple[Tensor, Tensor]:
        grad = torch.empty_like(self.problem.weight)
        for stage, (edges, row, column) in zip(self.stages, self.where, strict=True):
            both = torch.cat([stage.grad_outer, stage.grad_inner], dim=1) if len(stage.steps) > 1 else stage.grad_outer
            grad[edges] = both[row, column]
        return grad, self.grad_bias[self.rows - self.problem.dag.n_inputs]
