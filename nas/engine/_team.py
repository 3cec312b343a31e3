"""A team of threads that run one kernel on different tiles of a batch.

numba's own ``prange`` was measured first: its portable back end takes 38 µs to start and join a two-way loop on two
cores, the OpenMP one up to 2 ms while the cores are shared, neither survives a fork *and* concurrent callers, and both
fight torch's threads. Handing work over through two locks takes 12 µs, because the kernels release the GIL at once.

Any thread may call `run`; whoever finds the team taken runs its kernel alone. After a fork the child builds a new team.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

__all__ = ["run"]

Task = Callable[[int], None]


class _Worker:
    """One thread that waits for a task, runs it, and waits again; a daemon, so that it never delays an exit."""

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.task: Task | None = None
        self.error: BaseException | None = None
        self.go = threading.Lock()
        self.done = threading.Lock()
        self.go.acquire()
        self.done.acquire()
        threading.Thread(target=self._loop, name=f"nas-engine-{rank}", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.go.acquire()
            try:
                assert self.task is not None
                self.task(self.rank)
            except BaseException as error:
                self.error = error
            finally:
                self.task = None
                self.done.release()


class _Team:
    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.workers: list[_Worker] = []

    def run(self, task: Task, size: int) -> None:
        if size <= 1 or not self.busy.acquire(blocking=False):
            for rank in range(size):
                task(rank)
            return
        try:
            while len(self.workers) < size - 1:
                self.workers.append(_Worker(len(self.workers) + 1))
            helpers = self.workers[: size - 1]
            for worker in helpers:
                worker.task = task
                worker.go.release()
            try:
                task(0)
            finally:
                for worker in helpers:
                    worker.done.acquire()
            for worker in helpers:
                if worker.error is not None:
                    error, worker.error = worker.error, None
                    raise error
        finally:
            self.busy.release()


_team = _Team()


def _start_afresh() -> None:
    global _team
    _team = _Team()  # the parent's threads do not exist in a forked child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)


def run(task: Task, size: int) -> None:
    """Call ``task(0)``, …, ``task(size - 1)``, side by side, and return when all are done.

    Args:
        task: gets its rank; must release the GIL for most of its time, and must not depend on running concurrently
            with the others (no barriers): when the team is taken the ranks run one after another.
        size: number of ranks.

    Raises:
        whatever a task raised, after all have ended.
    """
    _team.run(task, size)
