"""The driver's view, its journal and the database behind it."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from nas.search import SerialExecutor, StudyError, StudyStore, run_search
from nas.search.study._journal import Journal
from nas.search.study._rows import Change
from nas.search.study._writer import Writer
from nas.training import Dataset, TrialResult, TrialStatus
from tests.search.conftest import TRAINING, MakeStrategy, pretend
from tests.search.test_store import candidate, result


def held(store: StudyStore, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Nothing reaches the database until the event is set."""
    event, write = threading.Event(), store._rows.write

    def wait(changes: list[Change]) -> None:
        event.wait(20)
        write(changes)

    monkeypatch.setattr(store._rows, "write", wait)
    return event


def test_others_see_what_the_database_does_not_have_yet(
    store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = held(store, monkeypatch)
    with store.lock():
        for _ in range(3):
            store.record(candidate(store.begin()))
        store.finish(result(0, dataset))
        store.fail(1, "diverged")
        began = time.monotonic()
        assert store.counts() == {"running": 1, "complete": 1, "stopped": 0, "failed": 1}
        other = StudyStore.open(store.root, store.name)
        assert other._rows.states() == {}
        assert other.counts() == store.counts()
        assert [trial.state for trial in other.records()] == ["complete", "failed", "running"]
        assert other.trial(1).result is not None and other.trial(1).result.reason == "diverged"  # type: ignore[union-attr]
        assert other.load_candidate(2).seed == 5
        assert other.front().numbers == (0,)
        assert time.monotonic() - began < 10
        event.set()
    assert len(other._rows.states()) == 3
    assert (store.folder / "journal.jsonl").read_text() == ""


def test_a_search_does_not_wait_for_the_database(
    make: MakeStrategy, store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = held(store, monkeypatch)
    seen: list[int] = []

    def note(_: object, found: TrialResult) -> None:
        seen.append(found.number)
        if len(seen) == 15:
            assert StudyStore.open(store.root, store.name)._rows.states() == {}
            event.set()

    executor = SerialExecutor(dataset, TRAINING, evaluate=pretend)
    run_search(make("evolution", store), executor, store, trials=20, on_result=note)
    assert seen == list(range(20))
    assert [trial.number for trial in store.study.trials] == list(range(20))


def test_a_torn_line_costs_its_entry_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    assert journal.read() == []
    journal.add({"n": 0, "begun": 1.0})
    journal.close()
    with journal.path.open("ab") as file:
        file.write(b'{"n": 1, "begu')
    again = Journal(journal.path)
    assert again.read() == [{"n": 0, "begun": 1.0}]
    again.add({"n": 2, "begun": 3.0})
    assert journal.path.read_text() == '{"format":1}\n{"n":0,"begun":1.0}\n{"n":2,"begun":3.0}\n'
    again.rewrite([{"n": 9}])
    assert journal.path.read_text() == '{"format":1}\n{"n":9}\n'
    again.close()
    journal.path.write_bytes(b'{"form')  # a torn first line does not hide the format
    again.add({"n": 3, "begun": 1.0})
    assert journal.path.read_text() == '{"format":1}\n{"n":3,"begun":1.0}\n'


@pytest.mark.parametrize("line", [b'{"n": 1, "beg', b"\x00\xff\x00", b"5", b""])
def test_a_damaged_line_that_is_not_the_last_is_an_error(line: bytes, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.add({"n": 0, "begun": 1.0})
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + line + b"\n" + b'{"n":2,"begun":3.0}\n')
    with pytest.raises(StudyError, match="journal.jsonl, line 3, is damaged.*restore the folder of the study"):
        journal.read()


def test_the_journal_does_not_grow_without_bound(
    store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.search.study._live._MOST_LINES", 10)
    with store.lock():
        for number in range(20):
            store.record(candidate(store.begin()))
            store.fail(number, "x")
            assert len((store.folder / "journal.jsonl").read_text().splitlines()) <= 13
    assert store.counts()["failed"] == 20


def test_writing_again_changes_nothing(store: StudyStore) -> None:
    change = Change(3, 1.0, 2.0, record={"a": 1}, values=(0.5, 0.25), params={"x": (0.5, "{}")}, reported={10: 0.5})
    rows = store._rows
    rows.states()
    rows.write([change])
    rows.write([change])
    (row,) = rows.read()
    assert (row.number, row.record, row.values) == (3, {"a": 1}, (0.5, 0.25))
    assert rows.params() == {3: {"x": (0.5, "{}")}}


def test_a_writer_passes_on_what_went_wrong() -> None:
    def broken(_: list[Change]) -> None:
        raise OperationalError("insert", {}, Exception("gone"))

    writer = Writer(broken, "test")
    writer.put(Change(0))
    with pytest.raises(OperationalError, match="gone"):
        writer.flush()
    with pytest.raises(OperationalError, match="gone"):
        writer.put(Change(1))
    with pytest.raises(OperationalError, match="gone"):
        writer.close()


def test_changes_of_a_trial_are_written_as_one() -> None:
    written: list[list[Change]] = []
    gate = threading.Event()

    def slow(changes: list[Change]) -> None:
        gate.wait(10)
        written.append(changes)

    writer = Writer(slow, "test")
    writer.put(Change(0, begun=1.0))
    time.sleep(0.05)  # the first is being written
    for number in (1, 2):
        writer.put(Change(number, begun=5.0))
        writer.put(Change(number, record={"a": number}))
        writer.put(Change(number, ended=7.0, values=(1.0,)))
    gate.set()
    writer.close()
    assert [[change.number for change in batch] for batch in written] == [[0], [1, 2]]
    last = written[1][1]
    assert (last.begun, last.ended, last.record, last.values) == (5.0, 7.0, {"a": 2}, (1.0,))


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
    StudyStore.create(tmp_path, "study")
    with pytest.raises(StudyError, match="exists already"):
        StudyStore.create(tmp_path, "study")


def test_what_samplers_remember_survives(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    executor = SerialExecutor(dataset, TRAINING, evaluate=pretend)
    run_search(make("optuna-nsga2", store), executor, store, trials=14)
    trials = StudyStore.open(store.root, store.name).study.trials
    generations = [json.dumps(trial.system_attrs) for trial in trials if trial.system_attrs]
    assert len(set(generations)) >= 2
    assert all(trial.params for trial in trials)


def test_a_failed_result_counts_once(store: StudyStore) -> None:
    with store.lock():
        store.record(candidate(store.begin()))
        store.finish(TrialResult(0, TrialStatus.FAILED, reason="first"))
        assert store.finish(TrialResult(0, TrialStatus.FAILED, reason="second")).reason == "first"
