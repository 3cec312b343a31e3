"""``nas search``: from a job file or a table to a front, a checkpoint and what to do next."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from nas.cli._console import console, duration, percent, program, seconds

if TYPE_CHECKING:
    from nas.cli._interrupt import Stop
    from nas.job import Job
    from nas.search import Executor, Front, StudyStore
    from nas.tracking import FrontPoint, Tracker
    from nas.tracking._protocol import Ending
    from nas.training import Candidate, Dataset, TrialResult

__all__ = ["Outcome", "SearchRun", "search"]

_FLAGS: Final = {
    "data.target": "--target",
    "search.budget_minutes": "--minutes",
    "search.trials": "--trials",
    "resources.workers": "--workers",
    "resources.address": "--address",
}
_MOST_REASONS: Final = 12  # for failed trials, in the summary
_NOTE_SECONDS: Final = 2.0  # between two updates of the status while MLflow catches up
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
    target: Annotated[
        str | None, typer.Option("--target", help="Target column of a table (data.target; default: the last).")
    ] = None,
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
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="path.to.key=value", help="Replace a value of the job; may be repeated."),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            "--patience", min=0, help="Minutes to wait for a database or disk that fails, and go on when it is back."
        ),
    ] = 0.0,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the table of columns, what would be run and for how long; run nothing."),
    ] = False,
) -> None:
    """Search networks for a table, or run a job: train and time candidates, and keep the accuracy/time front.

    Ctrl-C (or SIGTERM) stops: no trial is started any more, running ones get ten seconds to end, every finished one is
    kept, and the command that resumes is printed; the exit code is then 1. A second Ctrl-C leaves at once.

    Exit codes: 0 done, 1 failed or stopped, 2 bad usage or job file.

    Examples:

        nas search churn.csv --target churn --minutes 5

        nas search examples/digits.yaml

        nas search examples/digits.yaml --resume --trials 200

        nas search examples/mnist.yaml --set search.strategy=optuna --set tracking.experiment=mnist-tpe
    """
    from nas.cli._patience import patiently
    from nas.job import Job

    options = {
        "data.target": target,
        "search.budget_minutes": minutes,
        "search.trials": trials,
        "resources.workers": workers,
        "resources.address": address,
    }
    stated = {key: value for key, value in options.items() if value is not None}
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in stated.items()] + (settings or [])
    job = Job.from_source(source, overrides)
    flags = [word for key, value in stated.items() for word in (_FLAGS[key], f"{value}")]
    again = shlex.join(
        [program(), "search", source, *flags, *(word for setting in settings or () for word in ("--set", setting))]
    )
    if dry_run:
        SearchRun(job, again).preview()
        return

    def run(resume: bool) -> None:
        if SearchRun(job, again, resume=resume).run().stopped:
            raise typer.Exit(1)

    patiently(run, resume, patience)


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
        resume: continue the study of the job.
        brief: search only: no timing again, no file, no table at the end.
    """

    def __init__(self, job: Job, command: str = "", *, resume: bool = False, brief: bool = False) -> None:
        self.job = job
        self.command = command
        self.resume = resume
        self.brief = brief
        self._searching = False

    def preview(self) -> None:
        """Print what would be run and for how long, and run nothing."""
        from nas._settings import refuse_unused
        from nas.cli._data import data_table
        from nas.cli._study import existing_study
        from nas.search import load_space
        from nas.training import read_data

        job = self.job
        study = existing_study(job, resume=True, command=self.command)
        data = read_data(job.data, twice=True)
        refuse_unused(job, load_space(job.space, data.dataset))
        console.print(data_table(data.findings))
        console.print()
        self._announce(data.dataset, study)
        console.print(f"objectives: {', '.join(job.search.objectives)}", soft_wrap=True)
        console.print(_duration_line(job), soft_wrap=True)
        console.print("nothing was run; without --dry-run it is")

    def run(self) -> Outcome:
        """Search, and print what is found.

        Raises:
            NasError: of whatever kind the message is; a search that is stopped is no error.
        """
        from nas._settings import refuse_unused
        from nas.cli._data import data_of_study, data_table
        from nas.cli._interrupt import Stop, stop_on_signals
        from nas.cli._progress import ProgressDisplay
        from nas.cli._report import StatusReport, amend_status
        from nas.cli._study import create_study, existing_study
        from nas.cli._workers import cluster_address, log_format, make_executor
        from nas.search import load_space, make_strategy, run_search
        from nas.training import read_data

        job = self.job
        study = existing_study(job, resume=self.resume, command=self.command)
        if study is None:
            data = read_data(job.data, twice=True)
        else:
            remedy = "restore it, or start another study with --set tracking.experiment=NAME"
            data = data_of_study(job.data, study, remedy=remedy)
        dataset = data.dataset
        console.print(data_table(data.findings))
        console.print()
        space = load_space(job.space, dataset)
        refuse_unused(job, space)
        study = study or create_study(job, data)
        strategy = make_strategy(job.search, space, job.training, study)
        self._announce(dataset, study)
        counts = study.counts()
        done = sum(counts.values()) - counts["running"]
        compared = study.baselines() is not None or not job.search.baselines
        if not counts["running"] and done >= job.search.trials and study.retimed() and compared:
            wanted = f"all {done} trials are" if done == job.search.trials else f"{done} trials are"
            fewer = "" if done == job.search.trials else f", more than the {job.search.trials} asked for"
            console.print(f"{wanted} done{fewer}; more: --resume --trials {2 * max(done, job.search.trials)}")
            found = study.front()
            amend_status(study.folder, state="finished")  # it may have been left just before its end
            if job.tracking.mlflow:
                self._catch_up(study, found, dataset)
            self._conclude(study, found)
            return Outcome(study, found)
        display = ProgressDisplay(f"nas search · {job.tracking.experiment}", quiet=log_format() == "json")

        def asked_to_stop() -> None:
            if not self._searching:
                console.print("stopping as soon as this is done; Ctrl-C again leaves at once")
                return
            display.notice = "stopping: running trials have ten seconds; Ctrl-C again leaves at once"
            if not console.is_terminal:
                console.print(display.notice)

        stop = Stop(asked_to_stop)
        with stop_on_signals(stop):
            if job.resources.executor == "ray":
                console.print("connecting to Ray …" if cluster_address(job.resources) else "starting workers …")
            executor = make_executor(job, dataset, study.costs)
            tracker = _tracker(job, dataset)
            status = StatusReport(study, executor)
            display.behind = status.behind = lambda: tracker.backlog
            ending: Ending = "FAILED"
            try:
                tracker.start(self.resume)
                report = _Reporter(study, tracker)
                with display:
                    self._searching = True
                    found = run_search(
                        strategy,
                        executor,
                        study,
                        trials=job.search.trials,
                        budget_seconds=None if job.search.budget_minutes is None else 60 * job.search.budget_minutes,
                        budget_steps=job.search.budget_steps,
                        stop_below=job.search.stop_below,
                        halving=job.search.halving,
                        on_result=_each(status.trial, report),
                        on_progress=_each(status.progress, display),
                        stop=stop,
                    )
                self._searching = False
                if stop.requested:
                    raise KeyboardInterrupt
                self._baselines(study, executor, dataset)
                if stop.requested:
                    raise KeyboardInterrupt
                if not self.brief:
                    found = self._retimed(study, executor, dataset) or found
                if stop.requested:  # the resumed search has only the rest to do
                    raise KeyboardInterrupt
                report.front(found)
                if len(found):
                    self._publish(study, found, dataset, executor, tracker)
                ending = "FINISHED"
            except KeyboardInterrupt:
                ending = "KILLED"
            finally:
                status.end({"FINISHED": "finished", "KILLED": "stopped"}.get(ending, "failed"))
                executor.close()
                # A search that is done can be resumed from now on, but not by another process meanwhile.
                with study.lock() if ending == "FINISHED" else contextlib.nullcontext():
                    _caught_up(tracker, ending, stop, study.folder)
        if ending == "KILLED":
            counts = study.counts()
            console.print(f"stopped; {counts['complete']} complete trials are kept in {job.tracking.store}")
            if self.command:
                console.print(f"resume: [bold]{escape(self.command)} --resume[/]", soft_wrap=True)
            return Outcome(study, study.front(), stopped=True)
        if not self.brief:
            self._conclude(study, found)
        return Outcome(study, found)

    def _announce(self, dataset: Dataset, study: StudyStore | None) -> None:
        from nas.cli._workers import cluster_address

        job = self.job
        samples = f"{len(dataset.x_train):,} + {len(dataset.x_val):,} + {len(dataset.x_test):,}"
        console.print(
            f"[bold]{job.tracking.experiment}[/]: {escape(dataset.name)} ({dataset.n_inputs} inputs, "
            f"{dataset.n_outputs} outputs, {samples} samples), space {job.space.name}, "
            f"strategy {job.search.strategy}, {_extent(job)}",
            soft_wrap=True,
        )
        address = cluster_address(job.resources)
        where = f"Ray at {address}" if address else job.resources.executor
        count = 1 if job.resources.executor == "serial" else job.resources.workers
        if count is None and address is None:
            count = job.resources.worker_count()
        workers = "workers as there is room" if count is None else f"{count} worker{'s' if count != 1 else ''}"
        console.print(
            f"{workers} ({where}), {job.resources.threads} thread"
            f"{'s' if job.resources.threads != 1 else ''} each; everything is kept in {job.tracking.store}",
            soft_wrap=True,
        )
        if study is None:
            return
        counts = study.counts()
        if sum(counts.values()) > counts["running"]:
            stopped = f", {counts['stopped']} stopped at rungs" if counts["stopped"] else ""
            console.print(f"resuming: {counts['complete']} trials complete{stopped}, {counts['failed']} failed")

    def _baselines(self, study: StudyStore, executor: Executor, dataset: Dataset) -> None:
        """Train what the search is compared with, once a study."""
        from nas.search import baseline_seconds, record_baselines

        search, resources = self.job.search, self.job.resources
        if not search.baselines or study.baselines() is not None:
            return
        with console.status("training baselines: a linear model, boosting, a dense MLP"):
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
        with console.status("timing the front again, side by side"):
            resources = self.job.resources
            device = "cuda" if resources.on_gpu else "cpu"
            measure = functools.partial(time_side_by_side, device=device)
            return retime(study, executor, dataset, self.job.training, threads=resources.threads, measure=measure)

    def _catch_up(self, study: StudyStore, found: Front, dataset: Dataset) -> None:
        """Log what MLflow did not take before a search that is done was left: trials, pictures, champion, its end."""
        from nas.cli._interrupt import Stop, stop_on_signals
        from nas.search import SerialExecutor

        stop = Stop(lambda: console.print("leaving the rest for --resume; Ctrl-C again leaves at once"))
        tracker = _tracker(self.job, dataset)
        with stop_on_signals(stop), study.lock():  # one process at a time
            tracker.start(resume=True)
            try:
                _Reporter(study, tracker).front(found)
                if len(found):
                    executor = SerialExecutor(dataset, self.job.training, threads=self.job.resources.threads)
                    self._publish(study, found, dataset, executor, tracker, known=tracker.champion)
            finally:
                _caught_up(tracker, "FINISHED", stop, study.folder)

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
        from nas.errors import NasError
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
                console.print(
                    f"no champion in MLflow: {rival.label} beats trial {chosen.number}, beyond what the samples leave "
                    f"open; tracking.champion: {tracking.champion} registers it all the same",
                    soft_wrap=True,
                )
                return
            film = None
            if tracking.animation:
                with console.status(f"training trial {chosen.number} once more, to film it"):
                    film = animation_of(study, chosen.number, dataset, training, call=executor.call)
                with console.status(f"drawing {len(film)} frames"):
                    film.mp4  # noqa: B018 - drawn here, because logging has little time
            tracker.log_champion(
                make_champion(
                    study,
                    found,
                    chosen,
                    dataset,
                    training,
                    chosen=tracking.champion,
                    name=tracking.model_name,
                    animation=film,
                )
            )
        except (NasError, OSError) as error:
            console.print(f"no champion in MLflow: {error}", markup=False)

    def _conclude(self, study: StudyStore, found: Front) -> None:
        from nas.cli._baselines import print_baselines
        from nas.cli._evaluate import evaluate_file
        from nas.cli._export import describe
        from nas.cli._front import estimates_line, front_table
        from nas.cli._report import failure_counts
        from nas.cli._study import export_network
        from nas.errors import NasError

        counts = study.counts()
        if found.missed:
            raise NasError(f"{found.missed}; relax a bound of search.constraints, or search longer: --resume")
        if not len(found):
            reasons = {trial.result.reason for trial in study.records() if trial.result is not None}
            why = "; ".join(sorted(reasons)[:3]) or "none was started within the budget"
            raise NasError(f"no trial completed, {counts['failed']} failed: {why}")
        if counts["failed"]:
            console.print(f"failed trials: {counts['failed']}, because:")
            for why, count in failure_counts(study.records()).most_common(_MOST_REASONS):
                console.print(f"  {count:>5} × {why}", markup=False, soft_wrap=True)
        console.print()
        console.print(front_table(found))
        console.print(estimates_line(found), soft_wrap=True)
        print_baselines(found, study.baselines())
        console.print(
            f"process time: inference of {self.job.training.inference_batch:,} samples (± 95 %, in fresh processes), "
            f"training step of {self.job.training.batch_size:,}"
        )
        best = found.best()
        path = study.folder / "best.safetensors"
        record = export_network(study, best.number, path)
        console.print(f"\nbest: {describe(best.number, dict(best.metrics))}", soft_wrap=True)
        console.print(
            "the smallest that is as accurate as any, within one standard error; --pick knee, accurate or fast has "
            "others",
            soft_wrap=True,
        )
        if "structure" in record:
            how = "nas.training.module_of makes it a module again"
            console.print(f"exported to {path}: the state of your own structure; {how}", soft_wrap=True)
        else:
            threads = self.job.resources.threads
            tested = evaluate_file(path, batch=self.job.training.inference_batch, threads=threads)
            found_again = tested.get("accuracy")
            quality = f"error {tested['error']:.4g}" if found_again is None else f"accuracy {percent(found_again)}"
            console.print(
                f"exported to {path}; loaded again, it has test {quality} on {tested['samples']:,} samples, "
                f"inference {seconds(tested['inference_seconds'])} a batch",
                soft_wrap=True,
            )
        if not self.command:
            return
        store = "" if str(self.job.tracking.store) == "nas-runs" else f" --store {self.job.tracking.store}"
        console.print("\nnext:")
        console.print(f"  {program()} ui{store}", soft_wrap=True)
        console.print(f"  {program()} front {study.name}{store}", soft_wrap=True)
        # A bound that a member has: that of the best one, rounded down.
        accuracy = best.metrics.get("shown_accuracy", best.metrics.get("val_accuracy"))
        pick = "accurate" if accuracy is None else f'"accuracy>={math.floor(100 * accuracy) / 100:g}"'
        console.print(
            f"  {program()} export {study.name}{store} --pick {pick} --out network.safetensors", soft_wrap=True
        )


