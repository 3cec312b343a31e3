"""Follow a search in MLflow without ever holding it up, and without losing a trial when MLflow is away.

`log_trial` and `log_front` only put things into memory (and the trial into the journal, one line of a local file);
a background thread does all that talks to MLflow or draws. When MLflow fails, the thread waits, longer each time, and
repeats. What is left when the search ends stays in the journal, and the next `start(resume=True)` logs it. A trial's
run is found by its tag `trial` below its parent run, so that repeating never makes a second one.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from nas.tracking._adjacency_plot import adjacency_png
from nas.tracking._config import TrackingConfig
from nas.tracking._dag_plot import dag_png
from nas.tracking._front_plot import front_html, front_png
from nas.tracking._journal import Journal
from nas.tracking._note import overview, search_name
from nas.tracking._points import FrontPoint, run_name
from nas.tracking._record import parameters, trial_record
from nas.tracking._writer import MlflowWriter, TrialRun
from nas.training._types import Candidate, TrialResult

__all__ = ["MlflowTracker", "NullTracker", "Tracker"]

Ending = Literal["FINISHED", "FAILED", "KILLED"]

_FRONT_SECONDS = 10.0  # least time between two updates of the front's plots and note
_FRONT_SHARE = 0.05  # of one core, for these updates
_PICTURE_SHARE = 0.05  # of one core, for pictures of networks while the search runs
_BACKOFF = (1.0, 60.0)  # seconds to wait after a first and after many failures
_LAST_SECONDS = 5.0  # of the time that `finish` has, kept for ending the parent run
_PATIENCE = 3  # attempts at a trial that MLflow itself calls invalid, before it is set aside
_LOG = logging.getLogger(__name__)


class Tracker(Protocol):
    """Whoever wants to follow a search. No method may block or raise because a server is away."""

    def start(self, resume: bool = False) -> None:
        """A search begins, or goes on."""

    def log_trial(self, candidate: Candidate, result: TrialResult) -> None:
        """A trial has ended; telling one twice does no harm."""

    def log_front(self, members: Sequence[FrontPoint], hypervolume: float) -> None:
        """The front is now this."""

    def finish(self, status: Ending = "FINISHED") -> int:
        """The search has ended. Returns how many trials are still to be logged."""


class NullTracker:
    """Follows nothing, for jobs with ``tracking.mlflow: false``."""

    def start(self, resume: bool = False) -> None:
        """Do nothing."""

    def log_trial(self, candidate: Candidate, result: TrialResult) -> None:
        """Do nothing."""

    def log_front(self, members: Sequence[FrontPoint], hypervolume: float) -> None:
        """Do nothing."""

    def finish(self, status: Ending = "FINISHED") -> int:
        """Do nothing; nothing is left."""
        return 0


class MlflowTracker:
    """One search as one parent run of an MLflow experiment, each trial a child run.

    Args:
        config: where MLflow is and what the experiment is called.
        job_params: the job, nested or flattened with dots; parameters of the parent run. Those under ``training`` are
            parameters of each trial too, with its hyperparameters over them.
        hardware: what process times are taken on; tags of the parent run.
        period: row width of image data, for the pictures.
        cost: metric on the x axis of the front's plots.
        flush_seconds: how long `finish` may wait for MLflow.

    Only one process may track a study at a time (the study's lock sees to that).
    """

    def __init__(
        self,
        config: TrackingConfig,
        *,
        job_params: Mapping[str, object],
        hardware: Mapping[str, object],
        period: int | None = None,
        cost: str = "inference_seconds",
        flush_seconds: float = 60.0,
    ) -> None:
        self._config = config
        self._job_params = parameters(job_params)
        self._hardware = parameters(hardware)
        self._period, self._cost, self._flush_seconds = period, cost, flush_seconds
        self._wake = threading.Condition()
        # Shared with the thread, under _wake:
        self._queue: deque[dict[str, Any]] = deque()
        self._front: tuple[tuple[FrontPoint, ...], float] = ((), 0.0)
        self._front_changed = False
        self._ending: Ending | None = None
        self._deadline = float("inf")
        self._logged: set[int] = set()  # numbers given to log_trial or found in MLflow
        # The thread's own:
        self._writer: MlflowWriter | None = None
        self._parents: dict[str, str] = {}  # run id of each search's parent
        self._runs: dict[int, TrialRun] = {}  # trials of this search in MLflow
        self._attempts: dict[tuple[str, int], int] = {}
        self._aside: list[dict[str, Any]] = []  # trials that MLflow refuses
        self._next_front = self._next_picture = 0.0
        self._ready = False
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._search = ""

    @property
    def parent_run_id(self) -> str | None:
        """The parent run, once MLflow has been reached."""
        return self._parents.get(self._search)

    @property
    def backlog(self) -> int:
        """Trials that MLflow does not have yet."""
        return len(self._queue) + len(self._aside)

    def start(self, resume: bool = False) -> None:
        """Begin to follow; with `resume`, the newest search of the experiment goes on in its parent run."""
        if self._thread is not None:
            raise RuntimeError("this tracker has been started before; make a new one for another search")
        self._journal = Journal(self._config.store / self._config.experiment / "mlflow.jsonl")
        self._queue.extend(self._journal.pending())
        self._ask_for_search = False
        known = self._journal.search if resume else None
        # A resumed search without a journal (another machine, MLflow switched on later) asks MLflow for its id.
        self._ask_for_search = resume and known is None
        self._search = known or uuid.uuid4().hex
        self._logged = {record["number"] for record in self._queue if record["search"] == self._search}
        if self._queue:
            _LOG.info("%d trials of earlier runs are still to be logged to MLflow", len(self._queue))
        self._journal.begin(self._search)
        self._thread = threading.Thread(target=self._run, name="mlflow-tracker", daemon=True)
        self._thread.start()

    def log_trial(self, candidate: Candidate, result: TrialResult) -> None:
        """Queue a finished or failed trial; it is in the journal when this returns."""
        assert self._journal is not None, "start() comes first"
        with self._wake:
            if result.number in self._logged:
                return
            self._logged.add(result.number)
        record = trial_record(self._search, candidate, result, self._job_params)
        self._journal.add(record)
        with self._wake:
            self._queue.append(record)
            self._wake.notify()

    def log_front(self, members: Sequence[FrontPoint], hypervolume: float) -> None:
        """Set the current front; of several calls in a row only the last may be drawn.

        A member's metrics may be newer than its trial's (timed again): MLflow then shows the newer ones.
        """
        with self._wake:
            self._front = (tuple(members), hypervolume)
            self._front_changed = True
            self._wake.notify()

    def finish(self, status: Ending = "FINISHED") -> int:
        """Log what is left, draw the front and all its members, end the parent run; at most `flush_seconds` long.

        Returns:
            Number of trials that MLflow does not have; they stay in the journal for the next `start(resume=True)`.
        """
        if self._thread is None:
            return 0
        with self._wake:
            self._ending = status
            self._front_changed = True
            self._deadline = time.monotonic() + self._flush_seconds
            self._wake.notify()
        self._thread.join(self._flush_seconds)
        left = self.backlog
        if left:
            assert self._journal is not None
            _LOG.warning("%d trials could not be logged to MLflow; %s keeps them", left, self._journal.path)
        return left

    # ---- the thread ----

    def _run(self) -> None:
        wait = _BACKOFF[0]
        while True:
            try:
                if self._step():
                    return
                wait = _BACKOFF[0]
            except Exception as error:  # whatever MLflow, its database or the network raise
                if time.monotonic() > self._deadline:
                    return
                if wait == _BACKOFF[0]:
                    _LOG.warning("MLflow at %s: %s; will try again", _safe(self._config.tracking_uri), _brief(error))
                self._ready = False  # whatever was known may be stale: look runs up again
                self._pause(wait)
                wait = min(2 * wait, _BACKOFF[1] if self._ending is None else 2 * _BACKOFF[0])

    def _pause(self, seconds: float) -> None:
        """Wait that long, or less when the search ends meanwhile."""
        with self._wake:
            if self._ending is None:
                self._wake.wait_for(lambda: self._ending is not None, timeout=seconds)
                return
        time.sleep(seconds)

    def _step(self) -> bool:
        """One piece of work, or a wait for some; True when there will be none any more."""
        if not self._ready:
            self._connect()
        with self._wake:
            now = time.monotonic()
            ending = self._ending
            if now > self._deadline:
                return True
            record = self._queue[0] if self._queue else None
            front_due = self._front_changed and (now >= self._next_front if ending is None else record is None)
        if front_due:
            self._update_front()
        elif record is not None:
            self._log_record(record)
        elif (now < self._deadline - _LAST_SECONDS if ending else now >= self._next_picture) and self._draw_member():
            pass  # one at a time, so that trials do not wait for pictures
        elif ending is not None:
            assert self._writer is not None
            self._writer.client.set_terminated(self._parents[self._search], ending)
            return True
        else:
            with self._wake:
                if not self._queue and self._ending is None:
                    self._wake.wait(self._idle_seconds())
        return False

    def _idle_seconds(self) -> float | None:
        """Until the next update that waits for its time; None: until something happens."""
        due = [self._next_front] if self._front_changed else []
        if any(self._undrawn(point) for point in self._front[0]):
            due.append(self._next_picture)
        return max(0.05, min(due) - time.monotonic()) if due else None

    def _connect(self) -> None:
        """Find or make the experiment and the parent run, and see which trials are there already."""
        config = self._config
        artifacts = config.artifact_root if config.mlflow_uri is None else None
        if config.mlflow_uri is None:
            config.store.mkdir(parents=True, exist_ok=True)
        self._writer = MlflowWriter(config.tracking_uri, config.experiment, artifacts)
        if self._ask_for_search:
            self._adopt(self._writer.latest_search())
        self._parents = {}
        self._runs = self._writer.trials(self._parent(self._search))
        self._writer.describe_experiment([self._parents[self._search]], self._has_accuracy(), "A search is running")
        with self._wake:
            self._logged |= {number for number, run in self._runs.items() if run.finished}
        self._ready = True

    def _adopt(self, search: str | None) -> None:
        """Go on with a search that MLflow knows and the journal does not; trials queued meanwhile belong to it."""
        assert self._journal is not None
        self._ask_for_search = False
        if search is None:
            return
        with self._wake:
            for record in self._queue:
                if record["search"] == self._search:
                    self._journal.done(record)
                    record["search"] = search
                    self._journal.add(record)
            self._search = search
        self._journal.begin(search)

    def _parent(self, search: str) -> str:
        if search not in self._parents:
            assert self._writer is not None
            hardware = {f"hardware.{key}": value for key, value in self._hardware.items()}
            current = search == self._search  # else trials were left over when MLflow was away at its end
            self._parents[search] = self._writer.ensure_parent(
                search, search_name((), 0, 0), self._job_params if current else {}, hardware, running=current
            )
        return self._parents[search]

    def _log_record(self, record: dict[str, Any]) -> None:
        from mlflow.exceptions import MlflowException

        assert self._writer is not None and self._journal is not None
        number = record["number"]
        parent = self._parent(record["search"])
        try:
            if record["search"] == self._search:
                self._runs[number] = self._writer.write_trial(record, parent, self._runs.get(number))
            else:
                self._writer.write_trial(record, parent, self._writer.trials(parent).get(number))
        except MlflowException as error:
            attempts = self._attempts[record["search"], number] = 1 + self._attempts.get((record["search"], number), 0)
            invalid = error.get_http_status_code() in (400, 409)  # type: ignore[no-untyped-call]
            if not invalid or attempts < _PATIENCE:
                raise
            _LOG.warning("MLflow refuses trial %d (%s); the journal keeps it", number, _brief(error))
            self._aside.append(record)
        else:
            self._journal.done(record)
        with self._wake:
            self._queue.popleft()

    def _update_front(self) -> None:
        """Tags, values, plots and note of the current front."""
        assert self._writer is not None
        began = time.monotonic()
        with self._wake:
            members, hypervolume = self._front
            self._front_changed = False
        try:
            self._write_front(members, hypervolume)
        except BaseException:
            with self._wake:
                self._front_changed = True
            raise
        with self._wake:  # members that are still queued get their tag at the next update
            waiting = {record["number"] for record in self._queue}
            self._front_changed |= any(point.number in waiting for point in members)
        now = time.monotonic()
        self._next_front = now + max(_FRONT_SECONDS, (now - began) / _FRONT_SHARE)

    def _write_front(self, members: Sequence[FrontPoint], hypervolume: float) -> None:
        assert self._writer is not None
        writer, parent = self._writer, self._parents[self._search]
        now_ms = int(1000 * time.time())
        on_front = {point.number: point for point in members}
        for number, run in self._runs.items():
            writer.set_pareto(run, number in on_front)
            if number in on_front:
                metrics = on_front[number].metrics
                writer.update_metrics(run, metrics, run_name(number, metrics), len(self._runs), now_ms)
        failed = sum(run.failed for run in self._runs.values())
        finished = len(self._runs) - failed
        others = [
            FrontPoint(number, run.metrics, parent=run.parent_trial, mutation=run.mutation)
            for number, run in sorted(self._runs.items())
            if number not in on_front and not run.failed
        ]
        note = overview(
            members,
            finished=finished,
            failed=failed,
            hypervolume=hypervolume,
            job_params=self._job_params,
            hardware=self._hardware,
            link=self._link,
            views=writer.view_links(),
        )
        values = {"hypervolume": hypervolume, "front_size": float(len(members)), "trials": float(len(self._runs))}
        accuracies = [point.metrics["val_accuracy"] for point in members if "val_accuracy" in point.metrics]
        if accuracies:
            values["best_val_accuracy"] = max(accuracies)
        writer.log_values(parent, values, len(self._runs), now_ms, {"mlflow.note.content": note})
        name = search_name(members, finished, failed)
        writer.client.update_run(parent, name=name)
        if not members:
            return
        writer.describe_experiment([parent], bool(accuracies), name.removeprefix("search · "))
        title = f"{self._config.experiment}: {'accuracy' if accuracies else 'error'} against process time"
        with tempfile.TemporaryDirectory(prefix="nas-front-") as folder:
            page, picture = Path(folder, "front.html"), Path(folder, "front.png")
            page.write_text(front_html(members, others, title=title, cost=self._cost), encoding="utf-8")
            picture.write_bytes(front_png(members, others, title=title, cost=self._cost))
            for file in (page, picture):
                writer.client.log_artifact(parent, str(file))

    def _draw_member(self) -> bool:
        """Pictures and checkpoint of one member of the front that has none yet; False if there is no such member."""
        assert self._writer is not None
        point = next((point for point in self._front[0] if self._undrawn(point)), None)
        if point is None:
            return False
        began = time.monotonic()
        run = self._runs[point.number]
        with tempfile.TemporaryDirectory(prefix="nas-member-") as folder:
            self._writer.log_files(run, self._member_files(point, Path(folder)))
        now = time.monotonic()
        self._next_picture = now + (now - began) / _PICTURE_SHARE
        return True

    def _undrawn(self, point: FrontPoint) -> bool:
        run = self._runs.get(point.number)
        drawable = point.dag is not None or point.checkpoint is not None or point.details is not None
        return drawable and run is not None and run.finished and not run.artifacts

    def _member_files(self, point: FrontPoint, folder: Path) -> list[Path]:
        files = []
        if point.details is not None:
            point = point.details()
        if point.dag is not None:
            title = run_name(point.number, point.metrics)
            for name, draw in (("dag.png", dag_png), ("adjacency.png", adjacency_png)):
                picture = draw(point.dag, point.weights, period=self._period, title=title)
                files.append(folder / name)
                files[-1].write_bytes(picture)
        if point.checkpoint is not None:
            target = folder / "network.safetensors"
            try:
                if callable(point.checkpoint):
                    point.checkpoint(target)
                else:
                    target.write_bytes(point.checkpoint.read_bytes())
                files.append(target)
            except Exception as error:  # a broken file of one member must not stop the protocol of all others
                _LOG.warning("no checkpoint of trial %d for MLflow: %s", point.number, _brief(error))
        return files

    def _link(self, number: int) -> str | None:
        run = self._runs.get(number)
        return self._writer.run_link(run.run_id) if run is not None and self._writer is not None else None

    def _has_accuracy(self) -> bool:
        return not any("val_error" in run.metrics and "val_accuracy" not in run.metrics for run in self._runs.values())


def _brief(error: BaseException) -> str:
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text[:200]}"


def _safe(uri: str) -> str:
    """The address without a password."""
    return parameters({"uri": uri})["uri"]
