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

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from nas.graph import DAG
from nas.manifold._fused import fused_d

__all__ = ["NEURON_PARAMETERS", "Closeness", "Init", "Strengths", "strengths"]

Init = Literal["published", "open"]

NEURON_PARAMETERS = ("alpha", "beta", "gamma", "theta", "phi", "sigma", "mu")

PUBLISHED_CUTOFF = -1.0  # kappa = 0.27

# The open start: d = 0.9 x (gauss >= 0.6) x (wave >= 0.9 almost everywhere), against a cutoff of 0.05.
OPEN_ALPHA, OPEN_BETA, OPEN_GAMMA, OPEN_CUTOFF = 3.0, -0.95, -4.0, -3.0


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

    Raises:
        ValueError: ``period`` is not positive, or ``init`` is unknown.
    """

    position: Tensor
    offset: Tensor
    sources: Tensor
    targets: Tensor
    in_ptr: Tensor

    def __init__(self, dag: DAG, *, period: float | None, generator: np.random.Generator, init: Init = "published"):
        super().__init__()
        if period is not None and not period > 0:
            raise ValueError(f"period must be positive, but got {period}; use None for data without rows")
        if init not in ("published", "open"):
            raise ValueError(f"init must be 'published' or 'open', but got {init!r}")
        self.period = float(dag.n_inputs if period is None else period)
        self.n_inputs = dag.n_inputs
        self.register_buffer("position", torch.arange(dag.n, dtype=torch.float32))
        self.register_buffer("offset", torch.linspace(dag.n_inputs, dag.n_outputs, dag.n - dag.n_inputs))
        targets = torch.from_numpy(dag.targets.astype(np.int64) - dag.n_inputs)
        self.register_buffer("sources", torch.from_numpy(dag.sources.astype(np.int64)), persistent=False)
        self.register_buffer("targets", targets, persistent=False)
        self.register_buffer("in_ptr", torch.from_numpy(dag.in_ptr[dag.n_inputs :].astype(np.int64)), persistent=False)
        for name in NEURON_PARAMETERS:
            self.register_parameter(name, nn.Parameter(torch.zeros(dag.n - dag.n_inputs)))
        self.cutoff = nn.Parameter(torch.zeros(()))
        self.reset(init, generator)

    @torch.no_grad()
    def reset(self, init: Init, generator: np.random.Generator) -> None:
        """Draw new initial values for every parameter, at the neurons' present positions."""
        values = self._published(generator) if init == "published" else self._open(generator)
        for parameter, value in zip(self.neuron_parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))
        self.cutoff.fill_(PUBLISHED_CUTOFF if init == "published" else OPEN_CUTOFF)

    def _published(self, generator: np.random.Generator) -> list[np.ndarray]:
        n, m = len(self.position), len(self.offset)

        def normal(mean: float, deviation: float) -> np.ndarray:
            return generator.normal(mean, deviation, m)

        return [
            normal(5.0, 1.0),
            normal(0.0, 0.01),
            normal(0.0, 1.0),
            normal(0.0, 1.0),
            normal(math.pi / 2, 0.01 * math.pi),
            normal(self.n_inputs**0.66, n**0.33),
            normal(0.0, self.period / 2),
        ]

    def _open(self, generator: np.random.Generator) -> list[np.ndarray]:
        middle, reach = self._span()
        m = len(self.offset)

        def normal(mean: float, deviation: float) -> np.ndarray:
            return generator.normal(mean, deviation, m)

        return [
            normal(OPEN_ALPHA, 0.1),
            normal(OPEN_BETA, 0.01),
            normal(OPEN_GAMMA, 0.1),
            normal(0.0, 1.0),
            normal(math.pi / 2, 0.01 * math.pi),
            reach * generator.uniform(1.0, 2.0, m),
            middle + 0.1 * reach * generator.normal(0.0, 1.0, m),
        ]

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

    def displacement(self) -> Tensor:
        """p of every edge, (E,)."""
        return self.position[self.sources] - (self.position[self.n_inputs :] - self.offset)[self.targets]

    def neuron_parameters(self) -> tuple[Tensor, ...]:
        """The seven parameters, each (m,), in the order of `NEURON_PARAMETERS`."""
        return tuple(getattr(self, name) for name in NEURON_PARAMETERS)

    def forward(self) -> Strengths:
        d = fused_d(self.displacement(), self.in_ptr, self.period, *self.neuron_parameters())
        return strengths(d, self.cutoff)


def strengths(d: Tensor, cutoff: Tensor) -> Strengths:
    """Apply the cutoff (a logit, ()) to ``d`` (E,) and rescale what is left so that it starts at 0."""
    kappa = torch.sigmoid(cutoff)
    return Strengths(d, torch.sign(d) * torch.relu(d.abs() - kappa) / (1 - kappa), kappa)
