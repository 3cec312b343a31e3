"""Many networks trained in one call.

On processors each thread takes networks of its own. A network that trains on several threads has them meet at five
barriers a step, which a small one has no work to fill; a population needs none. Tiny networks lose even so, for their
threads wait for each other in Python between the steps: which is faster, all threads or one after the other, is tried
on the first populations of about that much work, and the faster is kept (see `Pace`). On a GPU all networks do their
steps in one launch, each on multiprocessors of its own.

Either way a network ends as it would alone: on processors bit for bit as trained on one thread, on a GPU as trained
there (the sums' order depends on how many blocks a network gets, and so on the size of the population).
"""

from __future__ import annotations

import contextvars
import math
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import torch

from nas.engine.cuda import GPU
from nas.manifold import ManifoldNetwork
from nas.training._loop import History, OnLog, Stretch, drive, history_of
from nas.training._trainer import training_steps
from nas.training.cost.timing import pinned_threads
from nas.training.fused.trainer import StepReport
from nas.training.gpu.trainer import GPUTrainer, Steps, run_together
from nas.training.types import Dataset, TrainingConfig, TrainingState

__all__ = ["Ended", "Member", "train_population"]

_TRIES = 3  # populations on one thread and on all, before one is chosen; the first may still compile
_STEP_EDGES = 2000  # edges whose work is that of a step itself

Ended = tuple[History, TrainingState | None] | Exception
"""The curves of a training and what it goes on with (None: it is at its end), or what ended it."""


@dataclass(slots=True, eq=False)
class Member:
    """One network of a population; see `nas.training._trainer.train_until` for the fields."""

    network: ManifoldNetwork
    config: TrainingConfig
    seed: int
    on_log: OnLog | None = None
    pause_at: int | None = None
    resume: TrainingState | None = None
    points: list[dict[str, float]] = field(default_factory=list)  # filled while it trains


def train_population(
    members: Sequence[Member], dataset: Dataset, *, threads: int | None = None, gpu: GPU | None = None
) -> list[Ended]:
    """Train every member's network in place, as `nas.training.train` does one.

    Args:
        members: networks on the same data; configurations, sizes and steps may differ.
        threads: CPU threads, default: those torch has now. Each network trains on one.
        gpu: where to train, instead of on the processor.

    Returns:
        What each member came to; where one fails, the others go on.
    """
    if gpu is not None:
        return _on_gpu(members, dataset, gpu)
    threads = min(threads or torch.get_num_threads(), len(members))
    tried = False
    if threads > 1:
        work = sum(_work(member) for member in members)
        threads, tried = _pace.choose(work / len(members), threads), True

    def train_one(member: Member) -> Ended:
        try:
            state = drive(_routine(member, dataset, None, 1))
        except Exception as error:  # a member's failure is its own
            return error
        return history_of(member.points), state

    start = time.perf_counter()
    with pinned_threads(1):  # inside each of ours
        together = threads > 1
        ended = _in_threads(members, train_one, threads) if together else [train_one(member) for member in members]
    if tried and not any(isinstance(end, Exception) for end in ended):  # else less was done than `work` says
        _pace.took(work / len(members), threads, (time.perf_counter() - start) / work)
    return ended


def _work(member: Member) -> int:
    """Of the steps that a member still has to do, in edges."""
    done = member.resume.step if member.resume is not None else 0
    return max(1, (member.pause_at or member.config.steps) - done) * (member.network.dag.n_edges + _STEP_EDGES)


def _in_threads(members: Sequence[Member], train_one: Callable[[Member], Ended], threads: int) -> list[Ended]:
    # The longest first, so that no thread is left with it at the end.
    order = sorted(range(len(members)), key=lambda k: -_work(members[k]))
    with ThreadPoolExecutor(threads, thread_name_prefix="nas-population") as pool:
        # In a copy of this thread's context, for the costs that are pinned in it.
        futures = {k: pool.submit(contextvars.copy_context().run, train_one, members[k]) for k in order}
        return [futures[k].result() for k in range(len(members))]


class Pace:
    """How fast populations have trained on one thread and on all, in this process.

    Networks train bit for bit the same either way, so that it decides only how long they take.
    """

    def __init__(self) -> None:
        self._least: dict[tuple[int, int], float] = {}  # seconds of a unit of work, by size of work and threads
        self._tries: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()

    def choose(self, work: float, threads: int) -> int:
        """1 or `threads`: what has not been tried often enough for so much `work` a network, else the faster."""
        size = _size(work)
        with self._lock:
            for count in (threads, 1):
                if self._tries.get((size, count), 0) < _TRIES:
                    return count
            return min((threads, 1), key=lambda count: self._least[size, count])

    def took(self, work: float, threads: int, seconds: float) -> None:
        """A population whose networks have so much `work` took so many seconds for a unit of it."""
        key = _size(work), threads
        with self._lock:
            self._tries[key] = self._tries.get(key, 0) + 1
            self._least[key] = min(seconds, self._least.get(key, math.inf))  # others on the machine only add


def _size(work: float) -> int:
    """Works within a factor of two of each other are alike."""
    return round(math.log2(max(work, 1.0)))


_pace = Pace()


def _routine(
    member: Member, dataset: Dataset, gpu: GPU | None, population: int
) -> Generator[Stretch, StepReport, TrainingState | None]:
    return training_steps(
        member.network, dataset, member.config, member.seed, member.points,
        threads=1, gpu=gpu, population=population, on_log=member.on_log, pause_at=member.pause_at, resume=member.resume,
    )  # fmt: skip


def _on_gpu(members: Sequence[Member], dataset: Dataset, gpu: GPU) -> list[Ended]:
    routines = [_routine(member, dataset, gpu, len(members)) for member in members]
    ended: dict[int, Ended] = {}
    reports: dict[int, StepReport | None] = dict.fromkeys(range(len(members)))
    while reports:
        wanted: dict[int, Steps] = {}
        alone: dict[int, Stretch] = {}
        for k, report in reports.items():
            try:
                stretch = next(routines[k]) if report is None else routines[k].send(report)
            except StopIteration as end:
                ended[k] = history_of(members[k].points), end.value
                continue
            except Exception as error:  # a member's failure is its own
                ended[k] = error
                continue
            if isinstance(stretch.trainer, GPUTrainer):
                wanted[k] = Steps(stretch.trainer, stretch.numbers, stretch.rates, stretch.temperatures)
            else:  # no kernels here, so nothing that could be done in one launch
                alone[k] = stretch
        reports = dict(zip(wanted, run_together(list(wanted.values())), strict=True))
        for k, stretch in alone.items():
            try:
                reports[k] = stretch.run()
            except Exception as error:  # likewise
                ended[k] = error
    return [ended[k] for k in range(len(members))]
