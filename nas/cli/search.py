"""``nas search``: from a job file or a table to a front, a checkpoint and what to do next."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import shlex
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from nas._text import counted
from nas.cli._projection import Reporter, make_tracker
from nas.cli.console import (
    PATIENCE_SECONDS,
    SUBMITTED_AS,
    TARGET,
    asked_elsewhere,
    command_line,
    console,
    duration,
    one_or_all,
    percent,
    say,
    stage,
    status_line,
)
from nas.cli.interrupt import Stop, stop_on_signals
from nas.errors import NasError

if TYPE_CHECKING:
    from nas.cli._progress import ProgressDisplay
    from nas.cli.study import Start
    from nas.job import Job
    from nas.search import Executor, Front, Strategy, StudyStore
    from nas.tracking import Tracker
    from nas.tracking.protocol import Ending
    from nas.training import Dataset, LoadedData

__all__ = ["Outcome", "SearchRun", "next_commands", "search"]

_FLAGS: Final = {
    "data.target": "--target",
    "search.budget_minutes": "--minutes",
    "search.trials": "--trials",
    "resources.workers": "--workers",
    "resources.address": "--address",
}
_MOST_REASONS: Final = 12  # for failed trials, in the summary
_NOTE_SECONDS: Final = 2.0  # between two updates of the status while MLflow catches up
_FIRST: Final = "waiting for the first trial; once on a machine it compiles what all run, which takes about a minute"
_FIRST_SECONDS: Final = 5.0
_CLASSES: Final = 6  # of which the end of a search says how much of each is found
_AS_SOON: Final = "stopping as soon as this is done; Ctrl-C again leaves at once"
_SAY_SECONDS: Final = 10.0  # between two lines about MLflow, where there is no terminal


def search(
    source: Annotated[
        str,
        typer.Argument(
            metavar="JOB.yaml|DATA",
            help="A job (those in examples/ run as they are), or data: a .csv/.tsv/.parquet/.npz file, digits, "
            "idx:FOLDER, openml:NAME or module:function.",
        ),
    ],
    target: list[str] | None = TARGET,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Minutes to search (search.budget_minutes).")
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", help="Trials of the whole study (search.trials).")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Trials at the same time (resources.workers).")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="Address of a Ray cluster (default: Ray on this machine).")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the study of this job where it was stopped or killed.")
    ] = False,
    resume_or_start: Annotated[
        bool,
        typer.Option(
            "--resume-or-start", help="The same where there is such a study; where there is none yet, begin it."
        ),
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="path.to.key=value", help="Replace a value of the job; may be repeated."),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            "--patience",
            min=0,
            help="Minutes to wait for a database or disk that fails, and go on when it is back; a full disk is waited "
            "for in any case.",
        ),
    ] = 0.0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the table of columns, what would be run and for how long; run nothing."),
    ] = False,
) -> None:
    """Search networks for a table, or run a job: train and time candidates, and keep the accuracy/time front.

    Ctrl-C (or SIGTERM, or SIGHUP) stops: no trial is started any more, running ones get ten seconds to end, every
    finished one is kept, and the command that resumes is printed; the exit code is then 1. A second Ctrl-C leaves at
    once.

    Exit codes: 0 done, 1 failed or stopped, 2 bad usage or job file.

    Examples:

        nas search churn.csv --target churn --minutes 5

        nas search examples/digits.yaml

        nas search examples/digits.yaml --resume --trials 200

        nas search examples/mnist.yaml --set search.strategy=optuna --set tracking.experiment=mnist-tpe
    """
    from nas.errors import JobError

    if resume and resume_or_start:
        raise JobError("--resume and --resume-or-start are two things; give one of them")
    stop = Stop()
    with stop_on_signals(stop):
        from nas.cli._patience import patiently
        from nas.job import Job

        options = {
            "data.target": one_or_all(target),
            "search.budget_minutes": minutes,
            "search.trials": trials,
            "resources.workers": workers,
            "resources.address": address,
        }
        stated = {key: value for key, value in options.items() if value is not None}
        overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in stated.items()]
        # An option of its own is the later word: "--resume --trials 200" after a command that says --set search.trials.
        job = Job.from_source(source, [*(settings or ()), *overrides], options={key: _FLAGS[key] for key in stated})
        flags = [
            word
            for key, value in stated.items()
            for each in (value if isinstance(value, list) else [value])
            for word in (_FLAGS[key], f"{each}")
        ]
        flags += [word for setting in settings or () for word in ("--set", setting)]
        again = command_line("search", source, *flags)
        if dry_run:
            SearchRun(job, again, stop=stop).preview()
            return
        start: Start = "resume" if resume else "either" if resume_or_start else "new"

        def run(how: Start) -> None:
            if SearchRun(job, again, start=how, stop=stop).run().stopped:
                raise typer.Exit(1)

        # Nobody knows whether it came to making the study.
        later = os.environ.get(SUBMITTED_AS) or f"{again} --resume-or-start"
        patiently(run, start, patience, job.tracking.store, stop, again=later)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of a search left: its study with the front, and whether somebody stopped it before its end."""

    study: StudyStore
    front: Front
    stopped: bool = False


