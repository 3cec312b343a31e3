"""Follow a search in MLflow without ever holding it up, and without losing a trial when MLflow is away.

`log_trial` only writes a line into the journal, a local file, and `log_front` puts the front into memory; a background
thread does all that talks to MLflow or draws. MLflow takes some tens of trials a second (`make bench-throughput` says
how many): a faster search runs ahead of it, with the trials that wait on disk, and `finish` lets it catch up. When
MLflow fails, the thread waits, longer each time, and repeats. What is left when the search ends stays in the journal,
and the next `start(resume=True)` logs it. The study is the one record: `reconcile` compares MLflow with it, logs what
neither MLflow nor the journal has, and puts values right that are not the study's any more. A trial's run is found by
its tag `trial` below its parent run, so that repeating never makes a second one.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import math
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nas._scratch import scratch
from nas._text import redacted
from nas.errors import TemporaryFilesError
from nas.tracking.config import TrackingConfig
from nas.tracking.mlflow._journal import Journal, Key
from nas.tracking.mlflow._record import parameters, trial_record
from nas.tracking.mlflow._session import SearchFacts, Session
from nas.tracking.mlflow.champion import Champion, champion_files, save_served
from nas.tracking.points import BaselinePoint, CurveCorner, FrontPoint
from nas.tracking.protocol import Ended, Ending
from nas.training.types import Candidate, TrialResult

__all__ = ["MlflowTracker"]

_FRONT_SECONDS = 10.0  # least time between two updates of the front's plots and note
_FRONT_SHARE = 0.05  # of one core, for these updates
_PICTURE_SHARE = 0.05  # of one core, for pictures of networks while the search runs
# Of temporary files that pictures and models go through, for which no server is to be blamed.
_OF_THIS_MACHINE = (errno.ENOENT, errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.EIO)
_SILENT_SECONDS = 60.0  # before the same failure is said again
_BACKOFF = (1.0, 60.0)  # seconds to wait after a first and after many failures
_WAITING_SECONDS = 0.5  # between two looks at how far it is, at the end
_LAST_SECONDS = 5.0  # for ending the parent run: of the time that `finish` has, or after it was told to give up
_MAKING_SECONDS = 900.0  # at most for a picture or a model, at the end: seconds on a machine that does nothing else
_PATIENCE = 3  # attempts at a trial that MLflow itself calls invalid, before it is set aside
_LOG = logging.getLogger(__name__)


class MlflowTracker:
    """One search as one parent run of an MLflow experiment, each trial a child run.

    Args:
        config: where MLflow is and what the experiment is called.
        job_params: the job, nested or flattened with dots; parameters of the parent run. Those under ``training`` are
            parameters of each trial too, with its hyperparameters over them.
        hardware: what process times are taken on; tags of the parent run.
        study: identity of the study; runs of another one are not taken for this one's.
        period: row width of image data, for the pictures.
        cost: metric on the x axis of the front's plots.
        error: what the error of networks is called.
        flush_seconds: how long `finish` may wait for MLflow without any progress.

    One process at a time may track a study (the study's lock sees to that).
    """

    def __init__(
        self,
        config: TrackingConfig,
        *,
        job_params: Mapping[str, object],
        hardware: Mapping[str, object],
        study: str | None = None,
        period: int | None = None,
        cost: str = "inference_seconds",
        error: str = "error",
        flush_seconds: float = 60.0,
    ) -> None:
        self._facts = SearchFacts(config, parameters(job_params), parameters(hardware), period, cost, error, study)
        self._flush_seconds = flush_seconds
        self._journal: Journal | None = None
        self._thread: threading.Thread | None = None
        # Shared with the thread, under _wake:
        self._wake = threading.Condition()
        self._search = ""
        self._adopt = False  # the search's id is not known here: ask MLflow for the newest one
        self._queue: deque[Key] = deque()  # what they are is in the journal
        self._told: set[int] = set()  # trials that were queued once, or that MLflow has
        self._front: tuple[tuple[FrontPoint, ...], float, tuple[FrontPoint, ...]] = ((), 0.0, ())
        self._baselines: tuple[tuple[BaselinePoint, ...], str] = ((), "")
        self._curve: tuple[CurveCorner, ...] = ()
        self._picks: Mapping[int, str] = {}
        self._freely = False  # the front and pictures may have a whole core
        self._front_changed = False
        self._champion: Champion | None = None
        self._study: Ended | None = None  # as it was when it was last compared
        self._compare = False  # MLflow with it
        self._compared: Ended | None = None  # the last one that MLflow was compared with
        self._ending: Ending | None = None
        self._deadline = float("inf")
        self._ended = False  # the parent run
        self._given_up = False  # `finish` was told not to wait: only the parent run is still ended
        # The thread's own:
        self._session: Session | None = None
        self._backoff = _BACKOFF[0]  # seconds to wait after the next failure
        self._attempts: dict[Key, int] = {}
        self._refused: list[Key] = []
        self._summed_up = -1  # runs that there were when the front was written last
        self._without_files: set[int] = set()  # members whose pictures or checkpoint could not be made
        self._next_front = self._next_picture = time.monotonic()

    @property
    def parent_run_id(self) -> str | None:
        """The parent run, once MLflow has been reached."""
        session = self._session
        return session.parent if session is not None else None

    @property
    def backlog(self) -> int:
        """Trials that MLflow does not have yet."""
        return len(self._queue) + len(self._refused)

    @property
    def undrawn(self) -> int:
        """Members of the front that MLflow has no pictures and checkpoint of yet."""
        session = self._session
        return 0 if session is None else sum(1 for _ in self._undrawn(session))

    def draw_freely(self, freely: bool) -> None:
        """Whether the front and pictures may have a whole core until this is said again, and not only a small share."""
        with self._wake:
            self._freely = freely
            self._wake.notify()

    @property
    def champion(self) -> int | None:
        """The trial whose network this search has published, as far as the journal knows; None: none yet."""
        return self._journal.champion if self._journal is not None else None

    @property
    def left_out(self) -> tuple[str, ...]:
        """After `finish`: what could not be logged besides trials, in words."""
        session = self._session
        with self._wake:
            if self._ending is None:
                return ()
            missing = {
                "the front": self._front_changed and bool(self._front[0]),
                "pictures": session is None or self._next_member(session) is not None,
                "the champion": self._champion is not None,
                "the end of the parent run": not self._ended,
            }
        if not self._front[0]:
            missing["pictures"] = False
        return tuple(what for what, left in missing.items() if left)

    def start(self, resume: bool = False) -> None:
        """Begin to follow; with `resume`, the newest search of the experiment goes on in its parent run.

        Raises:
            RuntimeError: this tracker has been started before.
        """
        if self._thread is not None:
            raise RuntimeError("a tracker follows one search, and this one has been started before; make a new one")
        config = self._facts.config
        self._journal = Journal(config.store / config.experiment / "mlflow.jsonl")
        known = self._journal.search if resume else None
        self._search = known or uuid.uuid4().hex
        # A resumed search may be unknown here: its journal was on another machine, or MLflow was switched on later.
        self._adopt = resume and known is None
        self._queue.extend(self._journal.pending())
        self._told = {number for search, number in self._queue if search == self._search}
        if self._queue:
            _LOG.info("%d trials of an earlier run are still to be logged to MLflow", len(self._queue))
        self._journal.begin(self._search)
        self._thread = threading.Thread(target=self._run, name="mlflow-tracker", daemon=True)
        self._thread.start()

    def reconcile(self, ended: Callable[[], Ended]) -> None:
        """Compare MLflow with the study as it is now, as soon as MLflow answers, and whenever it is reached again."""
        found = ended()
        with self._wake:
            self._study, self._compare = found, True
            self._wake.notify()

    def log_trial(self, candidate: Candidate | None, result: TrialResult) -> None:
        """Queue a finished or failed trial; it is in the journal when this returns.

        Raises:
            RuntimeError: `start` was not called.
        """
        if self._journal is None:
            raise RuntimeError("call start() before log_trial()")
        record = trial_record(self._search, candidate, result, self._facts.job_params, self._facts.hardware)
        with self._wake:
            if result.number in self._told:
                return
            self._told.add(result.number)
            record["search"] = self._search
            self._journal.add(record)
            self._queue.append((self._search, result.number))
            self._wake.notify()

    def log_front(
        self,
        members: Sequence[FrontPoint],
        hypervolume: float,
        others: Sequence[FrontPoint] = (),
        curve: Sequence[CurveCorner] = (),
        picks: Mapping[int, str] | None = None,
    ) -> None:
        """Set the current front; of several calls in a row only the last may be drawn.

        The metrics of members may be newer than their trials' (timed again): MLflow then shows the newer ones. So it
        does for `others`, trials that are not on the front (any more); leave out those with nothing new. `curve` is
        how the hypervolume grew since the search began, `picks` says which trials are picked as what; their pictures
        are drawn first.
        """
        with self._wake:
            self._front = (tuple(members), hypervolume, tuple(others))
            self._curve, self._picks = tuple(curve), dict(picks or {})
            self._front_changed = True
            self._wake.notify()

    def log_baselines(self, baselines: Sequence[BaselinePoint], verdict: str) -> None:
        """Set what the front is compared with, and how it compares: parts of its plots and note, metrics of the parent
        run. Drawn with the next front."""
        with self._wake:
            if (tuple(baselines), verdict) != self._baselines:
                self._baselines = tuple(baselines), verdict
                self._front_changed = True
                self._wake.notify()

    def log_champion(self, champion: Champion) -> None:
        """Set the network that this search hands over; it is published when the search finishes."""
        with self._wake:
            self._champion = champion
            self._wake.notify()

    def finish(self, status: Ending = "FINISHED", waiting: Callable[[int], bool] | None = None) -> int:
        """Log what is left, draw the front and all its members, end the parent run.

        It gives up when nothing could be logged for `flush_seconds`, without the time that pictures and models take to
        be made here; of a search that did not finish, after so long in all.

        Args:
            status: how the search ended.
            waiting: called twice a second with the number of trials that MLflow does not have; False: give up, and
                only end the parent run. `left_out` says what else is missing then.

        Returns:
            Number of trials that MLflow does not have; they stay in the journal for the next `start(resume=True)`.
        """
        if self._thread is None or self._journal is None:
            return 0
        with self._wake:
            self._ending = status
            self._deadline = time.monotonic() + self._flush_seconds
            self._wake.notify()
        while self._thread.is_alive() and time.monotonic() < self._deadline:
            self._thread.join(min(_WAITING_SECONDS, self._flush_seconds))
            # The thread itself ends at the deadline, too.
            if waiting is not None and self._thread.is_alive() and not waiting(self.backlog):
                with self._wake:
                    if not self._given_up:
                        self._given_up = True
                        self._deadline = min(self._deadline, time.monotonic() + _LAST_SECONDS)
        left = self.backlog
        if left:
            _LOG.warning("%d trials could not be logged to MLflow; %s keeps them", left, self._journal.path)
        return left

    # ---- the thread ----

    def _run(self) -> None:
        said, said_at = "", -math.inf
        while True:
            try:
                if self._step():
                    return
            except Exception as error:  # whatever MLflow, its database or the network raise
                if time.monotonic() > self._deadline:
                    return
                # Connecting may succeed each time, and what follows fail: that is said once, and again now and then.
                again = _brief(error) == said and time.monotonic() - said_at <= _SILENT_SECONDS
                if self._backoff == _BACKOFF[0] and not again:
                    said, said_at = _brief(error), time.monotonic()
                    address = redacted(self._facts.config.tracking_uri)
                    here = isinstance(error, TemporaryFilesError)
                    here |= isinstance(error, OSError) and error.errno in _OF_THIS_MACHINE
                    what = "cannot be told" if here else "does not answer"
                    _LOG.warning("MLflow at %s %s (%s); trying until it does", address, what, said)
                self._session = None
                self._pause(self._backoff)
                self._backoff = min(2 * self._backoff, _BACKOFF[1] if self._ending is None else 2 * _BACKOFF[0])

    def _pause(self, seconds: float) -> None:
        """Wait that long, or less when the search ends meanwhile."""
        with self._wake:
            if self._ending is None:
                self._wake.wait_for(lambda: self._ending is not None, timeout=seconds)
                return
        time.sleep(seconds)

    def _step(self) -> bool:
        """One piece of work, or a wait for some; True when there will be none any more."""
        session = self._session or self._connect()
        with self._wake:
            now = time.monotonic()
            if now > self._deadline:
                return True
            ending = self._ending
            given_up = self._given_up
            study = self._study if self._compare and not given_up else None
            key = self._queue[0] if self._queue else None
            # Trials go first, for the front is mostly made of the newest, but not for ever.
            due = self._next_front + (2 * _FRONT_SECONDS if key is not None else 0.0)
            front_due = self._front_changed and (now >= due or (self._freely and key is None))
            if ending is not None:
                front_due = key is None and (self._front_changed or self._summed_up != len(session.runs))
            pictures_due = now >= self._next_picture or self._freely
            if ending is not None:  # of a search that goes on, they are drawn when that ends
                pictures_due = ending == "FINISHED" and now < self._deadline - _LAST_SECONDS
        if given_up and ending is not None:
            self._end(session, ending)
            return True
        progress = True
        if study is not None:
            # Each new session compares once more: where connecting succeeds and what follows fails, that is none.
            progress = study is not self._compared
            self._reconcile(session, study)
        elif front_due:
            self._update_front(session)
        elif key is not None:
            self._log_record(session, key)
        elif ending is not None and pictures_due and self._champion is not None:
            self._publish(session, self._champion)
        elif pictures_due and self._draw_member(session):
            pass  # one at a time, so that trials do not wait for pictures
        elif ending is not None:
            self._end(session, ending)
            return True
        else:
            with self._wake:
                if not self._queue and not self._compare and self._ending is None:
                    self._wake.wait(self._idle_seconds(session))
        if progress:
            self._backoff = _BACKOFF[0]
            self._allow(self._flush_seconds)  # it is catching up
        return False

    def _allow(self, seconds: float) -> None:
        """So much time from now on for a search that has finished, where MLflow has taken all so far."""
        with self._wake:
            if self._ending == "FINISHED" and not self._given_up and self._backoff == _BACKOFF[0]:
                self._deadline = time.monotonic() + seconds

    @contextlib.contextmanager
    def _making(self) -> Iterator[None]:
        """Work of this process, which may take minutes on a machine with much to do: no time that MLflow does not
        answer."""
        self._allow(_MAKING_SECONDS)
        try:
            yield
        finally:
            self._allow(self._flush_seconds)

    def _end(self, session: Session, ending: Ending) -> None:
        session.end(ending)
        with self._wake:
            self._ended = True

    def _idle_seconds(self, session: Session) -> float | None:
        """Until the next thing that waits for its time; None: until something happens."""
        due = [0.0 if self._freely else self._next_front] if self._front_changed else []
        if self._next_member(session) is not None:
            due.append(0.0 if self._freely else self._next_picture)
        return max(0.05, min(due) - time.monotonic()) if due else None

    def _connect(self) -> Session:
        # Comparing, or writing a front, is one step of hundreds of calls: as long as they are answered it goes on.
        wrote = functools.partial(self._allow, self._flush_seconds)
        session = Session(self._facts, None if self._adopt else self._search, self._search, wrote)
        if session.search != self._search:
            self._move_to(session.search)
        with self._wake:
            self._adopt = False
            self._compare = self._study is not None
            self._told |= {number for number, run in session.runs.items() if run.finished}
        self._session = session
        return session

    def _move_to(self, search: str) -> None:
        """Go on with a search that MLflow knows and the journal does not; trials queued meanwhile belong to it."""
        assert self._journal is not None
        with self._wake:
            for _ in range(len(self._queue)):
                key = self._queue.popleft()
                if key[0] == self._search and (record := self._journal.record(key)) is not None:
                    self._journal.done(key)
                    key = search, key[1]
                    self._journal.add({**record, "search": search})
                self._queue.append(key)
            self._search = search
            self._journal.begin(search)

    def _reconcile(self, session: Session, study: Ended) -> None:
        """Queue what MLflow lacks of the study, and put values right that are not the study's."""
        with self._wake:
            queued = {number for search, number in (*self._queue, *self._refused) if search == self._search}
            known = {number for number, run in session.runs.items() if run.finished}
            missing = sorted(study.metrics.keys() - known - queued)
            self._queue.extendleft((self._search, number) for number in reversed(missing))
            self._told.update(missing)
        if missing:
            _LOG.info("%d trials of the study are not in MLflow; they are logged now", len(missing))
        with self._wake:
            members, _, others = self._front if self._front_changed else ((), 0.0, ())
        drawn = {point.number for point in (*members, *others)}  # put right with the front, which comes next
        session.put_right({number: values for number, values in study.metrics.items() if number not in drawn})
        with self._wake:
            self._compare, self._compared = self._study is not study, study

    def _from_study(self, number: int) -> dict[str, Any] | None:
        """The record of a trial that the journal does not have; None: the study does not, either."""
        if self._study is None or number not in self._study.metrics:
            return None
        try:
            candidate, result, ended = self._study.load(number)
        except Exception as error:  # a damaged or missing file must not stop the protocol of all others
            _LOG.warning("trial %d cannot be read from the study (%s)", number, _brief(error))
            return None
        facts = self._facts
        return trial_record(self._search, candidate, result, facts.job_params, facts.hardware, ended=ended)

    def _log_record(self, session: Session, key: Key) -> None:
        from mlflow.exceptions import MlflowException

        assert self._journal is not None
        record = self._journal.record(key)
        if record is None and key[0] == self._search:
            record = self._from_study(key[1])
        if record is None:
            _LOG.warning("%s has lost trial %d; MLflow will not have it, the study does", self._journal.path, key[1])
            self._journal.done(key)
        else:
            try:
                session.log_trial(record)
            except MlflowException as error:
                self._attempts[key] = self._attempts.get(key, 0) + 1
                invalid = error.get_http_status_code() in (400, 409)  # type: ignore[no-untyped-call]
                if not invalid or self._attempts[key] < _PATIENCE:
                    raise
                _LOG.warning("MLflow refuses trial %d (%s); the journal keeps it", key[1], _brief(error))
                self._refused.append(key)
            else:
                self._journal.done(key)
            self._attempts.pop(key, None)
        with self._wake:
            self._queue.popleft()

    def _update_front(self, session: Session) -> None:
        began = time.monotonic()
        with self._wake:
            members, hypervolume, others = self._front
            baselines, verdict = self._baselines
            curve, picks = self._curve, self._picks
            self._front_changed = False
        try:
            session.write_front(members, hypervolume, others, baselines, verdict, curve, picks)
            self._summed_up = len(session.runs)
        except BaseException:
            with self._wake:
                self._front_changed = True
            raise
        with self._wake:  # members that are still queued get their tag at the next update
            waiting = {number for _, number in self._queue}
            self._front_changed |= any(point.number in waiting for point in members)
        now = time.monotonic()
        self._next_front = now + max(_FRONT_SECONDS, (now - began) / _FRONT_SHARE)

    def _next_member(self, session: Session) -> FrontPoint | None:
        """A member of the front without its pictures and checkpoint; picks first."""
        waiting = [*self._undrawn(session)]
        return next((point for point in waiting if point.number in self._picks), next(iter(waiting), None))

    def _undrawn(self, session: Session) -> Iterator[FrontPoint]:
        for point in self._front[0]:
            if point.number not in self._without_files and session.wants_files(point):
                yield point

    def _draw_member(self, session: Session) -> bool:
        """Pictures and checkpoint of one member of the front; False if none waits for them."""
        point = self._next_member(session)
        if point is None:
            return False
        began = time.monotonic()
        with scratch("member") as folder:
            try:
                with self._making():
                    files = session.make_files(point, Path(folder))
            except Exception as error:  # not MLflow's fault, and one member must not stop the protocol of all others
                self._without_files.add(point.number)
                _LOG.warning("no pictures and checkpoint of trial %d for MLflow: %s", point.number, _brief(error))
                return True
            session.log_files(point.number, files)
        now = time.monotonic()
        self._next_picture = now + (now - began) / _PICTURE_SHARE
        return True

    def _publish(self, session: Session, champion: Champion) -> None:
        """Card, lineage, film and registered model of the champion."""
        with scratch("champion") as name:
            folder = Path(name)
            try:
                with self._making():
                    files = champion_files(champion, folder)
                    servable = champion.checkpoint is not None and champion.examples is not None
                    model = save_served(champion, folder) if servable else None
            except Exception as error:  # not MLflow's fault, so that repeating it would not help
                _LOG.warning("trial %d could not be published in MLflow: %s", champion.number, _brief(error))
            else:
                session.write_champion(champion, files, model)
                assert self._journal is not None
                self._journal.published(champion.number)
        with self._wake:
            self._champion = None


def _brief(error: BaseException) -> str:
    text = (redacted(str(error)).splitlines() or [""])[0]  # MLflow quotes addresses with their passwords
    return f"{type(error).__name__}: {text[:200]}"
