"""What a paused training of neurons is made of: written and read as plain arrays, so that it can go on anywhere.

network/…        parameters (`ManifoldNetwork.to_arrays`) on the edges that are left
moments          (2, parameters), what the optimiser remembers
curve/…          the curves so far
repairs          how often an output was about to be lost
sparsify/mask    (E,) bool, which of the allowed edges are left; only where the training cuts edges
sparsify/edges   (E, 2), the allowed edges; only where some grew before the first step (older states: found again)
sparsify/rng     state of the cuts' random numbers, JSON in bytes; where the training cuts edges
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from nas.manifold import ManifoldNetwork
from nas.training.compression.cuts import Sparsifier
from nas.training.fused.trainer import OptimiserState
from nas.training.gpu.trainer import Trainer
from nas.training.types import Arrays, TrainingState

__all__ = ["allowed_edges", "curve_arrays", "curves_of", "optimiser_of", "paused", "working_network"]

_NETWORK, _CURVE = "network/", "curve/"


def paused(
    trainer: Trainer,
    sparsifier: Sparsifier | None,
    points: list[dict[str, float]],
    repairs: int,
    step: int,
) -> TrainingState:
    """The state of a training after ``step`` steps; the trainer's network must be up to date."""
    arrays: dict[str, np.ndarray] = {_NETWORK + name: value for name, value in trainer.network.to_arrays().items()}
    arrays["moments"] = trainer.state.moments
    arrays["repairs"] = np.array(repairs)
    arrays |= curve_arrays(points)
    if sparsifier is not None:
        arrays["sparsify/mask"] = sparsifier.mask
        if sparsifier.grows:
            arrays["sparsify/edges"] = sparsifier.allowed.edges
        arrays["sparsify/rng"] = np.frombuffer(json.dumps(sparsifier.rng.bit_generator.state).encode(), np.uint8)
    return TrainingState(step, arrays)


def working_network(network: ManifoldNetwork, state: TrainingState, sparsifier: Sparsifier | None) -> ManifoldNetwork:
    """The network as it was when the training paused.

    Args:
        network: of the candidate, as it began.
        sparsifier: as a new training makes it; goes on where it was.
    """
    arrays, dag = state.arrays, network.dag
    if sparsifier is not None:
        sparsifier.mask = np.asarray(arrays["sparsify/mask"]).astype(bool)
        sparsifier.rng.bit_generator.state = json.loads(bytes(np.asarray(arrays["sparsify/rng"])))
        dag = sparsifier.allowed.with_edges(sparsifier.mask)
    return network.like(dag, _named(arrays, _NETWORK))


def allowed_edges(state: TrainingState | None) -> np.ndarray | None:
    """The edges that the network may have, (E, 2), where the state says so."""
    edges = None if state is None else state.arrays.get("sparsify/edges")
    return None if edges is None else np.asarray(edges)


def optimiser_of(network: ManifoldNetwork, state: TrainingState) -> OptimiserState:
    """What the optimiser of `network` remembered."""
    n_edges = 0 if network.weight is None else network.dag.n_edges
    return OptimiserState(state.step, np.asarray(state.arrays["moments"]), n_edges)


def curve_arrays(points: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """The points of the curves so far as arrays; inverse of `curves_of`."""
    names = points[0] if points else {}
    return {_CURVE + name: np.array([point[name] for point in points]) for name in names}


def curves_of(state: TrainingState) -> list[dict[str, float]]:
    """The points of the curves so far."""
    curves = _named(state.arrays, _CURVE)
    count = len(next(iter(curves.values()))) if curves else 0
    return [{name: float(curve[k]) for name, curve in curves.items()} for k in range(count)]


def _named(arrays: Arrays, prefix: str) -> Mapping[str, np.ndarray]:
    return {name.removeprefix(prefix): np.asarray(v) for name, v in arrays.items() if name.startswith(prefix)}
