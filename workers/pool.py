"""A pool of Ray actors that survives the death of any of them.

Trials may last tenths of a second, so actors live for the whole job. Ray's own restarts are off: they would lose sight
of which trial ran where. Instead the pool notices that an actor is gone (or that Ray cannot tell: for
`ActorUnavailableError`, "may or may not have been executed", it does the same), makes sure that it is dead, starts
another in its place and puts its trials back at the head of the queue, each on its own, for the next worker that is
idle. Evaluating twice is harmless, because a worker writes nothing and only the attempt that is waited for counts.

What is handed over beyond the number of workers waits in the workers themselves, one group in each: a worker begins
with it the moment it is free, and not when this process has found the time to send it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil
import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from nas._logs import Level, LogFormat
from nas.search import Evaluate, EvaluateGroup, WorkerView
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult
from nas.workers._actor import TrialActor
from nas.workers._cluster import WorkerError, connect, resources, room
from nas.workers._limit import TrialLimit

__all__ = ["RayExecutor"]

_logger = logging.getLogger(__name__)

_COMPLAIN_SECONDS: Final = 30.0  # how often to say that no worker could start yet
_RESIZE_SECONDS: Final = 2.0  # how often to look for nodes that joined or left
_VISITS: Final = 2  # groups that a worker has at most: one that it evaluates, one that waits there


@dataclass(frozen=True, slots=True, eq=False)
class _Visit:
    """A group that a worker has."""

    results: Any  # reference
    group: tuple[Candidate, ...]


@dataclass(slots=True, eq=False)
class _Worker:
    actor: Any
    starting: Any  # reference to its name; None once it is up
    visits: deque[_Visit] = field(default_factory=deque)  # the first is evaluated, the second waits there
    name: str = ""  # host:process, once it is up
    since: float = field(default_factory=time.monotonic)

    @property
    def ready(self) -> bool:
        return self.starting is None

    @property
    def pending(self) -> Any:
        """The reference that is waited for; None while idle."""
        return self.visits[0].results if self.visits else self.starting

    @property
    def group(self) -> tuple[Candidate, ...]:
        """What it evaluates."""
        return self.visits[0].group if self.visits else ()


class RayExecutor:
    """Evaluates candidates on Ray actors; see `nas.search.Executor` for the protocol.

    Args:
        dataset: put into the object store once; each node fetches it once, and its workers share that copy.
        config: what every candidate is evaluated with.
        workers: actors to keep; more than fit on the cluster wait for room (e.g. for nodes that join). None: as many
            as the nodes that are up have room for, following those that join and leave.
        threads: CPUs and CPU threads of an actor.
        gpus: GPUs of an actor; fractions share one.
        address: of a Ray cluster; None: `RAY_ADDRESS` if set, else Ray is started on this machine, loopback only. A
            Ray that this process is connected to already is used and left running.
        evaluate: must be importable, or picklable by value, on the workers; default: `nas.training.run_trial`.
        evaluate_group: evaluates a group in one call; default: its members one by one.
        group: candidates that one worker takes in one call, at most.
        max_retries: how often a trial whose worker died is run again before it fails.
        trial_seconds: a trial that takes longer fails and its worker is replaced; less where trials are found to take
            far less (see `nas.workers._limit`); None: no limit at all.
        code: folder with modules that workers on other machines need to import.
        logs: format and level of what workers log, which Ray keeps beside the logs of the node.

    Raises:
        WorkerError: the cluster cannot be reached, or Ray was started here and cannot hold one such worker.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        workers: int | None,
        threads: int = 1,
        gpus: float = 0.0,
        address: str | None = None,
        evaluate: Evaluate | None = None,
        evaluate_group: EvaluateGroup | None = None,
        group: int = 1,
        max_retries: int = 2,
        trial_seconds: float | None = None,
        code: Path | None = None,
        logs: tuple[LogFormat, Level] = ("text", "warning"),
    ) -> None:
        if evaluate is None:
            from nas.training import run_trial

            evaluate = run_trial
        self._max_retries = max_retries
        self._limit = TrialLimit(trial_seconds, config)
        self._threads = threads
        self._gpus = gpus
        self._elastic = workers is None
        self._looked = time.monotonic()  # for nodes that joined or left
        self.group = group
        self._queue: deque[tuple[Candidate, ...]] = deque()
        self._deaths: dict[int, int] = {}  # by trial number
        self._returned: set[int] = set()  # first trials of groups that a worker had when it died, back in the queue
        self._done: list[TrialResult] = []
        self._failed_starts = 0
        self._complained = time.monotonic()
        self._workers: list[_Worker] = []
        self._local = connect(dataset, (workers or 1) * threads, address, code)
        try:
            if self._local is not None and gpus > (found := resources(ray.cluster_resources).get("GPU", 0.0)):
                raise WorkerError(
                    f"resources.gpus is {gpus:g} a worker, but this machine has {found:g}; "
                    "set it to 0 or give the address of a cluster"
                )
            self._actor_class: Any = ray.remote(num_cpus=threads, num_gpus=gpus, max_restarts=0, max_task_retries=0)(
                TrialActor
            )
            self._arguments = (ray.put(dataset), config, ray.put((evaluate, evaluate_group)), threads, logs)
            wanted = max(1, room(threads, gpus)) if workers is None else workers
            self._workers = [self._start() for _ in range(wanted)]
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """Workers that are up, at least 1, times the size of a group."""
        return max(1, sum(worker.ready for worker in self._workers)) * self.group

    def submit(self, *candidates: Candidate) -> None:
        """See `nas.search.Executor.submit`."""
        self._queue.append(candidates)
        self._dispatch()

    def wait(self, timeout: float) -> list[TrialResult]:
        """See `nas.search.Executor.wait`.

        Raises:
            WorkerError: workers die again and again before they are up.
        """
        before = self.capacity
        self._advance(0.0)
        deadline = time.monotonic() + timeout
        while not self._done and self.capacity == before and (self._queue or self._busy()):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            self._advance(left)
        results, self._done = self._done, []
        return results

    def call(self, function: Callable[..., Any], *arguments: Any, within: float | None = None) -> Any:
        """See `nas.search.Executor.call`. Run again elsewhere, `max_retries` times at most, when the worker dies or
        hangs.

        Raises:
            WorkerError: the workers died or hung, or died before they were up.
            Exception: whatever `function` raises.
        """
        within = self._limit.most if within is None else within
        why: Exception | None = None
        for _ in range(1 + self._max_retries):
            while not (idle := [worker for worker in self._workers if worker.ready and worker.pending is None]):
                self._advance(1.0)
            try:
                return ray.get(idle[0].actor.call.remote(function, *arguments), timeout=within)
            except RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except GetTimeoutError:
                why = TimeoutError(f"it took longer than {within:g} s")
            except RayError as error:
                why = error
            self._replace(idle[0], why)
        what = getattr(function, "__name__", "what it was to do")
        raise WorkerError(f"the worker died {1 + self._max_retries} times while it ran {what}, the last time: {why}")

    def workers(self) -> tuple[WorkerView, ...]:
        """See `nas.search.Executor.workers`."""
        now = time.monotonic()
        return tuple(
            WorkerView(
                worker.name,
                "starting" if not worker.ready else "busy" if worker.group else "idle",
                worker.group[0].number if worker.group else None,
                now - worker.since,
            )
            for worker in self._workers
        )

    def close(self) -> None:
        for worker in self._workers:
            _kill(worker)
        self._workers = []
        self._queue.clear()
        if self._local is not None:
            self._local.close()
            self._local = None

    def _busy(self) -> bool:
        return any(worker.group for worker in self._workers)

    def _start(self) -> _Worker:
        actor = self._actor_class.remote(*self._arguments)
        return _Worker(actor, starting=actor.ready.remote())

    def _dispatch(self) -> None:
        for waiting in range(_VISITS):  # idle workers first
            for worker in self._workers:
                if self._queue and worker.ready and len(worker.visits) == waiting:
                    if waiting and self._queue[0][0].number in self._returned:
                        return  # behind a long trial it could wait longer than its worker takes to be replaced
                    group = self._queue.popleft()
                    self._returned.discard(group[0].number)
                    if not worker.visits:
                        worker.since = time.monotonic()
                    worker.visits.append(_Visit(worker.actor.run.remote(group), group))

    def _advance(self, timeout: float) -> None:
        """Waits up to `timeout` seconds for anything to happen, and deals with all that has."""
        self._resize()
        self._dispatch()
        waiting = {worker.pending: worker for worker in self._workers if worker.pending is not None}
        timeout = min(timeout, 1.0)  # then the clock is looked at: trials that take too long, nodes that join
        if waiting:
            references = list(waiting)
            arrived, _ = ray.wait(references, num_returns=1, timeout=timeout)
            if arrived:  # take all that are there: one at a time would be slow with many workers
                arrived, _ = ray.wait(references, num_returns=len(references), timeout=0)
            for reference in arrived:
                self._receive(waiting[reference])
        elif timeout > 0:
            time.sleep(min(timeout, 0.1))
        self._stop_overdue()
        self._complain()
        self._dispatch()

    def _receive(self, worker: _Worker) -> None:
        try:
            value = ray.get(worker.pending)
        except RayTaskError as error:  # the actor catches what a trial raises, so this is e.g. an unpicklable result
            if not worker.ready:
                self._replace(worker, error)
                return
            value = [TrialResult.failed(each.number, error.cause) for each in worker.group]
        except RayError as error:
            self._replace(worker, error)
            return
        if worker.ready:
            self._limit.told(worker.group, value)
            self._done += value
            for candidate in worker.visits.popleft().group:
                self._deaths.pop(candidate.number, None)
        else:
            _logger.info("worker %s is up", value, extra={"event": "worker_up", "worker": value})
            worker.starting, worker.name = None, value
            self._failed_starts = 0
        worker.since = time.monotonic()

    def _replace(self, worker: _Worker, error: Exception) -> None:
        """Another worker in the place of one that is gone; its trials are run again, or fail."""
        _kill(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts > 2 + len(self._workers):
                raise WorkerError(f"{self._failed_starts} workers died before they were up, the last one of: {error}")
        evaluated = worker.group
        for visit in reversed(list(worker.visits)[1:]):  # they only waited
            self._queue.appendleft(visit.group)
            self._returned.add(visit.group[0].number)
        for candidate in reversed(evaluated):
            self._run_again(candidate, worker.name, error)
        worker.visits.clear()
        place = self._workers.index(worker)
        if self._elastic and len(self._workers) > max(1, room(self._threads, self._gpus)):
            del self._workers[place]  # its node has left
        else:
            self._workers[place] = self._start()

    def _run_again(self, candidate: Candidate, worker: str, error: Exception) -> None:
        """Puts a trial whose worker died at the head of the queue, on its own: one of its group may be deadly."""
        number = candidate.number
        deaths = self._deaths[number] = self._deaths.get(number, 0) + 1
        if deaths > self._max_retries:
            del self._deaths[number]
            self._done.append(TrialResult.failed(number, f"its worker died {deaths} times, the last time: {error}"))
            return
        self._queue.appendleft((candidate,))
        self._returned.add(number)
        where = {"event": "worker_died", "trial": number, "worker": worker}
        _logger.warning("the worker of trial %d died (%s); it is run again", number, _first_line(error), extra=where)

    def _resize(self) -> None:
        """Follows nodes that joined or left, where no number of workers was asked for."""
        now = time.monotonic()
        if not self._elastic or now - self._looked < _RESIZE_SECONDS:
            return
        self._looked = now
        wanted = max(1, room(self._threads, self._gpus))
        if wanted > len(self._workers):
            _logger.info("room for %d workers now, %d before", wanted, len(self._workers))
            self._workers += [self._start() for _ in range(wanted - len(self._workers))]
        # Those that are up on a node that left are noticed by their death; others may only wait for room in vain.
        for worker in [worker for worker in self._workers if not worker.ready]:
            if len(self._workers) > wanted:
                self._workers.remove(worker)
                _kill(worker)

    def _stop_overdue(self) -> None:
        away = self._limit.away()
        for worker in list(self._workers):
            worker.since += away
            if (reason := self._limit.overdue(worker.group, worker.since)) is None:
                continue
            for candidate in worker.group:
                self._done.append(TrialResult.failed(candidate.number, reason))
                self._deaths.pop(candidate.number, None)
            worker.visits[0] = _Visit(None, ())
            self._replace(worker, TimeoutError(reason))

    def _complain(self) -> None:
        now = time.monotonic()
        if any(worker.ready for worker in self._workers) or now - self._complained < _COMPLAIN_SECONDS:
            return
        self._complained = now
        if self._local is not None:  # started for these workers, so there is room for them
            _logger.warning("the workers are still starting, which takes long where a machine has other things to do")
            return
        _logger.warning(
            "no worker is up yet; each needs %s and the data; free on the cluster, without what is given to workers "
            "that are starting: %s",
            _amounts({"CPU": self._threads, "GPU": self._gpus}),
            _amounts({"CPU": 0.0, **resources(ray.available_resources)}),
        )


def _amounts(resources: Mapping[str, float]) -> str:
    """Ray's resources as people say them; most of Ray's entries only name nodes.

    >>> _amounts({"CPU": 2.0, "GPU": 0.25, "memory": 18394717616.0, "node:10.0.0.1": 1.0})
    '2 CPUs, 0.25 GPUs, 17.1 GiB of memory'
    """
    counts = {name: resources.get(name, 0.0) for name in ("CPU", "GPU")}
    said = [f"{n:g} {name}{'' if n == 1 else 's'}" for name, n in counts.items() if n or name == "CPU"]
    if "memory" in resources:
        said.append(f"{resources['memory'] / 2**30:.1f} GiB of memory")
    return ", ".join(said)


def _kill(worker: _Worker) -> None:
    with contextlib.suppress(Exception):  # it is dead already, or Ray is gone
        ray.kill(worker.actor, no_restart=True)
    # Ray asks the process to end. One that stands still (SIGSTOP) does not hear that, and would keep its processors.
    host, _, process = worker.name.rpartition(":")
    if host == os.uname().nodename:
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(int(process))
            if found.status() == psutil.STATUS_STOPPED and "".join(found.cmdline()).startswith("ray::"):
                found.kill()


def _first_line(error: Exception) -> str:
    """Ray's messages go on with paragraphs of advice."""
    return (str(error).splitlines() or [type(error).__name__])[0]
