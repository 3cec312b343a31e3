"""A search in a real MLflow store: what is there, what survives outages and deaths, and that nothing waits."""

import errno
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from nas.graph import random_dag
from nas.tracking import FrontPoint, MlflowTracker, NullTracker, TrackingConfig, front_addresses
from nas.tracking.mlflow import tracker as tracker_module
from nas.tracking.mlflow._journal import Journal
from nas.tracking.mlflow._session import Session
from nas.tracking.mlflow.writer import MlflowWriter
from nas.tracking.protocol import Ended
from nas.training.types import Candidate, Genome, TrialResult, TrialStatus

Make = Callable[..., MlflowTracker]


def make_trial(number: int, *, failed: bool = False) -> tuple[Candidate, TrialResult]:
    dag = random_dag(6, 8, 3, n_edges=40, rng=np.random.default_rng(number))
    candidate = Candidate(
        number,
        Genome(dag, {"learning_rate": 0.005}),
        seed=100 + number,
        steps=200,
        parent=number - 1 if number else None,
        mutation="add 3 edges" if number else "initial",
    )
    hardware = {"processor": "abacus", "threads": 1}
    if failed:
        return candidate, TrialResult(number, TrialStatus.FAILED, reason="loss became NaN at step 3", hardware=hardware)
    accuracy = 0.9 + number / 1000
    metrics = {
        "val_accuracy": accuracy,
        "val_error": 1 - accuracy,
        "test_accuracy": accuracy - 0.01,
        "inference_seconds": 1e-4 * (number + 1),
        "train_step_seconds": 4e-4,
        "edges": float(dag.n_edges),
        "density": dag.density,
        "depth": float(dag.depth),
    }
    steps = np.arange(0, 201, 2)
    history = {"step": steps, "loss": np.exp(-steps / 50), "flow": np.linspace(1, 0, len(steps))}
    result = TrialResult(
        number, TrialStatus.COMPLETE, metrics, history=history, dag=dag, hardware=hardware, seconds=1.5, worker="w:1"
    )
    return candidate, result


def point(number: int, **metrics: float) -> FrontPoint:
    _, result = make_trial(number)
    assert result.dag is not None
    return FrontPoint(
        number,
        {**result.metrics, **metrics},
        dag=result.dag,
        weights=np.linspace(-1, 1, result.dag.n_edges),
        checkpoint=lambda path: path.write_bytes(b"network"),
    )


def write_slowly(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let MLflow take that long for each trial."""
    write = MlflowWriter.write_trial
    patch.setattr(MlflowWriter, "write_trial", lambda *given: (time.sleep(seconds), write(*given))[1])


def runs(config: TrackingConfig) -> tuple[list[Run], dict[int, list[Run]]]:
    """Parent runs, and the child runs of each trial number."""
    client = MlflowClient(config.tracking_uri)
    experiment = client.get_experiment_by_name(config.experiment)
    parents: list[Run] = []
    children: dict[int, list[Run]] = {}
    for run in client.search_runs([experiment.experiment_id]) if experiment is not None else ():
        if "trial" in run.data.tags:
            children.setdefault(int(run.data.tags["trial"]), []).append(run)
        else:
            parents.append(run)
    return parents, children


def pareto(config: TrackingConfig) -> list[str]:
    """The tag of each trial, in order of their numbers."""
    return [run.data.tags["pareto"] for _, [run] in sorted(runs(config)[1].items())]


class Outage:
    """Makes a method of every MLflow client fail, `times` times or until the test has ended."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, method: str, *, after: bool = False, times: float = float("inf")
    ) -> None:
        self.failures = 0
        self.times = times
        monkeypatch.setattr(MlflowClient, method, self._broken(getattr(MlflowClient, method), after))

    def _broken(self, method: Callable[..., Any], after: bool) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self.failures < self.times and not after:
                self.failures += 1
                raise ConnectionError("connection refused")
            answer = method(*args, **kwargs)
            if self.failures < self.times:  # the server has done it, but its answer is lost
                self.failures += 1
                raise ConnectionError("connection reset")
            return answer

        return call

    def wait_for_failures(self, count: int) -> None:
        deadline = time.monotonic() + 20
        while self.failures < count:
            assert time.monotonic() < deadline, f"only {self.failures} failures"
            time.sleep(0.005)


