"""The file of a study: whole lines, whatever happened to the process or the disk before."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from nas.search import StudyError, StudyStore
from nas.search.study._journal import Journal, open_journal
from tests.search.test_store import candidate


def begun(path: Path) -> Journal:
    path.write_bytes(b"")
    return Journal(path)


def test_lines_are_read_from_where_a_reader_is(tmp_path: Path) -> None:
    journal = begun(tmp_path / "x")
    journal.append_logs([{"a": 1}, {"a": 2}])
    other = Journal(journal.path)
    assert list(other.read_logs(0)) == [{"a": 1}, {"a": 2}]
    journal.append_logs([{"a": 3}])
    assert list(other.read_logs(2)) == [{"a": 3}]
    assert list(other.read_logs(3)) == []
    assert list(other.read_logs(1)) == [{"a": 2}, {"a": 3}]
    assert list(Journal(journal.path).read_logs(2)) == [{"a": 3}]


@pytest.mark.parametrize("torn", [b'{"a": 2', b"\x00\x00\xff", b"{"])
def test_a_torn_line_is_not_read_and_goes_with_the_next(torn: bytes, tmp_path: Path) -> None:
    journal = begun(tmp_path / "x")
    journal.append_logs([{"a": 1}])
    with journal.path.open("ab") as file:
        file.write(torn)
    assert list(Journal(journal.path).read_logs(0)) == [{"a": 1}]
    journal.append_logs([{"a": 3}])
    assert journal.path.read_bytes() == b'{"a":1}\n{"a":3}\n'
    journal.path.write_bytes(torn)
    journal.append_logs([{"a": 4}])
    assert journal.path.read_bytes() == b'{"a":4}\n'


def test_a_line_for_which_there_is_no_room_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write = begun(tmp_path / "x"), os.write
    journal.append_logs([{"a": 1}])
    monkeypatch.setattr("os.write", lambda file, data: write(file, data[:3]))
    with pytest.raises(OSError, match=r"x took 3 of 8 bytes; is the disk full") as caught:
        journal.append_logs([{"a": 2}])
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert journal.path.read_bytes() == b'{"a":1}\n'


def test_lines_of_several_writers_do_not_mix(tmp_path: Path) -> None:
    path = begun(tmp_path / "x").path

    def write(name: int) -> None:
        journal = Journal(path)
        for number in range(50):
            journal.append_logs([{"name": name, "number": number, "long": "x" * 5000}])

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(Journal(path).read_logs(0))
    assert [[each["number"] for each in found if each["name"] == name] for name in range(4)] == [[*range(50)]] * 4


@pytest.mark.parametrize(
    "line",
    [
        b'{"op_code": 4, "study',
        b"\x00\xff\x00",
        b"5",
        b"",
        b"{}",
        b'{"op_code": 77}',
        b'{"op_code": 4, "study_id": 0, "worker_id": "x"}',
        b'{"op_code": 4, "study_id": 0, "worker_id": "x", "datetime_start": "soon"}',
        b'{"op_code": 4, "study_id": 0, "worker_id": "x", "datetime_start": null, "state": 17}',
        b'{"op_code": 8, "trial_id": 0, "worker_id": "x"}',
        b'{"op_code": 8, "trial_id": 0, "worker_id": "x", "user_attr": 7}',
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_damaged_line_is_refused_in_a_sentence(line: bytes, last: bool, store: StudyStore) -> None:
    store.record(candidate(store.begin()))
    path = store.folder / "optuna.journal"
    whole = path.read_bytes()
    number = whole.count(b"\n") + 1
    path.write_bytes(whole + line + b"\n" + (b"" if last else b'{"op_code": 3, "study_id": 0, "worker_id": "x"}\n'))
    with pytest.raises(StudyError, match=rf"optuna.journal, line {number}, is damaged: .*; restore the folder"):
        StudyStore.open(store.root, store.name)


def test_a_journal_of_another_study_is_refused(store: StudyStore) -> None:
    (store.folder).rename(store.root / "other")
    with pytest.raises(StudyError, match="holds the study 'study', not 'other': a folder has the name of its study"):
        StudyStore.open(store.root, "other")
    (store.root / "other" / "optuna.journal").write_bytes(b"")
    with pytest.raises(StudyError, match="holds no study, not 'other'"):
        StudyStore.open(store.root, "other")


def test_what_is_read_shares_its_names(tmp_path: Path) -> None:
    journal = begun(tmp_path / "x")
    journal.append_logs([{"a name of ours": "a value"}, {"a name of ours": "a value"}])
    (one,), (two,) = (each.items() for each in Journal(journal.path).read_logs(0))
    assert one[0] is two[0] and one[1] is two[1]


def test_a_journal_that_is_gone_is_not_made_anew(store: StudyStore) -> None:
    (store.folder / "optuna.journal").unlink()
    with pytest.raises(FileNotFoundError):
        store.record(candidate(0))
    with pytest.raises(FileNotFoundError):
        open_journal(store.folder / "optuna.journal")
    assert not (store.folder / "optuna.journal").exists()


def test_operations_are_optunas_own(store: StudyStore) -> None:
    store.record(candidate(store.begin()))
    lines = [json.loads(line) for line in (store.folder / "optuna.journal").read_text().splitlines()]
    assert all({"op_code", "worker_id"} <= line.keys() for line in lines)
