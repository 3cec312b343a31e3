"""MLflow's database in a store: several processes on a new store, deaths on the way, and names of folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from mlflow import MlflowClient

from nas._sqlite import sqlite_url
from nas.tracking import TrackingConfig
from nas.tracking.mlflow._database import _flaw, prepare_database
from nas.tracking.mlflow.writer import new_client

ROOT = Path(__file__).parents[2]
# One process imports, and then is as many as are to start at the same moment: when the pipe is closed.
PREPARE = """
import os, sys, traceback
from pathlib import Path
from nas.tracking import TrackingConfig
from nas.tracking.mlflow._database import prepare_database
from nas.tracking.mlflow.writer import MlflowWriter
config = TrackingConfig(store=Path(sys.argv[1]))
read, write = os.pipe()
for experiment in sys.argv[2:]:
    if os.fork() == 0:
        os.close(write)
        os.read(read, 1)
        try:
            prepare_database(config)
            MlflowWriter(config.tracking_uri, experiment, config.artifact_root)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
os.close(write)
sys.exit(any([os.wait()[1] for _ in sys.argv[2:]]))
"""
NAMES = ["plain", "with blank", "a%20b", "what?", "no#1", "a%2Fb", "ü 漢", "{x}", "a&b=c", "100%", "it's", "a+b;c"]


def start(store: Path, *experiments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PREPARE, str(store), *experiments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_processes_that_start_together_share_one_database(tmp_path: Path) -> None:
    process = start(tmp_path, "study0", "study1", "study2")
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0, said.decode()
    config = TrackingConfig(store=tmp_path)
    found = {each.name for each in MlflowClient(config.tracking_uri).search_experiments()}
    assert found == {"Default", "study0", "study1", "study2"}
    assert not [name for name in tables(tmp_path / "mlflow.db") if name.startswith("_alembic_tmp")]
    logs = {"mlflow.db-wal", "mlflow.db-shm"}  # of processes that ended without closing anything
    assert {path.name for path in tmp_path.iterdir()} - logs == {"mlflow.db", ".mlflow-creating", "artifacts"}


def modes(store: Path) -> tuple[str, int]:
    """How MLflow's own connections write, after `prepare_database`."""
    config = TrackingConfig(store=store)
    prepare_database(config)
    engine = new_client(config.tracking_uri)._tracking_client.store.engine
    with engine.connect() as connection:
        found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    return str(found[0]), int(found[1])


def test_commits_wait_for_the_disk_only_where_other_machines_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (tmp_path / "link").symlink_to(mine)
    monkeypatch.setattr(
        psutil, "disk_partitions", lambda all: [_Mount("/", "ext4"), _Mount(str(tmp_path / "n"), "nfs4")]
    )
    assert modes(tmp_path / "link") == ("wal", 1)
    (tmp_path / "n").mkdir()
    assert modes(tmp_path / "n") == ("delete", 2)


class _Mount(NamedTuple):
    mountpoint: str
    fstype: str


