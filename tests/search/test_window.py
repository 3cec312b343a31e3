"""The window that Optuna's samplers look through: bounded, with what they learn from in it."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from nas.search import SerialExecutor, StudyStore, run_search
from nas.search.study._window import BEST, RECENT, WindowStorage
from nas.search.study.sampling import Sampling
from nas.training import Dataset
from tests.search.conftest import TRAINING, MakeStrategy, pretend


def study_of(values: np.ndarray) -> optuna.Study:
    study = optuna.create_study(storage=WindowStorage(), directions=["minimize"] * values.shape[1])
    for row in values:
        study.tell(study.ask(), row.tolist())
    return study


def test_a_short_study_is_seen_whole() -> None:
    values = np.random.default_rng(0).random((RECENT, 2))
    assert [trial.values for trial in study_of(values).trials] == values.tolist()


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_a_long_one_through_a_window_that_keeps_the_best(objectives: int) -> None:
    values = np.random.default_rng(1).random((1000, objectives))
    values[[3, 50, 200]] = 0.001 * np.eye(3)[:, :objectives] + 0.001  # on the front for good
    numbers = [trial.number for trial in study_of(values).trials]
    assert len(numbers) == RECENT + BEST
    assert numbers == sorted(numbers)
    assert set(range(1000 - RECENT, 1000)) < set(numbers)
    assert {3, 50, 200} < set(numbers)


def test_running_trials_stay_and_failed_ones_go() -> None:
    study = optuna.create_study(storage=WindowStorage(), directions=["minimize", "minimize"])
    running = study.ask()
    for _ in range(RECENT + 10):
        study.tell(study.ask(), state=TrialState.FAIL)
    states = [trial.state for trial in study.trials]
    assert study.trials[0].number == running.number
    assert states.count(TrialState.RUNNING) == 1
    assert states.count(TrialState.FAIL) == RECENT


def test_current_parents_stay_and_those_of_the_past_are_forgotten() -> None:
    study = optuna.create_study(storage=WindowStorage(), directions=["minimize"])
    storage = study._storage
    for number in range(4):
        study.tell(study.ask(), [float(10 + number)])
        storage.set_study_system_attr(0, f"NSGAIISampler:parent:{number}", [number])
    for _ in range(RECENT + 2 * BEST):
        study.tell(study.ask(), [0.0])  # all better
    assert [trial.number for trial in study.trials[:2]] == [2, 3]
    assert list(storage.get_study_system_attrs(0)) == ["NSGAIISampler:parent:2", "NSGAIISampler:parent:3"]
    storage.set_study_system_attr(0, "NSGAIISampler:parent:4", [])
    assert [trial.number for trial in study.trials][:1] == [3]
    assert len(study.trials) == RECENT + BEST + 1


@pytest.mark.parametrize("name", ["optuna-tpe", "optuna-nsga2", "optuna-nsga3", "optuna-qmc"])
def test_a_resumed_study_looks_through_the_same_window(
    name: str, make: MakeStrategy, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole or in two runs, the same trials; with a small window, so that it matters early."""
    monkeypatch.setattr("nas.search.study._window.RECENT", 20)
    monkeypatch.setattr("nas.search.study._window.BEST", 5)
    asked = []
    for folder, runs in (("whole", (60,)), ("halves", (37, 60))):
        store = StudyStore.create(tmp_path / folder, "study", seed=3)
        for trials in runs:
            store = StudyStore.open(tmp_path / folder, "study")
            executor = SerialExecutor(dataset, TRAINING, evaluate=pretend)
            run_search(make(name, store), executor, store, trials=trials)
        asked.append([store.load_candidate(number).genome for number in range(60)])
    assert asked[0] == asked[1]


def test_a_genetic_samplers_generations_end_in_a_study_that_outgrows_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Optuna counts the complete trials of a generation; most trials here fail, and a population exceeds the window."""
    monkeypatch.setattr("nas.search.study._window.RECENT", 20)
    monkeypatch.setattr("nas.search.study._window.BEST", 5)
    sampler = optuna.samplers.NSGAIISampler(population_size=40, seed=0)
    study = optuna.create_study(storage=WindowStorage(), directions=["minimize", "minimize"], sampler=sampler)
    most = 0
    generations = []
    for number in range(500):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if number % 3:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, [x, 1 - x])
        generations.append(study._storage.get_trial_system_attrs(trial._trial_id)["NSGAIISampler:generation"])
        most = max(most, len(study.trials))
    assert max(generations) == 4  # 167 complete trials
    assert most <= 20 + 5 + 4 * 40  # members of two generations, and their parents


def test_generations_of_another_sampler_do_not_push_parents_out() -> None:
    study = optuna.create_study(storage=WindowStorage(), directions=["minimize"])
    storage = study._storage
    for number in range(3):
        study.tell(study.ask(), [float(number)])
    keys = ["NSGAIISampler:parent:8", "NSGAIISampler:parent:9", "NSGAIIISampler:parent:1"]
    for number, key in enumerate(keys):
        storage.set_study_system_attr(0, key, [number])
    assert list(storage.get_study_system_attrs(0)) == keys


@pytest.mark.parametrize("objectives", [1, 2])
def test_a_resumed_window_is_that_of_trials_that_ended_in_another_order(objectives: int) -> None:
    rng = np.random.default_rng(2)
    count = RECENT + 150
    values, order = rng.random((count, objectives)), rng.permutation(count)
    directions = [StudyDirection.MINIMIZE] * objectives
    running = Sampling(directions, [])
    for number in range(count):
        running.begin(number)
    trials = [optuna.trial.create_trial(values=[*map(float, values[number])]) for number in range(count)]
    for place, number in enumerate(order):
        running.end(int(number), TrialState.COMPLETE, trials[number].values)
        trials[number].number = int(number)
        trials[number].datetime_complete = datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=place)
    resumed = Sampling(directions, trials)
    assert [t.number for t in resumed.study.trials] == [t.number for t in running.study.trials]
    assert [t.values for t in resumed.study.trials] == [t.values for t in running.study.trials]
