"""Closeness: the strength of every edge as a parametric function of where its two neurons lie.

Seven numbers a neuron (and one cutoff for all) describe all its in-edges at once, so a gradient step moves whole
receptive fields and the structure is learned by ordinary gradient descent.

Symbols (E edges, m = n - n_inputs non-input neurons, i the target and j the source of an edge):
    position (n,)     where a neuron lies; starts as its topological number and stays with the neuron when a mutation
                      renumbers it, so that a child's closeness is its parent's
    offset (m,)       from n_inputs (first computational neuron) to n_outputs (last output), linearly
    p (E,)            position_j - position_i + offset_i
    gauss             exp(-(p - mu)^2 / (2 softplus(sigma)^2))
    wave              (1/2 + 1/2 sin(2 pi p / (period softplus(theta) / ln 2) + phi)) ^ (beta + 1)
    d (E,)            (2 sigmoid(alpha) - 1) gauss (wave - sigmoid(gamma)), in [-1, 1]
    kappa             sigmoid(cutoff)
    c (E,)            sign(d) max(|d| - kappa, 0) / (1 - kappa), in [-1, 1]; exactly 0 below the cutoff
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor, nn

from nas.graph import DAG
from nas.manifold._families import DEFAULT_FAMILY, FAMILIES, Init, Start, family_named

__all__ = ["NEURON_PARAMETERS", "Closeness", "Init", "Strengths", "strengths"]

NEURON_PARAMETERS = FAMILIES[DEFAULT_FAMILY].parameters

PUBLISHED_CUTOFF, OPEN_CUTOFF = -1.0, -3.0  # kappa = 0.27 and 0.05
_SHORT: Final = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True)
class Strengths:
    """Strength of every allowed edge, in the order of ``dag.edges``; differentiable."""

    d: Tensor  # (E,) before the cutoff, [-1, 1]
    c: Tensor  # (E,) after it, [-1, 1], exactly 0 where |d| <= kappa
    kappa: Tensor  # () cutoff, (0, 1)


class Closeness(nn.Module):
    """The closeness functions of one DAG.

    Args:
        dag: its edges are the cells that may become live.
        period: width of a row of the data in neurons (28 for images 28 wide), which turns the one-dimensional Gaussian
            into a two-dimensional receptive field; None: the data has no rows, one wave spans all inputs.
        generator: draws the initial values.
        init: "published": the published initial values. "open": every edge starts at c close to 1 (a wide Gaussian
            over the neuron's own in-edges, a flat wave, a low cutoff), so that structure is learned by closing; for
            networks whose edges also have free weights.
        family: which functions, see `nas.manifold.FAMILIES`; the formulas above are those of the default.

    Raises:
        ValueError: ``period`` is not positive, or ``init`` or ``family`` is unknown.
    """

    position: Tensor
    offset: Tensor
    sources: Tensor
    targets: Tensor
    in_ptr: Tensor

    def __init__(
        self,
        dag: DAG,
        *,
        period: float | None,
        generator: np.random.Generator,
        init: Init = "published",
        family: str = DEFAULT_FAMILY,
    ):
        super().__init__()
        self.family = family_named(family)
        if period is not None and not period > 0:
            raise ValueError(f"period must be positive, but got {period}; use None for data without rows")
        if init not in ("published", "open"):
            raise ValueError(f"init must be 'published' or 'open', but got {init!r}")
        self.period = float(dag.n_inputs if period is None else period)
        self.n_inputs = dag.n_inputs
        self.register_buffer("position", torch.arange(dag.n, dtype=torch.float32))
        self.register_buffer(
            "offset", torch.linspace(dag.n_inputs, dag.n_outputs, dag.n - dag.n_inputs, dtype=torch.float32)
        )
        targets = torch.from_numpy(dag.targets.astype(np.int64) - dag.n_inputs)
        self.register_buffer("sources", torch.from_numpy(dag.sources.astype(np.int64)), persistent=False)
        self.register_buffer("targets", targets, persistent=False)
        self.register_buffer("in_ptr", torch.from_numpy(dag.in_ptr[dag.n_inputs :].astype(np.int64)), persistent=False)
        for name in self.family.parameters:
            self.register_parameter(name, nn.Parameter(torch.zeros(dag.n - dag.n_inputs, dtype=torch.float32)))
        self.cutoff = nn.Parameter(torch.zeros((), dtype=torch.float32))
        self.reset(init, generator)

    @torch.no_grad()
    def reset(self, init: Init, generator: np.random.Generator) -> None:
        """Draw new initial values for every parameter, at the neurons' present positions."""
        start = Start(init, generator, len(self.position), len(self.offset), self.n_inputs, self.period, self._span)
        values = self.family.initial(start)
        for parameter, value in zip(self.neuron_parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))
        self.cutoff.fill_(PUBLISHED_CUTOFF if init == "published" else OPEN_CUTOFF)

    def _span(self) -> tuple[np.ndarray, np.ndarray]:
        """Middle and half-width of the displacements of each neuron's in-edges, each (m,)."""
        p = self.displacement().numpy().astype(np.float64)
        in_ptr = self.in_ptr.numpy()
        low, high = np.zeros(len(in_ptr) - 1), np.zeros(len(in_ptr) - 1)
        filled = in_ptr[1:] > in_ptr[:-1]
        if filled.any():  # in-edges of one neuron are contiguous, and empty neurons take no room between them
            low[filled] = np.minimum.reduceat(p, in_ptr[:-1][filled])
            high[filled] = np.maximum.reduceat(p, in_ptr[:-1][filled])
        return (low + high) / 2, np.maximum((high - low) / 2, 1.0)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Positions are whole numbers beyond 256, which half precision rounds: there they stay as they are."""
        places = {name: getattr(self, name) for name in ("position", "offset")}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in places.items():
            after = getattr(self, name)
            if after.dtype in _SHORT:
                setattr(self, name, before.to(after.device))
        return self

    def displacement(self) -> Tensor:
        """p of every edge, (E,)."""
        return self.position[self.sources] - (self.position[self.n_inputs :] - self.offset)[self.targets]

    def neuron_parameters(self) -> tuple[Tensor, ...]:
        """The parameters of the neurons, each (m,), in the order of the family."""
        return tuple(getattr(self, name) for name in self.family.parameters)

    def forward(self) -> Strengths:
        """Strengths of all edges; parameters in half precision are brought to that of the positions first."""
        p, family = self.displacement(), self.family
        parameters = [parameter.to(p.dtype) for parameter in self.neuron_parameters()]
        if family.fused is not None:
            d = family.fused(p, self.in_ptr, self.period, *parameters)
        else:
            d = family.d(p, self.period, *(parameter[self.targets] for parameter in parameters))
        return strengths(d, self.cutoff.to(p.dtype))


def strengths(d: Tensor, cutoff: Tensor) -> Strengths:
    """Apply the cutoff (a logit, ()) to ``d`` (E,) and rescale what is left so that it starts at 0."""
    kappa = torch.sigmoid(cutoff)
    return Strengths(d, torch.sign(d) * torch.relu(d.abs() - kappa) / (1 - kappa), kappa)
