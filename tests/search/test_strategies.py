"""One suite that every strategy passes, and what is special to each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.graph import DAG
from nas.manifold import without_idle_neurons
from nas.search import (
    EvolutionOptions,
    EvolutionStrategy,
    Inheritance,
    Objectives,
    Parent,
    SearchConfig,
    SearchSpace,
    SpaceConfig,
    Strategy,
    StudyStore,
    TaskShape,
    load_space,
    make_strategy,
    store_inheritance,
)
from nas.search.front.constraints import Bound
from nas.search.strategies._steered import SteeredStrategy
from nas.search_spaces._dags import HYPERPARAMETERS, NOISES
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
    twins = 2 * (len(NOISES) - 1) if name == "evolution" else 0  # guesses of one size have the same seed
    assert len({c.seed for c in seen}) == len(seen) - twins


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
    strategy = make(name, store)
    asked = run(strategy, store, dataset, 16)
    for candidate in asked:
        dag = candidate.genome.dag
        assert (dag.n_inputs, dag.n_outputs) == (4, 2)
        assert dag.unreachable_outputs() == ()
        config = TRAINING.with_overrides(candidate.genome.hyperparameters)
        assert 1e-3 <= config.learning_rate <= 1e-1
        assert strategy.domains.keys() <= candidate.genome.hyperparameters.keys()
        assert config.parametrisation == "free"
        assert candidate.steps == 100  # as the job states
        if candidate.parent is None:
            assert candidate.mutation == candidate.genome.origin
        else:
            assert candidate.mutation != "initial"
            assert candidate.inherited is not None
            assert candidate.inherited["weight"].shape == (dag.n_edges,)
    assert name == "random" or any(candidate.parent is not None for candidate in asked)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "random"])
def test_children_keep_the_weights_of_edges_that_they_share_and_their_activation(
    name: str, make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    asked = run(make(name, store), store, dataset, 20)
    children = [c for c in asked if c.parent is not None]
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
        own, inherited = child.genome.hyperparameters, asked[child.parent].genome.hyperparameters
        assert own["activation"] == inherited["activation"]  # weights mean nothing under another


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
    strategy = evolve(guided=False)
    dags = [strategy.ask(number).genome.dag for number in range(16)]
    neurons = np.log([dag.n_computational for dag in dags]) / np.log(20 / 3)
    neurons = (neurons - np.log(3) / np.log(20 / 3)).clip(0, 0.999)
    counts = np.histogram(neurons, bins=4, range=(0, 1))[0]
    assert counts.min() >= 3
    assert max(dag.density for dag in dags) > 3 * min(dag.density for dag in dags)


def test_evolution_starts_with_roots_of_many_sizes_by_the_recipe(evolve: Callable[..., EvolutionStrategy]) -> None:
    strategy = evolve()
    roots = [strategy.ask(number) for number in range(11)]
    assert all(root.parent is None for root in roots)
    rates = []
    for root in roots:
        guess = dict(strategy.space.first_hyperparameters[root.number % len(NOISES)])
        rates.append(float(root.genome.hyperparameters["learning_rate"]) / float(guess.pop("learning_rate")))
        assert {path: root.genome.hyperparameters[path] for path in guess} == pytest.approx(guess)
    # At each of two sizes one for each guess, from the same network, weights and samples; then other sizes.
    for first in (0, len(NOISES)):
        alike = roots[first : first + len(NOISES)]
        assert len({(root.genome.dag.edges.tobytes(), root.seed, root.steps) for root in alike}) == 1
    aims = [1000 / 4] * 4 + [1000] * 4 + [500, 125, 1000 / 16]
    assert rates == pytest.approx([(1000 / aim) ** 0.25 for aim in aims], rel=0.01)  # the smaller, the longer the steps
    # The space has at most 20 neurons: the first sizes, 1,000 edges and less, are all there is until an octave fits.
    kept = [_kept(root) for root in roots]
    assert len(set(kept)) >= 3
    assert max(kept) >= 2 * min(kept)


@pytest.mark.parametrize("strategy", ["evolution", "optuna"])
def test_the_first_trials_are_the_linear_models_of_the_space(tmp_path: Path, strategy: str) -> None:
    """Every output reads every input and nothing is cut: with little and with much noise on the inputs."""

    def first(options: dict[str, object], training: TrainingConfig) -> list[Candidate]:
        store = StudyStore.create(tmp_path, f"study{len([*tmp_path.iterdir()])}")
        space = load_space(SpaceConfig(name="neuron_dag", options=options), TaskShape(6, 3))
        made = make_strategy(SearchConfig(strategy=strategy), space, training, store)
        return [made.ask(number) for number in range(3)]

    one, other, third = first({}, TrainingConfig())
    for candidate in (one, other):
        dag = candidate.genome.dag
        assert dag.sizes == (6, 0, 3) and dag.n_edges == 18 and candidate.mutation == "linear model"
        assert not any(path.startswith("sparsify") for path in candidate.genome.hyperparameters)
    assert third.genome.dag.n_computational > 0
    if strategy == "evolution":  # a sampler's choices are its own
        assert [each.genome.hyperparameters["input_noise"] for each in (one, other)] == [
            min(noise for noise, _ in NOISES),
            max(noise for noise, _ in NOISES),
        ]
        stated = first({}, TrainingConfig(input_noise=0.3))[1]
        assert "input_noise" not in stated.genome.hyperparameters  # the job says it
    for options in ({"n_computational": 5}, {"max_edges": 17}, {"density": [0.1, 0.5]}):
        assert all(each.genome.dag.n_computational for each in first(options, TrainingConfig()))
    assert first({"n_computational": [0, 5]}, TrainingConfig())[0].genome.dag.n_computational == 0


def test_no_linear_model_beyond_the_bounds_or_far_larger_than_other_roots(store: StudyStore) -> None:
    space = load_space(SpaceConfig(name="neuron_dag"), TaskShape(6, 3))
    inheritance = store_inheritance(store, TrainingConfig())

    def linear(space: SearchSpace, bounds: tuple[str, ...] = ()) -> bool:
        objectives = Objectives(("error", "edges"), bounds=tuple(Bound.parse(each) for each in bounds))
        strategy = EvolutionStrategy(space, TrainingConfig(), objectives, 1, inheritance=inheritance)
        return strategy.ask(0).genome.dag.n_computational == 0

    assert linear(space) and linear(space, ("edges<=18",)) and not linear(space, ("edges<=17",))
    assert not linear(load_space(SpaceConfig(name="neuron_dag"), TaskShape(784, 10)))


@pytest.mark.parametrize(("samples", "edges"), [(0, 1000), (16_000, 1000), (32_000, 2000), (1_000_000, 4000)])
def test_many_samples_are_worth_larger_roots(store: StudyStore, samples: int, edges: int) -> None:
    training = TrainingConfig()
    space = load_space(SpaceConfig(name="neuron_dag"), TaskShape(20, 3, samples=samples))
    objectives = Objectives(("error", "edges"))
    evolution = EvolutionStrategy(space, training, objectives, 1, inheritance=store_inheritance(store, training))
    roots = [evolution.ask(number) for number in range(evolution.initial)]
    assert max(map(_kept, roots)) == edges
    assert min(map(_kept, roots)) < 100


def _kept(candidate: Candidate) -> int:
    return int(candidate.genome.hyperparameters.get("sparsify.edges", candidate.genome.dag.n_edges))


def test_what_the_training_section_states_is_not_searched_unless_the_space_names_it(
    store: StudyStore,
) -> None:
    stated = TrainingConfig(steps=100, learning_rate=3e-3, weight_decay=0.0)
    by_default = load_space(SpaceConfig(name="neuron_dag"), TaskShape(4, 2))
    named = {"hyperparameters": {"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}}}
    chosen = load_space(SpaceConfig(name="neuron_dag", options=named), TaskShape(4, 2))
    inheritance = store_inheritance(store, stated)

    def domains(space: SearchSpace, training: TrainingConfig) -> set[str]:
        evolution = EvolutionStrategy(space, training, store.objectives, 1, inheritance=inheritance)
        return set(evolution.domains)

    everything = set(by_default.hyperparameters)
    assert {"learning_rate", "weight_decay"} < everything
    assert domains(by_default, TrainingConfig()) == everything
    assert domains(by_default, stated) == everything - {"learning_rate", "weight_decay"}
    assert domains(chosen, stated) == {"learning_rate"}
    first = EvolutionStrategy(chosen, stated, store.objectives, 1, inheritance=inheritance).ask(0)
    assert first.genome.hyperparameters["learning_rate"] == pytest.approx(3e-3)  # the first guess is the job's
    not_searched = EvolutionStrategy(by_default, stated, store.objectives, 1, inheritance=inheritance).ask(0)
    assert "learning_rate" not in not_searched.genome.hyperparameters


def test_children_that_training_cannot_grow_grow_blindly(store: StudyStore) -> None:
    """Gradients find edges of free weights and activated outputs only: a child of another kind would fail."""
    space = load_space(SpaceConfig(name="neuron_dag"), TaskShape(4, 2))
    dag = without_idle_neurons(space.initial(np.random.default_rng(0), size=0.5, density=0.5).dag)[0]
    seen = {}
    for readout in ("activated", "linear"):
        parent = Genome(dag, {"parametrisation": "free", "readout": readout, "activation": "tanh"})
        inheritance = Inheritance(lambda number, p=parent: Parent(number, p), lambda *_: None, lambda _: None)  # type: ignore[misc]
        strategy = EvolutionStrategy(
            space,
            TRAINING,
            store.objectives,
            1,
            inheritance=inheritance,
            options=EvolutionOptions(initial=1, roots=0, grow=1, blind=0),
        )
        strategy.tell(TrialResult(0, TrialStatus.COMPLETE, {"val_error": 0.1, "inference_seconds": 1e-3, "edges": 100}))
        seen[readout] = [child for number in range(1, 40) if (child := strategy.ask(number)).parent is not None]
        assert seen[readout]
    assert any("sparsify.grow" in child.genome.hyperparameters for child in seen["activated"])
    assert not any("sparsify.grow" in child.genome.hyperparameters for child in seen["linear"])
    assert all(child.genome.dag.n_edges > dag.n_edges for child in seen["linear"])


def test_children_do_not_inherit_how_their_parents_were_cut(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    """A cut or growth that is left over from the parent would be another mutation, one that nobody asked for."""
    asked = run(make("evolution", store), store, dataset, 60)
    children = [c for c in asked if c.parent is not None]
    grown = [c for c in children if "by gradient" in c.mutation]
    assert len(grown) > 10 and len(grown) < len(children)
    for child in children:
        own = child.genome.hyperparameters
        assert ("sparsify.grow" in own) == ("by gradient" in child.mutation)
        assert not own.get("sparsify.initial_edges") and not own.get("sparsify.regrow")
        if "sparsify.edges" in own:
            assert own["sparsify.start"] == 0  # a root's is not
    assert any("sparsify.grow" in asked[c.parent].genome.hyperparameters for c in children if c.parent is not None)


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


def test_evolution_breeds_from_good_networks_near_the_size_aimed_at(
    space: SearchSpace, evolve: Callable[..., EvolutionStrategy]
) -> None:
    rng = np.random.default_rng(0)
    dags = {number: space.initial(rng).dag for number in range(60)}
    recorder = Recorder(dags)
    strategy = evolve(recorder.inheritance, initial=1, roots=0)
    edges = np.round(np.geomspace(20, 400, 30)).astype(int).tolist()
    for number in range(60):  # two of each size, one of them poor
        good = number % 2 == 0
        size = edges[number // 2]
        metrics = {"val_error": 1 / size if good else 0.6, "inference_seconds": 1e-6 * size, "edges": float(size)}
        strategy.tell(TrialResult(number, TrialStatus.COMPLETE, metrics))
    parents = []
    for number in range(60, 160):
        child = strategy.ask(number)
        if child.parent is None:
            continue
        parents.append(child.parent)
        ratio = edges[child.parent // 2] / _kept(child)
        if "sparsify.edges" in child.genome.hyperparameters:
            assert ratio <= 6.1
    assert len(parents) >= 80
    assert np.mean([parent % 2 == 0 for parent in parents]) > 0.8
    assert len(set(parents)) >= 10


@pytest.mark.parametrize(("spent", "error", "fills"), [(0.95, 1e-3, True), (0.5, 1e-3, False), (0.95, 0.5, False)])
def test_the_end_of_a_budget_fills_gaps_of_the_front_unless_its_best_network_is_poor(
    spent: float, error: float, fills: bool, space: SearchSpace, evolve: Callable[..., EvolutionStrategy]
) -> None:
    rng = np.random.default_rng(0)
    recorder = Recorder({number: without_idle_neurons(space.initial(rng).dag)[0] for number in range(6)})
    strategy = evolve(recorder.inheritance, initial=1)
    live = [recorder.dags[number].n_edges for number in range(6)]
    for number, edges in enumerate(live):  # the larger the better, so that all are on the front
        metrics = {"val_error": error * (1 + 1 / edges), "inference_seconds": 1e-6 * edges, "edges": float(edges)}
        strategy.tell(TrialResult(number, TrialStatus.COMPLETE, metrics))
    strategy.spent = spent
    front = [network.edges for network in strategy.ladder.front]
    children = [strategy.ask(number) for number in range(6, 46)]
    filling = [
        child.parent is not None
        and child.mutation.startswith("cut to")
        and any(a < _kept(child) < b == live[child.parent] for a, b in itertools.pairwise(front))
        for child in children
    ]
    assert all(filling) == fills
    if fills:
        assert len({_kept(child) for child in children}) > 1
        assert all(child.parent is not None for child in children)
    else:
        assert np.mean(filling) < 0.5


def test_where_all_are_to_be_roots_no_gap_is_filled_by_a_child(
    space: SearchSpace, evolve: Callable[..., EvolutionStrategy]
) -> None:
    recorder = Recorder({n: without_idle_neurons(space.initial(np.random.default_rng(n)).dag)[0] for n in range(6)})
    strategy = evolve(recorder.inheritance, initial=1, roots=1.0)
    for number, dag in recorder.dags.items():
        metrics = {"val_error": 1e-3 * (1 + 1 / dag.n_edges), "inference_seconds": 1e-6, "edges": float(dag.n_edges)}
        strategy.tell(TrialResult(number, TrialStatus.COMPLETE, metrics))
    strategy.spent = 0.95
    assert all(strategy.ask(number).parent is None for number in range(6, 26))


def test_the_very_end_of_a_budget_tries_means_of_the_best_networks(
    evolve: Callable[..., EvolutionStrategy], store: StudyStore, dataset: Dataset
) -> None:
    strategy = evolve()
    run(strategy, store, dataset, 60)
    strategy.spent = 0.99
    ranked = strategy.ladder.best()
    means = [candidate for candidate in run(strategy, store, dataset, 30) if candidate.steps == 0]
    assert 10 <= len(means) <= 15  # a sixth of those that were trained: the rest fills gaps
    parents = {network.number for network in strategy.ladder.best()}
    assert not parents & {mean.number for mean in means}, "a mean of networks has become a parent"
    for mean in means:
        members = [mean.parent, *map(int, re.findall(r"\d+", mean.mutation))]
        assert 2 <= len(members) == len(set(members)) <= 10 and mean.mutation.startswith("mean with trial")
        dags = [store.load_result(member).dag for member in members]
        assert mean.genome.dag.n_computational == sum(dag.n_computational for dag in dags if dag is not None)
        activations = {store.hyperparameters(member)["activation"] for member in members}
        assert activations == {mean.genome.hyperparameters["activation"]}
        assert not any(name.startswith("sparsify.") for name in mean.genome.hyperparameters)
    assert len({mean.genome.dag for mean in means}) > 5
    assert np.mean([mean.parent in {network.number for network in ranked[:8]} for mean in means]) > 0.3


@pytest.mark.parametrize(
    ("changes", "training"),
    [
        ({"constraints": ["edges <= 60"]}, TRAINING),
        ({"options": {"means": 0.0}}, TRAINING),
        ({"options": {"inherit": False}}, TRAINING),
        ({"options": {"roots": 1.0}}, TRAINING),
        ({}, TrainingConfig(steps=100, readout="linear")),
    ],
    ids=["bounds", "none wanted", "no weights", "no children", "other outputs"],
)
def test_no_mean_where_none_is_allowed(
    changes: dict[str, Any], training: TrainingConfig, space: SearchSpace, dataset: Dataset, tmp_path: Path
) -> None:
    config = SearchConfig.model_validate({"objectives": ["error", "edges"], **changes})
    store = StudyStore.create(tmp_path, "study", objectives=config.objectives, constraints=config.constraints, seed=0)
    strategy = make_strategy(config, space, training, store)
    run(strategy, store, dataset, 40)
    strategy.spent = 0.99
    means = [candidate for candidate in run(strategy, store, dataset, 12) if candidate.steps == 0]
    assert all(mean.genome.dag.n_edges <= 60 for mean in means) if "constraints" in changes else not means


@pytest.mark.parametrize("name", ["evolution", "optuna-tpe"])
def test_aims_go_far_beyond_the_front_where_its_best_network_is_poor(
    name: str, make: MakeStrategy, store: StudyStore
) -> None:
    """Two spirals: no network of a few neurons is much better than none, so small steps in size gain nothing."""

    def aims_at(error: float) -> np.ndarray:
        strategy = make(name, store)
        assert isinstance(strategy, SteeredStrategy)
        for number, edges in enumerate((20, 40, 80)):
            metrics = {"val_error": error * (1.2 - 0.1 * number), "inference_seconds": 1e-4, "edges": float(edges)}
            strategy.tell(TrialResult(number, TrialStatus.COMPLETE, metrics))
        aims = [strategy._aim(50, position) for position in np.linspace(0, 1, 41)]
        assert aims == sorted(aims)
        assert min(aims) >= 2 * 2
        return np.array(aims) / 80

    good, poor = aims_at(0.01), aims_at(1.0)
    assert 1 < good.max() < 4  # always a little beyond
    assert np.mean(good > 1) < 0.2
    assert poor.max() > 8
    assert np.mean(poor > 1) > 0.8


def test_evolution_does_not_wait_for_a_generation(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    strategy = make("evolution", store)
    asked = [strategy.ask(number) for number in range(20)]
    assert all(c.parent is None for c in asked)  # nothing finished yet: fresh ones, beyond the initial ones too
    for candidate in asked[:3]:
        store.record(candidate)
        strategy.tell(store.finish(pretend(candidate, dataset, TRAINING)))
    parents = {strategy.ask(number).parent for number in range(20, 28)}
    assert parents & {0, 1, 2}
    assert parents <= {None, 0, 1, 2}


def test_strengths_and_growth_of_blind_mutations_vary(
    space: SearchSpace, evolve: Callable[..., EvolutionStrategy]
) -> None:
    dag = space.initial(np.random.default_rng(0), size=1.0, density=1.0).dag
    recorder = Recorder({0: dag})
    strategy = evolve(recorder.inheritance, guided=False, population=2, initial=1, strength=(0.01, 0.5))
    strategy.tell(TrialResult(0, TrialStatus.COMPLETE, {"val_error": 0.1, "inference_seconds": 1e-4}))
    edges = np.array([strategy.ask(number).genome.dag.n_edges for number in range(1, 60)])
    assert (edges > dag.n_edges).sum() > 10
    assert (edges < dag.n_edges).sum() > 10
    assert edges.max() - edges.min() > 0.2 * dag.n_edges


def test_optuna_records_what_it_sampled(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    asked = run(make("optuna-tpe", store), store, dataset, 8)
    for trial, candidate in zip(store.study.trials, asked, strict=True):
        assert set(trial.params) == {*HYPERPARAMETERS, "size", "grow"}
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
        distance = abs(np.log(rate / 1e-3))
        base = pretend(candidate, dataset, TRAINING)
        metrics = {**base.metrics, "val_error": 0.02 + 0.3 * distance, "inference_seconds": 1e-4 * (1 + distance)}
        strategy.tell(
            store.finish(TrialResult(number, TrialStatus.COMPLETE, metrics, dag=base.dag, arrays=base.arrays))
        )
    assert np.median(rates[20:]) < 0.6 * np.median(rates[:10])
