"""A search in one line of Python, and what it found.

    study = nas.search("churn.csv", target="churn", minutes=5)
    study.front                      # a table in a notebook
    study.best().predict(rows)

`nas search` on the command line does the same: both make a job and run it with `nas.cli.search.SearchRun`, into the
same store, so that `nas ui`, `nas front` and the other commands know studies from either.
"""

from __future__ import annotations

import contextlib
import html
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas._files import write_whole
from nas._scratch import own_folder, scratch
from nas._text import counted
from nas.errors import DataError, JobError, NasError

if TYPE_CHECKING:
    import pandas as pd

    from nas.checkpoint import Predictor
    from nas.cli.study import Start
    from nas.graph import DAG
    from nas.job import Job
    from nas.search import Baselines, Front, FrontMember, Importances, StudyStore

__all__ = ["Study", "StudyFront", "StudyImportance", "StudyTrial", "search"]


def search(
    data: Any,
    y: Any = None,
    *,
    target: str | list[str] | tuple[str, ...] | None = None,
    minutes: float | None = None,
    trials: int | None = None,
    name: str | None = None,
    store: str | Path | None = None,
    resume: bool = False,
    keep: bool = True,
    pick: str | int | None = None,
    verbose: bool = True,
    settings: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Study:
    """Search networks for data: breed, train and time them, and compare them with a linear model, an MLP and boosting.

    Ctrl-C (in a notebook: interrupting the kernel) stops the search early; what it found by then is returned.

    Args:
        data: a table (pandas, polars, pyarrow, columns by name, records); features X (samples, features), or a pair
            (X, y), of tables or arrays; a mapping with these (X, y, or x_train, y_train, x_test, y_test), or with parts
            (``{"train": table, "val": table, "test": table}``); a torch `Dataset` of pairs; a path or name as
            ``data.source`` of a job file has it; or a job file (.yaml).
        y: targets, where ``data`` has none: (samples,) labels or numbers, or (samples, targets) numbers.
        target: the target column of a table, or columns (default: the last).
        minutes: wall time after which no trial is started any more (default: 50 trials).
        trials: how many trials at most.
        name: of the study (default: of the file, with a number where the store has one of that name already).
        store: folder of studies (default: ``$NAS_STORE``, else nas-runs).
        resume: continue the study of this name.
        keep: False: nothing is written but to a temporary folder, and the study goes with its `close`.
        pick: which network `Study.best` and `Study.export` take where they are not told, as `nas export --pick` has
            it. One that no network of this search could be is refused before it begins.
        verbose: print the table of columns, progress, front and baselines.
        settings: fields of the job by dotted paths: ``{"training.losses.time": 0.1}``.
        **fields: any other field of a job (`nas schema` lists them): by itself where one section has it
            (``strategy="optuna"``, ``executor="serial"``), else with its section (``data__seed=1``), or a section as a
            mapping (``training={"steps": 5000}``).

    Returns:
        The study; it is also a context that cleans up: ``with nas.search(…) as study``.

    Raises:
        DataError: the data cannot be used; the message names the column.
        JobError: an unknown or wrong field; or the study exists, and ``resume`` was not asked for.
        PickError: no network is within the constraints, and the message says what stands in the way; or ``pick`` is
            not understood, or names a metric that networks will not have.
        NasError: no trial completed.
    """
    from nas._keywords import job_values

    values = job_values({"minutes": minutes, "trials": trials, "name": name, "store": store, **fields}, settings)
    if not keep:
        values.setdefault("tracking", {}).update(store=str(own_folder() / "studies"))  # they go with the process
        values["tracking"].setdefault("mlflow", False)
    with _quiet(not verbose), _prepared(data, y, target, values, resume=resume) as job:
        found = _run(job, resume=resume, brief=not keep and not verbose, pick=pick)
    return Study(found, kept=keep, pick=pick)


def _run(job: Job, *, resume: bool, brief: bool, pick: str | int | None) -> StudyStore:
    from nas.cli.interrupt import Stop, stop_on_signals
    from nas.cli.search import SearchRun, nothing_completed
    from nas.search import PickError

    stop = Stop()
    with stop_on_signals(stop):
        wanted = None if pick is None else str(pick)
        start: Start = "resume" if resume else "new"
        outcome = SearchRun(job, start=start, brief=brief, stop=stop, pick=wanted).run()
    if outcome.front.missed:
        raise PickError(outcome.front.missed)
    if not len(outcome.front) and not outcome.stopped:
        raise NasError(nothing_completed(outcome.study))
    if not len(outcome.front):
        name = outcome.study.name
        raise NasError(
            f"study {name!r} was stopped before a trial was complete; nas.search(…, name={name!r}, resume=True) goes on"
        )
    return outcome.study


@contextlib.contextmanager
def _prepared(data: Any, y: Any, target: Any, values: dict[str, Any], *, resume: bool) -> Iterator[Job]:
    """The job of a call; what it wrote is removed again where no study comes of it."""
    from nas._given_data import GivenData, data_section
    from nas._jobfile import read_yaml
    from nas.cli.study import next_name
    from nas.job import Job, data_name, experiment_name
    from nas.search import StudyStore

    given = GivenData(data, y)
    stem = data_name(given.source) if given.source is not None else "search"
    if given.source is not None and given.source.lower().endswith((".yaml", ".yml")):
        values = _merged(read_yaml(Path(given.source))[0], values)
        if target is not None:
            values = _merged(values, {"data": {"target": target}})
        values.setdefault("data", {})
    elif given.source is not None:
        values = _merged({"data": data_section(given, Path(), target)}, values)
    tracking = values.setdefault("tracking", {})
    named = "experiment" in tracking
    tracking.setdefault("experiment", experiment_name(stem))
    # What lies in memory is not written before the rest of the job is right.
    first = values if given.source is not None else _merged({"data": {"source": given.file}}, values)
    job = Job.from_mapping(first, where="nas.search")
    known = StudyStore.exists(job.tracking.store, job.tracking.experiment, storage=job.tracking.database)
    if known and not named and not resume:
        tracking["experiment"] = next_name(job)
        known = False
    if known and not resume:
        raise JobError(
            f"study {job.tracking.experiment!r} exists in {job.tracking.store}; continue it with resume=True, or "
            f"start another with name={next_name(job)!r}"
        )
    folder = (job.tracking.store / tracking["experiment"]).absolute()
    if given.source is None:
        if known:
            given.refuse_other(folder)
        values = _merged({"data": data_section(given, folder, target)}, values)
    job = Job.from_mapping(values, where="nas.search")
    try:
        yield job
    except BaseException as error:
        if (
            given.source is None
            and not known
            and not StudyStore.exists(job.tracking.store, job.tracking.experiment, storage=job.tracking.database)
        ):
            shutil.rmtree(folder, ignore_errors=True)
        if given.source is None and isinstance(error, DataError):  # nobody has heard of the file that the data lie in
            file = job.data.source
            raise DataError(str(error).replace(f"{file}: ", "").replace(file, "the data")) from error
        raise


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with those of ``above`` in place of those of ``below``."""
    found = {key: {} if value is None else value for key, value in below.items()}
    for key, value in above.items():
        inner = found.get(key)
        found[key] = _merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return found


@contextlib.contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    from nas.cli.console import console

    before, console.quiet = console.quiet, wanted or console.quiet
    try:
        yield
    finally:
        console.quiet = before


class Study:
    """A finished (or interrupted) search: its front, its networks, and what is to be said of them.

    Attributes:
        name: of the study.
        folder: with its files, in the store.

    Args:
        store: the study as `nas.search.StudyStore` has it.
        kept: False: the study goes when it is closed.
        pick: which network is meant where none is named; None: "best".
    """

    def __init__(self, store: StudyStore, *, kept: bool = True, pick: str | int | None = None) -> None:
        self._store = store
        self._kept = kept
        self._pick = "best" if pick is None else str(pick)
        self.name = store.name
        self.folder = store.folder

    @classmethod
    def open(cls, name: str, *, store: str | Path | None = None, storage: str | None = None) -> Study:
        """A study that was searched before.

        Args:
            name: of it.
            store: its folder (default: ``$NAS_STORE``, else nas-runs).
            storage: its database, if it is not in the store.

        Raises:
            StudyError: there is none of this name.
        """
        from nas.search import StudyStore
        from nas.tracking import default_store

        return cls(StudyStore.open(default_store() if store is None else store, name, storage=storage))

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was not to be kept; a study in a store stays."""
        if not self._kept:
            self._kept = True
            self.delete()

    def delete(self) -> None:
        """Remove the study with all its files; what it wrote to MLflow stays there.

        Raises:
            StudyError: another process drives it, or its database fails.
        """
        self._store.delete()

    @property
    def front(self) -> StudyFront:
        """The networks that no other drives out, best first objective first; a table in a notebook."""
        return StudyFront(self._store, self._store.front())

    @property
    def optuna(self) -> Any:
        """The study as Optuna has it, for its visualisations; not for writing."""
        return self._store.study

    @property
    def baselines(self) -> Baselines | None:
        """What the networks are compared with; None: it was not wanted."""
        return self._store.baselines()

    def importance(self) -> StudyImportance:
        """How much each hyperparameter and the length of training decided how good networks of a size are.

        A random forest's permutation importance over the trials; what a search hardly varied looks unimportant. Where
        the trials cannot tell, a sentence says so, beside what the best of them had.
        """
        from nas.search import importances, unknown_importances

        records = [*self._store.records()]
        found = importances(records)
        return StudyImportance(found, found.words if found is not None else unknown_importances(records))

    @property
    def verdict(self) -> str:
        """Whether the search was worth it, in a few sentences; "" without baselines."""
        from nas.search import verdict

        known = self.baselines
        return "" if known is None else verdict(self._store.front(), known)

    def best(self, pick: str | int | None = None) -> Predictor:
        """A network that is ready to predict from rows as they were measured.

        Args:
            pick: a member of the front as `nas export --pick` has it: "best", "knee", "accurate", "fast", a trial
                number, or conditions such as "accuracy>=0.97". Default: what `nas.search` was told, else "best", the
                smallest network that is as accurate as any, within one standard error.

        Raises:
            PickError: there is no such member.
            CheckpointError: it is of a structure of your own, for which `nas.training.module_of` is.
        """
        return self.trial(self._member(pick).number).predictor()

    def trial(self, number: int) -> StudyTrial:
        """A trial of the study.

        Raises:
            StudyError: there is none of this number.
        """
        return StudyTrial.of(self._store, number)

    def export(self, path: str | Path, pick: str | int | None = None, *, format: str | None = None) -> Path:
        """Write a network to a file, as `nas export` does.

        Args:
            path: safetensors, ONNX, pt2, GraphML or dot, by its ending.
            pick: see `best`.
            format: of the file, where its ending does not say it.

        Raises:
            PickError: there is no such member.
            JobError: there is no such format.
            ExportError: the format cannot hold this network.
        """
        from nas.cli.export import writer_of
        from nas.cli.study import export_network

        path = Path(path)
        export_network(self._store, self._member(pick).number, path, write=writer_of(path, format))
        return path

    def report(self, path: str | Path | None = None) -> Path:
        """Write one HTML page on the study: verdict, data, front, baselines, the best network and how to use it.

        Args:
            path: the file (default: report.html in the study's folder).

        Raises:
            OSError: it cannot be written.
        """
        from nas.cli.study_page import study_page

        path = self.folder / "report.html" if path is None else Path(path)
        write_whole(path, study_page(self._store))
        return path

    def _member(self, pick: str | int | None) -> FrontMember:
        return self._store.front().pick(self._pick if pick is None else str(pick))

    def __repr__(self) -> str:
        counts = self._store.counts()
        complete = counted(counts["complete"], "trial")
        return f"<Study {self.name!r}: {complete} complete, front of {len(self.front)}, {self.folder}>"

    def _repr_html_(self) -> str:
        said = f"<p>{html.escape(self.verdict)}</p>" if self.verdict else ""
        return f"<h4>{html.escape(self.name)}</h4>{self.front._repr_html_()}{said}"


class StudyFront:
    """The front of a study, to look at: a table in a notebook, a plot, a pandas table; iterates over its members.

    Args:
        store: the study.
        found: its front.
    """

    def __init__(self, store: StudyStore, found: Front) -> None:
        self._store = store
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[FrontMember]:
        return iter(self._found.members)

    def pick(self, how: str | int = "best") -> FrontMember:
        """A member; see `Study.best`.

        Raises:
            PickError: there is no such member.
        """
        return self._found.pick(str(how))

    @property
    def hypervolume(self) -> float:
        """Share of the space of objectives that the members dominate, in [0, 1]."""
        return self._found.hypervolume

    def plot(self) -> Any:
        """Accuracy or error against cost, with intervals and baselines, as a plotly figure; hovering tells a trial."""
        from nas.cli.study_page import front_points
        from nas.tracking import front_figure

        points = front_points(self._store, self._found)
        return front_figure(
            points.members,
            points.others,
            title=self._store.name,
            cost=points.cost,
            error=points.error,
            baselines=points.baselines,
            picks=points.picks,
        )

    def to_frame(self) -> pd.DataFrame:
        """All metrics of the members (seconds, counts, shares), a row each, by trial number."""
        import pandas as pd

        rows = {member.number: dict(member.metrics) for member in self._found.members}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("trial")

    def _repr_html_(self) -> str:
        from nas.cli.study_page import front_html_table

        return front_html_table(self._found)

    def __repr__(self) -> str:
        from nas.cli.front import front_rows

        if not len(self):
            return "<front without members>"
        headings, rows = front_rows(self._found)
        widths = [max(len(row[place]) for row in [headings, *rows]) for place in range(len(headings))]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in [headings, *rows]
        )


