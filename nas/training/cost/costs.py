"""What the time and memory terms and a trial's predictions go by: the calibration of the machine, for a job."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import torch

from nas.graph import DAG
from nas.manifold import CostModel
from nas.training.cost._fit import Fits
from nas.training.cost.calibration import find_calibration
from nas.training.cost.work import memory_work, work_of
from nas.training.types import Scalar, TrainingConfig

__all__ = ["Costs", "costs_for"]

logger = logging.getLogger(__name__)
_said: set[str] = set()


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of a job's networks, on so many threads of this machine."""

    config: TrainingConfig
    threads: int
    source: str  # for people: which calibration
    fits: Fits

    def time(self, dag: DAG) -> CostModel:
        """Seconds of a training step of networks with these inputs, for the time term."""
        fit = self.fits.training[self.config.parametrisation]
        return fit.model(self.config.batch_size, dag.n_inputs, self.config.activation)

    def memory(self, dag: DAG) -> CostModel:
        """Bytes that the trainer of such a network holds, the data apart, for the memory term."""
        work = memory_work(dag, self.config.batch_size, self.config.activation, self.threads)
        return self.fits.memory[self.config.parametrisation].model(work.batch, work.inputs, self.config.activation)

    def predictions(self, dag: DAG) -> dict[str, float]:
        """Metrics of a network whose every neuron does something: what its measurements should be."""
        c = self.config
        return {
            "predicted_train_step_seconds": self.fits.training[c.parametrisation].predict(
                work_of(dag, c.batch_size, c.activation)
            ),
            "predicted_inference_seconds": self.fits.inference.predict(work_of(dag, c.inference_batch, c.activation)),
            "predicted_train_bytes": self.fits.memory[c.parametrisation].predict(
                memory_work(dag, c.batch_size, c.activation, self.threads)
            ),
        }

    def facts(self) -> dict[str, Scalar]:
        """What a trial's record says of them."""
        return {"cost_model": self.source}


def costs_for(config: TrainingConfig, threads: int | None = None) -> Costs:
    """The costs of a job on this machine; says once if they are not this machine's own.

    Args:
        config: with what the genome overrides.
        threads: CPU threads (default: what torch uses now).
    """
    threads = threads or torch.get_num_threads()
    calibration, own = find_calibration()
    count, fits = calibration.fits(threads)
    source = f"calibrated {calibration.taken}" if own else f"shipped, {calibration.hardware['processor']}"
    if count != threads:
        source += f", on {count} thread{'s' if count > 1 else ''}"
    uses = config.losses.time > 0 or config.losses.memory > 0
    if uses and (not own or count != threads) and source not in _said:
        _said.add(source)
        logger.warning(
            "the time and memory terms use costs that were not taken on this machine with threads: %d (%s); "
            "run: nas calibrate --threads %d",
            threads,
            source,
            threads,
        )
    return Costs(config, threads, source, fits)
