"""Determinism: the same search twice is the same twice, and any trial can be trained again from its record."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from nas.manifold import ManifoldNetwork
from nas.search import (
    Replay,
    SearchConfig,
    SearchSpace,
    SerialExecutor,
    SpaceConfig,
    StudyError,
    StudyStore,
    load_space,
    make_strategy,
    replay,
    run_search,
)
from nas.search.rebuild import rebuild_network
from nas.training import Candidate, DataConfig, Dataset, TrainingConfig, TrialResult, TrialStatus, load_data, run_trial

TRAINING = TrainingConfig(steps=30, rungs=(0.2, 0.5), batch_size=32, input_noise=0.1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataConfig(source="digits", samples=400))


@pytest.fixture(scope="module")
def digit_space(digits: Dataset) -> SearchSpace:
    options = {"n_computational": [10, 30], "density": [0.1, 0.3]}
    return load_space(SpaceConfig(name="manifold", options=options), digits)


def search(folder: Path, space: SearchSpace, dataset: Dataset, strategy: str, trials: int = 14) -> StudyStore:
    config = SearchConfig.model_validate(
        {
            "strategy": strategy,
            "objectives": ["error", "edges"],
            "halving": {"startup": 2, "keep": 0.3, "rule": "first"},
            "options": {} if strategy == "random" else {"population": 4, "initial": 4},
        }
    )
    store = StudyStore.create(folder, "study", objectives=config.objectives, seed=2)
    executor = SerialExecutor(dataset, TRAINING)
    run_search(make_strategy(config, space, TRAINING, store), executor, store, trials=trials, halving=config.halving)
    return store


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, digit_space: SearchSpace, digits: Dataset) -> StudyStore:
    return search(tmp_path_factory.mktemp("first"), digit_space, digits, "evolution")


def numbers(result: TrialResult | None) -> dict[str, float]:
    """The metrics that no clock decides."""
    assert result is not None
    timed = ("_seconds", "_spread")
    return {k: v for k, v in result.metrics.items() if not k.endswith(timed) and not k.startswith("predicted")}


def assert_same(first: StudyStore, second: StudyStore) -> None:
    for a, b in zip(first.records(), second.records(), strict=True):
        asked = "number", "state", "seed", "steps", "parent", "mutation", "hyperparameters", "rungs"
        assert all(getattr(a, name) == getattr(b, name) for name in asked)
        assert numbers(a.result) == numbers(b.result)
        one, other = first.load_candidate(a.number), second.load_candidate(a.number)
        assert one.genome == other.genome
        if a.state == "complete":
            kept, again = first.load_result(a.number), second.load_result(a.number)
            assert kept.dag == again.dag
            for name, array in kept.arrays.items():
                np.testing.assert_array_equal(again.arrays[name], array)
    assert first.front().numbers == second.front().numbers


def test_one_worker_and_one_seed_give_one_search(
    study: StudyStore, digit_space: SearchSpace, digits: Dataset, tmp_path: Path
) -> None:
    again = search(tmp_path, digit_space, digits, "evolution")
    assert_same(study, again)
    assert again.counts()["stopped"] >= 1


@pytest.mark.parametrize("strategy", ["random", "optuna"])
def test_other_strategies_too(strategy: str, digit_space: SearchSpace, digits: Dataset, tmp_path: Path) -> None:
    assert_same(*(search(tmp_path / name, digit_space, digits, strategy, 9) for name in ("a", "b")))


def test_every_trial_is_replayed_from_its_record(study: StudyStore, digits: Dataset) -> None:
    reopened = StudyStore.open(study.root, study.name)
    states = set()
    for record in reopened.records():
        found = replay(reopened, record.number, digits, TRAINING)
        assert found.same, (record, found.compared, found.again.reason)
        assert found.hardware == {}
        assert "val_error" in found.compared and "inference_seconds" not in found.compared
        assert found.weights is (True if record.state == "complete" else None)
        assert found.steps == (record.rungs[-1].step if record.state == "stopped" else record.steps)
        states.add((record.state, record.parent is not None))
    assert {("complete", True), ("complete", False)} < states
    assert "stopped" in {state for state, _ in states}


def test_a_mean_of_trials_is_replayed_and_is_what_it_says(digits: Dataset, tmp_path: Path) -> None:
    training = TrainingConfig(steps=20, batch_size=16, inference_batch=16)
    config = SearchConfig.model_validate({"objectives": ["error", "edges"], "options": {"means": 0.3}})
    store = StudyStore.create(tmp_path, "study", objectives=config.objectives, seed=1)
    space = load_space(SpaceConfig(options={"n_computational": [10, 30]}), digits)
    run_search(make_strategy(config, space, training, store), SerialExecutor(digits, training), store, trials=24)
    means = [record for record in store.records() if record.steps == 0]
    assert means and all(record.state == "complete" for record in means)
    x = torch.from_numpy(digits.x_val)
    for record in means:
        assert replay(store, record.number, digits, training).same
        assert record.parent is not None
        members = [record.parent, *map(int, re.findall(r"\d+", record.mutation))]
        whole, *parts = (rebuild(store, number, training)(x) for number in [record.number, *members])
        torch.testing.assert_close(whole, torch.stack(parts).mean(dim=0), rtol=1e-4, atol=1e-4)


def rebuild(store: StudyStore, number: int, training: TrainingConfig) -> ManifoldNetwork:
    """The trained network of a trial."""
    result = store.load_result(number)
    assert result.dag is not None
    return rebuild_network(result.dag, result.arrays, training, store.hyperparameters(number)).requires_grad_(False)


def test_what_differs_is_told(study: StudyStore, digits: Dataset) -> None:
    number = study.front().numbers[0]

    def elsewhere(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
        result = run_trial(dataclasses.replace(candidate, seed=candidate.seed + 1), dataset, config)
        return dataclasses.replace(result, hardware={**result.hardware, "processor": "another"})

    found = replay(study, number, digits, TRAINING, evaluate=elsewhere)
    assert not found.same
    assert found.weights is False
    assert found.compared["val_loss"][0] != found.compared["val_loss"][1]
    assert found.hardware["processor"][1] == "another"


def test_a_failed_trial_fails_again_for_its_reason(digit_space: SearchSpace, digits: Dataset, tmp_path: Path) -> None:
    store = StudyStore.create(tmp_path, "study", objectives=("error", "edges"))
    genome = digit_space.initial(np.random.default_rng(0))
    genome = dataclasses.replace(genome, hyperparameters={**genome.hyperparameters, "no.such.field": 1.0})
    store.record(Candidate(store.begin(), genome, seed=1, steps=10))
    store.finish(run_trial(store.load_candidate(0), digits, TRAINING))
    found = replay(store, 0, digits, TRAINING)
    assert found.same and found.again.reason == store.trial(0).result.reason != ""  # type: ignore[union-attr]


def test_what_cannot_be_replayed_is_refused(study: StudyStore, digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="has no trial 99; it has 14 trials"):
        replay(study, 99, digits, TRAINING)
    store = StudyStore.create(tmp_path, "study")
    store.study.ask()
    with pytest.raises(StudyError, match="trial 0 of study 'study' has not ended"):
        replay(store, 0, digits, TRAINING)
    store.fail(0, "not asked")
    with pytest.raises(StudyError, match="cannot be replayed: trial 0 .* nothing was asked for it"):
        replay(store, 0, digits, TRAINING)
    number = store.begin()
    store.record(dataclasses.replace(study.load_candidate(1), number=number))
    store.fail(number, "diverged")
    store.genome_path(number).unlink()
    with pytest.raises(StudyError, match=r"its genome .*000001.safetensors is missing"):
        replay(store, number, digits, TRAINING)


def _of(device: str | None, before: float, now: float, *, weights: bool) -> Replay:
    hardware = {} if device is None else {"device": device}
    metrics = {"test_accuracy": before, "flow": before}
    then = TrialResult(0, TrialStatus.COMPLETE, metrics=metrics, hardware=hardware)
    record = SimpleNamespace(result=then, state="complete", number=0, rungs=())
    compared = dict.fromkeys(metrics, (before, now))
    return Replay(record, then, 10, compared, weights, {})  # type: ignore[arg-type]


def test_a_trial_of_a_gpu_comes_out_about_the_same() -> None:
    assert not _of(None, 0.91, 0.92, weights=False).same  # of a processor: bit for bit
    assert not _of(None, 0.91, 0.91, weights=False).same
    assert _of("NVIDIA H100", 0.91, 0.92, weights=False).same
    assert not _of("NVIDIA H100", 0.91, 0.80, weights=False).same
    assert _of("NVIDIA H100", 0.91, 0.91, weights=True).exact is False
