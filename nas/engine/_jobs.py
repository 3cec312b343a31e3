"""Jobs: one kernel run on different tiles of a batch by the threads of a team (`nas.engine.threads`).

The result depends on the ranks only, never on which threads took them, nor on how many there were. Any thread may call
a job.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine._native import address_of, array_at, call_kernel, words_of
from nas.engine.threads import team, together

__all__ = ["Job"]

_HEAD = 3


@njit(error_model="numpy")
def _take_ranks(thread: int, threads: int, kernel: int, words: int, ranks: int) -> None:
    for rank in range(thread, ranks, threads):
        call_kernel(kernel, words, rank)


_start = together(_take_ranks)


@njit(cache=True, nogil=True, error_model="numpy")
def _launch(on: int, job: int, others: tuple[int, ...]) -> None:
    """Run all ranks of a job; ``on``: a team; ``job``: address of kernel, ranks, how many words are the same, these."""
    head = array_at(np.int64, job, _HEAD)
    same = head[2]
    given = array_at(np.int64, job, _HEAD + same)
    words = np.empty(1 + same + len(others), np.int64)
    words[0] = head[0]
    for k in range(same):
        words[1 + k] = given[_HEAD + k]
    for k in range(len(others)):
        words[1 + same + k] = others[k]
    _start(on, head[1], (head[0], words_of(words), head[1]))
    words[0] = 0  # keeps the array alive until here


class Job:
    """A kernel, and those of its words that are the same in every call: to hand numbers over takes time.

    Args:
        kernel: from `nas.engine._native.compiled`; must not depend on its ranks running concurrently (no barriers).
        ranks: how many.
        same: words that follow the kernel's own address; what they point at must stay alive as long as this.
    """

    __slots__ = ("_address", "_words")

    def __init__(self, kernel: int, ranks: int, *same: int) -> None:
        self._words = np.array([kernel, ranks, len(same), *same], np.int64)
        self._address = address_of(self._words)

    def __call__(self, *others: int) -> None:
        """Call ``kernel(words, 0)``, …, ``kernel(words, ranks - 1)``, side by side, and return when all are done.

        Args:
            others: the words after those that stay the same; what they point at must stay alive meanwhile. A number of
                them that no job has had is compiled first. (Seven arguments in their place are 9 ns a call faster.)
        """
        _launch(team(), self._address, others)
