"""Jobs: one kernel run on different tiles of a batch by the threads of a crew.

numba's own ``prange`` was measured first: its portable back end takes 38 µs to start and join a two-way loop on two
cores, the OpenMP one up to 2 ms while the cores are shared, neither survives a fork *and* concurrent callers, and both
fight torch's threads. Here a thread that has just worked watches the crew's mailbox for a while, in compiled code and
without the GIL: it takes a tenth of a microsecond to join the next job. When none comes it falls asleep; a job then
wakes it but does not wait: whoever comes first takes the next rank, so at worst the caller does all of them itself.
The result depends on the ranks only, never on who took them.

Any thread may call `run_job`; whoever finds the crew taken runs its ranks alone. After a fork the child builds a new
crew. The mailbox, int64 words: TICKET, `ranks of the job << 8 | ranks taken so far`; JOB, the job's address; DONE,
ranks that have ended. A job's first word is its kernel.
"""

from __future__ import annotations

import os
import threading

import numpy as np
from numba import njit

from nas.engine._native import address_of, array_at, call_kernel, words_of
from nas.engine.threads import atomic_add, atomic_load, atomic_store, pause, yield_slice

__all__ = ["WORDS", "run_job"]

WORDS = 20  # of a job, at most, without its kernel
_TICKET, _JOB, _DONE = 0, 8, 16  # on cache lines of their own
_MAILBOX = 24
_TAKEN = 255  # mask of the ranks taken
_MOST = 64  # threads; a ticket counts in eight bits, and every thread may look once more than there are ranks
_POLLS = 20_000  # of the mailbox before a thread falls asleep


@njit(cache=True, nogil=True, error_model="numpy")
def _take_ranks(mailbox) -> bool:  # type: ignore[no-untyped-def]
    """Run ranks of the present job while there are any; whether there was one."""
    worked = False
    while True:
        ticket = atomic_load(mailbox, _TICKET)
        if ticket & _TAKEN >= ticket >> 8:
            return worked
        ticket = atomic_add(mailbox, _TICKET, 1)
        if ticket & _TAKEN >= ticket >> 8:
            return worked
        # From here on the job stays, because its owner waits for this rank.
        job = mailbox[_JOB]
        call_kernel(array_at(np.int64, job, 1)[0], job, ticket & _TAKEN)
        atomic_add(mailbox, _DONE, 1)
        worked = True


@njit(cache=True, nogil=True, error_model="numpy")
def _serve(address: int) -> None:
    """Take ranks of job after job, until none has come for a while."""
    mailbox = array_at(np.int64, address, _MAILBOX)
    idle = 0
    while idle < _POLLS:
        if _take_ranks(mailbox):
            idle = 0
        idle += 1
        pause()


@njit(cache=True, nogil=True, error_model="numpy")
def _launch(
    address: int, ranks: int, kernel: int,
    a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int, j: int,
    k: int, u: int, m: int, n: int, o: int, p: int, q: int, r: int, s: int, t: int,
) -> None:  # fmt: skip
    """Run all ranks of a job; alone when ``address``, that of a mailbox, is 0."""
    words = np.array([kernel, a, b, c, d, e, f, g, h, i, j, k, u, m, n, o, p, q, r, s, t])
    job = words_of(words)
    if address == 0:
        for rank in range(ranks):
            call_kernel(kernel, job, rank)
    else:
        mailbox = array_at(np.int64, address, _MAILBOX)
        mailbox[_JOB] = job
        atomic_store(mailbox, _DONE, 0)
        atomic_store(mailbox, _TICKET, ranks << 8)
        _take_ranks(mailbox)
        spins = 0
        while atomic_load(mailbox, _DONE) < ranks:
            spins += 1
            if spins < _POLLS:
                pause()
            else:
                yield_slice()
    words[0] = 0  # keeps the array alive until here


class _Worker:
    """One thread that serves the mailbox, sleeps, and is woken; a daemon, so that it never delays an exit."""

    def __init__(self, rank: int, mailbox: int) -> None:
        self.mailbox = mailbox
        self.asleep = False
        self.go = threading.Lock()
        self.go.acquire()
        threading.Thread(target=self._loop, name=f"nas-crew-{rank}", daemon=True).start()

    def _loop(self) -> None:
        while True:
            _serve(self.mailbox)
            self.asleep = True
            self.go.acquire()


class _Crew:
    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.workers: list[_Worker] = []
        raw = np.zeros(_MAILBOX + 8, np.int64)
        start = -address_of(raw) % 64 // 8
        self.words = raw[start : start + _MAILBOX]
        self.mailbox = address_of(self.words)

    def run(self, kernel: int, ranks: int, words: tuple[int, ...]) -> None:
        words += (0,) * (WORDS - len(words))
        if ranks <= 1 or not self.busy.acquire(blocking=False):
            _launch(0, ranks, kernel, *words)
            return
        try:
            while len(self.workers) < min(ranks, _MOST) - 1:
                self.workers.append(_Worker(len(self.workers) + 1, self.mailbox))
            for worker in self.workers[: ranks - 1]:
                if worker.asleep:
                    worker.asleep = False
                    worker.go.release()
            _launch(self.mailbox, ranks, kernel, *words)
        finally:
            self.busy.release()


_crew = _Crew()


def _start_afresh() -> None:
    global _crew
    _crew = _Crew()  # the parent's threads do not exist in a forked child


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh)


def run_job(kernel: int, ranks: int, *words: int) -> None:
    """Call ``kernel(job, 0)``, …, ``kernel(job, ranks - 1)``, side by side, and return when all are done.

    Args:
        kernel: from `nas.engine._native.compiled`; must not depend on its ranks running concurrently (no barriers).
        ranks: how many, at most 128.
        words: the job's, at most `WORDS`; what they point at must stay alive meanwhile.
    """
    _crew.run(kernel, ranks, words)