def test_a_death_while_it_is_made_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    process = start(tmp_path, "first")
    while not list(tmp_path.glob(".mlflow-*.db")):
        assert process.poll() is None
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "mlflow.db").exists()
    prepare_database(TrackingConfig(store=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"mlflow.db", ".mlflow-creating"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("made")
    prepare_database(TrackingConfig(store=folder))
    return (folder / "mlflow.db").read_bytes()


@pytest.mark.parametrize("damage", ["left over", "no version", "empty", "text", "zeros", "zeros within", "cut"])
def test_half_made_and_damaged_databases_are_set_aside(
    tmp_path: Path, made: bytes, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "mlflow.db"
    damaged = {
        "text": b"no database at all, but long enough " * 50,
        "zeros": bytes(len(made)),
        "zeros within": made[:100] + bytes(len(made) - 100),
        "cut": made[: len(made) // 2],
    }
    path.write_bytes({"empty": b"", **damaged}.get(damage, made))
    if damage in ("left over", "no version"):
        with contextlib.closing(sqlite3.connect(path)) as connection:
            change = "CREATE TABLE _alembic_tmp_runs (x)" if damage == "left over" else "DROP TABLE alembic_version"
            connection.execute(change)
    before = path.read_bytes()
    prepare_database(TrackingConfig(store=tmp_path))
    [aside] = tmp_path.glob("mlflow.db.broken-*")
    assert aside.read_bytes() == before
    assert ("was damaged (" if damage in damaged else "was half-made; ") in caplog.text
    assert MlflowClient(sqlite_url(path)).create_experiment("x")


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from nas.tracking import TrackingConfig
from nas.tracking.mlflow._database import prepare_database
from nas.tracking.mlflow.writer import new_client
for store, runs in (("one", 40), ("two", 10)):
    Path(store).mkdir()
    config = TrackingConfig(store=Path(store))
    prepare_database(config)
    client = new_client(config.tracking_uri)
    experiment = client.create_experiment(store)
    for number in range(runs):
        run = client.create_run(experiment).info.run_id
        for metric in range(5):
            client.log_metric(run, f"m{metric}", metric)
        if number == runs // 2:
            sqlite3.connect(store + "/mlflow.db").execute("PRAGMA wal_checkpoint")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stores whose databases have a write-ahead log, as whoever is killed leaves them."""
    folder = tmp_path_factory.mktemp("killed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED]
    assert subprocess.run(command, cwd=folder, env=environment, capture_output=True).returncode == -signal.SIGKILL
    assert all((folder / name / f"mlflow.db{ending}").stat().st_size for name in TWO for ending in ("-wal", "-shm"))
    with contextlib.closing(sqlite3.connect(copied(folder / "one", folder / "whole") / "mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


TWO = ("one", "two")


def copied(store: Path, to: Path) -> Path:
    shutil.copytree(store, to)
    return to


def usable(store: Path) -> int:
    """How many runs MLflow finds after `prepare_database`; one more can be made."""
    prepare_database(TrackingConfig(store=store))
    client = new_client(TrackingConfig(store=store).tracking_uri)
    places = [each.experiment_id for each in client.search_experiments()]
    found = len(client.search_runs(places, max_results=1000))
    client.create_run(places[0])
    return found


def _odd(path: Path, kind: str) -> None:
    path.unlink(missing_ok=True)
    make = {"folder": path.mkdir, "pipe": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero")}
    make[kind]()


LOST = {  # what MLflow lacks then, a search logs again
    "log missing": lambda store, _: (store / "mlflow.db-wal").unlink(),
    "index missing": lambda store, _: (store / "mlflow.db-shm").unlink(),
    "log text": lambda store, _: (store / "mlflow.db-wal").write_bytes(b"nonsense" * 9000),
    "index text": lambda store, _: (store / "mlflow.db-shm").write_bytes(b"nonsense" * 4096),
    "index foreign": lambda store, other: shutil.copy(other / "mlflow.db-shm", store),
    "log cut": lambda store, _: os.truncate(store / "mlflow.db-wal", 300_000),
    "journal text": lambda store, _: (store / "mlflow.db-journal").write_bytes(b"nonsense" * 900),
    "log foreign": lambda store, other: shutil.copy(other / "mlflow.db-wal", store),
    "database foreign": lambda store, other: shutil.copy(other / "mlflow.db", store),
}
BROKEN = {
    **{
        f"{ending or 'database'} {kind}": lambda store, ending=ending, kind=kind: _odd(
            store / f"mlflow.db{ending}", kind
        )
        for ending in ("", "-wal", "-shm")
        for kind in ("folder", "pipe", "device")
    },
}


@pytest.mark.parametrize("damage", LOST)
def test_what_its_log_has_lost_is_no_matter(damage: str, tmp_path: Path, killed: Path) -> None:
    store = copied(killed / "one", tmp_path / "store")
    LOST[damage](store, killed / "two")
    assert usable(store) <= 40
    assert "foreign" in damage or not [*store.glob("mlflow.db.broken-*")]


@pytest.mark.parametrize("damage", BROKEN)
def test_what_is_not_of_this_database_is_found(damage: str, tmp_path: Path, killed: Path) -> None:
    store = copied(killed / "one", tmp_path / "store")
    BROKEN[damage](store)
    assert _flaw(store / "mlflow.db").startswith("damaged (")


def test_it_is_set_aside_with_what_is_beside_it(tmp_path: Path, killed: Path) -> None:
    store = copied(killed / "one", tmp_path / "store")
    _odd(store / "mlflow.db-shm", "folder")
    damaged = bytearray((store / "mlflow.db").read_bytes())
    damaged[4096] ^= 0xFF
    (store / "mlflow.db").write_bytes(damaged)
    assert usable(store) == 0
    assert len([*store.glob("mlflow.db.broken-*")]) == 3


@pytest.mark.parametrize("damage", ["zeros", "flipped"])
def test_a_damaged_page_anywhere_is_found(damage: str, tmp_path: Path, killed: Path) -> None:
    """Flipped: the first byte of a page, which says of what kind it is."""
    whole = (killed / "whole" / "mlflow.db").read_bytes()
    size, path = 4096, tmp_path / "mlflow.db"
    path.write_bytes(whole)
    assert not _flaw(path)
    missed = []
    for begin in range(size, len(whole), size):
        piece = bytes(size) if damage == "zeros" else bytes([whole[begin] ^ 0xFF]) + whole[begin + 1 : begin + size]
        path.write_bytes(whole[:begin] + piece + whole[begin + size :])
        missed += [] if _flaw(path).startswith("damaged (") else [begin // size]
    assert not missed


def test_runs_are_kept_where_a_migration_was_interrupted(tmp_path: Path, made: bytes) -> None:
    path = tmp_path / "mlflow.db"
    path.write_bytes(made)
    client = MlflowClient(sqlite_url(path))
    run = client.create_run(client.create_experiment("mine"))
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE _alembic_tmp_runs (x)")
    prepare_database(TrackingConfig(store=tmp_path))
    assert "_alembic_tmp_runs" not in tables(path)
    assert client.get_run(run.info.run_id)
    assert not list(tmp_path.glob("mlflow.db.broken-*"))


@pytest.mark.parametrize("name", NAMES)
def test_a_store_may_be_called_anything(tmp_path: Path, name: str, made: bytes) -> None:
    from nas.tracking.mlflow.writer import MlflowWriter

    config = TrackingConfig(store=tmp_path / name)
    config.store.mkdir()
    (config.store / "mlflow.db").write_bytes(made)
    prepare_database(config)
    writer = MlflowWriter(config.tracking_uri, "study", config.artifact_root)
    run = writer.client.create_run(writer.experiment_id)
    writer.client.log_text(run.info.run_id, "hello", "a b.txt")
    assert (config.store / "artifacts" / "study" / run.info.run_id / "artifacts" / "a b.txt").read_text() == "hello"
    assert Path(writer.client.download_artifacts(run.info.run_id, "a b.txt", str(tmp_path))).read_text() == "hello"
    with sqlite3.connect(config.store / "mlflow.db") as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    assert {path.name for path in tmp_path.iterdir()} == {name, "a b.txt"}
