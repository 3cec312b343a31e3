"""The usual `Inheritance`: parents from a study's store, weights through `nas.manifold.inherit`."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np

from nas import checkpoint
from nas.errors import CheckpointError
from nas.manifold import inherit
from nas.search.errors import StudyError
from nas.search.rebuild import rebuild_network
from nas.search.strategies.strategy import Inheritance, Parent
from nas.search.study.records import structure_in
from nas.search.study.store import StudyStore
from nas.training.types import Arrays, Genome, TrainingConfig

__all__ = ["store_inheritance"]

_CACHED: Final = 16  # parents kept in memory; a search with long trials asks for the same few again and again


def store_inheritance(store: StudyStore, training: TrainingConfig, *, weights: bool = True) -> Inheritance:
    """Parents are read from the result files of `store`.

    Args:
        store: of the study that the strategy searches.
        training: the job's training section, for what a genome does not override.
        weights: False: children start from fresh weights (the structure is inherited all the same).
    """
    cache: OrderedDict[int, Parent] = OrderedDict()

    def load(number: int) -> Parent:
        if number in cache:
            cache.move_to_end(number)
            return cache[number]
        result = store.load_result(number)
        asked = store.hyperparameters(number)
        assert result.dag is not None
        parent = Parent(number, Genome(result.dag, asked, result.structure), result.arrays)
        cache[number] = parent
        if len(cache) > _CACHED:
            cache.popitem(last=False)
        return parent

    def transfer(parent: Parent, child: Genome, rng: np.random.Generator) -> Arrays | None:
        if not (weights and parent.arrays):
            return None
        if child.structure is not None:
            return child.structure.inherit(parent.genome.structure, parent.arrays, int(rng.integers(2**31)))
        if child.dag == parent.genome.dag:
            return dict(parent.arrays)
        family = training.with_overrides(child.hyperparameters).closeness
        return inherit(parent.genome.dag, dict(parent.arrays), child.dag, rng, family=family)

    def edge_score(parent: Parent) -> np.ndarray | None:
        if not parent.arrays or parent.genome.structure is not None:
            return None
        network = rebuild_network(parent.genome.dag, parent.arrays, training, parent.genome.hyperparameters)
        score: np.ndarray = network.edge_weights().detach().abs().numpy()
        return score

    def asked(number: int) -> Genome | None:
        try:
            dag, _, record = checkpoint.load_arrays(store.genome_path(number))
            return Genome(dag, store.hyperparameters(number), structure_in(record))
        except (StudyError, CheckpointError, OSError):  # it could not even be made, or its file is gone
            return None

    return Inheritance(load, transfer, edge_score, asked)
