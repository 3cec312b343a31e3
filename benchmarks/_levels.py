"""Level by level with torch's autograd: one masked dense product a level, as sparse-network libraries do it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmarks._problem import Execution, Problem
from benchmarks._staged import Columns, stages_by_level

__all__ = ["AutogradLevels", "copied_values", "kept_values", "multiplied_cells"]


def _read_and_widths(problem: Problem, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """How many neurons each level reads, and how many it has."""
    dag = problem.dag
    levels = [stage[0] for stage in stages_by_level(dag)]
    widths = np.array([level.size for level in levels])
    if columns == "all":
        return dag.n_inputs + np.cumsum(widths) - widths, widths
    sources = [[dag.sources[dag.in_ptr[i] : dag.in_ptr[i + 1]] for i in level] for level in levels]
    return np.array([np.unique(np.concatenate(each)).size for each in sources]), widths


def kept_values(problem: Problem, columns: Columns) -> int:
    """Numbers that a pass keeps: what each level reads, and each weight, its mask, their product and its gradients."""
    read, widths = _read_and_widths(problem, columns)
    return int(problem.batch * read.sum() + 4 * np.dot(read, widths))


def multiplied_cells(problem: Problem, columns: Columns) -> int:
    """Cells of all dense matrices."""
    return int(np.dot(*_read_and_widths(problem, columns)))


def copied_values(problem: Problem) -> int:
    """Numbers that joining each level to those before it writes, and its backward pass again."""
    read, _ = _read_and_widths(problem, "all")
    return int(2 * problem.batch * read.sum())


class AutogradLevels(Execution):
    """Each level reads all earlier neurons, or with "needed" those that it has edges from."""

    def __init__(self, problem: Problem, columns: Columns) -> None:
        self.problem = problem
        dag, dtype = problem.dag, problem.weight.dtype
        place = np.arange(dag.n)
        at = dag.n_inputs
        self.weights: list[Tensor] = []
        self.masks: list[Tensor] = []
        self.biases: list[Tensor] = []
        self.picked: list[Tensor | None] = []
        self.where: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.levels = [stage[0] for stage in stages_by_level(dag)]
        for neurons in self.levels:
            ranges = [np.arange(dag.in_ptr[i], dag.in_ptr[i + 1]) for i in neurons]
            edges = np.concatenate(ranges)
            row = np.repeat(np.arange(neurons.size), [r.size for r in ranges])
            column = place[dag.sources[edges]]
            read = np.arange(at)
            if columns == "needed":
                read = np.unique(column)
                column = np.searchsorted(read, column)
            weight = torch.zeros(neurons.size, read.size, dtype=dtype)
            weight.numpy()[row, column] = problem.weight.numpy()[edges]
            mask = torch.zeros(neurons.size, read.size, dtype=dtype)
            mask.numpy()[row, column] = 1
            self.weights.append(weight.requires_grad_())
            self.masks.append(mask)
            self.biases.append(problem.bias[neurons - dag.n_inputs, None].clone().requires_grad_())
            self.picked.append(torch.from_numpy(read) if columns == "needed" else None)
            self.where.append((edges, row, column))
            place[neurons] = np.arange(at, at + neurons.size)
            at += neurons.size

    def run(self) -> Tensor:
        for tensor in (*self.weights, *self.biases):
            tensor.grad = None
        h = self.problem.x.t()
        last = len(self.weights) - 1
        for level, (weight, mask, bias, picked) in enumerate(
            zip(self.weights, self.masks, self.biases, self.picked, strict=True)
        ):
            read = h if picked is None else h.index_select(0, picked)
            z = torch.addmm(bias, weight * mask, read)
            h = z if level == last else torch.cat([h, z.relu()])
        y = h.t()
        y.backward(self.problem.grad_y)  # type: ignore[no-untyped-call]
        return y.detach()

    def gradients(self) -> tuple[Tensor, Tensor]:
        grad = torch.empty_like(self.problem.weight)
        grad_bias = torch.empty_like(self.problem.bias)
        for weight, bias, neurons, (edges, row, column) in zip(
            self.weights, self.biases, self.levels, self.where, strict=True
        ):
            assert weight.grad is not None
            assert bias.grad is not None
            grad[edges] = weight.grad[row, column]
            grad_bias[neurons - self.problem.dag.n_inputs] = bias.grad[:, 0]
        return grad, grad_bias