class SearchRun:
    """One run of a search, from loading the data to the last line printed.

    Args:
        job: what is searched.
        command: the shell command, without ``--resume``, that runs this job; "" where there is none, as from Python.
        start: whether the study of the job must be new, must be there, or may be.
        brief: search only: no timing again, no file, no table at the end.
        stop: whether somebody asked to stop.
        pick: which network will be asked for in the end; refused before the search where there cannot be one.
    """

    def __init__(
        self,
        job: Job,
        command: str = "",
        *,
        start: Start = "new",
        brief: bool = False,
        stop: Stop | None = None,
        pick: str | None = None,
    ) -> None:
        self.job = job.measured()
        self.command = command
        self.start = start
        self.brief = brief
        self.stop = Stop() if stop is None else stop
        self.pick = pick

    def preview(self) -> None:
        """Print what would be run and for how long, and run nothing."""
        from nas.cli._workers import need_cores
        from nas.cli.study import existing_study
        from nas.search import error_reference, scorer_label

        job = self.job
        need_cores(job.resources)
        study = existing_study(job, start="either", command=self.command)
        data = self._read()
        self._show_and_check(data)
        self._announce(data.dataset, study)
        error_reference(data.dataset)  # refuses a scorer that says nothing of this data
        names = (scorer_label(data.dataset.scorer) if name == "error" else name for name in job.search.objectives)
        say(f"objectives: {', '.join(names)}")
        say(_duration_line(job))
        console.print("nothing was run; without --dry-run it is")

    def run(self) -> Outcome:
        """Search, and print what is found.

        Raises:
            NasError: of whatever kind the message is; a search that is stopped is no error.
            KeyboardInterrupt: it was stopped before there was a study.
        """
        from nas.cexport import c_compiler
        from nas.cli._data import data_of_study
        from nas.cli._workers import need_cores, need_temporary
        from nas.cli.study import create_study, existing_study, with_weights_of

        job = self.job
        need_cores(job.resources)
        need_temporary()
        if os.environ.get(SUBMITTED_AS):
            job.tracking.refuse_relative()
        if job.training.latency:
            c_compiler()  # no trial of this search could be measured without
        # Nothing is touched before the study is held: whoever comes second leaves everything as it is.
        with contextlib.ExitStack() as held:
            study = existing_study(job, start=self.start, command=self.command)
            resumed = study is not None
            try:
                if study is None:
                    data = self._read()
                    self._show_and_check(data)
                    study = create_study(self.job, data)
                    held.enter_context(study.hold())
                else:
                    held.enter_context(study.hold())
                    self.job = with_weights_of(job, study)
                    study.verify()  # before workers are started and MLflow is asked, which both take their time
                    remedy = "restore it, or start another study with --set tracking.experiment=NAME"
                    data = data_of_study(self.job.data, study, named=job.data.source, remedy=remedy)
                    self._show_and_check(data)
                return Outcome(study, self._drive(study, data, resumed=resumed))
            except KeyboardInterrupt:
                if study is None:
                    raise
                self._say_stopped(study)
                return Outcome(study, study.front(), stopped=True)
            except NasError as error:
                # Who raises it knows the option, but not the command.
                if (said := str(error)).endswith("--resume"):
                    python = said.removesuffix("with --resume") + f"with {self._again()}"
                    error.args = (f"{said}:\n  {self._again()}" if self.command else python,)
                raise

    def _again(self, trials: int | None = None) -> str:
        """What continues the study, as far as was asked for or to so many trials: a command, or arguments in Python."""
        if submitted := os.environ.get(SUBMITTED_AS):
            return submitted if trials is None else f"{submitted} --set search.trials={trials}"
        if not self.command:
            from nas.tracking import default_store

            tracking = self.job.tracking
            store = "" if tracking.store == default_store() else f", store={str(tracking.store)!r}"
            more = "" if trials is None else f", trials={trials}"
            return f"nas.search(…, name={tracking.experiment!r}{store}, resume=True{more})"
        if trials is None:
            return f"{self.command} --resume"
        words = shlex.split(self.command)
        if "--trials" in words:  # said once: the later would count, but who reads both?
            place = words.index("--trials")
            del words[place : place + 2]
        return f"{shlex.join(words)} --resume --trials {trials}"

    def _read(self) -> LoadedData:
        """The data of a new study; where classes count alike in what networks are judged by, they do in the job."""
        from nas.cli.study import weighted
        from nas.search import weigh_alike, with_scorer
        from nas.training import read_data

        data = with_scorer(read_data(self.job.data, twice=True), self.job.search)
        if weigh_alike(self.job.data, data):
            self.job = weighted(self.job, "balanced")
            data = with_scorer(read_data(self.job.data), self.job.search)
        return data

    def _show_and_check(self, data: LoadedData) -> None:
        """Prints what was made of the data, then refuses what the job states for nothing."""
        from nas._settings import refuse_pick, refuse_unread, refuse_unused
        from nas.cli._data import data_table
        from nas.search import first_genome, load_space, refuse_unreadable

        console.print(data_table(data.findings))
        console.print()
        refuse_unread(self.job, data.dataset)
        genome = first_genome(load_space(self.job.space, data.dataset))
        refuse_unused(self.job, genome, data)
        if self.pick is not None:
            refuse_pick(self.pick, self.job, genome, data)
        if genome is not None:
            refuse_unreadable(genome)

    def _drive(self, study: StudyStore, data: LoadedData, *, resumed: bool) -> Front:
        """The search of a study that this process holds."""
        from nas.cli._report import amend_status
        from nas.search import load_space, make_strategy

        job, dataset = self.job, data.dataset
        strategy = make_strategy(job.search, load_space(job.space, dataset), job.training, study)
        self._announce(dataset, study)
        counts = study.counts()
        done = sum(counts.values()) - counts["running"]
        compared = study.baselines() is not None or not job.search.baselines
        if not counts["running"] and done >= job.search.trials and study.retimed() and compared:
            again = self._again(2 * max(done, job.search.trials))
            wanted = f"{counted(done, 'trial')} {'is' if done == 1 else 'are'}"
            wanted = f"all {wanted}" if 1 != done == job.search.trials else wanted
            fewer = "" if done == job.search.trials else f", more than the {job.search.trials} asked for"
            say(f"{wanted} done{fewer}; more: {again}")
            found = study.front()
            amend_status(study.folder, state="finished")  # it may have been left just before its end
            try:
                self._conclude(study, found)
            finally:
                if job.tracking.mlflow:
                    self._catch_up(study, found, dataset)
            return found
        return self._search(study, strategy, dataset, resumed=resumed)

    def _search(self, study: StudyStore, strategy: Strategy, dataset: Dataset, *, resumed: bool) -> Front:
        """Trials, baselines, the second timing, what was found, and what MLflow is told of it.

        Raises:
            KeyboardInterrupt: it was stopped; all is kept.
        """
        from nas.cli._patience import say_paused
        from nas.cli._progress import ProgressDisplay
        from nas.cli._report import StatusReport
        from nas.cli._workers import cluster_address, log_format, make_executor
        from nas.search import StorageError, run_search

        job, stop = self.job, self.stop
        title, label = f"nas search · {job.tracking.experiment}", study.objectives.error_label
        display = ProgressDisplay(title, error=label, quiet=log_format() == "json")
        # Whatever is interrupted below, and the ending of the workers, too, no process of theirs is left.
        with stop.politely(lambda: console.print(_AS_SOON)), contextlib.ExitStack() as made:
            if job.resources.executor == "ray":
                console.print("connecting to Ray …" if cluster_address(job.resources) else "starting workers …")
            executor = make_executor(job, dataset, study.costs)
            made.callback(executor.close)
            tracker = make_tracker(job, dataset, study)
            status = StatusReport(study, executor, self.command)
            display.behind = status.behind = lambda: tracker.backlog
            report = Reporter(study, tracker)
            ending: Ending = "FAILED"
            found: Front | None = None
            slow_start = threading.Timer(_FIRST_SECONDS, lambda: console.print(f"{_FIRST} …"))
            slow_start.daemon = True
            try:
                tracker.start(resumed)
                report.reconcile()
                if job.search.budget_minutes is None:
                    slow_start.start()
                else:
                    with stop.within_grace():
                        self._warm_up(executor, strategy)
                stop.check()
                # A trial in this process, which may have to compile all it runs first, cannot look.
                serial = stop.within_grace() if job.resources.executor == "serial" else contextlib.nullcontext()
                with display, stop.politely(functools.partial(_say_stopping, display)), serial:
                    found = run_search(
                        strategy,
                        executor,
                        study,
                        trials=job.search.trials,
                        budget_seconds=None if job.search.budget_minutes is None else 60 * job.search.budget_minutes,
                        budget_steps=job.search.budget_steps,
                        stop_below=job.search.stop_below,
                        halving=job.search.halving,
                        on_result=_each(lambda *_: slow_start.cancel(), status.trial, report),
                        on_progress=_each(status.progress, display),
                        stop=stop,
                    )
                stop.check()
                with stop.within_grace():
                    # One worker trains the baselines and nothing is timed but process time of theirs: a core of this
                    # process is free for pictures, which would have to be waited for at the end.
                    tracker.draw_freely(job.resources.executor == "ray")
                    self._baselines(study, executor, dataset)
                    tracker.draw_freely(False)
                    stop.check()
                    if not self.brief:
                        found = self._retimed(study, executor, dataset) or found
                    stop.check()  # the resumed search has only the rest to do
                report.front(found)
                tracker.draw_freely(True)  # nothing is trained or timed any more
                if len(found):
                    self._publish(study, found, dataset, executor, tracker)
                ending = "FINISHED"
            except KeyboardInterrupt:
                ending = "KILLED"
                raise
            except StorageError as error:
                say_paused(error)
                raise
            finally:
                slow_start.cancel()
                status.end({"FINISHED": "finished", "KILLED": "stopped"}.get(ending, "failed"), found)
                with status_line("ending the workers"):
                    executor.close()
                    report.reconcile()
                try:
                    if ending == "FINISHED" and found is not None:
                        self._conclude(study, found)  # before the pictures, which nobody should have to wait for
                finally:
                    _caught_up(tracker, ending, stop, study.folder, self._again())
        return found

    def _warm_up(self, executor: Executor, strategy: Strategy) -> None:
        """Compile before the clock runs; where none does, the first trials do that (`_FIRST`)."""
        from nas.cli._progress import CompilingDisplay
        from nas.search import warm_up

        with CompilingDisplay() as shown:
            took = warm_up(executor, strategy.space, self.job.training, on_wait=shown, stop=lambda: self.stop.requested)
        if took > PATIENCE_SECONDS:
            console.print(f"workers are ready after {duration(took)}, which the budget does not count")

    def _say_stopped(self, study: StudyStore) -> None:
        kept = study.counts()["complete"]
        are = "is" if kept == 1 else "are"
        console.print(f"stopped; {counted(kept, 'complete trial')} {are} kept in {self.job.tracking.store}")
        say(Text.assemble("resume: ", (self._again(), "bold")))

    def _announce(self, dataset: Dataset, study: StudyStore | None) -> None:
        from nas.cli._workers import cluster_address

        job = self.job
        samples = f"{len(dataset.x_train):,} + {len(dataset.x_val):,} + {len(dataset.x_test):,}"
        inputs, outputs = (
            f"{count} {what}{'' if count == 1 else 's'}"
            for count, what in ((dataset.n_inputs, "input"), (dataset.n_outputs, "output"))
        )
        say(
            Text.assemble(
                (job.tracking.experiment, "bold"),
                f": {dataset.name} ({inputs}, {outputs}, {samples} samples), "
                f"space {job.space.name}, strategy {job.search.strategy}, {_extent(job)}",
            )
        )
        address = cluster_address(job.resources)
        where = f"Ray at {address}" if address else job.resources.executor
        count = 1 if job.resources.executor == "serial" else job.resources.workers
        if count is None and address is None:
            count = job.resources.worker_count()
        workers = "workers as there is room" if count is None else f"{count} worker{'s' if count != 1 else ''}"
        say(
            f"{workers} ({where}), {job.resources.threads} thread"
            f"{'s' if job.resources.threads != 1 else ''} each; everything is kept in {job.tracking.store}",
        )
        if study is None:
            return
        counts = study.counts()
        if sum(counts.values()) > counts["running"]:
            stopped = f", {counts['stopped']} stopped at rungs" if counts["stopped"] else ""
            console.print(
                f"resuming: {counted(counts['complete'], 'trial')} complete{stopped}, {counts['failed']} failed"
            )

    def _baselines(self, study: StudyStore, executor: Executor, dataset: Dataset) -> None:
        """Train what the search is compared with, once a study."""
        from nas.search import baseline_seconds, record_baselines

        search, resources = self.job.search, self.job.resources
        if not search.baselines or study.baselines() is not None:
            return
        with stage("training baselines: a linear model, boosting, a dense MLP"):
            record_baselines(
                study,
                executor,
                dataset,
                self.job.training,
                seconds=baseline_seconds(search.budget_minutes),
                threads=resources.threads,
                device="cuda" if resources.on_gpu else "cpu",
            )

    def _retimed(self, study: StudyStore, executor: Executor, dataset: Dataset) -> Front | None:
        from nas.search import retime, time_side_by_side

        if not len(study.front()):
            return None
        with stage("timing the front again, side by side"):
            resources = self.job.resources
            device = "cuda" if resources.on_gpu else "cpu"
            measure = functools.partial(time_side_by_side, device=device)
            return retime(study, executor, dataset, self.job.training, threads=resources.threads, measure=measure)

    def _catch_up(self, study: StudyStore, found: Front, dataset: Dataset) -> None:
        """Log what MLflow does not have of a search that is done: trials, values, pictures, champion, its end."""
        from nas.search import SerialExecutor

        tracker = make_tracker(self.job, dataset, study)
        with self.stop.politely(lambda: console.print("leaving the rest for --resume; Ctrl-C again leaves at once")):
            tracker.start(resume=True)
            report = Reporter(study, tracker)
            try:
                report.reconcile()
                report.front(found)
                if len(found):
                    executor = SerialExecutor(dataset, self.job.training, threads=self.job.resources.threads)
                    self._publish(study, found, dataset, executor, tracker, known=tracker.champion)
            finally:
                _caught_up(tracker, "FINISHED", self.stop, study.folder, self._again())

    def _publish(
        self,
        study: StudyStore,
        found: Front,
        dataset: Dataset,
        executor: Executor,
        tracker: Tracker,
        *,
        known: int | None = None,
    ) -> None:
        """Hand the champion to the tracker: whatever is wrong with it, the search is done and says so only.

        Args:
            known: the champion that has been published already and need not be again.
        """
        from nas.cli._champion import animation_of, make_champion
        from nas.search import beaten_by

        tracking, training = self.job.tracking, self.job.training
        if not tracking.mlflow or tracking.champion is None:
            return
        try:
            chosen = found.pick(tracking.champion)
            if chosen.number == known:
                return
            rival = beaten_by(chosen, study.baselines())
            if rival is not None and "champion" not in tracking.model_fields_set:
                say(
                    f"no champion in MLflow: {rival.label} beats trial {chosen.number}, beyond what the samples leave "
                    f"open; tracking.champion: {tracking.champion} registers it all the same",
                )
                return
            film = None
            if tracking.animation:
                with stage(f"training trial {chosen.number} once more, to film it"):
                    film = animation_of(study, chosen.number, dataset, training, call=executor.call)
                with stage(f"drawing {len(film)} frames"):
                    film.mp4  # noqa: B018 - drawn here, because logging has little time
            tracker.log_champion(
                make_champion(
                    study,
                    found,
                    chosen,
                    dataset,
                    training,
                    chosen=tracking.champion,
                    tracking=tracking,
                    animation=film,
                )
            )
        except (NasError, OSError) as error:
            console.print(f"no champion in MLflow: {error}")

    def _conclude(self, study: StudyStore, found: Front) -> None:
        from nas.cli._baselines import print_baselines
        from nas.cli._evaluate import evaluate_file, least_found
        from nas.cli._report import failure_counts
        from nas.cli.export import describe
        from nas.cli.front import estimates_line, front_table
        from nas.cli.study import export_network

        if self.brief:
            return
        counts = study.counts()
        if found.missed:
            longer = self._again(2 * max(sum(counts.values()), 1))
            raise NasError(f"{found.missed}; relax a bound of search.constraints, or search longer:\n  {longer}")
        if not len(found):
            raise NasError(nothing_completed(study))
        if counts["failed"]:
            console.print(f"failed trials: {counts['failed']}, because:")
            for why, count in failure_counts(study.records()).most_common(_MOST_REASONS):
                say(f"  {count:>5} × {why}")
        console.print()
        console.print(front_table(found))
        say(estimates_line(found))
        print_baselines(found, study.baselines())
        console.print(
            f"process time: inference of {self.job.training.inference_batch:,} samples (± 95 %, in fresh processes), "
            f"training step of {self.job.training.batch_size:,}"
        )
        best = found.best()
        path = study.folder / "best.safetensors"
        record = export_network(study, best.number, path)
        say(f"\nbest: {describe(best.number, best.metrics, found.objectives.error_label)}")
        pick = "--pick knee, accurate or fast" if self.command else 'best("knee"), best("accurate") or best("fast")'
        say(f"{found.why_best()}; {pick} has others")
        if "structure" in record:
            how = "nas.training.module_of makes it a module again"
            say(f"exported to {path}: the state of your own structure; {how}")
        else:
            # Not timed: MLflow's pictures are being drawn in this process meanwhile, which would count. The job named
            # the source.
            threads = self.job.resources.threads
            scorer, label = found.objectives.scorer, found.objectives.error_label
            tested = evaluate_file(path, data=self.job.data.source, threads=threads, scorer=scorer, timed=False)
            quality = f"accuracy {percent(tested['accuracy'])}" if "accuracy" in tested else ""
            if scorer or not quality:
                quality = f"{label} {tested['error']:.4g}" + (f" and {quality}" if quality else "")
            say(
                f"exported to {path}; loaded again, it has test {quality} on {tested['samples']:,} samples",
            )
            if scorer and tested["classes"]:  # which the accuracy need not show
                classes = ", ".join(
                    f"{percent(each['recall'])} of {each['class']}"
                    for each in least_found(tested["classes"], _CLASSES)
                    if each["recall"] is not None
                )
                count = len(tested["classes"])
                which = (
                    "of each class it finds"
                    if count <= _CLASSES
                    else f"of its {count:,} classes it finds least of these:"
                )
                say(f"{which} {classes}; precision: {command_line('evaluate', path)}")
        if not self.command:
            return
        console.print("\nnext:")
        for line in next_commands(self.job, study.name, best.metrics):
            say(f"  {line}")


