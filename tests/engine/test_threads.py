"""One team of threads: torch's own, for callers of every kind, and the same bits whatever it has."""

import ctypes
import importlib.metadata
import multiprocessing
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from numba import njit
from torch import nn

from nas.engine import DAGModule
from nas.engine import threads as under_test
from nas.engine._native import address_of
from nas.engine.threads import meet, team, together
from nas.graph import random_dag
from nas.training import pinned_threads


@njit(error_model="numpy")
def _count(thread, threads, on, seen, sums):
    seen[thread] = threads
    meet(on, threads)
    sums[thread] = seen.sum()


_start = together(_count)


@njit(nogil=True, error_model="numpy")
def _counted(on, wanted, seen, sums):
    _start(on, wanted, (on, seen, sums))


def counted(on: int, wanted: int) -> np.ndarray:
    """(2, threads): how many there were said to be, and the sum of that over all of them, seen after a barrier."""
    seen, sums = np.zeros(wanted, np.int64), np.zeros(wanted, np.int64)
    _counted(on, wanted, seen, sums)
    return np.array([seen, sums])


def module_and_input(edges_wanted: float = 0.5, batch: int = 128) -> tuple[DAGModule, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    dag = random_dag(8, 120, 4, density=edges_wanted, rng=np.random.default_rng(0))
    return DAGModule(dag, "tanh", generator=generator), torch.randn(batch, 8, generator=generator)


def passed(module: nn.Module, x: torch.Tensor) -> bytes:
    """All bits of outputs and gradients."""
    x = x.clone().requires_grad_()
    y = module(x)
    gradients = torch.autograd.grad(y.square().sum(), [x, *module.parameters()])
    return b"".join(each.detach().numpy().tobytes() for each in (y, *gradients))


@pytest.mark.parametrize("wanted", [1, 2, 3, 7])
def test_every_thread_of_a_team_calls_the_function_and_meets_the_others(wanted):
    assert team() != 0  # torch's wheels bring a runtime that is known
    for _ in range(20):
        assert counted(team(), wanted).tolist() == [[wanted] * wanted, [wanted**2] * wanted]


def test_without_a_team_the_caller_is_told_that_it_is_alone():
    assert counted(0, 3).tolist() == [[1, 0, 0], [1, 0, 0]]


def test_llvms_runtime_starts_the_same_teams(monkeypatch):
    try:
        files = importlib.metadata.files("intel-openmp") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs the package intel-openmp, which is LLVM's runtime")
    library = str(next(each for each in files if each.name == "libiomp5.so").locate())
    ctypes.CDLL(library)
    monkeypatch.setattr(under_test, "_GNU", ("it", "has these too"))
    table = under_test._find(library)
    for wanted in (1, 2, 5):
        assert counted(address_of(table), wanted).tolist() == [[wanted] * wanted, [wanted**2] * wanted]


def test_a_library_without_such_a_runtime_gives_none():
    assert under_test._find("libm.so.6") is None
    assert under_test._find("a file that does not exist.so") is None


_TASKS = """
import os, torch
from nas.engine.threads import team
from tests.engine.test_threads import counted, module_and_input, passed
torch.set_num_threads(2)
torch.ones(1 << 20).exp().sum()
torch.ones(512, 512) @ torch.ones(512, 512)
before = len(os.listdir("/proc/self/task"))
passed(*module_and_input())
counted(team(), 2)
print(before, len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_no_thread_is_started_beside_torchs():
    found = subprocess.run([sys.executable, "-c", _TASKS], capture_output=True, text=True, check=True, timeout=240)
    before, after = map(int, found.stdout.split())
    assert before >= 2
    assert after == before


def test_torchs_count_of_threads_is_obeyed(threads_taken):
    module, x = module_and_input()
    for count in (1, 2, 1):
        with pinned_threads(count):
            passed(module, x)
        assert threads_taken.pop() == count


@pytest.mark.parametrize("count", [1, 2, 4])
def test_equal_counts_of_threads_give_equal_bits_on_any_team(count, monkeypatch, threads_taken):
    module, x = module_and_input()
    with pinned_threads(count):
        wanted = passed(module, x)
        assert all(passed(module, x) == wanted for _ in range(10))
        monkeypatch.setattr(under_test, "_team", 0)
        assert passed(module, x) == wanted
    assert set(threads_taken) == {count}


def test_callers_from_many_threads_get_what_each_would_get_alone(threads_taken):
    module, x = module_and_input()
    wanted = {}
    for count in (1, 2):
        with pinned_threads(count):
            wanted[count] = passed(module, x)
    wrong = []

    def call(count: int) -> None:
        torch.set_num_threads(count)  # of this thread; also a worker pinned to one
        wrong.extend(count for _ in range(30) if passed(module, x) != wanted[count])

    callers = [threading.Thread(target=call, args=(count,)) for count in (2, 2, 1, 2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong
    assert {*threads_taken} == {1, 2}


def _answer(results, module, x):
    torch.set_num_threads(2)
    results.put(passed(module, x))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_compute_what_their_parent_does(method, threads_taken):
    module, x = module_and_input()  # here: torch's own larger operations wait for ever in a child that was forked
    with pinned_threads(2):
        wanted = passed(module, x)
    assert {*threads_taken} == {2}  # the parent has threads now
    context = multiprocessing.get_context(method)
    results = context.Queue()
    child = context.Process(target=_answer, args=(results, module, x))
    child.start()
    assert results.get(timeout=120) == wanted
    child.join(timeout=30)
    assert child.exitcode == 0
