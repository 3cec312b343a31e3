"""A study's trials in Optuna's storages: what is written when, and what others see of it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from nas.search import SerialExecutor, StudyError, StudyStore, run_search
from nas.search.study._trials import Trials
from nas.search.study.storage import to_disk
from nas.training import Candidate, Dataset, TrialResult, TrialStatus
from tests.search.conftest import TRAINING, MakeStrategy, pretend
from tests.search.test_store import candidate, result

STORAGES = ("journal", "sqlite")


@pytest.fixture(params=STORAGES)
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> StudyStore:
    """A study in each kind of storage."""
    url = None if request.param == "journal" else f"sqlite:///{tmp_path / 'own.db'}"
    return StudyStore.create(tmp_path, "study", seed=7, storage=url)


def unsettled(store: StudyStore) -> None:
    """Nothing is brought to its end in Optuna's words any more."""
    assert store._driven is not None
    store._driven.settle = lambda **_: None  # type: ignore[method-assign]


def test_others_see_at_once_what_has_ended(store: StudyStore, dataset: Dataset) -> None:
    with store.lock():
        unsettled(store)
        for _ in range(3):
            store.record(candidate(store.begin()))
        store.finish(result(0, dataset))
        store.fail(1, "diverged")
        assert store.counts() == {"running": 1, "complete": 1, "stopped": 0, "failed": 1}
        other = StudyStore.open(store.root, store.name)
        assert [trial.state for trial in other.study.trials] == [TrialState.RUNNING] * 3
        assert other.counts() == store.counts()
        assert [trial.state for trial in other.records()] == ["complete", "failed", "running"]
        assert other.trial(1).result is not None and other.trial(1).result.reason == "diverged"  # type: ignore[union-attr]
        assert other.load_candidate(2).seed == 5
        assert other.front().numbers == (0,)
        assert other.trial(0).ended is not None and other.trial(2).ended is None
    assert [trial.state.name for trial in StudyStore.open(store.root, store.name).study.trials] == ["RUNNING"] * 3
    assert store.recover()[0][0].number == 2
    assert [trial.state.name for trial in other.study.trials] == ["COMPLETE", "FAIL", "RUNNING"]


def test_trials_that_end_close_together_are_settled_together(store: StudyStore, dataset: Dataset) -> None:
    flushed: list[list[int]] = []
    with store.lock():
        trials = store._driven
        assert trials is not None
        trials._to_disk = lambda numbers: flushed.append(sorted(numbers))
        for number in range(5):
            store.record(candidate(store.begin()))
            store.finish(result(number, dataset))
        assert flushed == [[0]]
        trials._due = time.monotonic()
        store.settle()
        assert flushed == [[0], [1, 2, 3, 4]]
        store.settle(now=True)
    assert flushed == [[0], [1, 2, 3, 4]]


