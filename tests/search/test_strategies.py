"""One suite that every strategy passes, and what is special to each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.graph import DAG
from nas.search import (
    EvolutionOptions,
    EvolutionStrategy,
    Inheritance,
    Parent,
    SearchSpace,
    SpaceConfig,
    Strategy,
    StudyStore,
    TaskShape,
    load_space,
    store_inheritance,
)
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialResult, TrialStatus
from tests.search.conftest import STRATEGIES, TRAINING, MakeStrategy, pretend


def run(strategy: Strategy, store: StudyStore, dataset: Dataset, trials: int) -> list[Candidate]:
    """One worker's search, without the driver."""
    asked = []
    for _ in range(trials):
        candidate = strategy.ask(store.begin())
        store.record(candidate)
        asked.append(candidate)
        result = store.finish(pretend(candidate, dataset, TRAINING))
        strategy.tell(result)
    return asked


def same(a: Candidate, b: Candidate) -> bool:
    return (
        a.genome == b.genome
        and (a.number, a.seed, a.steps, a.parent, a.mutation) == (b.number, b.seed, b.steps, b.parent, b.mutation)
        and (a.inherited is None) == (b.inherited is None)
        and (a.inherited is None or b.inherited is None or _equal(dict(a.inherited), dict(b.inherited)))
    )


