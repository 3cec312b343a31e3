from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from nas.errors import JobError
from nas.graph import complete
from nas.search import StorageError, StudyError, StudyStore
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialResult, TrialStatus
from tests.search.conftest import pretend


def candidate(number: int, **changes: object) -> Candidate:
    genome = Genome(complete(3, 2, 1), {"learning_rate": 0.01, "activation": "tanh"})
    return dataclasses.replace(Candidate(number, genome, seed=5, steps=10, parent=None), **changes)  # type: ignore[arg-type]


def result(number: int, dataset: Dataset) -> TrialResult:
    return pretend(candidate(number), dataset, TrainingConfig())


def test_a_candidate_is_read_back_as_it_was_asked(store: StudyStore) -> None:
    number = store.begin()
    asked = candidate(number, parent=3, mutation="add 2 edges", inherited={"weight": np.arange(7, dtype=np.float32)})
    store.record(asked)
    again = StudyStore.open(store.root, store.name).load_candidate(number)
    assert again.genome == asked.genome
    assert (again.seed, again.steps, again.parent, again.mutation) == (5, 10, 3, "add 2 edges")
    assert again.inherited is not None
    np.testing.assert_array_equal(again.inherited["weight"], np.arange(7))


def test_nothing_inherited_is_read_back_as_none(store: StudyStore) -> None:
    store.record(candidate(store.begin()))
    assert store.load_candidate(0).inherited is None


def test_a_result_is_read_back_with_weights_and_history(store: StudyStore, dataset: Dataset) -> None:
    store.record(candidate(store.begin()))
    told = result(0, dataset)
    store.finish(told)
    again = StudyStore.open(store.root, store.name).load_result(0)
    assert again.dag == told.dag
    assert again.metrics == told.metrics
    assert again.arrays.keys() == told.arrays.keys()
    for name, array in told.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    np.testing.assert_array_equal(again.history["val_error"], told.history["val_error"])


def test_the_first_result_of_a_trial_counts(store: StudyStore, dataset: Dataset) -> None:
    store.record(candidate(store.begin()))
    first = result(0, dataset)
    store.finish(first)
    store.finish(TrialResult(0, TrialStatus.FAILED, reason="late"))
    assert store.counts() == {"running": 0, "complete": 1, "stopped": 0, "failed": 0}
    assert store.records()[0].result is not None
    assert store.records()[0].result.metrics == first.metrics


def test_failures_keep_their_reason(store: StudyStore) -> None:
    store.record(candidate(store.begin()))
    store.fail(0, "it diverged at step 3")
    record = StudyStore.open(store.root, store.name).records()[0]
    assert record.state == "failed"
    assert record.result is not None
    assert record.result.reason == "it diverged at step 3"
    with pytest.raises(StudyError, match="trial 0 of study 'study' has no weights"):
        store.load_result(0)


@pytest.mark.parametrize("error", [float("nan"), float("inf"), None])
def test_a_complete_result_without_finite_objectives_becomes_a_failure(
    store: StudyStore, dataset: Dataset, error: float | None
) -> None:
    store.record(candidate(store.begin()))
    good = result(0, dataset)
    metrics = {name: value for name, value in good.metrics.items() if name != "val_error"}
    if error is not None:
        metrics["val_error"] = error
    recorded = store.finish(dataclasses.replace(good, metrics=metrics))
    assert recorded.status is TrialStatus.FAILED
    assert "objectives must be finite numbers, got {'val_error'" in recorded.reason
    assert store.counts()["failed"] == 1


def test_recover_sorts_out_every_way_to_die(store: StudyStore, dataset: Dataset) -> None:
    for number in range(4):
        assert store.begin() == number
        store.record(candidate(number))
    store.finish(result(0, dataset))
    told, store._tell = store._tell, lambda *_: None  # type: ignore[method-assign]
    store.finish(result(1, dataset))  # 1 died between its file and the tell
    store._tell = told  # type: ignore[method-assign]
    with store.lock():
        store._driven.settle = lambda **_: None  # type: ignore[union-attr, method-assign]
        store.finish(result(2, dataset))  # 2 has ended, and died before it was settled
    assert store.begin() == 4  # 4 died before its record
    reopened = StudyStore.open(store.root, store.name)
    assert reopened.counts() == {"running": 2, "complete": 2, "stopped": 0, "failed": 0}
    assert [trial.state.name for trial in reopened.study.trials] == ["COMPLETE", "RUNNING", "RUNNING", "RUNNING"]
    again, unasked = reopened.recover()
    assert [c.number for c in again] == [3]
    assert unasked == []
    assert reopened.begin() == 4
    assert reopened.counts() == {"running": 1, "complete": 3, "stopped": 0, "failed": 0}
    assert [trial.state.name for trial in reopened.study.trials] == ["COMPLETE", "COMPLETE", "COMPLETE", "RUNNING"]
    for number in (1, 2):
        record = reopened.records()[number]
        assert record.result is not None
        assert record.result.metrics == result(number, dataset).metrics


