"""Structure evolves: in a short search of every space, many children gain what their parents lacked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.graph import DAG
from nas.layers import LayerStructure, layer_shapes
from nas.search import (
    Front,
    SearchConfig,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    load_space,
    make_strategy,
    run_search,
)
from nas.search.config import SPACES
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, pinned_threads

TRIALS = 24
OPTIONS: dict[str, dict[str, Any]] = {
    "neuron_dag": {"n_computational": [4, 30]},
    "manifold": {"n_computational": [4, 30]},
    "families": {"n_computational": [4, 30]},
    "layer_dag": {"nodes": [1, 4], "widths": [2, 8]},
    "recurrent": {"n_computational": [3, 10], "memory": [1, 3], "features": 2},
}


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((260, 6)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] + x[:, 2] > 0).astype(np.int64)
    return Dataset("product", "classification", x[:160], y[:160], x[160:210], y[160:210], x[210:], y[210:], ("0", "1"))


def searched(
    folder: Path, data: Dataset, space: str, strategy: str, steps: int = 30, **options: Any
) -> tuple[dict[int, Candidate], dict[int, TrialResult], Front]:
    """A search of real trainings, by default each so short that its weights hardly move."""
    training = TrainingConfig(steps=steps, batch_size=32)
    config = SearchConfig(
        strategy=strategy,
        trials=TRIALS,
        objectives=("error", "edges"),  # no clock has a say
        seed=1,
        options={"initial": 4, **options},
    )
    store = StudyStore.create(folder, "study", objectives=config.objectives, seed=config.seed)
    asked: dict[int, Candidate] = {}
    ended: dict[int, TrialResult] = {}

    def seen(candidate: Candidate, result: TrialResult) -> None:
        asked[candidate.number], ended[candidate.number] = candidate, result

    with pinned_threads(1):
        front = run_search(
            make_strategy(config, load_space(SpaceConfig(name=space, options=OPTIONS[space]), data), training, store),
            SerialExecutor(data, training),
            store,
            trials=TRIALS,
            on_result=seen,
        )
    assert {result.reason for result in ended.values()} == {""}
    return asked, ended, front


def by_ids(dag: DAG) -> set[tuple[int, int]]:
    return {(int(dag.ids[source]), int(dag.ids[target])) for source, target in dag.edges}


def gains(child: Candidate, parent: TrialResult) -> bool:
    """Whether a child has, when its training begins, an edge, neuron or layer that its parent lacked."""
    structure, before = child.genome.structure, parent.structure
    if isinstance(structure, LayerStructure):
        assert isinstance(before, LayerStructure)
        old, new = layer_shapes(before.spec), layer_shapes(structure.spec)
        edges = [{(source, node.name) for node in s.spec.nodes for source in node.inputs} for s in (before, structure)]
        wider = any(np.prod(new[name]) > np.prod(old[name]) for name in old.keys() & new.keys())
        return wider or not edges[1] <= edges[0]
    assert parent.dag is not None
    return "sparsify.grow" in child.genome.hyperparameters or not by_ids(child.genome.dag) <= by_ids(parent.dag)


def share_that_gains(asked: dict[int, Candidate], ended: dict[int, TrialResult]) -> float:
    children = [child for child in asked.values() if child.parent is not None]
    assert len(children) >= 4
    return float(np.mean([gains(child, ended[child.parent]) for child in children if child.parent is not None]))


def line_of(number: int, asked: dict[int, Candidate]) -> Iterable[Candidate]:
    """A candidate and its ancestors."""
    at: int | None = number
    while at is not None:
        yield asked[at]
        at = asked[at].parent


@pytest.mark.parametrize("strategy", ["evolution", "optuna"])
@pytest.mark.parametrize("space", SPACES)
def test_a_third_of_the_children_gain_edges_neurons_or_layers(
    space: str, strategy: str, data: Dataset, tmp_path: Path
) -> None:
    asked, ended, front = searched(tmp_path, data, space, strategy)
    assert share_that_gains(asked, ended) >= 1 / 3
    lines = [list(line_of(number, asked)) for number in front.numbers]
    bred = [line for line in lines if len(line) > 1]
    assert bred
    came = [any(gains(child, ended[child.parent]) for child in line if child.parent is not None) for line in bred]
    assert any(came)  # and is not always thrown away again


def test_a_search_that_only_cuts_would_be_noticed(data: Dataset, tmp_path: Path) -> None:
    asked, ended, _ = searched(tmp_path, data, "neuron_dag", "evolution", grow=0.0)
    assert share_that_gains(asked, ended) == 0


def test_edges_that_came_outlive_the_cut(data: Dataset, tmp_path: Path) -> None:
    """What is added is not what is cut again: trained networks hold edges that their parents lacked."""
    asked, ended, _ = searched(tmp_path, data, "neuron_dag", "evolution", steps=400, roots=0.0)
    kept = []
    for child in asked.values():
        if child.parent is not None and gains(child, ended[child.parent]):
            dag, before = ended[child.number].dag, ended[child.parent].dag
            assert dag is not None and before is not None
            kept.append(not by_ids(dag) <= by_ids(before))
    assert np.mean(kept) > 0.3  # of trainings of some dozen steps
