"""DAGs of allowed edges, of which training learns which to keep: structure by closeness, cutoff and mutation."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from nas.search import Choice, Range
from nas.search_spaces._dags import HYPERPARAMETERS, DagOptions, DagSpace

__all__ = ["Manifold", "ManifoldOptions", "Space"]


_HYPERPARAMETERS: Final[dict[str, Range | Choice]] = {
    **HYPERPARAMETERS,
    "losses.sparsity": Range(low=1e-3, high=1.0, log=True),
}


class ManifoldOptions(DagOptions):
    """Denser starts than those of plain DAGs, because training closes edges but never opens new ones."""

    density: tuple[float, float] = Field(
        (0.1, 1.0), description="Least and largest density of the edges allowed at first (or one number); log-uniform."
    )
    hyperparameters: dict[str, Range | Choice] = Field(
        default_factory=lambda: _HYPERPARAMETERS,
        description='What is searched beside the structure: dotted paths of the training section, e.g. "losses.flow".',
    )


class Manifold(DagSpace):
    """Networks whose edges have a closeness (see `nas.manifold`); a child's DAG starts from its parent's live edges.

    The job's training section says which parametrisation: "masked" (closeness times a free weight) or "manifold"
    (closeness alone).
    """

    Options = ManifoldOptions
    options: ManifoldOptions


Space = Manifold