def next_commands(job: Job, study: str, best: Mapping[str, float]) -> list[str]:
    """What may be typed after a search: to browse it, to see and report it, and to export a network of its front.

    Args:
        best: metrics of the network picked.
    """
    tracking = job.tracking
    # A bound that a member has: that of the best one, rounded down.
    accuracy = best.get("shown_accuracy", best.get("val_accuracy"))
    pick = "accurate" if accuracy is None else f"accuracy>={math.floor(100 * accuracy) / 100:g}"
    words: list[tuple[str, ...]] = [("front", study), ("report", study)]
    words.append(("export", study, "--pick", pick, "--out", "network.safetensors"))
    lines = [command_line(*each, store=tracking.store, storage=tracking.storage) for each in words]
    if tracking.mlflow and tracking.server is None and not asked_elsewhere():  # `nas ui` shows files of the store
        lines.insert(0, command_line("ui", store=tracking.store))
    return lines


def _extent(job: Job) -> str:
    """How long the search will be, for people."""
    from nas.search import UNLIMITED

    search, ends = job.search, []
    if search.trials < UNLIMITED:
        ends.append(counted(search.trials, "trial"))
    if search.budget_minutes is not None:
        ends.append(f"{search.budget_minutes:g} minute{'' if search.budget_minutes == 1 else 's'}")
    if search.budget_steps is not None:
        ends.append(f"{search.budget_steps:,} steps in all")
    stated = "steps" in job.training.model_fields_set
    length = f"{job.training.steps:,} steps each" if stated else "lengths of training by the budget"
    return f"{' or '.join(ends)}, {length}"


