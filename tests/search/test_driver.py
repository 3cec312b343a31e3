from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError

from nas.errors import GraphError
from nas.search import (
    Evaluate,
    Front,
    Progress,
    SerialExecutor,
    StorageError,
    Strategy,
    StudyError,
    StudyStore,
    run_search,
)
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus
from tests.search.conftest import TRAINING, MakeStrategy, pretend


class Dying(BaseException):
    """Stands for kill -9: nothing in the code under test catches it."""


def search(make: MakeStrategy, store: StudyStore, dataset: Dataset, trials: int, **options: object) -> Front:
    evaluate: Evaluate = options.pop("evaluate", pretend)  # type: ignore[assignment]
    strategy: Strategy = options.pop("strategy", None) or make("evolution", store)  # type: ignore[assignment]
    executor = SerialExecutor(dataset, TRAINING, evaluate=evaluate)
    return run_search(strategy, executor, store, trials=trials, **options)  # type: ignore[arg-type]


def test_runs_the_wanted_trials_and_returns_their_front(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    seen: list[tuple[int, str]] = []
    front = search(make, store, dataset, 12, on_result=lambda c, r: seen.append((c.number, r.status.value)))
    assert seen == [(number, "complete") for number in range(12)]
    assert store.counts() == {"running": 0, "complete": 12, "stopped": 0, "failed": 0}
    assert front == store.front()
    assert len(front) >= 2


def test_progress_tells_where_it_stands(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    seen: list[Progress] = []

    def fails_thrice(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        if candidate.number in (1, 2, 5):
            raise ValueError("bad luck")
        return pretend(candidate, data, config)

    front = search(make, store, dataset, 8, on_progress=seen.append, evaluate=fails_thrice)
    assert [p.finished for p in seen] == sorted(p.finished for p in seen)
    last = seen[-1]
    assert (last.trials, last.complete, last.failed, last.running) == (8, 5, 3, 0)
    assert last.hypervolume == pytest.approx(store.front().hypervolume)
    assert [p.hypervolume for p in seen] == sorted(p.hypervolume for p in seen)
    assert last.best["val_error"] == min(m.metrics["val_error"] for m in front.members)
    assert last.trials_per_minute > 0
    assert last.seconds_left == 0


def test_a_failing_candidate_is_recorded_with_its_reason(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    def fails(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        if candidate.number == 2:
            raise MemoryError("3 GB wanted")
        return pretend(candidate, data, config)

    search(make, store, dataset, 5, evaluate=fails)
    reasons = {r.number: r.result.reason for r in store.records() if r.result is not None}
    assert reasons == {0: "", 1: "", 2: "MemoryError: 3 GB wanted", 3: "", 4: ""}
    assert store.counts()["failed"] == 1


def test_a_candidate_that_cannot_be_asked_fails_and_the_search_goes_on(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    strategy = make("evolution", store)
    ask = strategy.ask

    def picky(number: int) -> Candidate:
        if number == 3:
            raise GraphError("no such graph")
        return ask(number)

    strategy.ask = picky  # type: ignore[method-assign]
    search(make, store, dataset, 6, strategy=strategy)
    assert store.counts() == {"running": 0, "complete": 5, "stopped": 0, "failed": 1}
    failed = store.records()[3].result
    assert failed is not None
    assert failed.reason == "not asked: GraphError: no such graph"


def test_gives_up_when_everything_fails(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    def fails(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        raise ValueError("wrong data")

    with pytest.raises(
        StudyError, match=r"6 trials in a row failed, the last because: ValueError: wrong data.*--resume"
    ):
        search(make, store, dataset, 50, evaluate=fails, give_up_after=6)
    assert store.counts() == {"running": 0, "complete": 0, "stopped": 0, "failed": 6}


def test_callbacks_that_raise_do_not_end_the_search(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    def broken(*_: object) -> None:
        raise OSError("server away")

    search(make, store, dataset, 4, on_result=broken, on_progress=broken)
    assert store.counts()["complete"] == 4


@pytest.mark.parametrize("error", [StorageError("gone"), OSError(errno.ENOSPC, "full"), SQLAlchemyError()])
def test_a_follower_that_meets_a_failing_database_or_disk_ends_the_search(
    error: Exception, make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    def broken(*_: object) -> None:
        raise error

    with pytest.raises(StorageError):
        search(make, store, dataset, 4, on_result=broken)
    search(make, store, dataset, 4)
    assert store.counts()["complete"] == 4


def test_budget_stops_starting(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    def slow(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        time.sleep(0.1)
        return pretend(candidate, data, config)

    front = search(make, store, dataset, 1000, evaluate=slow, budget_seconds=0.5)
    counts = store.counts()
    assert 1 <= counts["complete"] <= 6
    assert counts["running"] == 0
    assert front == store.front()


def test_stop_finishes_what_runs(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    search(make, store, dataset, 1000, stop=lambda: store.counts()["complete"] >= 3)
    assert store.counts() == {"running": 0, "complete": 3, "stopped": 0, "failed": 0}


def test_more_trials_later(make: MakeStrategy, store: StudyStore, dataset: Dataset, tmp_path: Path) -> None:
    search(make, store, dataset, 6)
    search(make, StudyStore.open(store.root, "study"), dataset, 14)
    whole = StudyStore.create(tmp_path / "whole", "study", seed=7)
    search(make, whole, dataset, 14)
    assert _trials(StudyStore.open(store.root, "study")) == _trials(whole)


def test_a_finished_study_is_not_searched_again(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    front = search(make, store, dataset, 4)

    def never(*_: object) -> TrialResult:
        raise Dying

    assert search(make, store, dataset, 4, evaluate=never) == front


def _trials(store: StudyStore) -> list[tuple[object, ...]]:
    return [
        (r.number, r.state, r.seed, r.parent, r.mutation, dict(r.hyperparameters), r.result and dict(r.result.metrics))
        for r in store.records()
    ]


@pytest.fixture(scope="module")
def whole_searches() -> dict[str, list[tuple[object, ...]]]:
    """The trials of uninterrupted searches, by strategy; filled as needed."""
    return {}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("name", "step"),
    [
        *(("evolution", step) for step in ("begin", "record", "finish", "_tell", "load_result", "evaluate")),
        ("optuna-tpe", "begin"),
        ("optuna-tpe", "record"),
    ],
)
def test_dying_anywhere_loses_and_repeats_nothing(
    name: str,
    step: str,
    after: bool,
    make: MakeStrategy,
    store: StudyStore,
    dataset: Dataset,
    tmp_path: Path,
    whole_searches: dict[str, list[tuple[object, ...]]],
) -> None:
    """The driver dies around its seventh call of a step; the resumed study equals one that was never interrupted."""
    if name not in whole_searches:
        whole = StudyStore.create(tmp_path / "whole", "study", seed=7)
        search(make, whole, dataset, 9, strategy=make(name, whole))
        whole_searches[name] = _trials(whole)
    fatal = 2 if step == "load_result" else 7
    evaluated: list[int] = []
    calls = 0

    def dying(function):  # type: ignore[no-untyped-def]
        def wrapped(*arguments):  # type: ignore[no-untyped-def]
            nonlocal calls
            calls += 1
            if calls == fatal and not after:
                raise Dying
            result = function(*arguments)
            if calls == fatal:
                raise Dying
            return result

        return wrapped

    def evaluate(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        evaluated.append(candidate.number)
        return pretend(candidate, data, config)

    strategy = make(name, store)
    first: Evaluate = evaluate
    if step == "evaluate":
        first = dying(evaluate)
    else:
        setattr(store, step, dying(getattr(store, step)))
    with pytest.raises(Dying):
        search(make, store, dataset, 9, evaluate=first, strategy=strategy)
    resumed = StudyStore.open(store.root, "study")
    search(make, resumed, dataset, 9, evaluate=evaluate, strategy=make(name, resumed))
    assert _trials(resumed) == whole_searches[name]
    assert sorted(set(evaluated)) == list(range(9))
    # A trial is evaluated again only where the driver died between its start and its result file.
    assert len(evaluated) - 9 <= int(step in ("evaluate", "finish"))
    assert resumed.counts() == {"running": 0, "complete": 9, "stopped": 0, "failed": 0}


# Imports take seconds, so one process makes them, and a copy of it drives the search for each line that it is told.
DRIVER = """
import os, sys, time, traceback
sys.path.insert(0, {root!r})
import numpy as np
import tests.search.conftest as support
from nas.search import *
from nas.training import Dataset, TrainingConfig

rng = np.random.default_rng(0)
x = rng.standard_normal((60, 4)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int64)
data = Dataset("toy", "classification", x[:40], y[:40], x[40:50], y[40:50], x[50:], y[50:], classes=("a", "b"))
space = load_space(SpaceConfig(name="neuron_dag", options={{"n_computational": [3, 20]}}), data)
folder = sys.argv[1]

def log(*words):
    with open(os.path.join(folder, "log"), "a") as file:
        file.write(" ".join(map(str, words)) + "\\n")

def evaluate(candidate, data, config):
    log("evaluated", candidate.number)
    time.sleep(0.005)
    if candidate.number % 5 == 4:
        raise ValueError("it is one of those")
    return support.pretend(candidate, data, config)

def drive():
    store = StudyStore.open(folder, "s") if StudyStore.exists(folder, "s") else StudyStore.create(folder, "s", seed=2)
    strategy = make_strategy(SearchConfig(options={{"population": 6}}), space, support.TRAINING, store)
    executor = SerialExecutor(data, support.TRAINING, evaluate=evaluate)
    run_search(strategy, executor, store, trials=60, on_result=lambda c, r: log("reported", c.number, r.status.value))

for _ in sys.stdin:
    driver = os.fork()
    if driver == 0:
        try:
            drive()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(driver, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]), flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_any_time_loses_and_repeats_nothing(tmp_path: Path) -> None:
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.format(root=str(Path(__file__).parents[2])))
    folder = tmp_path / "store"
    folder.mkdir()
    log = folder / "log"
    command, kills = [sys.executable, str(script), str(folder)], 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdin is not None and process.stdout is not None
        for _ in range(2):  # the database is a quarter of a second behind, so a kill finds it without the last trials
            before = log.read_text().count("evaluated") if log.exists() else 0
            process.stdin.write("\n")
            driver = int(process.stdout.readline())
            while not log.exists() or log.read_text().count("evaluated") < before + 12:
                time.sleep(0.003)
            os.kill(driver, signal.SIGKILL)
            kills += int(process.stdout.readline()) == -signal.SIGKILL
            told = sum(line.startswith("reported") for line in log.read_text().splitlines())
            counts = StudyStore.open(folder, "s").counts()  # whoever looks at what a killed driver left sees all of it
            assert told <= counts["complete"] + counts["failed"] <= told + kills
        assert kills >= 1
        process.stdin.write("\n")
        process.stdin.close()
        assert process.stdout.readlines()[1:] == ["0\n"]
    store = StudyStore.open(folder, "s")
    assert store.counts() == {"running": 0, "complete": 48, "stopped": 0, "failed": 12}
    evaluated: list[int] = []
    reported: set[int] = set()
    for line in log.read_text().splitlines():
        what, text, *_ = line.split()
        assert int(text) not in reported
        if what == "evaluated":
            evaluated.append(int(text))
        else:
            reported.add(int(text))
    assert set(evaluated) == set(range(60))
    assert len(reported) >= 60 - kills  # what a kill interrupts is told from its result file, and not reported again
    assert len(evaluated) <= 60 + kills
    for number in range(60):
        if number % 5 != 4:
            store.load_result(number)
    assert len(store.study.trials) == 60
    assert not [path for path in store.folder.rglob("*") if "tmp" in path.name]


def test_keyboard_interrupt_passes_through_and_can_be_resumed(
    make: MakeStrategy, store: StudyStore, dataset: Dataset
) -> None:
    def interrupted(candidate: Candidate, data: Dataset, config: TrainingConfig) -> TrialResult:
        if candidate.number == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        return pretend(candidate, data, config)

    with pytest.raises(KeyboardInterrupt):
        search(make, store, dataset, 6, evaluate=interrupted)
    assert store.counts() == {"running": 1, "complete": 3, "stopped": 0, "failed": 0}
    reopened = StudyStore.open(store.root, "study")
    search(make, reopened, dataset, 6)
    assert reopened.counts() == {"running": 0, "complete": 6, "stopped": 0, "failed": 0}


def test_results_of_unknown_trials_are_ignored(make: MakeStrategy, store: StudyStore, dataset: Dataset) -> None:
    class Echo(SerialExecutor):
        """Gives every result twice, as a pool that ran a trial again might."""

        def wait(self, timeout: float) -> list[TrialResult]:
            results = super().wait(timeout)
            late = [dataclasses.replace(r, status=TrialStatus.FAILED, reason="late") for r in results]
            return results + late

    executor = Echo(dataset, TRAINING, evaluate=pretend)
    run_search(make("random", store), executor, store, trials=5)
    assert store.counts() == {"running": 0, "complete": 5, "stopped": 0, "failed": 0}


def test_serial_executor_calls_functions(dataset: Dataset) -> None:
    executor = SerialExecutor(dataset, TRAINING, evaluate=pretend)
    assert executor.call(lambda a, b: a + b, 2, 3) == 5
    assert executor.wait(0.1) == []
    executor.close()


@pytest.mark.parametrize("call", ["create_new_trial", "set_trial_user_attr", "set_trial_state_values"])
def test_a_database_that_fails_ends_the_search_with_a_way_on(
    call: str, make: MakeStrategy, store: StudyStore, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    import optuna

    def away(*_: object, **__: object) -> None:
        raise optuna.exceptions.StorageInternalError("connection refused")

    search(make, store, dataset, 3)
    monkeypatch.setattr(store._storage, call, away)
    with pytest.raises(StudyError, match=r"database of study 'study' failed: connection refused.*--resume"):
        search(make, store, dataset, 5)
    again = StudyStore.open(store.root, "study")
    search(make, again, dataset, 5)
    assert again.counts()["complete"] == 5


def test_only_the_driver_writes(store: StudyStore, make: MakeStrategy, dataset: Dataset) -> None:
    with store.lock(), pytest.raises(StudyError, match="driven by another process"):
        search(make, StudyStore.open(store.root, "study"), dataset, 3)
