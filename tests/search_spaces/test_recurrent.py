"""The space of networks with memory: valid genomes whatever the mutations, and a whole search by its job file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from nas.cli import app
from nas.errors import GraphError, JobError
from nas.graph import first_id_of_trial
from nas.recurrent import RecurrentDAG, RecurrentStructure
from nas.search import SearchSpace, SpaceConfig, StudyStore, TaskShape, load_space, trained_module
from nas.training import Genome, TrainingConfig

SHAPE = TaskShape(20, 3, period=4)


def load(shape: TaskShape = SHAPE, **options: object) -> SearchSpace:
    return load_space(SpaceConfig(name="recurrent", options={"n_computational": [3, 9], **options}), shape)


def structure_of(genome: Genome) -> RecurrentStructure:
    assert isinstance(genome.structure, RecurrentStructure)
    assert genome.dag == genome.structure.dag
    return genome.structure


def test_mutations_keep_genomes_valid_and_within_limits() -> None:
    space = load(memory=[1, 3], max_memory=4, max_edges=60, memory_mutation=0.4)
    rng, sizes = np.random.default_rng(0), set()
    x = torch.randn(2, 20)
    for start in range(4):
        genome = space.initial(rng, size=start / 3, density=0.0)
        for trial in range(12):
            before = structure_of(genome)
            child, what = space.mutate(genome, rng, 0.1, next_id=first_id_of_trial(12 * start + trial))
            after = structure_of(child)
            assert what and after != before
            assert after.dag.n_edges <= 60 and 1 <= after.memory <= 4
            assert ("memory" in what) == (after.memory != before.memory)
            assert (after.dag.n_inputs - after.memory, after.dag.n_outputs - after.memory) == (4, 3)
            assert after.build(0)(x).shape == (2, 3)
            arrays = {name: value.numpy() for name, value in before.build(0).state_dict().items()}
            inherited = after.inherit(before, arrays, 1)
            assert inherited is not None and inherited["weight"].shape == (after.dag.n_edges,)
            sizes.add(after.memory)
            genome = child
    assert len(sizes) > 2


def test_growth_leaves_the_function_as_it_was() -> None:
    space = load(memory=2, memory_mutation=1.0)
    genome = space.initial(np.random.default_rng(0))
    parent = structure_of(genome).build(0)
    child, what = space.mutate(genome, np.random.default_rng(1), 0.1, growth=1.0)
    assert what == "add 1 memory slot"
    arrays = {name: value.numpy() for name, value in parent.state_dict().items()}
    module = structure_of(child).build(0)
    inherited = structure_of(child).inherit(genome.structure, arrays, 1)
    assert inherited is not None
    module.load_state_dict({name: torch.from_numpy(value) for name, value in inherited.items()})
    x = torch.randn(4, 20)
    torch.testing.assert_close(module(x), parent(x), rtol=1e-5, atol=1e-6)


def test_generators_decide() -> None:
    space = load()
    first, again, other = (space.initial(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again and first != other


def test_wrong_options_are_refused() -> None:
    with pytest.raises(JobError, match=r"memory: 0 <= least <= most <= max_memory \(32\)"):
        load(memory=[3, 40])
    with pytest.raises(GraphError, match=r"say so with space\.options\.features"):
        load(TaskShape(20, 3)).initial(np.random.default_rng(0))
    with pytest.raises(GraphError, match="rows of 20 numbers cannot be cut into time steps of 3"):
        load(features=3).initial(np.random.default_rng(0))
    with pytest.raises(GraphError, match="max_edges 2 is too few"):
        load(max_edges=2).initial(np.random.default_rng(0))


def test_the_example_searches_exports_and_evaluates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = Path(__file__).parents[2] / "examples" / "recurrent.yaml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    settings = (
        "training.steps=10",
        "data.samples=200",
        "resources.executor=serial",
        "tracking.mlflow=false",
        "tracking.store=store",
        "search.options.population=3",
    )
    result = CliRunner().invoke(app, ["search", str(job), "--trials", "5", *(f"--set={each}" for each in settings)])
    assert result.exit_code == 0, result.output
    assert "loaded again, it has test accuracy" in " ".join(result.output.split())
    store = StudyStore.open(tmp_path / "store", "recurrent")
    records = store.records()
    assert [record.state for record in records] == ["complete"] * 5
    number = next(record.number for record in records if record.parent is not None)
    assert isinstance(trained_module(store, number, TrainingConfig()), RecurrentDAG)
    assert store.load_candidate(number).inherited is not None


def test_neurons_may_be_lstm_neurons() -> None:
    space = load(activations=["lstm", "tanh"], n_computational=9, memory=0, max_memory=0)
    rng = np.random.default_rng(0)
    genome = space.initial(rng)
    for _ in range(5):
        genome, _ = space.mutate(genome, rng, 0.3)
    found = structure_of(genome)
    assert "lstm" in (found.dag.activations or ())
    assert found.build(0)(torch.randn(3, 20)).shape == (3, 3)
    with pytest.raises(JobError, match="unknown activation 'gru'"):
        load(activations=["gru"])
