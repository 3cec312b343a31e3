"""Jobs: one kernel run on different tiles of a batch by the threads of a team (`nas.engine.threads`).

The result depends on the ranks only, never on which threads took them, nor on how many there were. Any thread may call
`run_job`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine._native import call_kernel, words_of
from nas.engine.threads import team, together

__all__ = ["WORDS", "run_job"]

WORDS = 20  # of a job, at most, without its kernel


@njit(error_model="numpy")
def _take_ranks(thread: int, threads: int, kernel: int, job: int, ranks: int) -> None:
    for rank in range(thread, ranks, threads):
        call_kernel(kernel, job, rank)


_start = together(_take_ranks)


@njit(cache=True, nogil=True, error_model="numpy")
def _launch(
    on: int, ranks: int, kernel: int,
    a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int, i: int, j: int,
    k: int, u: int, m: int, n: int, o: int, p: int, q: int, r: int, s: int, t: int,
) -> None:  # fmt: skip
    """Run all ranks of a job; ``on``: a team."""
    words = np.array([kernel, a, b, c, d, e, f, g, h, i, j, k, u, m, n, o, p, q, r, s, t])
    _start(on, ranks, (kernel, words_of(words), ranks))
    words[0] = 0  # keeps the array alive until here


def run_job(kernel: int, ranks: int, *words: int) -> None:
    """Call ``kernel(job, 0)``, …, ``kernel(job, ranks - 1)``, side by side, and return when all are done.

    Args:
        kernel: from `nas.engine._native.compiled`; must not depend on its ranks running concurrently (no barriers).
        ranks: how many.
        words: the job's, at most `WORDS`; what they point at must stay alive meanwhile.
    """
    _launch(team(), ranks, kernel, *words, *(0,) * (WORDS - len(words)))
