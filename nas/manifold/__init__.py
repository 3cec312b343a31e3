"""Networks whose structure is learned: closeness, the loss terms that shape it, and inheritance of weights."""

from nas.manifold._closeness import NEURON_PARAMETERS, Closeness, Init, Strengths, strengths
from nas.manifold._compact import compact, without_idle_neurons
from nas.manifold._families import DEFAULT_FAMILY, FAMILIES, Family, Start, family_named
from nas.manifold._inherit import inherit
from nas.manifold._losses import (
    CostModel,
    LossTerms,
    cost,
    flow,
    smooth_edge_count,
    smooth_edges,
    smooth_neurons,
)
from nas.manifold._network import ManifoldNetwork, Parametrisation, parametrisation_of
from nas.manifold._readout import Readout
from nas.manifold._reference import reference_d

__all__ = [
    "DEFAULT_FAMILY",
    "FAMILIES",
    "NEURON_PARAMETERS",
    "Closeness",
    "CostModel",
    "Family",
    "Init",
    "LossTerms",
    "ManifoldNetwork",
    "Parametrisation",
    "Readout",
    "Start",
    "Strengths",
    "compact",
    "cost",
    "family_named",
    "flow",
    "inherit",
    "parametrisation_of",
    "reference_d",
    "smooth_edge_count",
    "smooth_edges",
    "smooth_neurons",
    "strengths",
    "without_idle_neurons",
]
