from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster
from ray.exceptions import ActorDiedError, ActorUnavailableError

from nas.graph import random_dag
from nas.search import Evaluate, SpaceConfig, load_space
from nas.search.config import SPACES as SHIPPED
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    TrainingConfig,
    TrialResult,
    TrialStatus,
    pinned_threads,
    run_trial,
    run_trials,
)
from nas.workers import RayExecutor, WorkerError
from nas.workers._cluster import probe

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]

MakePool = Callable[..., RayExecutor]


@pytest.fixture
def make_pool(dataset: Dataset) -> Iterator[MakePool]:
    pools = []

    def make(evaluate: Evaluate | None, **options: object) -> RayExecutor:
        config = TrainingConfig(steps=30, batch_size=32, log_every=10, parametrisation="free")
        pool = RayExecutor(dataset, config, evaluate=evaluate, **{"workers": 2, **options})  # type: ignore[arg-type]
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


def candidate(number: int) -> Candidate:
    dag = random_dag(4, 5, 2, density=0.5, rng=np.random.default_rng(number))
    return Candidate(number, Genome(dag), seed=number, steps=30)


def collect(pool: RayExecutor, count: int, seconds: float = 240) -> list[TrialResult]:
    """`count` results, then a moment more, in which no further one may come."""
    results: list[TrialResult] = []
    deadline = time.monotonic() + seconds
    while len(results) < count and time.monotonic() < deadline:
        results += pool.wait(0.5)
    return results + pool.wait(0.2)


