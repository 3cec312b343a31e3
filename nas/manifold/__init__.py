"""Networks whose structure is learned: closeness, the loss terms that shape it, and inheritance of weights."""

from nas.manifold._closeness import NEURON_PARAMETERS, Closeness, Init, Strengths, strengths
from nas.manifold._compact import compact
from nas.manifold._families import DEFAULT_FAMILY, FAMILIES, Family, Start, family_named
from nas.manifold._idle import without_idle_neurons
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
from nas.manifold._mean import mean_of
from nas.manifold._network import ManifoldNetwork, Parametrisation, parametrisation_of
from nas.manifold._readout import Readout
from nas.manifold._reference import reference_d
from nas.manifold._terms import (
    EDGES,
    FLOW,
    LARGEST_SHARE,
    NEURONS,
    TERMS,
    LossTerm,
    Measure,
    Priced,
    direction,
    measures_of,
    share,
    strength,
)

__all__ = [
    "DEFAULT_FAMILY",
    "EDGES",
    "FAMILIES",
    "FLOW",
    "LARGEST_SHARE",
    "NEURONS",
    "NEURON_PARAMETERS",
    "TERMS",
    "Closeness",
    "CostModel",
    "Family",
    "Init",
    "LossTerm",
    "LossTerms",
    "ManifoldNetwork",
    "Measure",
    "Parametrisation",
    "Priced",
    "Readout",
    "Start",
    "Strengths",
    "compact",
    "cost",
    "direction",
    "family_named",
    "flow",
    "inherit",
    "mean_of",
    "measures_of",
    "parametrisation_of",
    "reference_d",
    "share",
    "smooth_edge_count",
    "smooth_edges",
    "smooth_neurons",
    "strength",
    "strengths",
    "without_idle_neurons",
]
