"""Sparse DAGs of single neurons with an ordinary weight on every edge; structure changes by mutation alone."""

from __future__ import annotations

from nas.search_spaces._dags import DagOptions, DagSpace

__all__ = ["NeuronDag", "Space"]


class NeuronDag(DagSpace):
    """Any DAG between the data's inputs and outputs, with free weights.

    First genomes are drawn uniformly among the usable cells.
    """

    Options = DagOptions
    fixed = {"parametrisation": "free"}


Space = NeuronDag
