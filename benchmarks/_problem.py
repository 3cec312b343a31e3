"""One training pass as a problem that any execution can be given, and the check that all solve the same one.

Symbols: n neurons, m of them no inputs, E edges, B samples. Neurons are relu, outputs linear. A *pass* takes the batch
to the outputs and a given gradient of the outputs back to the gradients of all weights and biases (not of the data).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from nas.engine import DAGModule
from nas.graph import DAG

__all__ = ["Engine", "Execution", "Problem", "disagreement", "make_problem"]

# Norms of differences over norms. In float32 rounding may move a sum near 0 across relu's kink, which takes that
# sample out of a whole path's gradient; deep graphs have thousands of such sums.
TOLERANCE = {torch.float32: 5e-3, torch.float64: 1e-9}


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A network, a batch and the gradient of the loss by the outputs."""

    dag: DAG
    x: Tensor  # (B, n_inputs)
    grad_y: Tensor  # (B, n_outputs)
    weight: Tensor  # (E,), in the order of dag.edges
    bias: Tensor  # (m,)

    @property
    def batch(self) -> int:
        return int(self.x.shape[0])

    @property
    def flops(self) -> int:
        """Multiplications and additions a pass cannot do without: edges from inputs pass no gradient on."""
        from_inputs = int((self.dag.sources < self.dag.n_inputs).sum())
        return 2 * self.batch * (3 * self.dag.n_edges - from_inputs)


def make_problem(dag: DAG, batch: int, *, seed: int = 0, dtype: torch.dtype = torch.float32) -> Problem:
    """Normal data, weights as `DAGModule` draws them, small biases."""
    generator = torch.Generator().manual_seed(seed)
    module = DAGModule(dag, dtype=dtype, generator=generator)
    return Problem(
        dag,
        torch.randn(batch, dag.n_inputs, dtype=dtype, generator=generator),
        torch.randn(batch, dag.n_outputs, dtype=dtype, generator=generator),
        module.weight.detach(),
        0.1 * torch.randn(dag.n - dag.n_inputs, dtype=dtype, generator=generator),
    )


class Execution(ABC):
    """A way to do the pass of one problem; everything that depends only on the graph is prepared in the constructor."""

    problem: Problem

    @abstractmethod
    def run(self) -> Tensor:
        """One pass: outputs (B, n_outputs); gradients are kept in the form that is natural here."""

    @abstractmethod
    def gradients(self) -> tuple[Tensor, Tensor]:
        """Gradients of the last pass in the engine's order, (E,) and (m,); not timed."""


class Engine(Execution):
    """The product, through its public torch module."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.module = DAGModule(problem.dag, dtype=problem.weight.dtype)
        with torch.no_grad():
            self.module.weight.copy_(problem.weight)
            assert self.module.bias is not None
            self.module.bias.copy_(problem.bias)

    def run(self) -> Tensor:
        self.module.weight.grad = None
        if self.module.bias is not None:
            self.module.bias.grad = None
        y: Tensor = self.module(self.problem.x)
        y.backward(self.problem.grad_y)  # type: ignore[no-untyped-call]
        return y.detach()

    def gradients(self) -> tuple[Tensor, Tensor]:
        assert self.module.bias is not None
        assert self.module.weight.grad is not None
        assert self.module.bias.grad is not None
        return self.module.weight.grad, self.module.bias.grad


Results = tuple[Tensor, Tensor, Tensor]


def disagreement(expected: Results, got: Results) -> str:
    """What differs between two (outputs, weight gradient, bias gradient), or "" when they agree within rounding."""
    for name, one, other in zip(("outputs", "weight gradient", "bias gradient"), expected, got, strict=True):
        if one.shape != other.shape:
            return f"{name} has shape {tuple(other.shape)}, not {tuple(one.shape)}"
        error = float((one - other).norm() / one.norm().clamp(min=1e-30))
        if not error <= TOLERANCE[one.dtype]:
            return f"{name} differs by {error:.1e} of its norm"
    return ""