def test_a_trial_is_not_finished_before_its_files_are_on_the_disk(
    store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store.record(candidate(store.begin()))
    monkeypatch.setattr("nas.search.study._files.to_disk", full)
    with pytest.raises(StudyError, match="the disk of study 'study' failed.*No space left"), store.lock():
        store.finish(result(0, dataset))
    assert store.study.trials[0].state is TrialState.RUNNING
    monkeypatch.undo()
    assert store.recover() == ([], [])
    assert store.study.trials[0].state is TrialState.COMPLETE


@pytest.mark.parametrize("whole", [True, False])
def test_files_reach_the_disk_with_and_without_one_call_for_all(
    whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:
        monkeypatch.setattr("nas.search.study.storage._syncfs", None)
    (tmp_path / "there").write_text("x")
    to_disk(tmp_path, [tmp_path / "there", tmp_path / "not there"])


def test_what_was_asked_is_in_optunas_own_words(make: MakeStrategy, anywhere: StudyStore, dataset: Dataset) -> None:
    strategy = make("evolution", anywhere)
    run_search(strategy, SerialExecutor(dataset, TRAINING, evaluate=pretend), anywhere, trials=12)
    trials = StudyStore.open(anywhere.root, anywhere.name, storage=_url(anywhere)).study.trials
    assert strategy.domains and all(trial.params.keys() == strategy.domains.keys() for trial in trials)
    for trial, record in zip(trials, anywhere.records(), strict=True):
        assert all(record.hyperparameters[name] == pytest.approx(value) for name, value in trial.params.items())
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    found = optuna.importance.get_param_importances(anywhere.study, target=lambda trial: trial.values[0])
    assert found.keys() == strategy.domains.keys()


def _url(store: StudyStore) -> str | None:
    path = store.root / "own.db"
    return f"sqlite:///{path}" if path.exists() else None


def test_a_trial_may_be_asked_again(anywhere: StudyStore) -> None:
    trials = anywhere._trials()
    trials.drive()
    trials.begin(0)
    domain = {"rate": optuna.distributions.FloatDistribution(0.0, 1.0)}
    for rate in (0.25, 0.5):  # once chosen, a parameter stays
        trials.ask(0, {"seed": 1}, {"rate": rate}, domain, {"of": "sampler"})
    found = anywhere._trials().get(0)
    assert found is not None
    assert (found.params, found.system_attrs) == ({"rate": 0.25}, {"of": "sampler"})
    with pytest.raises(StudyError, match="has 1 trials, so the next cannot have the number 3"):
        trials.ask(3, {}, {}, {}, {})


def test_a_trial_ends_once_and_with_its_file(anywhere: StudyStore, dataset: Dataset) -> None:
    with anywhere.lock():
        unsettled(anywhere)
        for number in range(2):
            anywhere.record(candidate(anywhere.begin()))
            anywhere.finish(result(number, dataset))
    anywhere.result_path(1).write_bytes(b"")  # a power cut took it
    again = StudyStore.open(anywhere.root, anywhere.name, storage=_url(anywhere))
    candidates, unasked = again.recover()
    assert ([each.number for each in candidates], unasked) == ([1], [])
    assert again.counts() == {"running": 1, "complete": 1, "stopped": 0, "failed": 0}
    assert again.trial(1).state == "running" and again.trial(1).result is None


def test_the_file_is_one_that_optuna_opens(store: StudyStore, dataset: Dataset) -> None:
    store.record(candidate(store.begin()))
    store.finish(result(0, dataset))
    storage = JournalStorage(JournalFileBackend(str(store.folder / "optuna.journal")))
    study = optuna.load_study(study_name="study", storage=storage)
    assert study.metric_names == ["error", "inference_time"]
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE]
    study.trials[0]
    study.set_user_attr("by the dashboard", 1)
    assert StudyStore.open(store.root, store.name).study.user_attrs["by the dashboard"] == 1


def test_few_operations_a_trial(store: StudyStore, dataset: Dataset) -> None:
    def lines() -> int:
        return len((store.folder / "optuna.journal").read_text().splitlines())

    before = lines()
    for number in range(3):
        store.record(candidate(store.begin()))
        store.finish(result(number, dataset))
    assert lines() == before + 3 * 3


def test_searches_that_start_at_the_same_moment_on_a_new_store(tmp_path: Path) -> None:
    barrier, errors = threading.Barrier(6), list[Exception]()

    def create(name: str) -> None:
        barrier.wait()
        try:
            StudyStore.create(tmp_path / "new", name)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=create, args=(f"study-{k}",)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(StudyStore.studies(tmp_path / "new")) == [f"study-{k}" for k in range(6)]


def test_the_same_study_is_made_by_one_of_them(tmp_path: Path) -> None:
    barrier, errors = threading.Barrier(4), list[Exception]()

    def create() -> None:
        barrier.wait()
        try:
            StudyStore.create(tmp_path, "study")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 3
    assert all(isinstance(each, StudyError) and "exists already" in str(each) for each in errors)


def test_what_samplers_remember_survives(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    executor = SerialExecutor(dataset, TRAINING, evaluate=pretend)
    run_search(make("optuna-nsga2", store), executor, store, trials=14)
    study = StudyStore.open(store.root, store.name).study
    generations = [json.dumps(trial.system_attrs) for trial in study.trials if trial.system_attrs]
    assert len(set(generations)) >= 2
    assert any("parent" in name for name in store._storage.get_study_system_attrs(store._study_id))
    assert all(trial.params for trial in study.trials)


def test_a_failed_result_counts_once(store: StudyStore) -> None:
    with store.lock():
        store.record(candidate(store.begin()))
        store.finish(TrialResult(0, TrialStatus.FAILED, reason="first"))
        assert store.finish(TrialResult(0, TrialStatus.FAILED, reason="second")).reason == "first"


def test_a_driver_looks_at_no_other_trial(store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a trial costs does not grow with the study."""
    with store.lock():
        monkeypatch.setattr(Trials, "all", lambda _: pytest.fail("all trials were read"))

        def ask() -> Candidate:
            asked = candidate(store.begin())
            store.record(asked)
            return asked

        for number in range(3):
            ask()
            store.finish(result(number, dataset))
            store.settle()
            store.counts()
            store.hyperparameters(number)