def test_a_damaged_genome_is_asked_again(store: StudyStore) -> None:
    store.record(candidate(store.begin()))
    path = store.genome_path(0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert store.recover() == ([], [0])


def test_front_draws_on_retimed_metrics(store: StudyStore, dataset: Dataset) -> None:
    for number, (error, seconds) in enumerate([(0.1, 2e-4), (0.2, 1e-4)]):
        store.record(candidate(store.begin()))
        base = result(number, dataset)
        store.finish(
            dataclasses.replace(base, metrics={**base.metrics, "val_error": error, "inference_seconds": seconds})
        )
    assert store.front().numbers == (0, 1)
    store.set_retimed({0: {"inference_seconds": 5e-5}}, {"processor": "x"})
    front = StudyStore.open(store.root, store.name).front()
    assert front.numbers == (0,)
    assert front.members[0].values == (0.1, 5e-5)
    assert front.members[0].retimed
    assert front.members[0].metrics["inference_seconds"] == 5e-5


def test_the_front_equals_optunas_own(store: StudyStore, dataset: Dataset) -> None:
    rng = np.random.default_rng(0)
    for number in range(30):
        store.record(candidate(store.begin()))
        base = result(number, dataset)
        error, seconds = rng.choice([0.1, 0.2, 0.3, 0.4]), rng.choice([1e-4, 2e-4, 3e-4])
        store.finish(
            dataclasses.replace(
                base, metrics={**base.metrics, "val_error": float(error), "inference_seconds": float(seconds)}
            )
        )
    assert {m.values for m in store.front().members} == {tuple(trial.values) for trial in store.study.best_trials}


def test_a_study_is_made_once(store: StudyStore) -> None:
    with pytest.raises(StudyError, match=r"study 'study' exists already.*--resume or choose another name"):
        StudyStore.create(store.root, "study")


def test_an_unknown_study_names_the_known_ones(store: StudyStore, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no study 'other' in .*; there are: study"):
        StudyStore.open(store.root, "other")
    with pytest.raises(StudyError, match="there is none yet|there is no such folder"):
        StudyStore.open(tmp_path / "empty", "other")
    assert not (tmp_path / "empty").exists()


def test_several_studies_share_a_store(store: StudyStore) -> None:
    other = StudyStore.create(store.root, "second", objectives=("error", "edges"), seed=1, error_reference=2.5)
    other.begin()
    assert StudyStore.studies(store.root) == ["study", "second"]
    assert store.counts()["running"] == 0
    again = StudyStore.open(store.root, "second")
    assert again.objectives.names == ("error", "edges")
    assert (again.objectives.error_reference, again.seed) == (2.5, 1)


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 201])
def test_names_that_are_no_folders_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(JobError, match=r'letters, digits and "\._-"'):
        StudyStore.create(tmp_path, name)


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StudyError, match=r"study database .*optuna.db cannot be used"):
        StudyStore.create(tmp_path, "study")


def test_a_study_of_another_program_is_refused(tmp_path: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.create_study(storage=f"sqlite:///{tmp_path / 'optuna.db'}", study_name="theirs")
    with pytest.raises(StudyError, match="'theirs' was not made by this program"):
        StudyStore.open(tmp_path, "theirs")


def test_a_failed_commit_says_what_the_database_said(store: StudyStore) -> None:
    import optuna
    from sqlalchemy.exc import OperationalError

    said = OSError(
        "connection to server at postgresql://me:pw@host failed:\n FATAL:  the database system is shutting down"
    )
    failed = optuna.exceptions.StorageInternalError("Typically invalid data in the commit. ")
    failed.__cause__ = OperationalError("INSERT INTO trials VALUES (?)", (7,), said)
    with pytest.raises(StorageError) as caught, store.reporting():
        raise failed
    assert str(caught.value) == (
        "the database of study 'study' failed: connection to server at postgresql://host failed: FATAL: the database "
        "system is shutting down; when it is back, continue with --resume"
    )


def test_passwords_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        StudyStore.create(tmp_path, "study", storage="nosuchdb://user:secret@host/db")
    assert "secret" not in str(caught.value)


def test_a_password_of_one_letter_leaves_words_whole(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="the study database .* cannot be used: .* failed: Connection refused"):
        StudyStore.create(tmp_path, "study", storage="postgresql://me:e@127.0.0.1:1/db")


def test_only_one_process_drives_a_study(store: StudyStore) -> None:
    with store.lock(), pytest.raises(StudyError, match="driven by another process"), store.lock():
        pass
    with store.lock():
        pass
