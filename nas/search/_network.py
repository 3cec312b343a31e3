"""Rebuilds the trained network of a trial from its record."""

from __future__ import annotations

from collections.abc import Mapping

from nas.graph import DAG
from nas.manifold import ManifoldNetwork
from nas.search._store import StudyStore
from nas.training._types import Arrays, Scalar, TrainingConfig

__all__ = ["rebuild_network", "trained_network"]


def rebuild_network(
    dag: DAG, arrays: Arrays, training: TrainingConfig, hyperparameters: Mapping[str, Scalar]
) -> ManifoldNetwork:
    """The network that has `arrays` (`ManifoldNetwork.to_arrays`) on `dag`.

    Args:
        training: of the job; `hyperparameters` override it.
    """
    return ManifoldNetwork.from_arrays(dag, arrays, activation=training.with_overrides(hyperparameters).activation)


def trained_network(store: StudyStore, number: int, training: TrainingConfig) -> ManifoldNetwork:
    """The network of a complete trial on its live DAG; `.fold()` makes the module to export.

    Raises:
        StudyError: the trial did not complete.
        CheckpointError: its file is damaged.
    """
    result = store.load_result(number)
    assert result.dag is not None
    return rebuild_network(result.dag, result.arrays, training, store.hyperparameters(number))
