"""From a real (tiny) search to a front whose members were timed side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from nas.search import (
    EvolutionOptions,
    EvolutionStrategy,
    Front,
    FrontMember,
    Objectives,
    SearchSpace,
    SerialExecutor,
    StudyStore,
    Timed,
    retime,
    run_search,
    store_inheritance,
    time_side_by_side,
    trained_network,
)
from nas.training import Dataset, TrainingConfig
from tests.search.conftest import TRAINING, MakeStrategy, pretend


@pytest.fixture
def pretended(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> Front:
    return run_search(make("random", store), SerialExecutor(dataset, TRAINING, evaluate=pretend), store, trials=30)


def test_members_get_the_new_times(pretended: Front, store: StudyStore, dataset: Dataset) -> None:
    front = retime(store, SerialExecutor(dataset, TRAINING), dataset, TRAINING)
    assert front.members
    assert all(member.retimed for member in front.members)
    again = store.retimed()
    for member in front.members:
        assert member.values[1] == again[member.number]["inference_seconds"] > 0
        assert member.metrics["reference_seconds"] == again[member.number]["reference_seconds"]


def test_trials_that_come_onto_the_front_are_timed_too(pretended: Front, store: StudyStore, dataset: Dataset) -> None:
    """Slower times for the members let others in, until all that are on the front were timed."""
    rounds: list[list[int]] = []

    def slower(
        networks: Sequence[Timed], data: Dataset, config: TrainingConfig, threads: int
    ) -> dict[int, dict[str, float]]:
        rounds.append([network.number for network in networks])
        return {network.number: {"inference_seconds": 1.0 + network.dag.n_edges} for network in networks}

    front = retime(store, SerialExecutor(dataset, TRAINING), dataset, TRAINING, measure=slower)
    assert rounds[0] == sorted(trial.number for trial in pretended.near)
    assert set(rounds[0]) >= set(pretended.numbers)
    assert len(rounds) >= 2
    assert set(rounds[1]) - set(rounds[0])
    assert not set(rounds[0]) <= set(rounds[1])  # whoever is on no front any more is not timed twice
    assert set(front.numbers) <= set(store.retimed()) == set().union(*rounds)


def test_the_least_time_counts(pretended: Front, store: StudyStore, dataset: Dataset) -> None:
    """What is timed twice was slowed down by something else at least once."""
    passes: list[dict[int, dict[str, float]]] = []

    def slower_and_slower(
        networks: Sequence[Timed], data: Dataset, config: TrainingConfig, threads: int
    ) -> dict[int, dict[str, float]]:
        factor = 1.0 + 0.01 * len(passes)
        passes.append({one.number: {"inference_seconds": factor + one.dag.n_edges} for one in networks})
        return passes[-1]

    retime(store, SerialExecutor(dataset, TRAINING), dataset, TRAINING, measure=slower_and_slower)
    first = {number: each for found in reversed(passes) for number, each in found.items()}
    assert len(passes) >= 2
    assert store.retimed() == first


def test_picks_do_not_depend_on_noise_that_times_cannot_tell() -> None:
    """Times that are 1 % off here and there change neither the front nor what a person picks from it."""
    rng = np.random.default_rng(0)
    trials = []
    for number in range(8):  # from accurate and slow to poor and fast; of each a twin that is a little larger
        for twin in range(2):
            metrics = {"val_accuracy": 1 - 0.01 * 1.6**number, "edges": 5000 / 1.5**number + twin}
            values = (0.01 * 1.6**number, 1e-3 / 1.4**number)
            trials.append(FrontMember(2 * number + 1 - twin, values, metrics))
    fronts = []
    for _ in range(20):
        noise = 1 + 0.01 * rng.uniform(-1, 1, len(trials))
        noisy = [
            replace(trial, values=(trial.values[0], trial.values[1] * factor))
            for trial, factor in zip(trials, noise, strict=True)
        ]
        fronts.append(Front.of(Objectives(("error", "inference_time")), noisy))
    assert len({front.numbers for front in fronts}) == 1
    assert fronts[0].numbers == tuple(range(1, 16, 2))  # of twins the smaller one, whatever their times
    for how in ("knee", "fast", "accurate", "accuracy>=0.95", "accuracy>=0.85"):
        assert len({front.pick(how).number for front in fronts}) == 1, how


def test_real_timings_are_taken_in_rounds(pretended: Front, store: StudyStore, dataset: Dataset) -> None:
    networks = [
        Timed(number, result.dag, result.arrays, store.hyperparameters(number))
        for number in sorted(pretended.numbers)
        if (result := store.load_result(number)).dag is not None
    ]
    times = time_side_by_side(networks, dataset, TRAINING, 1)
    assert times.keys() == set(pretended.numbers)
    for found in times.values():
        assert 0 < found["inference_seconds"] < 1
        assert found["inference_spread"] >= 0
        assert found["reference_seconds"] > 0


def test_a_real_search_inherits_trains_and_times(space: SearchSpace, store: StudyStore, dataset: Dataset) -> None:
    config = TrainingConfig(steps=60, batch_size=20, log_every=20)
    strategy = EvolutionStrategy(
        space,
        config,
        store.objectives,
        store.seed,
        inheritance=store_inheritance(store, config),
        options=EvolutionOptions(population=4, initial=3),
    )
    executor = SerialExecutor(dataset, config)
    run_search(strategy, executor, store, trials=7)
    records = store.records()
    assert [r.state for r in records] == ["complete"] * 7, [r.result and r.result.reason for r in records]
    assert any(r.parent is not None for r in records)
    front = retime(store, executor, dataset, config)
    best = front.pick("accurate")
    network = trained_network(store, best.number, config)
    with torch.no_grad():
        guess = network.fold()(torch.from_numpy(dataset.x_val)).argmax(1).numpy()
    assert float(np.mean(guess != dataset.y_val)) == pytest.approx(best.metrics["val_error"])