def test_the_curve_of_the_hypervolume_is_drawn_and_goes_on_where_it_was(config: TrackingConfig, tracker: Make) -> None:
    def history(name: str) -> list[tuple[int, float]]:
        client = MlflowClient(config.tracking_uri)
        [parent], _ = runs(config)
        return sorted((each.step, each.value) for each in client.get_metric_history(parent.info.run_id, name))

    corners = [(1, 1.5, 0.2), (3, 4.6, 0.4), (4, 6.0, 0.4), (6, 8.2, 0.5)]
    first = tracker()
    first.start()
    first.log_trial(*make_trial(0))
    first.log_front([point(0)], 0.4, curve=corners[:3])
    assert first.finish("KILLED") == 0
    second = tracker()
    second.start(resume=True)
    second.log_trial(*make_trial(1))
    second.log_front([point(1)], 0.5, curve=[*corners[:2], corners[3]])
    assert second.finish() == 0
    assert history("curve/hypervolume_by_trials") == [(trials, value) for trials, _, value in corners]
    assert history("curve/hypervolume_by_seconds") == [(1, 0.2), (4, 0.4), (6, 0.4), (8, 0.5)]
    file = config.artifact_root.rglob("anytime.csv")
    assert next(iter(file)).read_text().splitlines()[1:] == ["1,1.500,0.200000", "3,4.600,0.400000", "6,8.200,0.500000"]


def test_everything_is_there(config: TrackingConfig, tracker: Make) -> None:
    tracking = tracker()
    tracking.start()
    for number in range(3):
        tracking.log_trial(*make_trial(number))
    tracking.log_trial(*make_trial(3, failed=True))
    tracking.log_front([point(0), point(2)], 0.5)
    assert tracking.finish() == 0

    client = MlflowClient(config.tracking_uri)
    experiment = client.get_experiment_by_name("study")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert experiment.tags["mlflow.note.content"].startswith("4 trials · best 90.2 % · front of 2. Open [the front")
    [parent], children = runs(config)
    assert parent.info.run_name == "search · 4 trials · best 90.2 % · front of 2"
    assert parent.info.status == "FINISHED" and parent.info.run_id == tracking.parent_run_id
    assert parent.data.params["training.losses.flow"] == "0.0001"
    assert parent.data.tags["hardware.processor"] == "abacus"
    assert parent.data.metrics == {"hypervolume": 0.5, "front_size": 2, "trials": 4, "best_accuracy": 0.902}
    note = parent.data.tags["mlflow.note.content"]
    assert f"[#002](#/experiments/{experiment.experiment_id}/runs/{children[2][0].info.run_id}?" in note
    assert [file.path for file in client.list_artifacts(parent.info.run_id)] == ["front.html", "front.png"]

    assert {number: len(found) for number, found in children.items()} == {0: 1, 1: 1, 2: 1, 3: 1}
    [run] = children[2]
    assert run.info.run_name == "#002 90.2 % · 300 µs · 40 edges" and run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == pytest.approx(1500, abs=2)
    assert run.data.params["learning_rate"] == "0.005" and run.data.params["activation"] == "relu"
    assert run.data.params["seed"] == "102" and run.data.params["steps"] == "200"
    assert run.data.metrics["test_accuracy"] == 0.892 and run.data.metrics["edges"] == 40
    expected = {"mlflow.parentRunId": parent.info.run_id, "parent_trial": "1", "mutation": "add 3 edges"}
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags["hardware.threads"] == "1"
    curve = client.get_metric_history(run.info.run_id, "curve/loss")
    assert curve[0].step == 0 and curve[-1].step == 200 and len(curve) <= 20
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"dag.png", "adjacency.png", "network.safetensors"}
    assert [children[number][0].data.tags["pareto"] for number in range(4)] == ["true", "false", "true", "false"]
    assert client.list_artifacts(children[1][0].info.run_id) == []
    failed = children[3][0]
    assert failed.info.status == "FAILED" and failed.info.run_name == "#003 failed: loss became NaN at step 3"
    assert front_addresses(config)["study"].startswith("#/experiments/1/runs?viewStateShareKey=front")


