"""The space of layers: genomes within their limits, mutations that run, and a whole search with resume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nas.errors import JobError, LayerError
from nas.graph import first_id_of_trial
from nas.layers import LayerDAG, LayerStructure
from nas.search import (
    EvolutionOptions,
    EvolutionStrategy,
    SearchSpace,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    TaskShape,
    load_space,
    retime,
    run_search,
    store_inheritance,
    trained_module,
    trained_network,
)
from nas.search.errors import StudyError
from nas.training import Dataset, Genome, TrainingConfig

IMAGES = TaskShape(64, 10, period=8)
CONFIG = TrainingConfig(steps=5, batch_size=16, inference_batch=16)


def load(shape: TaskShape = IMAGES, **options: object) -> SearchSpace:
    return load_space(SpaceConfig(name="layer_dag", options={"nodes": [2, 5], "widths": [2, 8], **options}), shape)


def spec_of(genome: Genome) -> LayerStructure:
    assert isinstance(genome.structure, LayerStructure)
    assert genome.dag == genome.structure.dag
    return genome.structure


@pytest.mark.parametrize(
    ("shape", "options", "input_shape"),
    [
        (IMAGES, {}, (1, 8, 8)),
        (TaskShape(13, 3), {}, (13,)),
        (TaskShape(12, 3), {"input_shape": [4, 3]}, (4, 3)),
        (TaskShape(8, 3, period=8), {}, (8,)),  # one row is no image
    ],
)
def test_first_genomes_follow_size_and_density(
    shape: TaskShape, options: dict[str, object], input_shape: tuple[int, ...]
) -> None:
    space = load(shape, **options)
    rng = np.random.default_rng(0)
    for size, count in [(0.0, 2), (1.0, 5)]:
        plain = spec_of(space.initial(rng, size=size, density=0.0))
        dense = spec_of(space.initial(rng, size=size, density=1.0))
        assert plain.spec.input_shape == input_shape
        assert len(plain.spec.nodes) == len(dense.spec.nodes) == count + 2
        assert plain.dag.n_edges == count + 2  # a chain
        possible = count * (count + 1) // 2
        assert dense.dag.n_edges == count + 2 + round(0.5 * possible)
        for structure in (plain, dense):
            assert structure.build(0)(torch.zeros(2, shape.n_inputs)).shape == (2, shape.n_outputs)


def test_generators_decide_and_mutations_name_nodes_after_their_trial() -> None:
    space = load()
    first, again, other = (space.initial(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again and first != other
    names = set()
    for seed in range(8):
        child, what = space.mutate(first, np.random.default_rng(seed), 0.5, growth=1.0, next_id=first_id_of_trial(12))
        assert what
        names |= set(spec_of(child).spec.by_name) - set(spec_of(first).spec.by_name)
    assert names and all(name.startswith("t12_") for name in names)


def test_genomes_stay_within_limits() -> None:
    space = load(max_nodes=8, max_weights=2_000)
    genome = space.initial(np.random.default_rng(0), size=0.0, density=0.0)
    for seed in range(6):
        try:
            genome, _ = space.mutate(genome, np.random.default_rng(seed), 0.3, growth=0.9)
        except LayerError:
            continue
        assert len(spec_of(genome).spec.nodes) <= 8
        assert spec_of(genome).measures()["edges"] <= 2_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nodes": [5, 2]}, "nodes: 1 <= least <= most"),
        ({"skips": [0.0, 1.5]}, "skips <= 1"),
        ({"kernels": []}, r"space\.options\.kernels"),
        ({"width": 3}, "space.options.width"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(JobError, match=message):
        load(**options)


def test_an_input_shape_that_does_not_hold_the_data_is_refused() -> None:
    with pytest.raises(LayerError, match=r"input_shape \(3, 3\) holds 9 numbers, the data 64"):
        load(input_shape=[3, 3]).initial(np.random.default_rng(0))


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((90, 16)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    return Dataset(
        "toy", "classification", x[:60], y[:60], x[60:75], y[60:75], x[75:], y[75:], classes=("a", "b"), period=4
    )


def test_a_search_runs_resumes_and_gives_networks_back(dataset: Dataset, tmp_path: Path) -> None:
    space = load(TaskShape.of(dataset))

    def search(trials: int) -> StudyStore:
        exists = StudyStore.exists(tmp_path, "study")
        store = StudyStore.open(tmp_path, "study") if exists else StudyStore.create(tmp_path, "study", seed=3)
        strategy = EvolutionStrategy(
            space,
            CONFIG,
            store.objectives,
            store.seed,
            inheritance=store_inheritance(store, CONFIG),
            options=EvolutionOptions(population=3),
        )
        run_search(strategy, SerialExecutor(dataset, CONFIG), store, trials=trials)
        return store

    search(3)
    store = search(6)  # from the files alone
    records = store.records()
    assert [record.state for record in records] == ["complete"] * 6, [r.result and r.result.reason for r in records]
    child = next(record for record in records if record.parent is not None)
    asked = store.load_candidate(child.number)
    assert isinstance(asked.genome.structure, LayerStructure) and asked.inherited is not None
    front = retime(store, SerialExecutor(dataset, CONFIG), dataset, CONFIG)
    assert all(member.retimed for member in front.members)
    result = store.load_result(child.number)
    assert result.structure == asked.genome.structure
    module = trained_module(store, child.number, CONFIG)
    assert isinstance(module, LayerDAG)
    with torch.no_grad():
        right = module(torch.from_numpy(dataset.x_val)).argmax(1).numpy() == dataset.y_val
    assert right.mean() == pytest.approx(result.metrics["val_accuracy"])
    with pytest.raises(StudyError, match="has layers, not neurons; use trained_module"):
        trained_network(store, child.number, CONFIG)