def nothing_completed(study: StudyStore) -> str:
    """Why a study has no member of a front: what its trials failed of."""
    reasons = {trial.result.reason for trial in study.records() if trial.result is not None}
    why = "; ".join(sorted(reasons)[:3]) or "none was started within the budget"
    return f"no trial completed, {study.counts()['failed']} failed: {why}"


def _duration_line(job: Job) -> str:
    """How long the whole of it takes, as far as the job decides it."""
    from nas.search import baseline_seconds

    minutes, rest = job.search.budget_minutes, baseline_seconds(job.search.budget_minutes)
    after = f"up to {duration(rest)} for the baselines, " if job.search.baselines else ""
    if minutes is None:
        return f"time: as the trials take, --minutes bounds it; then {after}some seconds to time the front again"
    return f"time: {duration(60 * minutes)} of search; then {after}some seconds to time the front again"


def _caught_up(tracker: Tracker, ending: Ending, stop: Stop, folder: Path, again: str) -> None:
    """Ends the tracker; says how far MLflow is while it catches up, here and in the status, and what it lacks then.

    Ctrl-C leaves the rest in the journal; so does a search that failed, whose user waits to be told why.
    """
    from nas.cli._report import amend_status

    patient = ending == "FINISHED"
    doing = "MLflow takes the front and its pictures"
    with status_line(doing) as shown:
        began = said = noted = time.monotonic()

        def waiting(left: int) -> bool:
            nonlocal said, noted
            if time.monotonic() - noted >= _NOTE_SECONDS:
                noted = time.monotonic()
                amend_status(folder, mlflow_behind=left)
            trials = f"{left:,} trial{'s' if left > 1 else ''}"
            if left:
                shown(f"MLflow has {trials} still to take; Ctrl-C leaves them for --resume")
            elif networks := tracker.undrawn:
                of = f"{networks} network{'s' if networks > 1 else ''}"
                shown(f"drawing the graph, weights and training of {of}; Ctrl-C leaves the rest for --resume")
            else:
                shown(doing)
            if not console.is_terminal and left and time.monotonic() - said >= _SAY_SECONDS:
                said = time.monotonic()
                console.print(f"MLflow has {trials} still to take")
            return not (ending == "FAILED" or (patient and stop.requested))

        left = tracker.finish(ending, waiting)
    if (took := time.monotonic() - began) > PATIENCE_SECONDS:
        console.print(f"{doing}: {duration(took)}")
    amend_status(folder, mlflow_behind=left, log=True)
    if missing := [*([counted(left, "trial")] if left else []), *tracker.left_out]:
        say(f"MLflow does not have {', '.join(missing)} yet; to log them: {again}")


def _say_stopping(display: ProgressDisplay) -> None:
    display.notice = "stopping: running trials have ten seconds; Ctrl-C again leaves at once"
    if not console.is_terminal:
        console.print(display.notice)


def _each(*followers: Callable[..., None]) -> Callable[..., None]:
    """Tells everybody in turn."""

    def tell(*news: object) -> None:
        for follower in followers:
            follower(*news)

    return tell
