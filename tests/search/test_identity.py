"""A study that is not this study: another database, another folder, damaged or missing files."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from nas.errors import JobError
from nas.search import StorageError, StudyError, StudyStore
from nas.search.study import _hold
from nas.training import Dataset
from tests.search.conftest import MakeStrategy
from tests.search.test_driver import search


def flip(path: Path) -> None:
    """One byte of the file's last quarter, which holds numbers."""
    data = bytearray(path.read_bytes())
    data[-len(data) // 4] ^= 1
    path.write_bytes(data)


def as_it_is(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("part", ["genome_path", "result_path"])
def test_one_flipped_byte_is_found_at_the_next_start(
    part: str, make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    search(make, store, dataset, 4)
    store.verify()
    path = getattr(store, part)(2)
    flip(path)
    with pytest.raises(StudyError, match=rf"cannot go on: {path} is not what was written there; restore it"):
        search(make, StudyStore.open(store.root, store.name), dataset, 8)
    path.unlink()
    with pytest.raises(StudyError, match=rf"cannot go on: {path} is missing"):
        search(make, StudyStore.open(store.root, store.name), dataset, 8)


def test_a_running_trial_with_a_damaged_genome_is_asked_again(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    strategy = make("random", store)
    store.record(strategy.ask(store.begin()))
    flip(store.genome_path(0))
    assert StudyStore.open(store.root, store.name).recover() == ([], [0])


def test_weights_that_a_power_cut_took_are_trained_again(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    search(make, store, dataset, 3)
    with store.lock():
        store._driven.settle = lambda **_: None  # type: ignore[union-attr, method-assign]
        store.record(dataclasses.replace(store.load_candidate(2), number=3))
        store.finish(dataclasses.replace(store.load_result(2), number=3))
    store.result_path(3).write_bytes(b"")  # its name reached the disk, its content did not
    again = StudyStore.open(store.root, store.name)
    assert again.counts()["complete"] == 4
    search(make, again, dataset, 4)
    assert again.counts() == {"running": 0, "complete": 4, "stopped": 0, "failed": 0}
    again.verify()


def test_a_new_study_does_not_begin_over_the_files_of_another(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    search(make, store, dataset, 3)
    before = as_it_is(store.folder)
    elsewhere = f"sqlite:///{store.root / 'other.db'}"
    for storage in (elsewhere, None):
        if storage is None:
            before.pop("optuna.journal")
            (store.folder / "optuna.journal").unlink()
        with pytest.raises(StudyError, match=r"holds files of a study 'study' that the database .* does not know"):
            StudyStore.create(store.root, "study", storage=storage)
    assert as_it_is(store.folder) == before


def test_a_database_and_a_folder_of_two_studies_are_refused(
    make: MakeStrategy, store: StudyStore, dataset: Dataset, tmp_path: Path
) -> None:
    search(make, store, dataset, 2)
    url = f"sqlite:///{tmp_path / 'own.db'}"
    other = StudyStore.create(tmp_path / "other", "study", storage=url)
    with pytest.raises(StudyError, match=r"holds the files of another study than the 'study' in the database .*id"):
        StudyStore.open(store.root, "study", storage=url)
    shutil.copy(store.folder / "optuna.journal", other.folder)
    with pytest.raises(StudyError, match=r"holds the files of another study than the 'study' in the database .*id"):
        StudyStore.open(other.root, "study")
    shutil.rmtree(other.folder)
    with pytest.raises(StudyError, match=r"its files are not in .*study; name the store that has them"):
        StudyStore.open(other.root, "study", storage=url)
    assert not other.folder.exists()


def without_identity(store: StudyStore) -> None:
    """As an earlier version made it."""
    header = {key: value for key, value in store.header.items() if key != "id"}
    store._set_attribute("nas:study", header)
    (store.folder / "study.json").unlink()


def test_a_study_of_an_earlier_version_gets_its_identity_when_it_is_driven(
    make: MakeStrategy, store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(make, store, dataset, 2)
    without_identity(store)
    old = StudyStore.open(store.root, store.name)
    assert old.identity is None
    with monkeypatch.context() as patch:  # killed between the two places
        patch.setattr(old._storage, "set_study_user_attr", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            search(make, old, dataset, 4)
    old = StudyStore.open(store.root, store.name)
    search(make, old, dataset, 4)
    again = StudyStore.open(store.root, store.name)
    assert again.identity == old.identity is not None and again.counts()["complete"] == 4
    again.verify()
    (store.folder / "study.json").write_text('{"format": 1, "study": "study", "id": "another"}')
    with pytest.raises(StudyError, match="holds the files of another study than"):
        StudyStore.open(store.root, store.name)
    store._set_attribute("nas:study", {key: value for key, value in again.header.items() if key != "id"})
    with pytest.raises(StudyError, match="holds the files of another study .id another."):
        search(make, StudyStore.open(store.root, store.name), dataset, 6)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'"\\u001b[2J"',
        b'{"format": 1}',
        b'{"format": "\\u001b[2J", "id": "x"}',
        b"\x00" * 64,
        b"\xff\x1b]0;mine\x07",
        b"[" * 100_000,
        b"1" * 5000,
    ],
    ids=["empty", "list", "null", "text", "no id", "no format", "zeros", "no text", "deep", "long number"],
)
def test_a_damaged_identity_is_refused_without_its_bytes(content: bytes, tmp_path: Path) -> None:
    made = StudyStore.create(tmp_path, "study")
    (made.folder / "study.json").write_bytes(content)
    with pytest.raises(StudyError, match="is damaged") as refused:
        StudyStore.open(tmp_path, "study")
    said = str(refused.value)
    assert said.startswith(f"{made.folder / 'study.json'} is damaged") and "restore it from a copy" in said
    assert said.isprintable() and len(said) < len(str(made.folder)) + 200


def test_a_study_whose_making_was_interrupted_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "set_user_attr", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            StudyStore.create(tmp_path, "study")
    assert not StudyStore.exists(tmp_path, "study")
    assert StudyStore.create(tmp_path, "study").counts()["complete"] == 0
    assert StudyStore.studies(tmp_path) == ["study"]


@pytest.mark.parametrize("name", ["../../PWN", "a/b", "", ".hidden", "x" * 300])
def test_a_study_of_a_foreign_store_stays_inside_it(name: str, tmp_path: Path) -> None:
    store = tmp_path / "deep" / "down" / "store"
    store.mkdir(parents=True)
    url = f"sqlite:///{store / 'optuna.db'}"
    study = optuna.create_study(storage=url, study_name=name)
    study.set_user_attr("nas:study", {"format": 1, "objectives": ["error"], "error_reference": 1.0, "seed": 0})
    files = {"optuna.db", "optuna.db-wal", "optuna.db-shm"}
    for storage in (None, url):
        with pytest.raises(StudyError, match="a study's name may hold"):
            StudyStore.open(store, name, storage=storage)
    assert {path.name for path in tmp_path.rglob("*")} <= {"deep", "down", "store", *files}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:se/cr@et@127.0.0.1:1/db",
        "postgresql://me:se%2Fcr%40et@127.0.0.1:1/db",
        "postgresql://127.0.0.1:1/db?user=me&password=se%2Fcr%40et",
        "postgresql://127.0.0.1:1/db?user=me&password=se/cr@et",
        "nosuchdb://me:se/cr@et@host/db",
        "postgresql://me:a se/cr@et@127.0.0.1:1/db",
        "postgresql://me@127.0.0.1:1/db?options=-c%20password%3Dse/cr@et",
    ],
)
def test_no_message_shows_a_password(url: str, tmp_path: Path) -> None:
    for act in (StudyStore.create, StudyStore.open):
        with pytest.raises((StudyError, JobError)) as caught:
            act(tmp_path, "study", storage=url)
        assert "cr@et" not in str(caught.value) and "cr%40et" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_store_of_another_user_is_read_and_not_continued(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    search(make, store, dataset, 3)
    front = store.front()
    folders = [*reversed(store.root.parents), store.root]
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(modes[folder] | 0o055)
    os.seteuid(65534)
    try:
        theirs = StudyStore.open(store.root, store.name)
        assert theirs.front() == front
        with pytest.raises(StudyError, match=r"can be read, but not changed: .* cannot be written"), theirs.hold():
            pass
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


def test_a_study_is_held_until_the_last_of_it_is_deleted(
    make: MakeStrategy, store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    search(make, store, dataset, 2)
    other, remove, refused = StudyStore.open(store.root, store.name), shutil.rmtree, []

    def removing(folder: Path, **options: bool) -> None:
        with pytest.raises(StudyError, match="being driven by another process") as caught, other.hold():
            pass
        refused.append(caught)
        remove(folder, **options)

    monkeypatch.setattr(_hold, "_LOCK_SECONDS", 0.0)
    monkeypatch.setattr(shutil, "rmtree", removing)
    store.delete()
    assert len(refused) == 1 and not store.folder.exists()


def test_whoever_waits_for_a_study_that_is_deleted_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    monkeypatch.setattr(_hold, "_lock", lambda file, name: path.unlink())  # got when the other let go of it
    with pytest.raises(StudyError, match="has just been deleted"), _hold.held(path, "study"):
        pass


def fill(folder: Path, size: int) -> None:
    """Files of so many bytes, until there is no room for another."""
    for number in range(1000):
        try:
            (folder / str(number)).write_bytes(bytes(size))
        except OSError:
            return
    pytest.fail("the disk is not as small as it should be")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of two megabytes and few inodes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=2m,nr_inodes=60") != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    library.umount2(os.fsencode(folder), 2)


def test_a_full_disk_at_the_lock_is_waited_for(small_disk: Path) -> None:
    store = StudyStore.create(small_disk, "study", seed=7)
    (store.folder / "genomes").rmdir()
    spare = small_disk / "spare"
    spare.mkdir()
    fill(spare, 0)
    with pytest.raises(StorageError, match="the disk of study 'study' failed: .*No space left"), store.hold():
        pass


def test_too_many_open_files_are_no_failed_trial(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    search(make, store, dataset, 4)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, limit[1]))  # what is open stays open
    try:
        with pytest.raises(StorageError, match=r"Too many open files|unable to open database file"):
            search(make, store, dataset, 8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    again = StudyStore.open(store.root, store.name)
    search(make, again, dataset, 8)
    assert again.counts() == {"running": 0, "complete": 8, "stopped": 0, "failed": 0}


def test_whoever_holds_a_study_clears_half_written_files_away(
    store: StudyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [".status.json.1f2e3d4c.tmp", ".best.safetensors.812.1f2e3d4c.tmp", "trials/.000001.safetensors.812.0a.tmp"]
    with store.hold():
        pass
    for name in left:
        (store.folder / name).write_text("half")
    other = StudyStore.open(store.root, store.name)
    with store.hold():
        for name in left:
            assert not (store.folder / name).exists()
            (store.folder / name).write_text("being written")
        monkeypatch.setattr("nas.search.study._hold._LOCK_SECONDS", 0.0)
        with pytest.raises(StudyError, match="is being driven"), other.hold():
            pass
        assert all((store.folder / name).exists() for name in left)  # those of the one who drives


@pytest.mark.parametrize("lacks", ["room", "inodes"])
def test_a_full_disk_is_no_failed_trial(lacks: str, make: MakeStrategy, small_disk: Path, dataset: Dataset) -> None:
    store = StudyStore.create(small_disk, "study", seed=7)
    search(make, store, dataset, 4)
    spare = small_disk / "spare"
    spare.mkdir()
    fill(spare, 2**16 if lacks == "room" else 0)
    with pytest.raises(StorageError, match=r"failed: .*(No space left|disk is full)"):
        search(make, store, dataset, 12)
    shutil.rmtree(spare)
    again = StudyStore.open(small_disk, "study")
    search(make, again, dataset, 12)
    assert again.counts() == {"running": 0, "complete": 12, "stopped": 0, "failed": 0}
    assert [record.number for record in again.records()] == list(range(12))
    again.verify()
