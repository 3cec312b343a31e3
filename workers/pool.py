"""A pool of Ray actors that survives the death of any of them.

Trials may last tenths of a second, so actors live for the whole job. Ray's own restarts are off: they would lose sight
of which trial ran where. Instead the pool notices that an actor is gone (or that Ray cannot tell: for
`ActorUnavailableError`, "may or may not have been executed", it does the same), makes sure that it is dead, starts
another in its place and puts its trial back at the head of the queue. Evaluating twice is harmless, because a worker
writes nothing and only the attempt that is waited for counts.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import psutil
import ray
from ray.exceptions import RayError, RayTaskError

from nas.errors import NasError
from nas.search import Evaluate
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus
from workers._actor import TrialActor

__all__ = ["RayExecutor", "WorkerError"]

_logger = logging.getLogger(__name__)

_STORE_BYTES: Final = 256 * 2**20  # object store beyond the data: candidates and results on their way
_PROBE_SECONDS: Final = 10.0
_COMPLAIN_SECONDS: Final = 30.0  # how often to say that no worker could start yet


class WorkerError(NasError, RuntimeError):
    """Workers cannot be started at all."""


@dataclass(slots=True, eq=False)
class _Worker:
    actor: Any
    pending: Any  # reference that is waited for: `ready` at first, then a trial's result; None while idle
    candidate: Candidate | None = None
    ready: bool = False
    since: float = field(default_factory=time.monotonic)


class RayExecutor:
    """Evaluates candidates on Ray actors; see `nas.search.Executor` for the protocol.

    Args:
        dataset: put into the object store once.
        config: what every candidate is evaluated with.
        workers: actors to keep; more than fit on the cluster wait for room (e.g. for nodes that join).
        threads: CPUs and CPU threads of an actor.
        gpus: GPUs of an actor; fractions share one.
        address: of a Ray cluster; None: `RAY_ADDRESS` if set, else Ray is started on this machine, loopback only. A
            Ray that this process is connected to already is used and left running.
        evaluate: must be importable, or picklable by value, on the workers; default: `nas.training.run_trial`.
        max_retries: how often a trial whose worker died is run again before it fails.
        trial_seconds: a trial that takes longer fails and its worker is replaced; None: no limit.

    Raises:
        WorkerError: the cluster cannot be reached, or Ray was started here and cannot hold one such worker.
    """

    def __init__(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        *,
        workers: int,
        threads: int = 1,
        gpus: float = 0.0,
        address: str | None = None,
        evaluate: Evaluate | None = None,
        max_retries: int = 2,
        trial_seconds: float | None = None,
    ) -> None:
        if evaluate is None:
            from nas.training import run_trial

            evaluate = run_trial
        self._max_retries = max_retries
        self._trial_seconds = trial_seconds
        self._threads = threads
        self._queue: deque[Candidate] = deque()
        self._deaths: dict[int, int] = {}  # by trial number
        self._done: list[TrialResult] = []
        self._failed_starts = 0
        self._complained = time.monotonic()
        self._workers: list[_Worker] = []
        self._owns_ray = _connect(dataset, workers * threads, address)
        try:
            if self._owns_ray and gpus > (found := _resources(ray.cluster_resources).get("GPU", 0.0)):
                raise WorkerError(
                    f"resources.gpus is {gpus:g} a worker, but this machine has {found:g}; "
                    "set it to 0 or give the address of a cluster"
                )
            self._actor_class: Any = ray.remote(num_cpus=threads, num_gpus=gpus, max_restarts=0, max_task_retries=0)(
                TrialActor
            )
            self._arguments = (ray.put(dataset), config, ray.put(evaluate), threads)
            self._workers = [self._start() for _ in range(workers)]
        except BaseException:
            self.close()
            raise

    @property
    def capacity(self) -> int:
        """Workers that are up; at least 1."""
        return max(1, sum(worker.ready for worker in self._workers))

    def submit(self, candidate: Candidate) -> None:
        self._queue.append(candidate)
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

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """See `nas.search.Executor.call`. Run again elsewhere, `max_retries` times at most, when the worker dies.

        Raises:
            WorkerError: the workers died, or died before they were up.
            Exception: whatever `function` raises.
        """
        for _ in range(1 + self._max_retries):
            while not (idle := [worker for worker in self._workers if worker.ready and worker.pending is None]):
                self._advance(1.0)
            try:
                return ray.get(idle[0].actor.call.remote(function, *arguments))
            except RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except RayError as error:
                self._replace(idle[0], error)
        raise WorkerError(f"the worker died {1 + self._max_retries} times while it ran {function.__name__}")

    def close(self) -> None:
        for worker in self._workers:
            _kill(worker.actor)
        self._workers = []
        self._queue.clear()
        if self._owns_ray:
            ray.shutdown()
            self._owns_ray = False

    def _busy(self) -> bool:
        return any(worker.candidate is not None for worker in self._workers)

    def _start(self) -> _Worker:
        actor = self._actor_class.remote(*self._arguments)
        return _Worker(actor, pending=actor.ready.remote())

    def _dispatch(self) -> None:
        for worker in self._workers:
            if not self._queue:
                return
            if worker.ready and worker.pending is None:
                worker.candidate = self._queue.popleft()
                worker.since = time.monotonic()
                worker.pending = worker.actor.run.remote(worker.candidate)

    def _advance(self, timeout: float) -> None:
        """Waits up to `timeout` seconds for anything to happen, and deals with all that has."""
        self._dispatch()
        waiting = {worker.pending: worker for worker in self._workers if worker.pending is not None}
        if self._trial_seconds is not None:
            timeout = min(timeout, 1.0)
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
            if worker.candidate is None:
                self._replace(worker, error)
                return
            value = _failure(worker.candidate.number, f"{type(error.cause).__name__}: {error.cause}")
        except RayError as error:
            self._replace(worker, error)
            return
        if worker.candidate is not None:
            self._done.append(value)
            self._deaths.pop(worker.candidate.number, None)
        else:
            _logger.info("worker %s is up", value)
            worker.ready = True
            self._failed_starts = 0
        worker.candidate, worker.pending = None, None

    def _replace(self, worker: _Worker, error: Exception) -> None:
        """Another worker in the place of one that is gone; its trial is run again, or fails."""
        _kill(worker.actor)
        candidate = worker.candidate
        place = self._workers.index(worker)
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts > 2 + len(self._workers):
                raise WorkerError(f"{self._failed_starts} workers died before they were up, the last one of: {error}")
        if candidate is not None:
            deaths = self._deaths[candidate.number] = self._deaths.get(candidate.number, 0) + 1
            if deaths > self._max_retries:
                del self._deaths[candidate.number]
                self._done.append(_failure(candidate.number, f"its worker died {deaths} times, the last time: {error}"))
            else:
                _logger.warning("the worker of trial %d died (%s); it is run again", candidate.number, error)
                self._queue.appendleft(candidate)
        self._workers[place] = self._start()

    def _stop_overdue(self) -> None:
        limit = self._trial_seconds
        for worker in self._workers if limit is not None else ():
            if worker.candidate is not None and limit is not None and time.monotonic() - worker.since > limit:
                self._done.append(_failure(worker.candidate.number, f"it took longer than {limit:g} s"))
                self._deaths.pop(worker.candidate.number, None)
                worker.candidate = None
                self._replace(worker, TimeoutError(f"more than {limit:g} s"))

    def _complain(self) -> None:
        now = time.monotonic()
        if any(worker.ready for worker in self._workers) or now - self._complained < _COMPLAIN_SECONDS:
            return
        self._complained = now
        _logger.warning(
            "no worker could start yet; each needs %d CPUs and the data; free on the cluster: %s",
            self._threads,
            _resources(ray.available_resources),
        )


def _connect(dataset: Dataset, cpus: int, address: str | None) -> bool:
    """Connects this process to Ray; True where Ray was started for it."""
    if ray.is_initialized():
        return False
    address = address or os.environ.get("RAY_ADDRESS")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.WARNING}
    # Ray announces at each start that it guards its ports with a token, which is as it should be.
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
    try:
        if address:
            _probe(address)
            ray.init(address=address, **quiet)
            return False
        size = sum(
            value.nbytes for name in dataset.__slots__ if isinstance(value := getattr(dataset, name), np.ndarray)
        )
        ray.init(
            address="local",
            num_cpus=max(cpus, os.cpu_count() or 1),
            object_store_memory=int(min(2 * size + _STORE_BYTES, 0.5 * psutil.virtual_memory().available)),
            include_dashboard=False,
            _node_ip_address="127.0.0.1",
            **quiet,
        )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise WorkerError(f"Ray at {address or 'this machine'} cannot be used: {error}") from error
    return True


def _probe(address: str) -> None:
    """Ray tries an address that nobody answers for a minute and a half; this takes seconds.

    Raises:
        ConnectionError: nothing listens at ``host:port`` or ``ray://host:port``.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise ConnectionError(f"nothing answers there ({error}); is the head node up?") from error


def _resources(ask: Callable[[], dict[str, float]]) -> dict[str, float]:
    return ask()  # Ray's own functions are untyped


def _kill(actor: Any) -> None:
    with contextlib.suppress(Exception):  # it is dead already, or Ray is gone
        ray.kill(actor, no_restart=True)


def _failure(number: int, reason: str) -> TrialResult:
    return TrialResult(number, TrialStatus.FAILED, reason=reason)
