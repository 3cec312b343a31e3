"""A search that waits for its database or disk."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.cli import _patience
from nas.cli._patience import patiently
from nas.cli.interrupt import Stop
from nas.search import StorageError, StudyError


class Clock:
    """Time that passes only while somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def failing(clock: Clock, times: int, seconds: float = 0.0, error: type[Exception] = StorageError) -> list[str]:
    """Runs `patiently` over a search that fails so often, after so many seconds each; with what it was called."""
    calls: list[str] = []

    def run(start: str) -> None:
        calls.append(start)
        clock.now += seconds
        if len(calls) <= times:
            raise error("the disk is full")

    patiently(run, "new", 5.0, Path(), Stop(), sleep=clock.sleep, clock=clock)
    return calls


def test_it_goes_on_where_it_was_with_longer_and_longer_waits() -> None:
    clock = Clock()
    assert failing(clock, 6) == ["new"] + ["either"] * 6
    assert clock.slept == [2, 4, 8, 16, 30, 30]


def test_it_gives_up_in_time() -> None:
    clock = Clock()
    with pytest.raises(StorageError, match="the disk is full"):
        failing(clock, 1000)
    assert 270 < clock.now <= 300


def test_a_run_that_got_somewhere_starts_the_clock_anew() -> None:
    clock = Clock()
    assert len(failing(clock, 20, seconds=100)) == 21
    assert set(clock.slept) == {2}


def test_other_failures_pass_at_once() -> None:
    clock = Clock()
    with pytest.raises(StudyError):
        failing(clock, 1, error=StudyError)
    assert clock.slept == []


def test_without_patience_there_is_no_second_attempt() -> None:
    calls = []

    def run(start: str) -> None:
        calls.append(start)
        raise StorageError("gone")

    with pytest.raises(StorageError):
        patiently(run, "new", 0.0, Path(), Stop())
    assert calls == ["new"]