def test_pictures_are_drawn_while_a_core_is_idle_picks_first(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is drawn while baselines train need not be waited for at the end."""
    drawn: list[int] = []
    real = Session.make_files

    def make_files(self: Session, found: FrontPoint, folder: Path) -> list[Path]:
        drawn.append(found.number)
        return real(self, found, folder)

    monkeypatch.setattr(Session, "make_files", make_files)
    monkeypatch.setattr("nas.tracking.mlflow.tracker._PICTURE_SHARE", 1e-9)  # after the first none of itself
    tracking = tracker()
    tracking.start()
    for number in range(4):
        tracking.log_trial(*make_trial(number))
    tracking.log_front([point(number) for number in range(4)], 0.5, picks={2: "best"})
    _until(lambda: drawn == [2] and tracking.undrawn == 3)
    tracking.draw_freely(True)
    _until(lambda: tracking.undrawn == 0)
    assert sorted(drawn) == [0, 1, 2, 3]
    tracking.draw_freely(False)
    assert tracking.finish() == 0 and len(drawn) == 4


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_front_changes_while_the_search_runs(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.tracking.mlflow.tracker._FRONT_SECONDS", 0.05)
    monkeypatch.setattr("nas.tracking.mlflow.tracker._FRONT_SHARE", 1e9)
    tracking = tracker()
    tracking.start()
    tracking.log_trial(*make_trial(0))
    tracking.log_trial(*make_trial(1))
    tracking.log_front([point(0)], 0.1)
    deadline = time.monotonic() + 20
    while pareto(config) != ["true", "false"]:
        assert time.monotonic() < deadline, pareto(config)
        time.sleep(0.05)
    tracking.log_front([point(1)], 0.2)
    assert tracking.finish() == 0
    assert pareto(config) == ["false", "true"]


def test_resume_goes_on_in_the_same_parent(config: TrackingConfig, tracker: Make) -> None:
    first = tracker()
    first.start()
    first.log_trial(*make_trial(0))
    first.log_front([point(0)], 0.1)
    first.finish("KILLED")
    assert runs(config)[0][0].info.status == "KILLED"
    second = tracker(job_params={"search": {"strategy": "evolution", "trials": 20}, "new": 1})
    second.start(resume=True)
    second.log_trial(*make_trial(0))  # told again
    second.log_trial(*make_trial(1))
    second.log_front([point(1)], 0.2)
    assert second.finish() == 0
    [parent], children = runs(config)
    assert parent.info.status == "FINISHED" and parent.info.run_id == second.parent_run_id
    assert {number: len(found) for number, found in children.items()} == {0: 1, 1: 1}
    assert parent.data.tags["resumed.search.trials"] == "20" and parent.data.params["search.trials"] == "9"
    assert parent.data.params["new"] == "1"
    assert pareto(config) == ["false", "true"]


def test_another_search_has_its_own_parent(config: TrackingConfig, tracker: Make) -> None:
    for _ in range(2):
        tracking = tracker()
        tracking.start()
        tracking.log_trial(*make_trial(0))
        tracking.finish()
    parents, children = runs(config)
    assert len(parents) == 2 and len(children[0]) == 2
    assert {run.data.tags["mlflow.parentRunId"] for run in children[0]} == {run.info.run_id for run in parents}


def test_resume_without_a_journal_asks_mlflow(config: TrackingConfig, tracker: Make) -> None:
    first = tracker()
    first.start()
    first.log_trial(*make_trial(0))
    first.finish("KILLED")
    (config.store / "study" / "mlflow.jsonl").unlink()
    second = tracker()
    second.start(resume=True)
    second.log_trial(*make_trial(1))
    assert second.finish() == 0
    [_], children = runs(config)
    assert {number: len(found) for number, found in children.items()} == {0: 1, 1: 1}
    assert Journal(config.store / "study" / "mlflow.jsonl").pending() == []


@pytest.mark.parametrize(
    "method", ["create_run", "log_batch", "set_terminated", "search_runs", "log_artifact", "set_tag"]
)
@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
def test_an_outage_loses_and_repeats_nothing(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch, method: str, after: bool
) -> None:
    tracking = tracker()
    with monkeypatch.context() as patch:
        outage = Outage(patch, method, after=after, times=3)
        tracking.start()
        for number in range(2):
            tracking.log_trial(*make_trial(number))
        tracking.log_front([point(1)], 0.5)
        assert tracking.finish() == 0
        assert outage.failures >= 2
    [parent], children = runs(config)
    assert {number: len(found) for number, found in children.items()} == {0: 1, 1: 1}
    assert parent.info.status == "FINISHED" and children[1][0].data.tags["pareto"] == "true"
    client = MlflowClient(config.tracking_uri)
    assert len(client.get_metric_history(children[1][0].info.run_id, "edges")) == 1
    assert len(client.list_artifacts(children[1][0].info.run_id)) == 3


def test_what_is_left_is_logged_by_the_next_resume(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        outage = Outage(patch, "search_runs")
        tracking = tracker(flush_seconds=0.3)
        tracking.start()
        for number in range(3):
            tracking.log_trial(*make_trial(number))
        outage.wait_for_failures(3)
        assert tracking.finish("KILLED") == 3
        assert sum("does not answer" in message for message in caplog.messages) == 1, "an outage is told once"
        assert "3 trials could not be logged" in caplog.text
        assert tracking._thread is not None
        tracking._thread.join(10)
    second = tracker()
    second.start(resume=True)
    second.log_trial(*make_trial(1))
    second.log_trial(*make_trial(3))
    assert second.finish() == 0
    [_], children = runs(config)
    assert {number: len(found) for number, found in children.items()} == {0: 1, 1: 1, 2: 1, 3: 1}


def test_trials_left_by_an_earlier_search_go_below_its_own_parent(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        Outage(patch, "search_runs")
        tracking = tracker(flush_seconds=0.1)
        tracking.start()
        tracking.log_trial(*make_trial(0))
        assert tracking.finish() == 1
        assert tracking._thread is not None
        tracking._thread.join(10)
    second = tracker()
    second.start(resume=False)
    second.log_trial(*make_trial(0))
    assert second.finish() == 0
    parents, children = runs(config)
    assert len(children[0]) == 2 and {parent.info.status for parent in parents} == {"FINISHED", "KILLED"}
    assert len({run.data.tags["mlflow.parentRunId"] for run in children[0]}) == 2


@pytest.mark.parametrize("done", ["create_run", "log_batch"])
def test_a_driver_killed_in_the_middle_of_a_trial(config: TrackingConfig, tracker: Make, done: str) -> None:
    """The journal has the trial, MLflow has half of it: the resumed search completes that run."""
    first = tracker()
    first.start()
    first.finish("KILLED")
    assert first.parent_run_id is not None
    journal = Journal(config.store / "study" / "mlflow.jsonl")
    other = tracker()
    other._journal, other._search = journal, str(journal.search)
    other.log_trial(*make_trial(5))  # its thread never ran
    [key] = Journal(journal.path).pending()
    record = Journal(journal.path).record(key)
    assert record is not None
    writer = MlflowWriter(config.tracking_uri, "study", config.artifact_root)
    run = writer.client.create_run(
        writer.experiment_id,
        record["start_ms"],
        {**record["tags"], "mlflow.parentRunId": first.parent_run_id},
        record["name"],
    )
    if done == "log_batch":
        writer.write_trial(record, first.parent_run_id, None)  # another run of the same trial must not matter either
        writer.client.delete_run(run.info.run_id)
    resumed = tracker()
    resumed.start(resume=True)
    assert resumed.finish() == 0
    _, children = runs(config)
    assert {number: len(found) for number, found in children.items()} == {5: 1}
    assert children[5][0].info.status == "FINISHED" and children[5][0].data.metrics["edges"] == 40
    assert len(writer.client.get_metric_history(children[5][0].info.run_id, "curve/loss")) <= 20


def test_finish_waits_as_long_as_trials_are_logged(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes a good part of the patience, all together much more than it."""
    write_slowly(monkeypatch, 0.3)
    tracking = tracker(flush_seconds=2.0)
    tracking.start()
    tracking.log_trial(*make_trial(12))
    while tracking.backlog:  # the database is made first, which may take longer than the patience
        time.sleep(0.01)
    for number in range(12):
        tracking.log_trial(*make_trial(number))
    left: list[int] = []
    assert tracking.finish(waiting=lambda number: bool(left.append(number)) or True) == 0
    assert left == sorted(left, reverse=True)
    assert left[0] > 0
    [parent], children = runs(config)
    assert len(children) == 13
    assert parent.info.status == "FINISHED"


def test_finish_waits_as_long_as_pictures_are_drawn(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a slow machine all of them take longer than the patience, and the parent run must not be left running.

    The clock jumps at each picture instead of waiting, so that the load of this machine decides nothing.
    """
    late = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0], sleep=time.sleep)
    monkeypatch.setattr(tracker_module, "time", clock)
    ending = threading.Event()

    def draw(*given: object) -> list[Path]:
        assert ending.wait(60)
        late[0] += 400.0
        return []

    monkeypatch.setattr(Session, "_write_plots", lambda *given: None)
    monkeypatch.setattr(Session, "make_files", draw)
    tracking = tracker(flush_seconds=600.0)
    tracking.start()
    members = range(12)
    for number in members:
        tracking.log_trial(*make_trial(number))
    while tracking.backlog:
        time.sleep(0.01)
    tracking.log_front([point(number) for number in members], 0.1)
    assert tracking.finish(waiting=lambda left: ending.set() is None) == 0
    assert late[0] == 400.0 * len(members)
    assert tracking.left_out == ()
    assert [parent.info.status for parent in runs(config)[0]] == ["FINISHED"]


def test_finish_waits_as_long_as_a_front_is_written(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its many calls takes a good part of the patience, on a clock that jumps."""
    late = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + late[0], sleep=time.sleep)
    monkeypatch.setattr(tracker_module, "time", clock)
    monkeypatch.setattr(Session, "_write_plots", lambda *given: None)
    monkeypatch.setattr(Session, "make_files", lambda *given: [])
    tag, members = MlflowClient.set_tag, range(4)
    looked = threading.Semaphore(0)  # `finish`, at how far it is

    def slowly(self: MlflowClient, run_id: str, key: str, value: Any) -> None:
        if key == "pareto":
            looked.acquire(timeout=10)
            late[0] += 250.0
        tag(self, run_id, key, value)

    monkeypatch.setattr(MlflowClient, "set_tag", slowly)
    tracking = tracker(flush_seconds=300.0)
    tracking.start()
    for number in members:
        tracking.log_trial(*make_trial(number))
    while tracking.backlog:
        time.sleep(0.01)
    tracking.log_front([point(number) for number in members], 0.1)
    assert tracking.finish(waiting=lambda left: looked.release() is None) == 0
    assert late[0] >= 250.0 * len(members)
    assert tracking.left_out == ()
    assert [parent.info.status for parent in runs(config)[0]] == ["FINISHED"]


def test_an_mlflow_that_answers_and_takes_nothing_is_given_up(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt connects anew and compares MLflow with the study, which is no progress."""
    tracking = tracker(flush_seconds=1.0)
    tracking.start()
    tracking.log_trial(*make_trial(0))
    while tracking.backlog:
        time.sleep(0.01)
    failures: list[int] = []

    def refuse(*given: object) -> None:
        failures.append(1)
        raise ConnectionError("connection refused")

    monkeypatch.setattr(MlflowWriter, "write_trial", refuse)
    tracking.reconcile(lambda: Ended({0: make_trial(0)[1].metrics}, lambda number: pytest.fail("it is there")))
    tracking.log_trial(*make_trial(1))
    assert tracking.finish() == 1  # comes back at all
    assert tracking._thread is not None
    tracking._thread.join(20)
    assert not tracking._thread.is_alive()
    assert len(failures) > 3


def test_whoever_does_not_want_to_wait_says_so(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        write_slowly(patch, 0.4)
        tracking = tracker()
        tracking.start()
        for number in range(20):
            tracking.log_trial(*make_trial(number))
        began = time.monotonic()
        left = tracking.finish(waiting=lambda number: False)
        assert time.monotonic() - began < 5
        assert left > 0
        assert tracking._thread is not None
        tracking._thread.join(20)
        assert not tracking._thread.is_alive()
    again = tracker()
    again.start(resume=True)
    assert again.finish() == 0
    assert {number: len(found) for number, found in runs(config)[1].items()} == dict.fromkeys(range(20), 1)


def test_giving_up_still_ends_the_parent_run_and_says_what_is_missing(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        write_slowly(patch, 0.4)
        tracking = tracker()
        tracking.start()
        for number in range(20):
            tracking.log_trial(*make_trial(number))
        tracking.log_front([point(0)], 0.1)
        assert tracking.left_out == ()
        assert 0 < tracking.finish(waiting=lambda left: left > 17) < 20
    assert tracking.left_out == ("the front", "pictures")
    assert tracking._thread is not None
    assert not tracking._thread.is_alive()
    assert [parent.info.status for parent in runs(config)[0]] == ["FINISHED"]


def test_a_search_that_is_stopped_waits_for_no_pictures(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Session, "make_files", lambda *given: pytest.fail("drawn"))
        tracking = tracker()
        tracking._next_picture = float("inf")  # while it runs
        tracking.start()
        tracking.log_trial(*make_trial(0))
        tracking.log_front([point(0)], 0.1)
        assert tracking.finish("KILLED") == 0
        assert tracking.left_out == ("pictures",)
    assert pareto(config) == ["true"]


def test_giving_up_when_only_pictures_are_left(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Session.make_files
    with monkeypatch.context() as patch:
        patch.setattr(Session, "make_files", lambda *given: (time.sleep(1.0), make(*given))[1])
        tracking = tracker()
        tracking.start()
        for number in range(8):
            tracking.log_trial(*make_trial(number))
        tracking.log_front([point(number) for number in range(8)], 0.1)
        assert tracking.finish(waiting=lambda left: left > 0) == 0
    assert "pictures" in tracking.left_out
    assert "the end of the parent run" not in tracking.left_out
    assert [parent.info.status for parent in runs(config)[0]] == ["FINISHED"]
    again = tracker()
    again.start(resume=True)
    again.log_front([point(number) for number in range(8)], 0.1)
    assert again.finish() == 0
    assert again.left_out == ()
    assert pareto(config) == ["true"] * 8


def test_nothing_waits_for_a_hanging_server(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = threading.Event()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "get_experiment_by_name", lambda *_: hanging.wait(60))
        tracking = tracker(flush_seconds=0.2)
        trials = [make_trial(number) for number in range(50)]
        began = time.monotonic()
        tracking.start()
        for trial in trials:
            tracking.log_trial(*trial)
            tracking.log_front([point(trial[0].number)], 0.1)
        told = time.monotonic() - began
        assert tracking.finish() == 50
        took = time.monotonic() - began
        hanging.set()
        assert tracking._thread is not None
        tracking._thread.join(20)
    assert told < 2.0 and took < told + 2.0
    assert len(Journal(config.store / "study" / "mlflow.jsonl").pending()) == 50


def test_a_trial_that_mlflow_calls_invalid_is_set_aside(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_batch = MlflowClient.log_batch

    def picky(self: MlflowClient, run_id: str, metrics: Sequence[Any] = (), **kwargs: Any) -> None:
        if any(metric.key == "edges" and self.get_run(run_id).data.tags["trial"] == "1" for metric in metrics):
            raise MlflowException("no such metric", error_code=1000)  # INVALID_PARAMETER_VALUE
        log_batch(self, run_id, metrics, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", picky)
        tracking = tracker()
        tracking.start()
        for number in range(3):
            tracking.log_trial(*make_trial(number))
        assert tracking.finish() == 1
    assert {0, 2} <= {number for number, [run] in runs(config)[1].items() if run.info.status == "FINISHED"}
    second = tracker()
    second.start(resume=True)
    assert second.finish() == 0
    assert {number: run.info.status for number, [run] in runs(config)[1].items()} == dict.fromkeys(range(3), "FINISHED")


def test_times_taken_again_replace_the_first(config: TrackingConfig, tracker: Make) -> None:
    tracking = tracker()
    tracking.start()
    tracking.log_trial(*make_trial(0))
    tracking.log_trial(*make_trial(1))
    tracking.log_front([point(0, inference_seconds=0.00077)], 0.5, others=[point(1, inference_seconds=0.00088)])
    tracking.finish()
    [run], [other] = runs(config)[1][0], runs(config)[1][1]
    assert other.data.metrics["inference_seconds"] == 0.00088 and other.data.tags["pareto"] == "false"
    assert run.data.metrics["inference_us"] == 770 and other.data.metrics["inference_us"] == 880
    assert run.data.metrics["inference_seconds"] == 0.00077 and "770 µs" in run.info.run_name
    history = MlflowClient(config.tracking_uri).get_metric_history(run.info.run_id, "inference_seconds")
    assert sorted(metric.value for metric in history) == [0.0001, 0.00077]


def test_details_are_made_only_when_drawn_and_may_fail(
    config: TrackingConfig, tracker: Make, caplog: pytest.LogCaptureFixture
) -> None:
    threads: list[str] = []

    def details(number: int) -> Callable[[], FrontPoint]:
        def load() -> FrontPoint:
            threads.append(threading.current_thread().name)
            if number == 1:
                raise FileNotFoundError("trials/000001.safetensors")
            return point(number)

        return load

    tracking = tracker()
    tracking.start()
    for number in range(2):
        tracking.log_trial(*make_trial(number))
    members = [replace(point(n), dag=None, weights=None, checkpoint=None, details=details(n)) for n in range(2)]
    tracking.log_front(members, 0.5)
    assert tracking.finish() == 0
    assert threads == ["mlflow-tracker"] * 2
    children = runs(config)[1]
    client = MlflowClient(config.tracking_uri)
    assert len(client.list_artifacts(children[0][0].info.run_id)) == 3
    assert client.list_artifacts(children[1][0].info.run_id) == []
    assert "no pictures and checkpoint of trial 1" in caplog.text


def test_checkpoint_may_be_a_file(config: TrackingConfig, tracker: Make, tmp_path: Path) -> None:
    file = tmp_path / "000000.safetensors"
    file.write_bytes(b"abc")
    tracking = tracker()
    tracking.start()
    tracking.log_trial(*make_trial(0))
    tracking.log_front([replace(point(0), dag=None, checkpoint=file)], 0.5)
    tracking.finish()
    client = MlflowClient(config.tracking_uri)
    run_id = runs(config)[1][0][0].info.run_id
    assert Path(client.download_artifacts(run_id, "network.safetensors", str(tmp_path))).read_bytes() == b"abc"


def test_a_deleted_experiment_comes_back(config: TrackingConfig, tracker: Make) -> None:
    first = tracker()
    first.start()
    first.log_trial(*make_trial(0))
    first.finish()
    client = MlflowClient(config.tracking_uri)
    client.delete_experiment(client.get_experiment_by_name("study").experiment_id)
    second = tracker()
    second.start()
    second.log_trial(*make_trial(1))
    assert second.finish() == 0
    assert 1 in runs(config)[1]


def test_a_folder_for_temporary_files_that_fails_is_named_once_and_no_server_blamed(
    config: TrackingConfig, tracker: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def none() -> str:
        calls.append(1)
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    tracking = tracker(flush_seconds=1.0)
    tracking.start()
    tracking.log_trial(*make_trial(0))
    tracking.log_front([point(0)], 0.5)
    deadline = time.monotonic() + 60
    while len(calls) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    tracking.finish()
    assert (
        sum(
            "cannot be told (TemporaryFilesError: a folder for temporary files is needed" in each
            for each in caplog.messages
        )
        == 1
    )
    assert "does not answer" not in caplog.text


def test_passwords_do_not_reach_the_log(config: TrackingConfig, caplog: pytest.LogCaptureFixture) -> None:
    away = TrackingConfig(experiment="study", store=config.store, mlflow_uri="http://me:hunter2@127.0.0.1:9")
    tracking = MlflowTracker(away, job_params={}, hardware={}, flush_seconds=0.5)
    tracking.start()
    tracking.log_trial(*make_trial(0))
    deadline = time.monotonic() + 20
    while "does not answer" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert tracking.finish() == 1
    assert "http://127.0.0.1:9 does not answer" in caplog.text
    assert "hunter2" not in caplog.text
    assert "hunter2" not in (config.store / "study" / "mlflow.jsonl").read_text()


def test_wrong_order_is_refused(tracker: Make) -> None:
    with pytest.raises(RuntimeError, match=r"call start\(\) before log_trial\(\)"):
        tracker().log_trial(*make_trial(0))
    assert tracker().finish() == 0
    tracking = tracker()
    tracking.start()
    with pytest.raises(RuntimeError, match="make a new one"):
        tracking.start()
    tracking.finish()


def test_null_tracker_does_nothing(tmp_path: Path) -> None:
    tracking = NullTracker()
    tracking.start(resume=True)
    tracking.log_trial(*make_trial(0))
    tracking.log_front([point(0)], 0.5)
    assert tracking.finish("KILLED") == 0 and not list(tmp_path.iterdir())