@dataclass(frozen=True, slots=True, repr=False)
class StudyImportance:
    """Which hyperparameters decided, to look at: a table in a notebook.

    Attributes:
        words: what the shares are, or why there are none.
    """

    _found: Importances | None
    words: str

    @property
    def shares(self) -> pd.Series[float]:
        """Of each hyperparameter that varied, summing to 1, the largest first; empty where they cannot be told."""
        import pandas as pd

        members = self._found.members if self._found is not None and self._found.told else ()
        return pd.Series({each.name: each.share for each in members}, name="importance", dtype=float)

    def to_frame(self) -> pd.DataFrame:
        """A row for each that varied: its importance (NaN where it cannot be told), what the best quarter of the
        trials had, and what all had."""
        import pandas as pd

        members = () if self._found is None else self._found.members
        rows = {each.name: {"importance": None, "best quarter": each.best, "all": each.all} for each in members}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["importance", "best quarter", "all"])
        frame["importance"] = self.shares.reindex(frame.index).astype(float)
        return frame.rename_axis("hyperparameter")

    def __repr__(self) -> str:
        if self._found is None:
            return self.words
        frame = self.to_frame().rename_axis(None)
        if not self._found.told:
            frame = frame.drop(columns="importance")
        return f"{frame.to_string(float_format='{:.0%}'.format)}\n{self.words}"

    def _repr_html_(self) -> str:
        from nas.cli.study_page import importance_html

        return importance_html(self._found) if self._found is not None else f"<p>{html.escape(self.words)}</p>"


