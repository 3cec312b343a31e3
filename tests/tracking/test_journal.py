"""The journal gives back what MLflow has not confirmed, wherever the process was killed."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.tracking import _journal
from nas.tracking._journal import Journal


def record(number: int, search: str = "s") -> dict[str, object]:
    return {"search": search, "number": number, "metrics": {"edges": 3.0}}


def numbers(journal: Journal) -> list[int]:
    return [entry["number"] for entry in journal.pending()]


def test_unconfirmed_trials_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "study" / "mlflow.jsonl")
    journal.begin("s")
    for number in range(4):
        journal.add(record(number))
    journal.done(record(1))
    again = Journal(journal.path)
    assert again.search == "s" and numbers(again) == [0, 2, 3]
    assert again.pending()[0] == record(0)


def test_trials_of_an_earlier_search_stay(tmp_path: Path) -> None:
    first = Journal(tmp_path / "j")
    first.begin("old")
    first.add(record(5, "old"))
    second = Journal(tmp_path / "j")
    second.begin("new")
    second.add(record(5, "new"))
    second.done(record(5, "new"))
    third = Journal(tmp_path / "j")
    assert third.search == "new" and third.pending() == [record(5, "old")]


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
            journal.done(record(number))
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
    assert numbers(Journal(path)) == [*survived, 99]


def test_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_journal, "_MOST_LINES", 20)
    journal = Journal(tmp_path / "j")
    journal.begin("s")
    for number in range(200):
        journal.add(record(number))
        journal.done(record(number))
    assert len(journal.path.read_text().splitlines()) <= 25
    assert Journal(journal.path).pending() == []


def test_newer_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(json.dumps({"format": 99, "search": "s"}) + "\n")
    before = path.read_bytes()
    journal = Journal(path)
    journal.begin("t")
    journal.add(record(1))
    assert path.read_bytes() == before and journal.pending() == [record(1)]


def test_a_disk_that_refuses_does_not_stop_the_search(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "j")  # no folder can be made there
    journal.begin("s")
    for number in range(3):
        journal.add(record(number))
    assert numbers(journal) == [0, 1, 2]
    assert sum("cannot keep the journal" in message for message in caplog.messages) == 1


def test_garbage_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "j"
    garbage = ["\x00\x01", "[]", '{"trial": 3}', '{"done": 1}']
    path.write_text("\n".join(['{"format": 1, "search": "s"}', *garbage, json.dumps({"trial": record(4)})]))
    assert numbers(Journal(path)) == [4]
    assert sum("skipped" in message for message in caplog.messages) == 4
