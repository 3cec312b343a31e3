"""All calls to MLflow, synchronous: what a tracker's thread does one after the other, and may repeat at will.

Every method can be called again after it failed half-way: runs are found by their tags, and values keep the
time stamps they had the first time, so that MLflow recognises them.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.tracking.config import TrackingConfig
from nas.tracking.mlflow._metrics import Metrics
from nas.tracking.mlflow._record import readable_metrics

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

__all__ = ["MlflowWriter", "TrialRun", "front_addresses", "new_client"]

SEARCH_TAG = "search_id"  # on the parent run: which search it stands for
STUDY_TAG = "study_id"  # on the parent run: identity of its study
CHAMPION = "champion"  # alias of the registered model's version that the latest search chose
MODEL_FOLDER = "model"  # of a run's artifacts
ARTIFACTS_TAG = "artifacts"  # on a child run: "yes" when pictures and checkpoint are there
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # else MLflow 3 opens it as a GenAI experiment
_NOTE = "mlflow.note.content"
_NAME = "mlflow.runName"
_SOURCE = {"mlflow.source.name": "nas search", "mlflow.source.type": "LOCAL"}
_MOST_METRICS, _MOST_PARAMS, _MOST_ALL = 900, 90, 950  # of one log_batch; MLflow allows 1000, 100 and 1000
_TRAINING = "workflowType=machine_learning"  # in an address of the UI: show it as model training, not as GenAI
_COLUMNS = (  # few, because the UI sorts them by name and shows about five at once
    "metrics.`edges`",
    "metrics.`inference_us`",
    "metrics.`shown_accuracy`",
    "metrics.`test_accuracy`",
    "metrics.`val_accuracy`",
    "tags.`pareto`",
    "tags.`parent_trial`",
    "tags.`mutation`",
)
_MOST_DESCRIPTION = 4900  # characters; MLflow refuses more than 5000
_NEWER_STEP = 10**9  # of values that replace those at the last training step; MLflow shows the highest step


@dataclass(slots=True)
class TrialRun:
    """A child run as far as the tracker needs to know it."""

    run_id: str
    finished: bool = False  # its values are complete
    pareto: bool = False
    artifacts: bool = False
    failed: bool = False
    name: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)  # as `Metrics`, for there is one of every trial
    parent_trial: int | None = None
    mutation: str = ""


def new_client(uri: str) -> MlflowClient:
    """An MLflow client that fails within seconds, so that the tracker can decide what to do, and that calls nobody
    else."""
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # a new database would write over the progress display
    # So would that, and with the whole traceback of each failure, of which the tracker says one line.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)


class MlflowWriter:
    """One experiment of one MLflow store.

    Args:
        uri: tracking URI.
        experiment: name; the experiment is made, or brought back where it was deleted.
        artifacts: folder of the artifacts of a new experiment; None leaves it to the server.
        wrote: called after each change to one of many trials, however long all of them take.

    Raises (all methods): whatever MLflow, its database driver or the network raise.
    """

    def __init__(
        self, uri: str, experiment: str, artifacts: Path | None, wrote: Callable[[], None] = lambda: None
    ) -> None:
        self.client = new_client(uri)
        self._wrote = wrote
        found = self.client.get_experiment_by_name(experiment)
        if found is None:
            location = None if artifacts is None else artifacts.joinpath(experiment).as_uri()
            if artifacts is not None:
                artifacts.mkdir(parents=True, exist_ok=True)
            self.experiment_id: str = self.client.create_experiment(experiment, location, dict(_KIND))
        else:
            self.experiment_id = found.experiment_id
            if found.lifecycle_stage != "active":
                self.client.restore_experiment(self.experiment_id)
        self._experiment_tags = dict(found.tags) if found is not None else dict(_KIND)

    def describe_experiment(self, accuracy: bool, facts: str) -> None:
        """Describe the experiment, and store two views of its run table with useful columns.

        The views open through links (see `view_links`); MLflow's own table starts with no metrics at all. `facts` is
        the beginning of the description, all that the list of experiments shows.
        """
        columns = [name if accuracy else name.replace("accuracy", "error") for name in _COLUMNS]
        # Any order but that of creation shows the trials themselves, not folded up below their search.
        trials = {"selectedColumns": columns, "orderByKey": columns[3], "orderByAsc": not accuracy}
        trials["searchFilter"] = "tags.trial != ''"
        front = trials | {"searchFilter": "tags.pareto = 'true'"}
        wanted = _KIND | {
            "mlflow.sharedViewState.trials": json.dumps(trials),
            "mlflow.sharedViewState.front": json.dumps(front),
            _NOTE: f"{facts}. Open {self.view_links()}.\n\n"
            "One search is one parent run: open it for the front (artifact `front.html`) and the overview. "
            "Its children are the trials; those tagged `pareto = true` are on the front and carry pictures of their "
            "network and its checkpoint.",
        }
        for key, value in wanted.items():
            if self._experiment_tags.get(key) != value:
                self.client.set_experiment_tag(self.experiment_id, key, value)
                self._experiment_tags[key] = value

    def view_links(self) -> str:
        """Markdown links to the two stored views of the run table."""
        front, trials = view_address(self.experiment_id, "front"), view_address(self.experiment_id, "trials")
        return f"[the front as a table]({front}) · [all trials as a table]({trials})"

    def run_link(self, run_id: str, artifact: str = "") -> str:
        """Address of a run, or of one of its artifacts, within the MLflow UI."""
        place = f"/artifacts/{artifact}" if artifact else ""
        return f"#/experiments/{self.experiment_id}/runs/{run_id}{place}?{_TRAINING}"

    def latest_search(self, study: str | None = None) -> str | None:
        """The id of the newest search in this experiment that is of this study, or of one without identity."""
        runs = self.client.search_runs(
            [self.experiment_id], f"tags.`{SEARCH_TAG}` != ''", max_results=100, order_by=["attributes.start_time DESC"]
        )
        for run in runs:
            if study is None or run.data.tags.get(STUDY_TAG, study) == study:
                return str(run.data.tags[SEARCH_TAG])
        return None

    def ensure_parent(
        self, search: str, name: str, params: Mapping[str, str], tags: Mapping[str, str], *, running: bool = True
    ) -> str:
        """The run id of the search's parent run, made where there is none, and running again if that is wished.

        Parameters cannot change in MLflow; one that differs from an earlier start becomes the tag `resumed.<name>`.
        """
        runs = self.client.search_runs([self.experiment_id], f"tags.`{SEARCH_TAG}` = '{search}'", max_results=1)
        if runs:
            run = runs[0]
            old = run.data.params
            changed = {f"resumed.{key}": value for key, value in params.items() if old.get(key, value) != value}
            self._log(run.info.run_id, params={key: params[key] for key in params if key not in old}, tags=changed)
            if running and run.info.status != "RUNNING":
                self.client.update_run(run.info.run_id, status="RUNNING")
        else:
            tags = {**_SOURCE, "mlflow.user": _user(), **tags, SEARCH_TAG: search}
            run = self.client.create_run(self.experiment_id, tags=tags, run_name=name)
            self._log(run.info.run_id, params=params)
            if not running:
                self.client.set_terminated(run.info.run_id, "KILLED")
        return str(run.info.run_id)

    def trials(self, parent_id: str) -> dict[int, TrialRun]:
        """All child runs of a parent, by trial number."""
        found: dict[int, TrialRun] = {}
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.`mlflow.parentRunId` = '{parent_id}'",
                max_results=1000,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            for run in page:
                if "trial" in run.data.tags:
                    found.setdefault(int(run.data.tags["trial"]), _trial_run(run))
            token = page.token
            if not token:
                return found

    def write_trial(self, record: Mapping[str, Any], parent_id: str, known: TrialRun | None) -> TrialRun:
        """Log a trial (see `trial_record`); `known` is its run where one was begun before."""
        if known is not None and known.finished:
            return known
        if known is None:
            tags = {**_SOURCE, "mlflow.user": _user(), **record["tags"], "mlflow.parentRunId": parent_id}
            run = self.client.create_run(self.experiment_id, record["start_ms"], tags, record["name"])
            known = TrialRun(run.info.run_id)
        from mlflow.entities import Metric

        end, start = record["end_ms"], record["start_ms"]
        last = record["steps"]
        metrics = [Metric(key, value, end, last) for key, value in record["metrics"].items()]
        for key, points in record["curves"].items():
            metrics += [
                Metric(key, value, start + int((end - start) * step / max(last, 1)), step) for step, value in points
            ]
        self._log(known.run_id, metrics=metrics, params=record["params"])
        self.client.set_terminated(known.run_id, "FAILED" if record["failed"] else "FINISHED", end)
        tags = record["tags"]
        known.finished, known.failed, known.name = True, record["failed"], record["name"]
        known.metrics, known.mutation = Metrics(record["metrics"]), tags["mutation"]
        known.parent_trial = int(tags["parent_trial"]) if tags["parent_trial"] else None
        return known

    def set_pareto(self, run: TrialRun, member: bool) -> None:
        """Tag a trial as on or off the front."""
        if run.pareto != member:
            self.client.set_tag(run.run_id, "pareto", str(member).lower())
            run.pareto = member
            self._wrote()

    def update_metrics(self, run: TrialRun, metrics: Mapping[str, float], name: str, now_ms: int) -> None:
        """Newer values of some metrics of a finished trial (it was timed again), and the name that says them.

        They are logged one step after the first ones, which stay in the metric's history.
        """
        from mlflow.entities import Metric

        newer = readable_metrics(metrics)
        changed = {key: value for key, value in newer.items() if run.metrics.get(key) != value}
        if changed:
            self._log(run.run_id, metrics=[Metric(key, value, now_ms, _NEWER_STEP) for key, value in changed.items()])
            run.metrics = Metrics({**run.metrics, **changed})
            self._wrote()
        if name != run.name:
            self.rename(run.run_id, name)
            run.name = name
            self._wrote()

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name."""
        # MLflow takes the tag for the name; `update_run` would first read the whole run, which takes longer than the
        # rest, and at the end of a search nearly all trials have newer times in their names.
        self.client.set_tag(run_id, _NAME, name)

    def end(self, run_id: str, status: str) -> None:
        """End a run as FINISHED, FAILED or KILLED."""
        self.client.set_terminated(run_id, status)

    def log_values(
        self, run_id: str, metrics: Mapping[str, float], step: int, now_ms: int, tags: Mapping[str, str]
    ) -> None:
        """Metrics at a step, and tags, of any run."""
        from mlflow.entities import Metric

        self._log(run_id, metrics=[Metric(key, value, now_ms, step) for key, value in metrics.items()], tags=tags)

    def last_step(self, run_id: str, metric: str) -> int:
        """The highest step at which a metric of a run is known; -1: none."""
        return max((each.step for each in self.client.get_metric_history(run_id, metric)), default=-1)

    def log_curve(self, run_id: str, metric: str, points: Sequence[tuple[int, float]], now_ms: int) -> None:
        """Values (step, value) of a metric of any run."""
        from mlflow.entities import Metric

        self._log(run_id, metrics=[Metric(metric, value, now_ms, step) for step, value in points])

    def log_files(self, run_id: str, files: Sequence[Path]) -> None:
        """Copy files to a run's artifacts."""
        for file in files:
            self.client.log_artifact(run_id, str(file))

    def register(self, name: str, run_id: str, model: Path, tags: Mapping[str, str], card: str) -> str:
        """Make a model the champion of a registered model, which is made where there is none; returns its version.

        Repeating it with the same tags changes nothing: the version that has them is taken.

        Args:
            name: of the registered model.
            run_id: of the run that it came from, whose artifact it becomes.
            model: folder of a saved MLflow model.
            tags: of the version; they tell it from all others.
            card: description of the version.
        """
        from mlflow.exceptions import MlflowException

        client = self.client
        try:
            client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            text = f"Networks that `nas search` found; the alias `{CHAMPION}` is on the latest search's choice."
            client.create_registered_model(name, description=text)
        version = None
        for found in client.search_model_versions(f"name = '{name}'"):
            if all(found.tags.get(key) == value for key, value in tags.items()):
                version = str(found.version)
        if version is None:
            client.log_artifacts(run_id, str(model), MODEL_FOLDER)
            source = f"{client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}"
            made = client.create_model_version(name, source, run_id, dict(tags), description=card[:_MOST_DESCRIPTION])
            version = str(made.version)
        client.set_registered_model_alias(name, CHAMPION, version)
        return version

    def mark_files(self, run: TrialRun) -> None:
        """Remember with the run that its files are there."""
        self.client.set_tag(run.run_id, ARTIFACTS_TAG, "yes")
        run.artifacts = True

    def _log(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """log_batch in as few calls as MLflow's limits allow; one for nearly every trial."""
        from mlflow.entities import Param, RunTag

        left_metrics = list(metrics)
        left_params = [Param(key, value) for key, value in (params or {}).items()]
        left_tags = [RunTag(key, value) for key, value in (tags or {}).items()]
        while left_metrics or left_params or left_tags:
            some_params, left_params = left_params[:_MOST_PARAMS], left_params[_MOST_PARAMS:]
            some_tags, left_tags = left_tags[:_MOST_PARAMS], left_tags[_MOST_PARAMS:]
            room = min(_MOST_METRICS, _MOST_ALL - len(some_params) - len(some_tags))
            some_metrics, left_metrics = left_metrics[:room], left_metrics[room:]
            self.client.log_batch(run_id, metrics=some_metrics, params=some_params, tags=some_tags)


def view_address(experiment_id: str, view: str) -> str:
    """Address within the MLflow UI of the run table as a stored view shows it; `view` is "front" or "trials"."""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={view}&{_TRAINING}"


def front_addresses(config: TrackingConfig) -> dict[str, str]:
    """For each experiment of a store, the address of its front below the root of the MLflow UI.

    The UI opens as what its user chose last, at first "GenAI"; these addresses open it as model training, which shows
    runs. `config.experiment` plays no part.

    Raises:
        mlflow.exceptions.MlflowException: the store cannot be read.
    """
    found = new_client(config.tracking_uri).search_experiments()
    return {
        experiment.name: view_address(experiment.experiment_id, "front")
        for experiment in found
        if "mlflow.sharedViewState.front" in experiment.tags
    }


def has_champion(config: TrackingConfig) -> bool:
    """Whether the registry has a champion of ``config.model_name``.

    Raises:
        mlflow.exceptions.MlflowException: the store cannot be read.
    """
    from mlflow.exceptions import MlflowException

    try:
        new_client(config.tracking_uri).get_model_version_by_alias(config.model_name, CHAMPION)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):  # no model; no such alias
            return False
        raise
    return True


def _trial_run(run: Run) -> TrialRun:
    tags = run.data.tags
    return TrialRun(
        run.info.run_id,
        finished=run.info.status in ("FINISHED", "FAILED"),
        pareto=tags.get("pareto") == "true",
        artifacts=tags.get(ARTIFACTS_TAG) == "yes",
        failed=run.info.status == "FAILED",
        name=run.info.run_name or "",
        metrics=Metrics({key: value for key, value in run.data.metrics.items() if not key.startswith("curve/")}),
        parent_trial=int(tags["parent_trial"]) if tags.get("parent_trial", "").isdigit() else None,
        mutation=tags.get("mutation", ""),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"