def _extent(job: Job) -> str:
    """How long the search will be, for people."""
    from nas.search import UNLIMITED

    search, ends = job.search, []
    if search.trials < UNLIMITED:
        ends.append(f"{search.trials:,} trials")
    if search.budget_minutes is not None:
        ends.append(f"{search.budget_minutes:g} minutes")
    if search.budget_steps is not None:
        ends.append(f"{search.budget_steps:,} steps in all")
    stated = "steps" in job.training.model_fields_set
    length = f"{job.training.steps:,} steps each" if stated else "lengths of training by the budget"
    return f"{' or '.join(ends)}, {length}"


def _duration_line(job: Job) -> str:
    """How long the whole of it takes, as far as the job decides it."""
    from nas.search import baseline_seconds

    minutes, rest = job.search.budget_minutes, baseline_seconds(job.search.budget_minutes)
    after = f"up to {duration(rest)} for the baselines, " if job.search.baselines else ""
    if minutes is None:
        return f"time: as the trials take, --minutes bounds it; then {after}some seconds to time the front again"
    return f"time: {duration(60 * minutes)} of search; then {after}some seconds to time the front again"


def _caught_up(tracker: Tracker, ending: Ending, stop: Stop, folder: Path) -> None:
    """Ends the tracker; says how far MLflow is while it catches up, here and in the status, and what it lacks then.

    Ctrl-C leaves the rest in the journal.
    """
    from nas.cli._report import amend_status

    patient = ending == "FINISHED"
    with console.status("MLflow") as shown:
        said = noted = time.monotonic()

        def waiting(left: int) -> bool:
            nonlocal said, noted
            if time.monotonic() - noted >= _NOTE_SECONDS:
                noted = time.monotonic()
                amend_status(folder, mlflow_behind=left)
            shown.update(f"MLflow has {left:,} trials still to take; Ctrl-C leaves them for --resume")
            if not console.is_terminal and left and time.monotonic() - said >= _SAY_SECONDS:
                said = time.monotonic()
                console.print(f"MLflow has {left:,} trials still to take")
            return not (patient and stop.requested)

        left = tracker.finish(ending, waiting)
    amend_status(folder, mlflow_behind=left, log=True)
    if missing := [*([f"{left:,} trials"] if left else []), *tracker.left_out]:
        console.print(f"MLflow does not have {', '.join(missing)} yet; --resume logs them", soft_wrap=True)