def report(folder: Path, act: Callable[[Candidate, int], None] = lambda candidate, attempt: None) -> Evaluate:
    """An evaluation that leaves a file for each of its starts; a closure, so that Ray sends it by value."""
    where = str(folder)

    def evaluate(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
        import os
        import pathlib

        started = len(list(pathlib.Path(where).glob(f"{candidate.number}-*")))
        pathlib.Path(where, f"{candidate.number}-{started}").write_text(str(os.getpid()))
        act(candidate, started)
        metrics = {"val_error": 0.1, "process": float(os.getpid()), "rows": float(len(dataset.x_train))}
        return TrialResult(candidate.number, TrialStatus.COMPLETE, metrics)

    return evaluate


def starts(folder: Path) -> dict[int, int]:
    """How often each trial was started."""
    numbers = [int(path.name.split("-")[0]) for path in folder.iterdir()]
    return {number: numbers.count(number) for number in sorted(set(numbers))}


def test_every_candidate_is_evaluated_once_on_actors_that_stay(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(report(tmp_path))
    for number in range(12):
        pool.submit(candidate(number))
    results = collect(pool, 12)
    assert sorted(r.number for r in results) == list(range(12))
    assert starts(tmp_path) == dict.fromkeys(range(12), 1)
    assert all(r.metrics["rows"] == 200 for r in results)
    processes = {r.metrics["process"] for r in results}
    assert len(processes) <= 2
    assert os.getpid() not in processes


def test_trains_for_real_with_the_thread_count_of_the_job(make_pool: MakePool) -> None:
    pool = make_pool(None, workers=1, threads=1)
    pool.submit(candidate(3))
    (result,) = collect(pool, 1)
    assert result.reason == ""
    assert result.status is TrialStatus.COMPLETE
    assert result.hardware["threads"] == 1
    assert result.dag is not None
    assert result.metrics["inference_seconds"] > 0
    assert result.worker.endswith(tuple("0123456789"))


def test_killing_an_actor_in_the_middle_of_a_trial_completes_the_trial_once(
    make_pool: MakePool, tmp_path: Path
) -> None:
    def slow_at_first(candidate: Candidate, attempt: int) -> None:
        import time

        time.sleep(60 if candidate.number == 1 and attempt == 0 else 0.05)

    pool = make_pool(report(tmp_path, slow_at_first))
    for number in range(6):
        pool.submit(candidate(number))
    results: list[TrialResult] = []
    while not (started := list(tmp_path.glob("1-0"))) or not started[0].read_text():
        results += pool.wait(0.2)
    os.kill(int(started[0].read_text()), signal.SIGKILL)
    results += collect(pool, 6 - len(results))
    assert sorted(r.number for r in results) == list(range(6))
    assert all(r.status is TrialStatus.COMPLETE for r in results)
    assert starts(tmp_path) == {0: 1, 1: 2, 2: 1, 3: 1, 4: 1, 5: 1}
    deadline = time.monotonic() + 240
    while pool.capacity < 2 and time.monotonic() < deadline:
        pool.submit(candidate(7))
        collect(pool, 1)
    assert pool.capacity == 2  # another actor has taken the place


def test_what_waits_in_a_worker_that_dies_is_evaluated_and_not_blamed(make_pool: MakePool, tmp_path: Path) -> None:
    def deadly_at_first(candidate: Candidate, attempt: int) -> None:
        import os
        import signal
        import time

        if candidate.number == 0 and attempt == 0:
            time.sleep(1.0)  # so that the others have been handed over
            os.kill(os.getpid(), signal.SIGKILL)

    pool = make_pool(report(tmp_path, deadly_at_first), workers=1, max_retries=1)
    while pool.wait(0.1) or not any(view.state == "idle" for view in pool.workers()):
        pass
    for number in range(4):
        pool.submit(candidate(number))
    results = collect(pool, 4)
    assert sorted(r.number for r in results) == list(range(4))
    assert all(r.status is TrialStatus.COMPLETE for r in results)
    assert starts(tmp_path) == {0: 2, 1: 1, 2: 1, 3: 1}
    assert not pool._deaths


def test_what_a_dead_worker_had_does_not_wait_behind_a_long_trial(make_pool: MakePool, tmp_path: Path) -> None:
    """Trial 2 lasts until 1, which killed its worker, and 3, which waited there, are done by the replacement."""
    where = str(tmp_path)

    def act(candidate: Candidate, attempt: int) -> None:
        import os
        import pathlib
        import signal
        import time

        def until(*names: str) -> None:
            deadline = time.monotonic() + 90
            while not all(pathlib.Path(where, name).exists() for name in names):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"trial {candidate.number} has waited for {names} in vain")
                time.sleep(0.05)

        if candidate.number == 0:
            until("1-0")
        elif candidate.number == 1 and attempt == 0:
            until("2-0")
            os.kill(os.getpid(), signal.SIGKILL)
        elif candidate.number == 2:
            until("1-1", "3-0")

    pool = make_pool(report(tmp_path, act), max_retries=1)
    while pool.wait(0.1) or sum(view.state == "idle" for view in pool.workers()) < 2:
        pass
    for number in range(4):
        pool.submit(candidate(number))
    results = {result.number: result for result in collect(pool, 4)}
    assert {number: result.reason for number, result in results.items()} == dict.fromkeys(range(4), "")
    assert starts(tmp_path) == {0: 1, 1: 2, 2: 1, 3: 1}
    assert not pool._returned


def test_a_trial_that_kills_its_workers_fails_after_the_retries(make_pool: MakePool, tmp_path: Path) -> None:
    def deadly(candidate: Candidate, attempt: int) -> None:
        import os

        if candidate.number == 0:
            os._exit(1)

    pool = make_pool(report(tmp_path, deadly), max_retries=1)
    for number in range(3):
        pool.submit(candidate(number))
    results = {r.number: r for r in collect(pool, 3)}
    assert results.keys() == {0, 1, 2}
    assert results[0].status is TrialStatus.FAILED
    assert "its worker died 2 times, the last time:" in results[0].reason
    assert starts(tmp_path)[0] == 2
    assert results[1].status is results[2].status is TrialStatus.COMPLETE


def test_what_a_trial_raises_is_its_own_failure(make_pool: MakePool, tmp_path: Path) -> None:
    def wrong(candidate: Candidate, attempt: int) -> None:
        if candidate.number == 0:
            raise ArithmeticError("it diverged")

    pool = make_pool(report(tmp_path, wrong), workers=1)
    pool.submit(candidate(0))
    pool.submit(candidate(1))
    results = {r.number: r for r in collect(pool, 2)}
    assert results[0].reason == "ArithmeticError: it diverged"
    assert results[1].status is TrialStatus.COMPLETE
    assert starts(tmp_path) == {0: 1, 1: 1}
    assert (tmp_path / "0-0").read_text() == (tmp_path / "1-0").read_text()  # the worker went on


def test_a_trial_that_hangs_is_stopped(make_pool: MakePool, tmp_path: Path) -> None:
    def hangs(candidate: Candidate, attempt: int) -> None:
        import time

        time.sleep(100 if candidate.number == 0 else 0)

    pool = make_pool(report(tmp_path, hangs), workers=1, trial_seconds=1.5)
    pool.submit(candidate(0))
    pool.submit(candidate(1))
    results = {r.number: r for r in collect(pool, 2)}
    assert results[0].reason == "it took longer than 1.5 s"
    assert results[1].status is TrialStatus.COMPLETE


def test_calls_run_in_one_worker_and_raise_here(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(report(tmp_path), workers=1)

    def where(add: int) -> tuple[int, int]:
        import os

        return os.getpid(), 2 + add

    process, total = pool.call(where, 3)
    assert process != os.getpid()
    assert total == 5

    def wrong() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        pool.call(wrong)


def test_a_call_whose_worker_dies_runs_on_another(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(report(tmp_path), workers=1)
    marker = str(tmp_path / "called")

    def dies_once() -> int:
        import os
        import pathlib

        if not pathlib.Path(marker).exists():
            pathlib.Path(marker).write_text("")
            os._exit(1)
        return 7

    assert pool.call(dies_once) == 7


def test_a_call_whose_worker_stands_still_runs_on_another(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(report(tmp_path), workers=1)
    marker = str(tmp_path / "called")

    def stands_still_once() -> int:
        import os
        import pathlib
        import signal

        if not pathlib.Path(marker).exists():
            pathlib.Path(marker).write_text("")
            os.kill(os.getpid(), signal.SIGSTOP)
        return 7

    assert pool.call(stands_still_once, within=20.0) == 7

    def never_ends() -> None:
        import time

        time.sleep(1000)

    with pytest.raises(WorkerError, match=r"died 3 times while it ran never_ends, .* longer than 1 s"):
        pool.call(never_ends, within=1.0)


def test_workers_that_cannot_start_are_an_error(dataset: Dataset) -> None:
    def cannot_be_loaded() -> None:
        raise ImportError("no module named nas on this node")

    class Bomb:
        """Explodes where it is unpickled."""

        def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
            return cannot_be_loaded, ()

        def __call__(self, *_: object) -> TrialResult:
            raise AssertionError

    pool = RayExecutor(dataset, TrainingConfig(), workers=1, evaluate=Bomb())
    pool.submit(candidate(0))
    with pytest.raises(WorkerError, match="workers died before they were up"):
        collect(pool, 1)
    pool.close()


def test_close_frees_the_actors_and_leaves_a_cluster_that_was_there(make_pool: MakePool, tmp_path: Path) -> None:
    pool = make_pool(report(tmp_path), workers=2)
    pool.submit(candidate(0))
    collect(pool, 1)
    pool.close()
    pool.close()
    assert ray.is_initialized()
    deadline = time.monotonic() + 120
    while ray.available_resources().get("CPU", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ray.available_resources()["CPU"] == 2


@pytest.mark.parametrize("kind", [ActorUnavailableError, ActorDiedError])
def test_a_worker_that_ray_lost_sight_of_is_replaced_and_its_trial_counts_once(
    kind: type[Exception], make_pool: MakePool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The actor lives and even finishes; Ray says that it cannot tell (a network that failed for a moment)."""
    pool = make_pool(report(tmp_path), workers=1)
    pool.submit(candidate(0))
    collect(pool, 1)
    get, raised = ray.get, []

    def lost_once(reference: object) -> object:
        value = get(reference)
        if isinstance(value, list) and not raised:
            raised.append(value)
            raise ActorUnavailableError("may or may not have run", None) if kind is ActorUnavailableError else kind()
        return value

    monkeypatch.setattr("nas.workers.pool.ray.get", lost_once)
    pool.submit(candidate(1))
    results = collect(pool, 1)
    assert [r.number for r in results] == [1]
    assert results[0].status is TrialStatus.COMPLETE
    assert starts(tmp_path) == {0: 1, 1: 2}
    first, second = ((tmp_path / f"1-{attempt}").read_text() for attempt in (0, 1))
    assert first != second
    with pytest.raises(ProcessLookupError):  # it cannot go on in secret
        _wait_until_gone(int(first))


def _wait_until_gone(process: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        os.kill(process, 0)
        time.sleep(0.05)


def test_an_address_that_nobody_answers_is_refused_at_once() -> None:
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(ConnectionError, match="nothing answers there .*is the head node up"):
            probe(address)
    assert time.monotonic() - start < 10
    probe("auto")


def test_a_head_that_stands_still_is_told_from_one_that_works(head: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    probe(head.address)
    monkeypatch.setattr("nas.workers._cluster._SILENT_SECONDS", 0.5)
    gcs = head.head_node.all_processes["gcs_server"][0].process.pid
    os.kill(gcs, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionError, match="takes calls, but has said nothing for .* stand still"):
            probe(head.address)  # the kernel takes calls for it
    finally:
        os.kill(gcs, signal.SIGCONT)


def test_the_port_of_something_else_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as page:

        def answer() -> None:
            with page.accept()[0] as caller:
                caller.recv(100)
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionError, match="is no Ray; the port is that of the head node"):
            probe(f"127.0.0.1:{page.getsockname()[1]}")
        thread.join()


SPACES: dict[str, dict[str, Any]] = {
    "neuron_dag": {"n_computational": 5},
    "families": {"n_computational": 5, "families": ["banded"]},
    "manifold": {"n_computational": 5},
    "layer_dag": {"nodes": [2, 2], "widths": [3, 5]},
    "recurrent": {"n_computational": 4, "features": 2, "memory": 2},
}


def bits(result: TrialResult) -> dict[str, bytes]:
    assert result.status is TrialStatus.COMPLETE, result.reason
    return {name: np.ascontiguousarray(value).tobytes() for name, value in result.arrays.items()}


@pytest.mark.parametrize("looked", [{"log_every": 7, "evaluate_every": 11}, {"log_every": 30}])
def test_a_worker_trains_the_same_bits_in_every_space_however_it_is_looked_at(
    dataset: Dataset, looked: dict[str, int]
) -> None:
    assert tuple(sorted(SPACES)) == tuple(sorted(SHIPPED))
    plain = TrainingConfig(steps=30, batch_size=32, input_noise=0.3, input_dropout=0.1)
    candidates = []
    for number, (name, options) in enumerate(SPACES.items()):
        space = load_space(SpaceConfig(name=name, options={**options, "hyperparameters": {}}), dataset)
        genome = space.initial(np.random.default_rng(number))
        candidates += [Candidate(2 * number + k, genome, seed=k, steps=30) for k in range(2)]
    with pinned_threads(1):
        expected = {each.number: bits(run_trial(each, dataset, plain)) for each in candidates}
    pool = RayExecutor(dataset, plain.model_copy(update=looked), workers=1, group=2, evaluate_group=run_trials)
    try:
        for first, second in zip(candidates[::2], candidates[1::2], strict=True):
            pool.submit(first, second)
        results = collect(pool, len(candidates))
    finally:
        pool.close()
    assert sorted(each.number for each in results) == sorted(expected)
    for result in results:
        points = {*result.history["step"].tolist()}
        assert {*range(looked["log_every"], 30, looked["log_every"]), 30} <= points, "it was looked at otherwise"
        assert bits(result) == expected[result.number], list(SPACES)[result.number // 2]
    assert len({repr(each) for each in expected.values()}) == len(expected)
