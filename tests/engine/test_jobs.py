"""Jobs: every rank runs once, whoever takes it; callers do not disturb each other, nor a forked child its parent."""

import multiprocessing
import threading

import numpy as np
import pytest

from nas.engine._jobs import Job
from nas.engine._native import address_of, array_at, compiled


@pytest.fixture(scope="module")
def count_ranks():
    def run(job, rank):
        words = array_at(np.int64, job, 3)
        counts = array_at(np.int64, words[1], words[2])
        for _ in range(1000):
            counts[rank] += 1

    return compiled(run)


def counted(kernel, ranks):
    counts = np.zeros(ranks, np.int64)
    Job(kernel, ranks)(address_of(counts), ranks)
    return counts


@pytest.mark.parametrize("ranks", [1, 2, 3, 17, 100])
def test_every_rank_runs_exactly_once(count_ranks, ranks):
    for _ in range(50):
        assert np.array_equal(counted(count_ranks, ranks), np.full(ranks, 1000))


def test_concurrent_callers_get_their_own_results(count_ranks):
    wrong = []

    def call(ranks):
        for _ in range(200):
            if not np.array_equal(counted(count_ranks, ranks), np.full(ranks, 1000)):
                wrong.append(ranks)

    threads = [threading.Thread(target=call, args=(ranks,)) for ranks in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _in_child(kernel, results):
    results.put(counted(kernel, 4).tolist())


def test_a_forked_child_runs_jobs(count_ranks):
    counted(count_ranks, 4)  # the parent has threads now
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_in_child, args=(count_ranks, results))
    child.start()
    assert results.get(timeout=30) == [1000] * 4
    child.join(timeout=30)
    assert child.exitcode == 0