def _equal(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_seed_decides_the_search_and_a_new_object_that_is_told_the_results_continues_it(
    name: str, make: MakeStrategy, dataset: Dataset, tmp_path: Path
) -> None:
    whole = StudyStore.create(tmp_path, "whole", seed=3)
    uninterrupted = run(make(name, whole), whole, dataset, 11)
    store = StudyStore.create(tmp_path, "resumed", seed=3)
    first = run(make(name, store), store, dataset, 8)
    store = StudyStore.open(store.root, store.name)
    strategy = make(name, store)
    for record in store.records():
        assert record.result is not None
        strategy.tell(record.result)
    resumed = first + run(strategy, store, dataset, 3)
    assert all(same(a, b) for a, b in zip(uninterrupted, resumed, strict=True))
    other = StudyStore.create(tmp_path, "other", seed=4)
    assert not same(uninterrupted[0], make(name, other).ask(other.begin()))


@pytest.mark.parametrize("name", STRATEGIES)
def test_many_open_asks_and_results_in_any_order(
    name: str, make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    strategy = make(name, store)
    rng = np.random.default_rng(0)
    open_ones: list[Candidate] = []
    seen = []
    for _ in range(20):
        while len(open_ones) < 10:
            candidate = strategy.ask(store.begin())
            store.record(candidate)
            open_ones.append(candidate)
            seen.append(candidate)
        candidate = open_ones.pop(int(rng.integers(len(open_ones))))
        strategy.tell(store.finish(pretend(candidate, dataset, TRAINING)))
    # Two children of one parent may be cut to as many edges, and then differ by their seed alone.
    assert len({(c.genome.dag, *sorted(c.genome.hyperparameters.items())) for c in seen}) >= 0.9 * len(seen)
    assert len({c.seed for c in seen}) == len(seen)


@pytest.mark.parametrize("name", STRATEGIES)
def test_failures_are_survived(name: str, make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    strategy = make(name, store)
    for number in range(18):
        candidate = strategy.ask(store.begin())
        store.record(candidate)
        fails = number % 3 != 0
        result = (
            TrialResult(number, TrialStatus.FAILED, reason="diverged")
            if fails
            else pretend(candidate, dataset, TRAINING)
        )
        strategy.tell(store.finish(result))
        assert candidate.parent is None or candidate.parent % 3 == 0
    assert store.counts() == {"running": 0, "complete": 6, "stopped": 0, "failed": 12}


@pytest.mark.parametrize("name", STRATEGIES)
def test_candidates_fit_the_task_and_the_training_section(
    name: str, make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    for candidate in run(make(name, store), store, dataset, 12):
        dag = candidate.genome.dag
        assert (dag.n_inputs, dag.n_outputs) == (4, 2)
        assert dag.unreachable_outputs() == ()
        config = TRAINING.with_overrides(candidate.genome.hyperparameters)
        assert 5e-4 <= config.learning_rate <= 1e-2
        assert config.parametrisation == "free"
        if candidate.parent is None:
            assert candidate.steps == 100
            assert candidate.mutation in ("initial", "one hidden layer and shortcuts")
        else:
            assert candidate.steps == 100
            assert candidate.mutation != "initial"
            assert candidate.inherited is not None
            assert candidate.inherited["weight"].shape == (dag.n_edges,)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "random"])
def test_children_keep_the_weights_of_edges_that_they_share(
    name: str, make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    children = [c for c in run(make(name, store), store, dataset, 12) if c.parent is not None]
    assert children
    for child in children:
        assert child.parent is not None and child.inherited is not None
        parent = store.load_result(child.parent)
        assert parent.dag is not None
        old = _by_ids(parent.dag, parent.arrays["weight"])
        new = _by_ids(child.genome.dag, child.inherited["weight"])
        shared = old.keys() & new.keys()
        assert len(shared) >= 0.3 * len(old)
        assert [new[edge] for edge in sorted(shared)] == [old[edge] for edge in sorted(shared)]


def _by_ids(dag: DAG, weights: np.ndarray) -> dict[tuple[int, int], float]:
    return {
        (int(dag.ids[s]), int(dag.ids[t])): float(w) for s, t, w in zip(dag.sources, dag.targets, weights, strict=True)
    }


def test_random_never_inherits(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    assert all(c.parent is None and c.inherited is None for c in run(make("random", store), store, dataset, 12))


@pytest.fixture
def evolve(space: SearchSpace, store: StudyStore) -> Callable[..., EvolutionStrategy]:
    """Builds an evolution with its options."""

    def build(inheritance: Inheritance | None = None, training: TrainingConfig = TRAINING, **options: object) -> Any:
        return EvolutionStrategy(
            space,
            training,
            store.objectives,
            store.seed,
            inheritance=inheritance or store_inheritance(store, training),
            options=EvolutionOptions.model_validate(options),
        )

    return build


def test_blind_evolution_starts_from_sizes_and_densities_spread_evenly(
    evolve: Callable[..., EvolutionStrategy],
) -> None:
    strategy = evolve(guided=0)
    dags = [strategy.ask(number).genome.dag for number in range(16)]
    neurons = np.log([dag.n_computational for dag in dags]) / np.log(20 / 3)
    neurons = (neurons - np.log(3) / np.log(20 / 3)).clip(0, 0.999)
    counts = np.histogram(neurons, bins=4, range=(0, 1))[0]
    assert counts.min() >= 3
    assert max(dag.density for dag in dags) > 3 * min(dag.density for dag in dags)


def test_evolution_starts_large_with_the_jobs_own_hyperparameters(evolve: Callable[..., EvolutionStrategy]) -> None:
    strategy = evolve(training=TRAINING.model_copy(update={"learning_rate": 3e-3}))
    first, second = (strategy.ask(number) for number in range(2))
    assert first.genome.dag.n_computational == 20  # the space's largest
    assert first.genome.dag.depth == 2  # and shallow
    assert first.genome.dag.n_edges == 4 * 20 + 20 * 2 + 4 * 2
    assert first.genome.hyperparameters["learning_rate"] == pytest.approx(3e-3)
    assert second.genome.dag.n_computational >= 8  # above the middle, of 3 to 20
    assert second.genome.hyperparameters["learning_rate"] != first.genome.hyperparameters["learning_rate"]


def test_children_are_cut_where_the_front_has_a_gap(
    evolve: Callable[..., EvolutionStrategy], space: SearchSpace
) -> None:
    rng = np.random.default_rng(0)
    large = space.initial(rng, size=1.0, density=1.0).dag
    small = large.with_edges(np.arange(large.n_edges) % 4 == 0, allow_unreachable=True)
    recorder = Recorder({0: large, 1: small})
    strategy = evolve(recorder.inheritance, guided=1, swap=0, improve=0)
    strategy.tell(TrialResult(0, TrialStatus.COMPLETE, {"val_error": 0.01, "inference_seconds": 1e-3}))
    strategy.tell(TrialResult(1, TrialStatus.COMPLETE, {"val_error": 1.0, "inference_seconds": 1e-5}))
    for number in range(2, 30):
        child = strategy.ask(number)
        assert child.parent == 0  # nothing is to be gained beyond 1
        assert child.genome.dag == large
        kept = int(child.genome.hyperparameters.get("sparsify.edges", large.n_edges))
        assert small.n_edges <= kept <= large.n_edges
        assert TRAINING.with_overrides(child.genome.hyperparameters).sparsify is not None or kept == large.n_edges


def test_children_whose_own_hyperparameters_forbid_it_do_not_grow(store: StudyStore) -> None:
    """A parent's readout may let edges grow, and that drawn for its child not: such a child would fail."""
    config = SpaceConfig(
        name="neuron_dag", options={"hyperparameters": {"readout": {"choices": ["activated", "linear"]}}}
    )
    space = load_space(config, TaskShape(4, 2))
    parent = Genome(space.initial(np.random.default_rng(0)).dag, {"parametrisation": "free", "readout": "activated"})
    inheritance = Inheritance(lambda number: Parent(number, parent), lambda *_: None, lambda _: None)
    strategy = EvolutionStrategy(
        space, TRAINING, store.objectives, 1, inheritance=inheritance, options=EvolutionOptions(guided=1, swap=1)
    )
    strategy.tell(TrialResult(0, TrialStatus.COMPLETE, {"val_error": 0.1, "inference_seconds": 1e-3}))
    children = [strategy.ask(number).genome.hyperparameters for number in range(1, 60)]
    assert {child["readout"] for child in children} == {"activated", "linear"}
    assert any("sparsify.grow" in child for child in children)
    assert all(child["readout"] == "activated" for child in children if "sparsify.grow" in child)


def test_children_do_not_inherit_how_their_parents_were_cut(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    """A cut to fewer edges than a blind child has would be another mutation, one that nobody asked for."""
    asked = run(make("evolution", store), store, dataset, 60)
    cut = [c for c in asked if "sparsify.edges" in c.genome.hyperparameters]
    blind = [c for c in asked if c.parent is not None and not c.mutation.startswith(("cut: ", "swap: "))]
    assert len(cut) > 20 and blind
    assert any("sparsify.edges" in asked[c.parent].genome.hyperparameters for c in blind if c.parent is not None)
    assert not any(path.startswith("sparsify") for c in blind for path in c.genome.hyperparameters)


def test_a_job_that_cuts_by_itself_keeps_its_cut(evolve: Callable[..., EvolutionStrategy], dataset: Dataset) -> None:
    training = TRAINING.with_overrides({"sparsify.share": 0.5})
    strategy = evolve(training=training, population=3)
    for number in range(8):
        candidate = strategy.ask(number)
        assert not any(path.startswith("sparsify") for path in candidate.genome.hyperparameters)


class Recorder:
    """An inheritance that remembers which parents were taken."""

    def __init__(self, dags: dict[int, DAG]) -> None:
        self.taken: list[int] = []
        self.dags = dags
        self.inheritance = Inheritance(self.load, lambda parent, dag, rng: None, lambda parent: None)

    def load(self, number: int) -> Parent:
        self.taken.append(number)
        return Parent(number, Genome(self.dags[number], {"learning_rate": 1e-3, "parametrisation": "free"}))


def test_evolution_breeds_from_the_front(space: SearchSpace, evolve: Callable[..., EvolutionStrategy]) -> None:
    rng = np.random.default_rng(0)
    dags = {number: space.initial(rng).dag for number in range(40)}
    recorder = Recorder(dags)
    strategy = evolve(recorder.inheritance, population=10, initial=1)
    for number in range(40):  # the first ten dominate all others
        good = number < 10
        metrics = {"val_error": 0.02 + 0.002 * number if good else 0.2, "inference_seconds": 1e-4 / (1 + number)}
        if not good:
            metrics["inference_seconds"] = 1e-3
        strategy.tell(TrialResult(number, TrialStatus.COMPLETE, metrics))
    for number in range(40, 140):
        child = strategy.ask(number)
        assert child.parent == recorder.taken[-1]
    assert set(recorder.taken) <= set(range(10))
    assert len(set(recorder.taken)) >= 6


def test_evolution_does_not_wait_for_a_generation(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    strategy = make("evolution", store)
    asked = [strategy.ask(store.begin()) for _ in range(20)]
    assert all(c.parent is None for c in asked)  # nothing finished yet: fresh ones, beyond the initial six too
    for candidate in asked[:3]:
        store.record(candidate)
        strategy.tell(store.finish(pretend(candidate, dataset, TRAINING)))
    assert strategy.ask(store.begin()).parent in {0, 1, 2}


def test_strengths_and_growth_of_blind_mutations_vary(
    space: SearchSpace, evolve: Callable[..., EvolutionStrategy]
) -> None:
    dag = space.initial(np.random.default_rng(0), size=1.0, density=1.0).dag
    recorder = Recorder({0: dag})
    strategy = evolve(recorder.inheritance, guided=0, population=2, initial=1, strength=(0.01, 0.5))
    strategy.tell(TrialResult(0, TrialStatus.COMPLETE, {"val_error": 0.1, "inference_seconds": 1e-4}))
    edges = np.array([strategy.ask(number).genome.dag.n_edges for number in range(1, 60)])
    assert (edges > dag.n_edges).sum() > 10
    assert (edges < dag.n_edges).sum() > 10
    assert edges.max() - edges.min() > 0.2 * dag.n_edges


def test_optuna_records_what_it_sampled(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    asked = run(make("optuna-tpe", store), store, dataset, 8)
    for trial, candidate in zip(store.study.trials, asked, strict=True):
        assert set(trial.params) == {"learning_rate", "parent", "strength", "density"}
        assert trial.params["learning_rate"] == candidate.genome.hyperparameters["learning_rate"]
    assert len({trial.params["learning_rate"] for trial in store.study.trials}) == 8  # a new seed for each trial


def test_optuna_learns(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    """TPE concentrates a hyperparameter that alone decides both objectives near its best value."""
    strategy = make("optuna-tpe", store)
    rates = []
    for number in range(30):
        candidate = strategy.ask(store.begin())
        store.record(candidate)
        rate = float(candidate.genome.hyperparameters["learning_rate"])
        rates.append(rate)
        distance = abs(np.log(rate / 5e-4))
        base = pretend(candidate, dataset, TRAINING)
        metrics = {**base.metrics, "val_error": 0.02 + 0.3 * distance, "inference_seconds": 1e-4 * (1 + distance)}
        strategy.tell(
            store.finish(TrialResult(number, TrialStatus.COMPLETE, metrics, dag=base.dag, arrays=base.arrays))
        )
    assert np.median(rates[20:]) < 0.6 * np.median(rates[:10])
