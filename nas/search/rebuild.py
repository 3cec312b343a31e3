"""Rebuilds the trained network of a trial from its record."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from nas.graph import DAG
from nas.manifold import ManifoldNetwork
from nas.search.errors import StudyError
from nas.search.study.store import StudyStore
from nas.training.structure import Structure, module_of
from nas.training.types import Arrays, Scalar, TrainingConfig

__all__ = ["rebuild_module", "rebuild_network", "trained_module", "trained_network"]


def rebuild_module(
    dag: DAG,
    arrays: Arrays,
    training: TrainingConfig,
    hyperparameters: Mapping[str, Scalar],
    structure: Structure | None = None,
) -> nn.Module:
    """The module to run, export and time of a trial with this record, in evaluation mode."""
    if structure is not None:
        return module_of(structure, arrays)
    return rebuild_network(dag, arrays, training, hyperparameters).fold().eval()


def trained_module(store: StudyStore, number: int, training: TrainingConfig) -> nn.Module:
    """The module of a complete trial of any kind: a `nas.engine.DAGModule`, or what its structure builds.

    Raises:
        StudyError: the trial did not complete.
        CheckpointError: its file is damaged.
    """
    result = store.load_result(number)
    assert result.dag is not None
    return rebuild_module(result.dag, result.arrays, training, store.hyperparameters(number), result.structure)


def rebuild_network(
    dag: DAG, arrays: Arrays, training: TrainingConfig, hyperparameters: Mapping[str, Scalar]
) -> ManifoldNetwork:
    """The network that has `arrays` (`ManifoldNetwork.to_arrays`) on `dag`.

    Args:
        training: of the job; `hyperparameters` override it.
    """
    config = training.with_overrides(hyperparameters)
    return ManifoldNetwork.from_arrays(
        dag, arrays, activation=config.activation, readout=config.readout, family=config.closeness
    )


def trained_network(store: StudyStore, number: int, training: TrainingConfig) -> ManifoldNetwork:
    """The network of a complete trial on its live DAG; `.fold()` makes the module to export.

    Raises:
        StudyError: the trial did not complete, or is of another kind (see `trained_module`).
        CheckpointError: its file is damaged.
    """
    result = store.load_result(number)
    if result.structure is not None:
        raise StudyError(f"trial {number} has {result.structure.kind}, not neurons; use trained_module")
    assert result.dag is not None
    return rebuild_network(result.dag, result.arrays, training, store.hyperparameters(number))
