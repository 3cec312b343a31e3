"""The journal gives back what MLflow has not confirmed, wherever the process was killed."""

import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.tracking.mlflow import _journal
from nas.tracking.mlflow._journal import Journal


def record(number: int, search: str = "s") -> dict[str, object]:
    return {"search": search, "number": number, "metrics": {"edges": 3.0}}


def numbers(journal: Journal) -> list[int]:
    return [number for _, number in journal.pending()]


def test_unconfirmed_trials_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "study" / "mlflow.jsonl")
    journal.begin("s")
    for number in range(4):
        journal.add(record(number))
    journal.done(("s", 1))
    again = Journal(journal.path)
    assert again.search == "s" and numbers(again) == [0, 2, 3]
    assert again.record(("s", 0)) == record(0)


def test_what_a_search_has_published_is_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.begin("s")
    assert journal.champion is None
    journal.published(7)
    again = Journal(journal.path)
    assert again.champion == 7
    again.begin("s")  # into the first line
    assert journal.path.read_text().count("\n") == 1
    assert Journal(journal.path).champion == 7
    again.begin("another")
    assert Journal(journal.path).champion is None


def test_trials_of_an_earlier_search_stay(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j")
    first.begin("old")
    first.add(record(5, "old"))
    second = Journal(tmp_path / "j")
    second.begin("new")
    second.add(record(5, "new"))
    second.done(("new", 5))
    third = Journal(tmp_path / "j")
    assert third.search == "new" and third.pending() == [("old", 5)]
    assert third.record(("old", 5)) == record(5, "old")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["add", "done"]), st.integers(0, 5)), max_size=30), st.integers(0, 400))
def test_a_kill_at_any_byte_loses_only_the_torn_line(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "j"
    journal = Journal(path)
    journal.begin("s")
    history: list[tuple[int, list[int]]] = [(path.stat().st_size, [])]
    for action, number in actions:
        if action == "done":
            journal.done(("s", number))
        elif number not in numbers(journal):
            journal.add(record(number))
        history.append((path.stat().st_size, numbers(journal)))
    size = max(path.stat().st_size - cut, history[0][0])
    os.truncate(path, size)
    # An entry is complete without its line break.
    survived = next(pending for length, pending in reversed(history) if length - 1 <= size)
    again = Journal(path)
    assert numbers(again) == survived
    again.begin("s")
    again.add(record(99))
    for reader in (again, Journal(path)):
        assert numbers(reader) == [*survived, 99]
        assert [reader.record(key) for key in reader.pending()] == [record(number) for number in [*survived, 99]]


def test_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_journal, "_MOST_LINES", 20)
    journal = Journal(tmp_path / "j")
    journal.begin("s")
    for number in range(200):
        journal.add(record(number))
        journal.done(("s", number))
    assert len(journal.path.read_text().splitlines()) <= 25
    assert Journal(journal.path).pending() == []


def test_records_wait_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.begin("s")
    tracemalloc.start()
    for number in range(2000):
        journal.add({**record(number), "text": "x" * 3000})
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 2000 * 400
    assert journal.record(("s", 1234)) == {**record(1234), "text": "x" * 3000}


def test_what_the_file_has_lost_is_said_to_be_lost(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.begin("s")
    journal.add(record(1))
    journal.path.write_text("")
    assert journal.record(("s", 1)) is None


def test_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps({"format": 99, "search": "s"}) + "\n")
    before = path.read_bytes()
    journal = Journal(path)
    journal.begin("t")
    journal.add(record(1))
    assert path.read_bytes() == before and journal.record(("s", 1)) == record(1)


def test_a_disk_that_refuses_does_not_stop_the_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "j")  # no folder can be made there
    journal.begin("s")
    for number in range(3):
        journal.add(record(number))
    assert numbers(journal) == [0, 1, 2]
    assert [journal.record(key) for key in journal.pending()] == [record(number) for number in range(3)]
    assert sum("cannot keep the journal" in message for message in caplog.messages) == 1


def test_garbage_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j"
    garbage = ["\x00\x01", "[]", '{"trial": 3}', '{"done": 1}']
    path.write_text("\n".join(['{"format": 1, "search": "s"}', *garbage, json.dumps({"trial": record(4)})]))
    assert numbers(Journal(path)) == [4]
    assert sum("skipped" in message for message in caplog.messages) == 4