@dataclass(frozen=True, slots=True, repr=False)
class StudyTrial:
    """A trial of a study: what it was, what came of it, and its network."""

    number: int
    state: str
    metrics: Mapping[str, float]  # seconds, counts, shares; timed again where that was done
    hyperparameters: Mapping[str, Any]
    parent: int | None  # whose weights it started from
    mutation: str  # what distinguishes it from its parent
    reason: str  # why it failed
    _store: StudyStore

    @classmethod
    def of(cls, store: StudyStore, number: int) -> StudyTrial:
        """The trial of this number; `Study.trial`."""
        record = store.trial(number)
        result = record.result
        metrics = {**(result.metrics if result is not None else {}), **store.retimed().get(number, {})}
        return cls(
            number,
            record.state,
            metrics,
            dict(record.hyperparameters),
            record.parent,
            record.mutation,
            result.reason if result is not None else "",
            store,
        )

    @property
    def dag(self) -> DAG:
        """The network's graph, of live edges only."""
        found = self._store.load_result(self.number).dag
        assert found is not None  # load_result raises for trials without weights
        return found

    @property
    def lineage(self) -> list[int]:
        """Its ancestors, from the first to itself."""
        return self._store.lineage(self.number)

    def predictor(self) -> Predictor:
        """Its network, ready to predict from rows as they were measured; see `Study.best`."""
        from nas.checkpoint import Predictor
        from nas.cli.study import export_network

        with scratch("predictor") as folder:
            path = folder / "network.safetensors"
            export_network(self._store, self.number, path)
            return Predictor.load(path)

    def __repr__(self) -> str:
        from nas.cli.export import describe

        if not self.metrics:
            return f"<trial {self.number}: {self.state}>"
        return f"<{describe(self.number, self.metrics, self._store.objectives.error_label)}>"