def test_a_full_disk_is_waited_for_without_patience(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock, calls = Clock(), []
    full = iter([True, True, True, False])
    monkeypatch.setattr(_patience, "is_full", lambda store: next(full))

    def run(start: str) -> None:
        calls.append(start)
        if len(calls) == 1:
            raise StorageError(
                "the disk of study 'x' failed: no space; make room, and continue with --resume:\n  nas search a.yaml"
            )

    patiently(run, "resume", 0.0, Path("here"), Stop(), sleep=clock.sleep, clock=clock)
    assert calls == ["resume", "either"]
    assert clock.slept == [2.0, 2.0, 2.0]
    said = " ".join(capsys.readouterr().err.split())
    assert "waiting until there is room in here (the disk of study 'x' failed: no space); Ctrl-C stops" in said
    assert said.endswith("there is room again; going on")


def database_full(path: Path) -> sqlite3.Error:
    """What SQLite raises where it finds no room."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA max_page_count = 1")
        try:
            database.execute("CREATE TABLE x (y)")
        except sqlite3.Error as error:
            return error
    raise AssertionError("there was room")


def flush_failed(path: Path) -> sqlite3.Error:
    """What SQLite raises where a flush finds no room: any failure of a disk."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    return error


def not_opened(path: Path) -> sqlite3.Error:
    """What SQLite raises where no file can be made, as on a disk without inodes."""
    try:
        sqlite3.connect(path / "missing" / "x.db")
    except sqlite3.Error as error:
        return error
    raise AssertionError("there was a folder")


class ServerError(Exception):
    sqlstate = "53100"


FULL = {
    "disk": lambda path: OSError(errno.ENOSPC, "No space left on device"),
    "quota": lambda path: OSError(errno.EDQUOT, "Disk quota exceeded"),
    "database": lambda path: database_full(path / "x.db"),
    "server": lambda path: ServerError("could not extend file"),
}
UNSURE = {
    "flush": flush_failed,
    "no new file": not_opened,
    "disk error": lambda path: OSError(errno.EIO, "I/O error"),
}


@pytest.mark.parametrize("what", [*FULL, *UNSURE])
def test_a_disk_that_was_full_and_has_room_again_ends_no_search(what: str, tmp_path: Path) -> None:
    clock, calls = Clock(), []

    def run(start: str) -> None:
        calls.append(start)
        if len(calls) <= 3:
            raise StorageError("failed") from {**FULL, **UNSURE}[what](tmp_path)

    patiently(run, "new", 0.0, tmp_path, Stop(), sleep=clock.sleep, clock=clock)
    assert calls == ["new", "either", "either", "either"]


@pytest.mark.parametrize("what", UNSURE)
def test_a_disk_that_stays_broken_ends_the_search(what: str, tmp_path: Path) -> None:
    clock, calls = Clock(), []

    def run(start: str) -> None:
        calls.append(start)
        raise StorageError("failed") from UNSURE[what](tmp_path)

    with pytest.raises(StorageError):
        patiently(run, "new", 0.0, tmp_path, Stop(), sleep=clock.sleep, clock=clock)
    assert 2 <= len(calls) <= 10


def test_other_failures_of_a_database_are_no_full_disk(tmp_path: Path) -> None:
    calls = []

    def run(start: str) -> None:
        calls.append(start)
        raise StorageError("failed") from sqlite3.ProgrammingError("closed")

    with pytest.raises(StorageError):
        patiently(run, "new", 0.0, tmp_path, Stop(), sleep=Clock().sleep)
    assert calls == ["new"]


@pytest.mark.parametrize(
    ("code", "times", "ends"),
    [(errno.ENOSPC, 3, False), (errno.EDQUOT, 3, False), (errno.ENOSPC, 1000, True), (errno.EACCES, 1, True)],
)
def test_a_file_at_the_end_of_a_search_waits_for_room_too(code: int, times: int, ends: bool, tmp_path: Path) -> None:
    """On another disk than the store's there may never be any."""
    clock, calls = Clock(), []

    def run(start: str) -> None:
        calls.append(start)
        if len(calls) <= times:
            raise OSError(code, "refused", "best.safetensors")

    with pytest.raises(OSError, match="refused") if ends else contextlib.nullcontext():
        patiently(run, "new", 0.0, tmp_path, Stop(), sleep=clock.sleep, clock=clock)
    assert len(calls) == {3: 4, 1000: 6, 1: 1}[times]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "refused", "best.safetensors"), StorageError("gone")], ids=["disk", "database"]
)
def test_whoever_interrupts_a_wait_is_told_how_to_go_on(
    error: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(start: str) -> None:
        raise error

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        patiently(run, "new", 5.0, tmp_path, Stop(), again="nas search job.yaml --resume", sleep=interrupted)
    assert capsys.readouterr().out == "resume: nas search job.yaml --resume\n"


def test_nobody_waits_after_a_stop(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Stop()

    def run(start: str) -> None:
        with stop.politely(lambda: None):
            stop.request()
        raise StorageError("gone")

    with pytest.raises(KeyboardInterrupt):
        patiently(run, "new", 5.0, Path(), stop, again="nas search job.yaml --resume")
    assert capsys.readouterr().out == "resume: nas search job.yaml --resume\n"


def test_a_slow_first_trial_of_a_search_without_a_budget_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a budget, what is compiled is compiled before the clock runs, and said."""
    from nas.cli import search as module

    x = np.random.default_rng(0).normal(size=(60, 3))
    said = []
    for patience in (0.0, 600.0):
        monkeypatch.setattr(module, "_FIRST_SECONDS", patience)
        nas.search(
            x, x[:, 0] > 0, trials=1, executor="serial", store=tmp_path, mlflow=False, baselines=False,
            training={"steps": 20},
        )  # fmt: skip
        said.append("waiting for the first trial" in " ".join(capsys.readouterr().out.split()))
    assert said == [True, False]