def _each(*followers: Callable[..., None]) -> Callable[..., None]:
    """Tells everybody in turn."""

    def tell(*news: object) -> None:
        for follower in followers:
            follower(*news)

    return tell


class _Reporter:
    """Hands results and fronts to the tracker."""

    def __init__(self, study: StudyStore, tracker: Tracker) -> None:
        from nas.search import AnytimeCurve

        self._study = study
        self._tracker = tracker
        self._shown: tuple[int, ...] = ()
        self._points: dict[int, FrontPoint] = {}
        ended = (record.result for record in study.records() if record.result is not None)
        self._curve = AnytimeCurve(study.objectives, ended)

    def __call__(self, candidate: Candidate, result: TrialResult) -> None:
        """A trial ended."""
        self._tracker.log_trial(candidate, result)
        self._curve.add(result)
        found = self._study.leading()
        if found.numbers != self._shown:
            self.front(found)

    def front(self, found: Front) -> None:
        """The front is now this."""
        self._shown = found.numbers
        members = {member.number: self._point(member.number, member.metrics) for member in found.members}
        # Trials that lost their place by being timed again: their points have moved too.
        others = []
        for number, metrics in self._study.retimed().items():
            if number not in members:
                known = self._study.load_result(number).metrics
                others.append(self._point(number, {**known, **metrics}))
        self._points = members
        self._compare(found)
        corners = [(point.trials, point.seconds, point.hypervolume) for point in self._curve.corners()]
        self._tracker.log_front(list(members.values()), found.hypervolume, others, corners)

    def _compare(self, found: Front) -> None:
        """The front is compared with the baselines, where there are any."""
        from nas.search import verdict
        from nas.tracking import BaselinePoint

        if (baselines := self._study.baselines()) is not None:
            points = [BaselinePoint(each.name, each.label, each.metrics, each.reason) for each in baselines.members]
            self._tracker.log_baselines(points, verdict(found, baselines))

    def _point(self, number: int, metrics: Mapping[str, float]) -> FrontPoint:
        import dataclasses

        from nas.manifold import ManifoldNetwork
        from nas.recurrent import RecurrentStructure
        from nas.tracking import FrontPoint

        known = self._points.get(number)
        if known is not None:
            return dataclasses.replace(known, metrics=metrics)
        result = self._study.load_result(number)
        trial = self._study.trial(number)
        assert result.dag is not None
        weights = None  # layers have no one weight an edge
        if result.structure is None:
            network = ManifoldNetwork.from_arrays(result.dag, dict(result.arrays))
            weights = network.edge_weights().detach().numpy()
        elif isinstance(result.structure, RecurrentStructure):
            weights = result.arrays["weight"]
        return FrontPoint(
            number,
            metrics,
            dag=result.dag,
            weights=weights,
            history=result.history,
            checkpoint=self._writer(number),
            parent=trial.parent,
            mutation=trial.mutation,
        )

    def _writer(self, number: int) -> Callable[[Path], object]:
        from nas.cli._study import export_network

        return lambda path: export_network(self._study, number, path)


def _tracker(job: Job, dataset: Dataset) -> Tracker:
    from nas.search import OBJECTIVE_METRICS
    from nas.tracking import MlflowTracker, NullTracker
    from nas.training import hardware

    if not job.tracking.mlflow:
        return NullTracker()
    costs = [OBJECTIVE_METRICS[name] for name in job.search.objectives if name != "error"]
    return MlflowTracker(
        job.tracking,
        job_params=job.to_mapping(complete=True),
        hardware=hardware(job.resources.threads),
        # The inputs of a network with memory are one time step and what it remembers: no image.
        period=dataset.period if job.space.name != "recurrent" else None,
        cost=costs[0] if costs else "inference_seconds",
    )
