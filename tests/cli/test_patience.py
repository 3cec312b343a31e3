"""A search that waits for its database or disk."""

from __future__ import annotations

import pytest

from nas.cli._patience import patiently
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


def failing(clock: Clock, times: int, seconds: float = 0.0, error: type[Exception] = StorageError) -> list[bool]:
    """Runs `patiently` over a search that fails so often, after so many seconds each; with what it was called."""
    calls: list[bool] = []

    def run(resume: bool) -> None:
        calls.append(resume)
        clock.now += seconds
        if len(calls) <= times:
            raise error("the disk is full")

    patiently(run, False, 5.0, sleep=clock.sleep, clock=clock)
    return calls


def test_it_goes_on_where_it_was_with_longer_and_longer_waits() -> None:
    clock = Clock()
    assert failing(clock, 6) == [False] + [True] * 6
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

    def run(resume: bool) -> None:
        calls.append(resume)
        raise StorageError("gone")

    with pytest.raises(StorageError):
        patiently(run, False, 0.0)
    assert calls == [False]
