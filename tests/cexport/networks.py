"""Networks of all shapes, with records as exported ones have them, for the exporters to C."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from nas.engine import ACTIVATIONS, DAGModule
from nas.graph import random_dag

__all__ = ["drawn_networks", "network", "record_of"]


def network(
    seed: int,
    *,
    inputs: int = 6,
    computational: int = 12,
    outputs: int = 3,
    density: float = 0.3,
    activations: tuple[str, ...] = ("relu",),
) -> DAGModule:
    """A DAG with random weights and biases, whose sums stay within a few units."""
    rng = np.random.default_rng(seed)
    dag = random_dag(inputs, computational, outputs, density=density, rng=rng)
    words = [str(rng.choice(activations)) for _ in range(dag.n_computational)]
    module = DAGModule(dag, words, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        if "square" in activations:
            module.weight.mul_(0.4)  # squares of squares have no bounds
        module.bias.copy_(torch.from_numpy(rng.normal(0, 0.5, module.bias.numel())))
    return module.eval()


def record_of(module: DAGModule, task: str, seed: int = 0, far: float = 10.0) -> dict[str, Any]:
    """Task and scaling; means lie ``far`` from 0."""
    rng = np.random.default_rng(seed)
    dag = module.dag
    mean, scale = far * rng.normal(size=dag.n_inputs), np.exp(rng.normal(size=dag.n_inputs))
    statistics: dict[str, Any] = {"mean": mean.tolist(), "scale": scale.tolist()}
    if task == "classification":
        statistics["classes"] = [f"class {k}" for k in range(dag.n_outputs)]
    else:
        statistics["target_mean"] = (10 * rng.normal(size=dag.n_outputs)).tolist()
        statistics["target_scale"] = np.exp(rng.normal(size=dag.n_outputs)).tolist()
    return {"task": task, "statistics": statistics}


@st.composite
def drawn_networks(draw: st.DrawFn) -> tuple[DAGModule, dict[str, Any]]:
    """A network and its record: of any size from one edge up, any mixture of activations, either task."""
    outputs = draw(st.integers(1, 4))
    module = network(
        draw(st.integers(0, 2**20)),
        inputs=draw(st.integers(1, 9)),
        computational=draw(st.integers(0, 20)),
        outputs=outputs,
        density=draw(st.sampled_from([0.1, 0.3, 1.0])),
        activations=tuple(draw(st.sets(st.sampled_from(ACTIVATIONS), min_size=1, max_size=4))),
    )
    task = draw(st.sampled_from(["classification", "regression"] if outputs > 1 else ["regression"]))
    return module, record_of(module, task, draw(st.integers(0, 99)), draw(st.sampled_from([0.0, 10.0, 1e3])))
