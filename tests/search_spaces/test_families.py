"""Families of graphs as a search space, and a study over them from job file to table."""

from pathlib import Path

import numpy as np
import pytest

from nas.errors import GraphError, JobError
from nas.graph import random_dag, write_edge_list
from nas.search import (
    EvolutionStrategy,
    SearchSpace,
    SpaceConfig,
    StudyStore,
    TaskShape,
    load_space,
    store_inheritance,
)
from nas.search_spaces.families import FAMILIES, draw_family
from nas.training import TrainingConfig

OPTIONS = {"n_computational": [2, 40], "density": [0.05, 0.5]}


def load(**options: object) -> SearchSpace:
    return load_space(SpaceConfig(name="families", options={**OPTIONS, **options}), TaskShape(6, 3))


@pytest.mark.parametrize("family", FAMILIES)
def test_families_have_as_many_edges_as_asked_for(family: str) -> None:
    rng = np.random.default_rng(0)
    for edges in (90, 200, 400):
        dag, detail = draw_family(family, (16, 40, 8), edges, rng)
        assert dag.sizes == (16, 40, 8)
        assert dag.n_edges == pytest.approx(edges, rel=0.15)
        assert detail


@pytest.mark.parametrize("family", FAMILIES)
def test_every_size_and_density_has_a_graph(family: str) -> None:
    space = load(families=[family])
    for seed in range(60):
        genome = space.initial(np.random.default_rng(seed))
        assert (genome.dag.n_inputs, genome.dag.n_outputs) == (6, 3)
        assert genome.origin.startswith(f"{family}: ")
        assert genome == space.initial(np.random.default_rng(seed))
    linear = load(families=[family], n_computational=0).initial(np.random.default_rng(0))
    assert linear.dag.n_computational == 0


def test_all_families_are_drawn() -> None:
    space = load()
    rng = np.random.default_rng(0)
    found = {space.initial(rng).origin.partition(":")[0] for _ in range(80)}
    assert found == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_most_edges_hold_for_families_too(family: str) -> None:
    space = load(families=[family], n_computational=40, density=0.5, max_edges=90)
    for seed in range(20):
        assert space.initial(np.random.default_rng(seed)).dag.n_edges <= 90


def test_a_search_begins_with_a_graph_of_its_families(tmp_path: Path) -> None:
    dag = random_dag(6, 5, 3, density=0.7, rng=np.random.default_rng(0))
    write_edge_list(tmp_path / "own.csv", dag)
    store = StudyStore.create(tmp_path, "study", seed=1)
    training = TrainingConfig(steps=10)
    for family, origin in (("banded", "banded: "), (str(tmp_path / "own.csv"), f"{tmp_path / 'own.csv'}: from file")):
        strategy = EvolutionStrategy(
            load(families=[family]), training, store.objectives, 1, inheritance=store_inheritance(store, training)
        )
        first = strategy.ask(0)
        assert first.mutation.startswith(origin)
    assert first.genome.dag.n_edges == dag.n_edges
    large = load().large(np.random.default_rng(0))
    assert large is not None and large.origin.startswith(("layer", "complete DAG of"))


def test_files_are_families_too(tmp_path: Path) -> None:
    dag = random_dag(6, 5, 3, density=1.0, rng=np.random.default_rng(0))
    write_edge_list(tmp_path / "own.csv", dag)
    genome = load(families=[str(tmp_path / "own.csv")]).initial(np.random.default_rng(0))
    assert genome.dag.n_edges == dag.n_edges
    assert genome.origin.endswith("own.csv: from file")
    write_edge_list(tmp_path / "other.csv", random_dag(5, 5, 3, density=1.0, rng=np.random.default_rng(0)))
    with pytest.raises(GraphError, match="other.csv has 5 inputs and 3 outputs, but the data has 6 features"):
        load(families=[str(tmp_path / "other.csv")]).initial(np.random.default_rng(0))


def test_unknown_families_are_refused() -> None:
    with pytest.raises(JobError, match=r"families.*'erdos' is none of erdos_renyi"):
        load(families=["erdos"])
