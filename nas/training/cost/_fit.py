"""The engine's cost as a linear model of what a call does, fitted to measurements.

    seconds = call + batch * sample
            + neurons * (neuron + batch * (neuron_sample + activation))
            + batch * inputs * input_sample
            + edges * (edge + batch * edge_sample)

Every coefficient is at least 0 (non-negative least squares, Lawson 1974), and every measurement counts by its relative
error: networks of a thousand edges matter as much as those of fifty thousand. For a job, whose batch and activation
are fixed, it comes down to the three numbers of a `CostModel`: for a step, for a neuron, for an edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import nnls

from nas.manifold import CostModel
from nas.training.cost.work import BASE_ACTIVATION, Work

__all__ = ["CostFit", "Fits", "fit_costs"]


class CostFit(BaseModel):
    """Coefficients in seconds (or bytes), and how well they fit what they were fitted to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call: float = Field(ge=0)
    sample: float = Field(0.0, ge=0)
    neuron: float = Field(ge=0)
    neuron_sample: float = Field(0.0, ge=0)
    input_sample: float = Field(0.0, ge=0)
    edge: float = Field(ge=0)
    edge_sample: float = Field(0.0, ge=0)
    activations: Mapping[str, float] = Field(default_factory=dict)  # beyond the base activation, a neuron a sample
    points: int = Field(ge=1)
    r2: float = Field(le=1)
    median_residual: float = Field(ge=0)  # |predicted - measured| / measured
    worst_residual: float = Field(ge=0)

    def predict(self, work: Work) -> float:
        """Seconds (or bytes) of one call."""
        model = self.model(work.batch, work.inputs, "")
        return model.predict(work.neurons, work.edges) + _extra(work, self.activations)

    def model(self, batch: int, inputs: int, activation: str) -> CostModel:
        """The three numbers for networks of a job, every neuron of which has ``activation``."""
        return CostModel(
            per_step=self.call + batch * (self.sample + inputs * self.input_sample),
            per_neuron=self.neuron + batch * (self.neuron_sample + self.activations.get(activation, 0.0)),
            per_edge=self.edge + batch * self.edge_sample,
        )


class Fits(BaseModel):
    """What calls cost on one thread count."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inference: CostFit
    training: Mapping[str, CostFit]  # seconds of a step, by parametrisation
    memory: Mapping[str, CostFit]  # bytes of a trainer, by parametrisation


_TERMS = ("call", "sample", "neuron", "neuron_sample", "input_sample", "edge", "edge_sample")


def _extra(work: Work, activations: Mapping[str, float]) -> float:
    return work.batch * sum(count * activations.get(name, 0.0) for name, count in work.activated)


def _is_base(work: Work) -> bool:
    return all(name == BASE_ACTIVATION for name, _ in work.activated)


def _features(work: Work) -> list[float]:
    b = work.batch
    return [1.0, b, work.neurons, b * work.neurons, b * work.inputs, work.edges, b * work.edges]


def fit_costs(works: Sequence[Work], seconds: Sequence[float]) -> CostFit:
    """Fit every coefficient to the works with the base activation, then each other activation to what it adds.

    Args:
        works: what was measured: with the base activation at least as many as there are coefficients, with another one
            networks that were measured with the base activation too.
        seconds: what each took, > 0.

    Raises:
        ValueError: too few measurements, one that is not positive, or an activation without its base.
    """
    measured = np.asarray(seconds, float)
    if not (np.isfinite(measured).all() and (measured > 0).all()):
        raise ValueError(f"every measurement must be a positive number, but the least is {measured.min()}")
    base = {work: value for work, value in zip(works, measured, strict=True) if _is_base(work)}
    if len(base) < len(_TERMS):
        raise ValueError(f"a fit needs {len(_TERMS)} networks with {BASE_ACTIVATION} or more, got {len(base)}")
    values = np.array(list(base.values()))
    rows = np.array([_features(work) for work in base], float) / values[:, None]
    scale = np.where(rows.any(axis=0), np.abs(rows).max(axis=0), 1.0)
    found = nnls(rows / scale, np.ones(len(base)))[0] / scale
    activations: dict[str, float] = {}
    for work, value in zip(works, measured, strict=True):
        if _is_base(work):
            continue
        ((name, count),) = work.activated
        same = replace(work, activated=((BASE_ACTIVATION, count),))
        if same not in base:
            raise ValueError(f"{name} was measured on a network that was not with {BASE_ACTIVATION}: {work}")
        activations[name] = max(0.0, float(value - base[same]) / (work.batch * count))
    extra = [_extra(work, activations) for work in works]
    predicted = np.array([_features(work) for work in works], float) @ found + extra
    residual = np.abs(predicted / measured - 1)
    spread = ((measured - measured.mean()) ** 2).sum()
    return CostFit(
        **dict(zip(_TERMS, found.tolist(), strict=True)),
        activations=activations,
        points=len(works),
        r2=float(1 - ((predicted - measured) ** 2).sum() / spread) if spread > 0 else 1.0,
        median_residual=float(np.median(residual)),
        worst_residual=float(residual.max()),
    )
