"""One suite that every built-in space passes, and what is special to each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.errors import JobError
from nas.graph import DAG, first_id_of_trial, usable_cells
from nas.search import SearchSpace, SpaceConfig, TaskShape, load_space, stable_ids
from nas.search_spaces._dags import HYPERPARAMETERS
from nas.training import Genome, TrainingConfig

SPACES = ("neuron_dag", "manifold")
SHAPE = TaskShape(6, 3)
OPTIONS = {"n_computational": [2, 30], "density": [0.05, 0.5]}


def load(name: str, **options: object) -> SearchSpace:
    return load_space(SpaceConfig(name=name, options={**OPTIONS, **options}), SHAPE)


@pytest.mark.parametrize("name", SPACES)
def test_first_genomes_follow_size_and_density(name: str) -> None:
    space = load(name)
    rng = np.random.default_rng(0)
    for size, neurons in [(0.0, 2), (1.0, 30), (0.5, round((2 * 30) ** 0.5))]:
        for density, share in [(0.0, 0.05), (1.0, 0.5)]:
            dag = space.initial(rng, size=size, density=density).dag
            assert (dag.n_inputs, dag.n_computational, dag.n_outputs) == (6, neurons, 3)
            wanted = max(3, round(share * dag.usable_cells))
            assert dag.n_edges == pytest.approx(wanted, abs=1)
            assert dag.unreachable_outputs() == ()


@pytest.mark.parametrize("name", SPACES)
def test_first_genomes_are_decided_by_the_generator(name: str) -> None:
    space = load(name)
    first, again, other = (space.initial(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first.dag != other.dag


@pytest.mark.parametrize("name", SPACES)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    strength=st.floats(0.001, 1),
    growth=st.floats(-1, 1),
    scored=st.booleans(),
)
def test_mutations_keep_the_task_and_say_what_they_did(
    name: str, seed: int, strength: float, growth: float, scored: bool
) -> None:
    space = load(name)
    rng = np.random.default_rng(seed)
    parent = space.initial(rng)
    parent = Genome(stable_ids(parent.dag, first_id_of_trial(0)), parent.hyperparameters)
    score = rng.random(parent.dag.n_edges) if scored else None
    child, description = space.mutate(
        parent, rng, strength, growth=growth, edge_score=score, next_id=first_id_of_trial(5)
    )
    assert (child.dag.n_inputs, child.dag.n_outputs) == (6, 3)
    assert child.dag.unreachable_outputs() == ()
    assert child.dag != parent.dag
    assert child.hyperparameters == parent.hyperparameters
    assert description
    new = set(child.dag.ids.tolist()) - set(parent.dag.ids.tolist())
    assert all(first_id_of_trial(5) <= number < first_id_of_trial(6) for number in new)


@pytest.mark.parametrize("name", SPACES)
def test_growth_decides_the_direction(name: str) -> None:
    space = load(name)
    rng = np.random.default_rng(0)
    parent = space.initial(rng, size=1.0, density=0.5)
    grown = [space.mutate(parent, rng, 0.2, growth=1.0)[0].dag.n_edges for _ in range(20)]
    shrunk = [space.mutate(parent, rng, 0.2, growth=-1.0)[0].dag.n_edges for _ in range(20)]
    assert min(grown) > parent.dag.n_edges > max(shrunk)


@pytest.mark.parametrize("name", SPACES)
def test_strength_decides_how_much(name: str) -> None:
    space = load(name)
    rng = np.random.default_rng(0)
    parent = space.initial(rng, size=1.0, density=1.0)
    edges = parent.dag.n_edges
    small = edges - space.mutate(parent, rng, 0.01, growth=-1.0)[0].dag.n_edges
    large = edges - space.mutate(parent, rng, 0.4, growth=-1.0)[0].dag.n_edges
    assert 1 <= small < 0.15 * edges
    assert 0.3 * edges < large


@pytest.mark.parametrize("name", SPACES)
def test_weak_edges_go_first(name: str) -> None:
    space = load(name)
    rng = np.random.default_rng(0)
    parent = space.initial(rng, size=1.0, density=1.0)
    score = rng.random(parent.dag.n_edges)
    child, _ = space.mutate(parent, rng, 0.1, growth=-1.0, edge_score=score)
    kept = {
        (int(child.dag.ids[s]), int(child.dag.ids[t]))
        for s, t in zip(child.dag.sources, child.dag.targets, strict=True)
    }
    ids = parent.dag.ids
    stays = np.array([(int(ids[s]), int(ids[t])) in kept for s, t in parent.dag.edges])
    assert score[~stays].mean() < 0.7 * score[stays].mean()


@pytest.mark.parametrize("name", SPACES)
def test_no_genome_has_more_edges_than_allowed(name: str) -> None:
    space = load(name, max_edges=60)
    rng = np.random.default_rng(0)
    genome = space.initial(rng, size=1.0, density=1.0)
    assert genome.dag.n_edges <= 61
    for _ in range(30):
        genome, _ = space.mutate(genome, rng, 0.3, growth=1.0)
        assert genome.dag.n_edges <= 60


def test_one_number_stands_for_a_range() -> None:
    space = load("neuron_dag", n_computational=7, density=0.2)
    dag = space.initial(np.random.default_rng(0)).dag
    assert dag.n_computational == 7
    assert dag.density == pytest.approx(0.2, abs=0.01)


def test_linear_models_are_possible() -> None:
    space = load("neuron_dag", n_computational=0, density=1.0)
    genome = space.initial(np.random.default_rng(0))
    assert genome.dag.n_computational == 0
    child, _ = space.mutate(genome, np.random.default_rng(0), 0.2, growth=-1.0)
    assert child.dag.n_edges < genome.dag.n_edges


def test_neuron_dags_have_free_weights_and_manifolds_what_the_job_says() -> None:
    rng = np.random.default_rng(0)
    job = TrainingConfig(parametrisation="manifold")
    free = load("neuron_dag").initial(rng).hyperparameters
    assert job.with_overrides(free).parametrisation == "free"
    assert job.with_overrides(load("manifold").initial(rng).hyperparameters).parametrisation == "manifold"


def test_manifolds_search_the_sparsity_too() -> None:
    assert set(load("manifold").hyperparameters) == {*HYPERPARAMETERS, "losses.sparsity"}
    assert set(load("manifold", hyperparameters={}).hyperparameters) == set()


@pytest.mark.parametrize("name", SPACES)
def test_a_mutation_of_a_tiny_graph_still_changes_it(name: str) -> None:
    space = load(name)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        parent = space.initial(rng, size=0.0, density=0.0)
        child, _ = space.mutate(parent, rng, 0.5, growth=0.5)
        assert child.dag != parent.dag


@pytest.mark.parametrize("name", [*SPACES, "families"])
def test_neurons_may_have_activations_of_their_own(name: str) -> None:
    space = load(name, activations=["relu", "sin"], n_computational=30)
    rng = np.random.default_rng(0)
    genome = space.initial(rng)
    assert set(genome.dag.activations) == {"", "relu", "sin"}
    child, description = space.mutate(genome, rng, 0.5)
    assert "activation" in description
    assert all(child.dag.activations[child.dag.n_inputs : child.dag.first_output])
    with pytest.raises(JobError, match="unknown activation 'cosh'"):
        load(name, activations=["cosh"])


def _everything(dag: DAG, origin: str) -> int:
    """Edges of a complete network of the kind that ``origin`` says."""
    inputs, hidden, outputs = dag.sizes
    if origin.startswith("complete DAG"):
        return usable_cells(*dag.sizes)
    if origin.startswith("layers of"):
        first, second = (int(word) for word in origin.split() if word.isdigit())
        assert first + second == hidden
        return inputs * first + first * second + second * outputs
    return (inputs + outputs) * hidden + inputs * outputs


@pytest.mark.parametrize("name", ["neuron_dag", "manifold", "families"])
@pytest.mark.parametrize(
    ("limits", "limit"),
    [
        ({"density": [0.1, 1.0]}, usable_cells(6, 20, 3)),
        ({"density": [0.1, 0.2]}, round(0.2 * usable_cells(6, 20, 3))),
        ({"density": [0.1, 1.0], "max_edges": 90}, 90),
    ],
)
def test_large_starts_are_of_three_kinds_and_within_the_limits(name: str, limits: dict[str, Any], limit: int) -> None:
    space = load(name, n_computational=[3, 20], **limits)
    kinds = set()
    for seed in range(12):
        genome = space.large(np.random.default_rng(seed))
        assert genome is not None
        dag = genome.dag
        kinds.add(genome.origin.split()[0])
        assert 3 <= dag.n_computational <= 20
        assert dag.n_edges == min(limit, _everything(dag, genome.origin))
        assert dag.unreachable_outputs() == ()
        assert dag.useful_neurons()[6:].all()
    if limit == usable_cells(6, 20, 3):
        assert kinds == {"layer", "layers", "complete"}


def test_large_starts_are_wider_the_more_edges_will_be_left() -> None:
    space = load_space(SpaceConfig(name="neuron_dag"), TaskShape(64, 10))
    widths = []
    for edges in (30, 300, 3000):
        dags = [space.large(np.random.default_rng(seed), edges=edges).dag for seed in range(30)]  # type: ignore[union-attr]
        assert max(dag.n_edges for dag in dags) <= 40 * max(edges, 64)
        assert np.mean([dag.n_edges > 1.5 * edges for dag in dags]) > 0.9  # something is left to choose from
        widths.append(np.median([dag.n_computational for dag in dags]))
    assert widths[0] < widths[1] < widths[2]


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (5, 2), (10, 1)])
def test_few_inputs_make_no_small_start(inputs: int, outputs: int) -> None:
    """One layer of the 50 neurons that 1,000 edges ask for has 360 where there are 5 inputs."""
    space = load_space(SpaceConfig(name="neuron_dag"), TaskShape(inputs, outputs))
    genomes = [space.large(np.random.default_rng(seed), edges=1000) for seed in range(30)]
    sizes = [genome.dag.n_edges for genome in genomes if genome is not None]
    assert len(sizes) == 30 and np.median(sizes) >= 1000
    assert all(genome is not None and (genome.dag.n_edges >= 1000 or "complete" in genome.origin) for genome in genomes)


@pytest.mark.parametrize("limit", [2, 11, 19, 20, 21, 37, 150, 209, 500, 5000, 15_439])
@pytest.mark.parametrize(("inputs", "outputs"), [(64, 10), (1, 1), (3, 10), (64, 1)])
def test_a_large_start_never_breaks_the_most_edges_and_wastes_none(limit: int, inputs: int, outputs: int) -> None:
    config = SpaceConfig(name="neuron_dag", options={"density": [0.1, 1.0], "max_edges": limit})
    for seed in range(5):
        genome = load_space(config, TaskShape(inputs, outputs)).large(np.random.default_rng(seed))
        if limit <= outputs:  # no room for a hidden neuron
            assert genome is None
            continue
        assert genome is not None
        dag = genome.dag
        assert dag.n_edges == min(limit, _everything(dag, genome.origin))
        assert dag.useful_neurons()[inputs:].all()
        assert dag.unreachable_outputs() == ()


def test_a_large_start_of_least_density_keeps_the_most_edges_too() -> None:
    """And the density, as far as each neuron has an edge in."""
    config = SpaceConfig(name="neuron_dag", options={"density": [0.001, 0.002], "max_edges": 150})
    genome = load_space(config, TaskShape(64, 10)).large(np.random.default_rng(0))
    assert genome is not None and genome.dag.n_edges == round(0.002 * usable_cells(64, 300, 10)) < 150


@pytest.mark.parametrize("name", ["recurrent", "layer_dag"])
def test_spaces_whose_genomes_are_more_than_a_graph_offer_no_large_start(name: str) -> None:
    space = load_space(SpaceConfig(name=name), TaskShape(6, 3))
    assert space.large(np.random.default_rng(0)) is None
