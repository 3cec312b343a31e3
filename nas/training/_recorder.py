"""Frames of a network while it trains, for those who want to watch it learn.

Recording changes nothing: the network trained with a recorder is, bit for bit, the one trained without. So any
finished trial can be watched afterwards, by training it once more from its record (`record_training`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from nas.errors import TrialError
from nas.graph import DAG, usable_cells
from nas.manifold import ManifoldNetwork
from nas.training.loss_terms import structure_costs
from nas.training.quality.metrics import evaluate
from nas.training.types import Dataset, TrainingConfig

__all__ = ["Recorder", "Recording"]

TRAIN_SAMPLES = 2048  # on which a frame's objective is evaluated: the same ones at every frame, so the curve is smooth
_SMALLEST = np.float16(6e-8)  # a live edge must not round to 0, which means dead


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What was seen of one training, F frames of E allowed edges."""

    dag: DAG  # the allowed edges before training
    steps: np.ndarray  # (F,) int64, steps done; the first frame is 0, the last one all
    weight: np.ndarray  # (F, E) float16, W of every allowed edge, exactly 0 where it was not live
    closeness: np.ndarray | None  # (F, E) float16, c of every allowed edge; None: a free network has none
    curves: Mapping[str, np.ndarray]
    """Each (F,): ``objective`` and the loss terms of `nas.manifold.TERMS` times their factors; ``train_loss``,
    ``val_…``, ``test_…`` with ``accuracy`` or ``error``; ``live_edges``, ``density``."""

    @property
    def live(self) -> np.ndarray:
        """(F, E) bool."""
        mask: np.ndarray = self.weight != 0
        return mask


class Recorder:
    """Collects the frames of one training; `nas.training.train` calls it.

    Args:
        dag: the allowed edges; the network never has others.
        dataset: its whole test and validation parts are evaluated at every frame.
        config: of the training.
        frames: how many at most, half of them spread evenly over the steps, half over their logarithm.

    Raises:
        ValueError: fewer than two frames.
    """

    def __init__(self, dag: DAG, dataset: Dataset, config: TrainingConfig, frames: int = 120) -> None:
        if frames < 2:
            raise ValueError(f"a recording needs at least 2 frames, but got {frames}")
        self._dataset = dataset
        self._config = config
        self._costs = structure_costs(config, dag)
        self._due = _frame_steps(config, frames)
        rows = np.linspace(0, len(dataset.x_train) - 1, min(TRAIN_SAMPLES, len(dataset.x_train))).astype(int)
        self._sample = dataset.x_train[rows], dataset.y_train[rows]
        self._dag = dag
        self._keys = _keys(dag)
        self._steps: list[int] = []
        self._weights: list[np.ndarray] = []
        self._closeness: list[np.ndarray] = []
        self._points: list[dict[str, float]] = []

    def next_event(self, step: int) -> int:
        """The next step, after ``step``, at which a frame is wanted; far away where none is."""
        later = self._due[self._due > step]
        return int(later[0]) if len(later) else step + 2**62

    def wants(self, step: int) -> bool:
        """Whether a frame is wanted now, ``step`` steps done."""
        return bool((self._due == step).any()) and step not in self._steps[-1:]

    def frame(self, step: int, network: ManifoldNetwork) -> None:
        """Take a frame of the network, which may have lost some of the allowed edges."""
        dag = network.dag
        places = np.searchsorted(self._keys, _keys(dag))
        with torch.no_grad():
            weight = network.edge_weights().numpy()
            live = network.live_mask()
            terms = network.terms()
        self._steps.append(step)
        self._weights.append(self._spread(weight, live, places))
        if network.closeness is not None:
            self._closeness.append(self._spread(network.closeness_values(), live, places))
        count, k = int(live.sum()), self._config.losses
        curves = self._costs.curves(self._costs.measured(terms))
        quality = evaluate(network, *self._sample, self._dataset.task)
        point = {
            "objective": k.objective * quality["loss"],
            **{name: float(getattr(k, name)) * value for name, value in curves.items()},
            "live_edges": float(count),
            "density": count / usable_cells(dag.n_inputs, dag.n_computational, dag.n_outputs),
        }
        for part, x, y in (
            ("train", *self._sample),
            ("val", self._dataset.x_val, self._dataset.y_val),
            ("test", self._dataset.x_test, self._dataset.y_test),
        ):
            found = quality if part == "train" else evaluate(network, x, y, self._dataset.task)
            point |= {f"{part}_{name}": value for name, value in found.items()}
        self._points.append(point)

    def recording(self) -> Recording:
        """All frames so far.

        Raises:
            TrialError: there is none.
        """
        if not self._points:
            raise TrialError("nothing was recorded, because the network was not trained: steps is 0")
        names = self._points[0]
        return Recording(
            self._dag,
            np.array(self._steps),
            np.stack(self._weights),
            np.stack(self._closeness) if self._closeness else None,
            {name: np.array([point[name] for point in self._points]) for name in names},
        )

    def _spread(self, values: np.ndarray, live: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Values of the network's edges on the allowed ones; 0 where not live, never 0 where live."""
        small = np.clip(values, -6e4, 6e4).astype(np.float16)
        small = np.where(small == 0, _SMALLEST, small)
        full = np.zeros(len(self._keys), np.float16)
        full[places] = np.where(live, small, np.float16(0))
        return full


def _frame_steps(config: TrainingConfig, frames: int) -> np.ndarray:
    """Steps after which a frame is taken, sorted, with 0 and the last."""
    steps = config.steps
    half = max(frames // 2, 1)
    places = np.concatenate([np.geomspace(1, max(steps, 1), half), np.linspace(0, steps, frames - half)])
    found: np.ndarray = np.unique(np.minimum(np.round(places).astype(np.int64), steps))
    return found


def _keys(dag: DAG) -> np.ndarray:
    """One sorted number an edge: edges are ordered by target, then source."""
    return dag.targets.astype(np.int64) * dag.n + dag.sources
