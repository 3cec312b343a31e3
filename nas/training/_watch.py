"""Train a recorded trial once more, exactly, and record what it looked like."""

from __future__ import annotations

from nas.errors import TrialError
from nas.training._recorder import Recorder, Recording
from nas.training._trainer import train
from nas.training._trial import network_of
from nas.training.types import Candidate, Dataset, TrainingConfig

__all__ = ["record_training"]


def record_training(candidate: Candidate, dataset: Dataset, config: TrainingConfig, frames: int = 120) -> Recording:
    """Train a candidate as `run_trial` does, and record it.

    Args:
        candidate, dataset, config: as for `run_trial`; equal ones on equally many threads give the same network.
        frames: how many at most.

    Raises:
        TrialError: the candidate is no network of neurons, has no steps to train, or its training fails.
        ValueError: the network does not fit the data.
    """
    if candidate.genome.structure is not None:
        raise TrialError(
            f"only the training of neurons can be watched, but trial {candidate.number} is of the kind "
            f"{candidate.genome.structure.kind}; its curves are in MLflow"
        )
    config = config.with_overrides({**candidate.genome.hyperparameters, "steps": candidate.steps})
    recorder = Recorder(candidate.genome.dag, dataset, config, frames)
    train(network_of(candidate, dataset, config), dataset, config, candidate.seed, recorder=recorder)
    return recorder.recording()
