"""Compiles beforehand what many tests run: ``python -m tests.compiled training``, or ``passes``.

It takes minutes in a fresh clone, else seconds. Compiled code is kept on disk, but two processes of tests that need it
at the same moment would both make it. So `make test` has it made first, each part by one process, beside mypy.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch

from nas.engine import DAGModule
from nas.graph import DAG, random_dag
from nas.recurrent import RecurrentDAG, reach_outputs, remember
from nas.training import Candidate, Dataset, Genome, TrainingConfig, pinned_threads, run_trial

BATCHES = (16, 32, 64)  # of each a tile of its own width


def _dag(inputs: int = 6, outputs: int = 3, density: float = 0.4) -> DAG:
    return random_dag(inputs, 12, outputs, density=density, rng=np.random.default_rng(0))


def training() -> None:
    """The fused loop for both tasks and all widths of tiles, with what comes before and after it."""
    x = np.random.default_rng(0).standard_normal((120, 6), dtype=np.float32)
    classes = np.arange(120) % 3
    for batch in BATCHES:
        for task, y in (("classification", classes), ("regression", x[:, :3].copy())):
            names = ("a", "b", "c") if task == "classification" else None
            data = Dataset("made", task, x, y, x[:30], y[:30], x[:30], y[:30], classes=names)
            config = TrainingConfig(batch_size=batch, inference_batch=batch)
            result = run_trial(Candidate(0, Genome(_dag()), 0, 2), data, config)
            assert result.status.value == "complete", result.reason


def passes() -> None:
    """Values and gradients of modules, sparse and dense, with memory and without."""
    for dtype in (torch.float32, torch.float64):
        dags = _dag(density=0.2), random_dag(16, 64, 4, density=1.0, rng=np.random.default_rng(0))
        modules: list[torch.nn.Module] = [DAGModule(dag, dtype=dtype) for dag in dags]
        rng = np.random.default_rng(0)
        modules.append(RecurrentDAG(reach_outputs(remember(_dag(4, 5), 2), 2, rng), 2, dtype=dtype))
        for module in modules:
            for batch in (1, *BATCHES):
                shape = (batch, 3, 2) if isinstance(module, RecurrentDAG) else (batch, module.dag.n_inputs)
                module(torch.ones(shape, dtype=dtype)).sum().backward()


if __name__ == "__main__":
    part, began = sys.argv[1], time.monotonic()
    with pinned_threads(1):
        {"training": training, "passes": passes}[part]()
    print(f"compiled for tests: {part}, {time.monotonic() - began:.0f} s")
