"""The terms that pull on the structure: flow, smooth edge count, time and memory.

The terms themselves are entries of `nas.manifold.TERMS`. The published sparsity term counts the non-zero elements,
whose gradient is zero everywhere, so it did nothing. Here an edge counts as

    s = 1 / (1 + (kappa / |d|)^(1 / temperature))        0 at d = 0, 1/2 at the cutoff, 1 far above it

(at temperature 1/2 the Geman-McClure penalty d^2 / (d^2 + kappa^2), a known surrogate of L0). The smaller the
temperature, the closer to the true count; both d and the cutoff receive gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas.engine.formulas import tensor_of
from nas.graph import DAG
from nas.manifold._terms import FLOW, LARGEST_SHARE, NEURONS, Measure

__all__ = [
    "CostModel",
    "LossTerms",
    "cost",
    "flow",
    "smooth_edge_count",
    "smooth_edges",
    "smooth_neurons",
]

TEMPERATURE = 0.5


@dataclass(frozen=True, slots=True)
class CostModel:
    """What a network costs: ``per_step + per_neuron * neurons + per_edge * edges``, in seconds or in bytes."""

    per_step: float
    per_neuron: float
    per_edge: float

    def __post_init__(self) -> None:
        for name in ("per_step", "per_neuron", "per_edge"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"a cost must be a finite number >= 0, but {name} is {value}")

    def predict(self, neurons: float, edges: float) -> float:
        """Cost of a network with so many live neurons and edges."""
        return self.per_step + self.per_neuron * neurons + self.per_edge * edges


@dataclass(frozen=True, slots=True)
class LossTerms:
    """What the loss terms of one network are made of at one moment; differentiable."""

    strength: Tensor  # (E,) |c| of each allowed edge; without closeness |v|
    smooth: Tensor  # (E,) how much each counts, [0, 1]
    direction: Tensor  # (E,) see `flow_signs`
    dag: DAG

    def value(self, measure: Measure) -> Tensor:
        """One of the numbers that terms are made of, ()."""
        if measure.of_share:
            each = tensor_of(measure.edge, share=self.smooth, direction=self.direction)
        else:  # a dead edge counts as 0 and has no gradient, whatever the slope there; NaN stays NaN
            dead = self.strength == 0
            alive = tensor_of(measure.edge, strength=torch.where(dead, 1, self.strength), direction=self.direction)
            each = torch.where(dead, 0, alive)
        if measure.over == "edges":
            return tensor_of(measure.value, x=each.sum())
        targets = torch.from_numpy(self.dag.targets.astype(np.int64)).to(each.device)
        return tensor_of(measure.value, x=smooth_neurons(each, targets, self.dag.n))

    @property
    def flow(self) -> Tensor:
        """See `nas.manifold.flow`, ()."""
        return self.value(FLOW)

    @property
    def smooth_edges(self) -> Tensor:
        """Smooth count of live edges, ()."""
        return self.smooth.sum()

    @property
    def sparsity(self) -> Tensor:
        """Smooth share of the allowed edges that are live, (), in [0, 1]."""
        return self.smooth.sum() / max(self.smooth.numel(), 1)

    def detach(self) -> LossTerms:
        """The values alone."""
        return LossTerms(self.strength.detach(), self.smooth.detach(), self.direction, self.dag)


def flow(c: Tensor, dag: DAG) -> Tensor:
    """Squared difference of the strength that enters and that leaves the computational neurons, ().

    (sum of |c| over edges input -> computational, less sum of |c| over edges computational -> output) squared. Edges
    that join an input to an output, or two computational neurons, take no part.

    Args:
        c: strength of each edge, (E,).
    """
    return (c.abs() * flow_signs(dag, c.dtype)).sum() ** 2


def flow_signs(dag: DAG, dtype: torch.dtype = torch.float32) -> Tensor:
    """+1 for edges input -> computational, -1 for computational -> output, else 0; (E,)."""
    from_input = dag.sources < dag.n_inputs
    to_output = dag.targets >= dag.n_inputs + dag.n_computational
    signs = (from_input & ~to_output).astype(np.int64) - (~from_input & to_output)
    return torch.from_numpy(signs).to(dtype)


def smooth_edges(d: Tensor, kappa: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """How much each edge counts as live, (E,) in [0, 1]; see the top of this file.

    Args:
        d: strength before the cutoff, (E,).
        kappa: cutoff, (), in (0, 1).
        temperature: in (0, 1]; above 1 the slope at d = 0 would be infinite.

    Raises:
        ValueError: the temperature is out of range.
    """
    if not 0 < temperature <= 1:
        raise ValueError(f"temperature must be in (0, 1], but got {temperature}")
    if temperature == TEMPERATURE:  # the same without logarithms
        square = d * d
        return square / (square + kappa * kappa)
    # log of the smallest normal number instead of log 0: s and its slope are 0 there either way
    tiny = torch.finfo(d.dtype).tiny
    return torch.sigmoid((d.abs().clamp(min=tiny).log() - kappa.log()) / temperature)


def smooth_edge_count(d: Tensor, kappa: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Smooth number of edges with |d| > kappa, (); approaches the true one as the temperature goes to 0."""
    return smooth_edges(d, kappa, temperature).sum()


def smooth_neurons(smooth: Tensor, targets: Tensor, n: int) -> Tensor:
    """Smooth number of neurons with a live in-edge, (): the sum over neurons of 1 - product of (1 - s).

    Args:
        smooth: see `smooth_edges`, (E,).
        targets: target of each edge, (E,) int64 in [0, n).
        n: number of neurons.
    """
    open_share = torch.log1p(-smooth.clamp(max=LARGEST_SHARE))
    return (1 - torch.exp(smooth.new_zeros(n).index_add(0, targets, open_share))).sum()


def cost(terms: LossTerms, model: CostModel) -> Tensor:
    """Cost of the network at its smooth counts, (), in the model's unit (seconds or bytes); differentiable."""
    return model.per_step + model.per_neuron * terms.value(NEURONS) + model.per_edge * terms.smooth_edges
