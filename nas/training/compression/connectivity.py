"""What a training does when an output is about to lose its last path from the inputs.

Structure is learned by gradient, and nothing in the losses sees a path: a step may close the last edge that an output
hangs by, and what is closed has no gradient to come back. So the trainer looks at every step's structure before it is
used, and, `TrainingConfig.on_lost_output`,

    restore   takes back this step's change of the neurons on every output's strongest path, and of the cutoff: these
              edges are then as strong as in the step before, in which all outputs had paths. Everything else moves on.
    regrow    the same, then draws the closeness of the lost outputs anew and sets the cutoff back to its initial value
    fail      ends the trial with the outputs' names

A network that has no path to begin with is drawn again until it has (restore, regrow).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nas.errors import TrialError
from nas.graph import DAG
from nas.manifold import Init, ManifoldNetwork
from nas.training.fused.trainer import ClosenessStep
from nas.training.gpu.trainer import Trainer

if TYPE_CHECKING:
    from nas.training.types import OnLostOutput

__all__ = ["Connectivity", "closeness_of", "lost_outputs", "set_closeness_of"]

DRAWS = 100  # of a closeness without a path, before giving up
OPENING = 0.5  # by which every failed draw lowers the cutoff's logit


class Connectivity:
    """The watch over one training.

    Args:
        how: see the top of this file.
        seed: of the training; decides what is drawn.
    """

    def __init__(self, how: OnLostOutput, seed: int) -> None:
        self._how, self._seed = how, seed
        self.repairs = 0

    def settle(self, trainer: Trainer) -> None:
        """Repair what the last update may have cut: afterwards every output has a path."""
        if trainer.loses_output():
            self.repair(trainer)

    def repair(self, trainer: Trainer) -> None:
        """After a report says that an output is lost: go on with a structure in which none is.

        Raises:
            TrialError: the trial is to fail, or no draw has a path.
        """
        values, changed = self.repaired(trainer.network, trainer.closeness_step(), trainer.steps_done)
        trainer.set_closeness(values, changed)

    def repaired(self, network: ManifoldNetwork, last: ClosenessStep, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Closeness parameters with which every output has a path, and which of them differ from ``last.after``.

        Args:
            network: on whose DAG they are; its own closeness parameters are overwritten.

        Raises:
            TrialError: see `repair`.
        """
        set_closeness_of(network, last.after)
        lost = lost_outputs(network.dag, network.live_mask())
        if self._how == "fail":
            raise lobotomised(network.dag, lost, step)
        self.repairs += 1
        rng = np.random.default_rng([self._seed, 4, step, self.repairs])
        values = last.after.copy()
        if last.before is not None:
            rows = _rows_of_strongest_paths(network, last.before)
            m = len(rows)
            values[:-1].reshape(-1, m)[:, rows] = last.before[:-1].reshape(-1, m)[:, rows]
            values[-1] = last.before[-1]
            if self._how == "regrow":
                values = _drawn(network, values, lost, rng, step, reopen=True)
        else:
            values = _drawn(network, values, lost, rng, step, reopen=False)
        set_closeness_of(network, values)
        if lost_outputs(network.dag, network.live_mask()).size:  # float rounding at the cutoff
            values = last.after if last.before is None else last.before
        return values, values != last.after


def lost_outputs(dag: DAG, live: np.ndarray) -> np.ndarray:
    """Numbers of the outputs that no input reaches over the edges of the mask ``live`` (E,)."""
    reached = dag.with_edges(live, allow_unreachable=True).reached_neurons()
    found: np.ndarray = dag.first_output + np.flatnonzero(~reached[dag.first_output :])
    return found


def lobotomised(dag: DAG, lost: np.ndarray, step: int) -> TrialError:
    """The error of a trial whose outputs ``lost`` have no path any more."""
    return TrialError(
        f"lobotomised: at step {step} no live path from any input reaches output "
        f"{', '.join(dag.label(int(output)) for output in lost)}; "
        "lower the factors of the sparsity, flow, time and memory losses, or the learning rate, or set "
        "training.on_lost_output to regrow"
    )


def closeness_of(network: ManifoldNetwork) -> np.ndarray:
    """The closeness parameters as one vector (7 m + 1,), see `ClosenessStep`; a copy."""
    assert network.closeness is not None
    parts = [*network.closeness.neuron_parameters(), network.closeness.cutoff.reshape(1)]
    values: np.ndarray = torch.cat([part.detach() for part in parts]).numpy()
    return values


def set_closeness_of(network: ManifoldNetwork, values: np.ndarray) -> None:
    """The inverse of `closeness_of`."""
    assert network.closeness is not None
    with torch.no_grad():
        rows = torch.from_numpy(values[:-1].reshape(-1, len(network.bias)))
        for parameter, row in zip(network.closeness.neuron_parameters(), rows, strict=True):
            parameter.copy_(row)
        network.closeness.cutoff.fill_(float(values[-1]))


def _rows_of_strongest_paths(network: ManifoldNetwork, values: np.ndarray) -> np.ndarray:
    """Non-input neurons (m,) on a path to every output: back along the strongest edge whose source is reached."""
    dag = network.dag
    set_closeness_of(network, values)
    strength = np.abs(network.closeness_values())
    live = strength > 0
    reached = dag.with_edges(live, allow_unreachable=True).reached_neurons()
    rows = np.zeros(dag.n - dag.n_inputs, bool)
    for output in range(dag.first_output, dag.n):
        i = output
        while i >= dag.n_inputs and not rows[i - dag.n_inputs]:
            rows[i - dag.n_inputs] = True
            edges = np.arange(dag.in_ptr[i], dag.in_ptr[i + 1])
            edges = edges[live[edges] & reached[dag.sources[edges]]]
            if not edges.size:  # float rounding at the cutoff: all rows are taken back
                return np.ones_like(rows)
            i = int(dag.sources[edges[strength[edges].argmax()]])
    return rows


def _drawn(
    network: ManifoldNetwork, values: np.ndarray, lost: np.ndarray, rng: np.random.Generator, step: int, *, reopen: bool
) -> np.ndarray:
    """``values`` with the closeness of the lost outputs drawn anew, then of all neurons, until all have paths.

    Args:
        reopen: begin with the initial cutoff.
    """
    closeness = network.closeness
    assert closeness is not None
    init: Init = "published" if network.weight is None else "open"
    rows = np.zeros(len(network.bias), bool)
    rows[lost - network.dag.n_inputs] = True
    cutoff = float(values[-1])
    for draw in range(DRAWS):
        set_closeness_of(network, values)
        closeness.reset(init, rng)
        fresh = closeness_of(network)
        mixed = values.copy()
        mixed[:-1].reshape(-1, len(rows))[:, rows] = fresh[:-1].reshape(-1, len(rows))[:, rows]
        mixed[-1] = fresh[-1] if reopen else cutoff
        set_closeness_of(network, mixed)
        if not (still := lost_outputs(network.dag, network.live_mask())).size:
            return mixed
        if draw >= DRAWS // 5:
            rows[:] = True
            cutoff -= OPENING
            reopen = False
    raise lobotomised(network.dag, still, step)
