"""One search in one MLflow store, synchronous: which runs are there, and how trials and fronts become runs and files.

A session is made anew after each failure, because by then MLflow may know more or less than this process thinks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nas._scratch import scratch
from nas.tracking.config import TrackingConfig
from nas.tracking.mlflow._database import prepare_database
from nas.tracking.mlflow._record import readable
from nas.tracking.mlflow.champion import Champion
from nas.tracking.mlflow.moved import mend_addresses
from nas.tracking.mlflow.writer import STUDY_TAG, MlflowWriter, TrialRun
from nas.tracking.note import overview, search_name
from nas.tracking.plots.adjacency import adjacency_png
from nas.tracking.plots.curves import curves_png
from nas.tracking.plots.dag import dag_png
from nas.tracking.plots.front import front_html, front_png
from nas.tracking.points import BaselinePoint, CurveCorner, FrontPoint, expected, run_name
from nas.tracking.protocol import Ending

__all__ = ["SearchFacts", "Session"]

# Of a baseline, in the parent run.
_BASELINE_METRICS = (
    "val_accuracy", "val_error", "test_accuracy", "test_error", "inference_seconds", "edges", "training_seconds",
)  # fmt: skip
# Of the parent run. MLflow draws a metric against its steps, which are whole numbers.
BY_TRIALS: Final = "curve/hypervolume_by_trials"
BY_SECONDS: Final = "curve/hypervolume_by_seconds"  # that trials took on workers, summed


@dataclass(frozen=True, slots=True)
class SearchFacts:
    """What is known of a search before it begins."""

    config: TrackingConfig
    job_params: Mapping[str, str]  # flattened
    hardware: Mapping[str, str]  # what process times are taken on
    period: int | None  # row width of image data, for the pictures
    cost: str  # metric on the x axis of the front's plots
    error: str  # what the error is called
    study: str | None = None  # its identity


class Session:
    """The runs of one search, found or made.

    Args:
        facts: see `SearchFacts`.
        search: id of the search; None adopts the newest of the experiment, or `otherwise` where there is none.
        otherwise: id for that case.
        wrote: see `MlflowWriter`.

    Raises (all methods): whatever MLflow, its database driver or the network raise.
    """

    def __init__(
        self, facts: SearchFacts, search: str | None, otherwise: str, wrote: Callable[[], None] = lambda: None
    ) -> None:
        config = facts.config
        if config.server is None:
            config.store.mkdir(parents=True, exist_ok=True)
            prepare_database(config)
            mend_addresses(config)
        self._facts = facts
        self._writer = MlflowWriter(
            config.tracking_uri, config.experiment, config.artifact_root if config.server is None else None, wrote
        )
        self.search = search or self._writer.latest_search(facts.study) or otherwise
        self._tags = {f"hardware.{key}": value for key, value in facts.hardware.items()}
        if facts.study is not None:
            self._tags[STUDY_TAG] = facts.study
        self.parent = self._writer.ensure_parent(self.search, search_name((), 0, 0), facts.job_params, self._tags)
        self.runs: dict[int, TrialRun] = self._writer.trials(self.parent)
        self._drawn_to = self._writer.last_step(self.parent, BY_TRIALS)  # trials up to which the curve is there

    def log_trial(self, record: Mapping[str, Any]) -> None:
        """Log a trial of this search, or one left over from an earlier one below its own parent run."""
        number, search = record["number"], record["search"]
        if search == self.search:
            self.runs[number] = self._writer.write_trial(record, self.parent, self.runs.get(number))
            return
        parent = self._writer.ensure_parent(search, search_name((), 0, 0), {}, self._tags, running=False)
        self._writer.write_trial(record, parent, self._writer.trials(parent).get(number))

    def put_right(self, metrics: Mapping[int, Mapping[str, float]]) -> None:
        """Values of finished trials that are not these, by number: e.g. of a second timing that does not count."""
        now_ms = int(1000 * time.time())
        for number, values in metrics.items():
            run = self.runs.get(number)
            if run is not None and run.finished and values:
                finite = {key: value for key, value in values.items() if math.isfinite(value)}
                self._writer.update_metrics(run, finite, run_name(number, finite, error=self._facts.error), now_ms)

    def write_front(
        self,
        members: Sequence[FrontPoint],
        hypervolume: float,
        others: Sequence[FrontPoint],
        baselines: Sequence[BaselinePoint] = (),
        verdict: str = "",
        curve: Sequence[CurveCorner] = (),
        picks: Mapping[int, str] | None = None,
    ) -> None:
        """All that a new front changes: newer metrics of members and `others`, the tag of every trial, the parent
        run's values (those of `baselines` as baseline_<name>_<metric>), curves, name, note and plots, the experiment's
        description."""
        writer, facts = self._writer, self._facts
        now_ms = int(1000 * time.time())
        on_front = {point.number for point in members}
        for number, run in self.runs.items():
            writer.set_pareto(run, number in on_front)
        for point in (*members, *others):
            if point.number in self.runs:
                name = run_name(point.number, point.metrics, error=facts.error)
                writer.update_metrics(self.runs[point.number], point.metrics, name, now_ms)
        failed = sum(run.failed for run in self.runs.values())
        finished = len(self.runs) - failed
        accuracies = [value for point in members if (value := expected(point.metrics, "accuracy")) is not None]
        values = {"hypervolume": hypervolume, "front_size": len(members), "trials": len(self.runs)}
        if accuracies:
            values["best_accuracy"] = max(accuracies)
        for each in baselines:
            shown = {key: each.metrics[key] for key in _BASELINE_METRICS if key in each.metrics}
            values |= {f"baseline_{each.name}_{key}": value for key, value in shown.items()}
        note = overview(
            members,
            finished=finished,
            failed=failed,
            hypervolume=hypervolume,
            job_params=facts.job_params,
            hardware=facts.hardware,
            link=self._link,
            baselines=baselines,
            verdict=verdict,
            error=facts.error,
            views=f"[the front as a plot]({writer.run_link(self.parent, 'front.html')}) · {writer.view_links()}",
        )
        values = {key: readable(value) for key, value in values.items()}
        writer.log_values(self.parent, values, len(self.runs), now_ms, {"mlflow.note.content": note})
        self._write_curve(curve, now_ms)
        name = search_name(members, finished, failed, facts.error)
        writer.rename(self.parent, name)
        if members:
            writer.describe_experiment(bool(accuracies), name.removeprefix("search · "))
            self._write_plots(members, "accuracy" if accuracies else self._facts.error, baselines, picks)

    def _write_curve(self, curve: Sequence[CurveCorner], now_ms: int) -> None:
        """The hypervolume against trials and against seconds, as far as it is not there yet."""
        new = [corner for corner in curve if corner[0] > self._drawn_to]
        if not new:
            return
        writer = self._writer
        writer.log_curve(
            self.parent, BY_SECONDS, [(int(seconds), readable(value)) for _, seconds, value in new], now_ms
        )
        # Last, for it is what `_drawn_to` is read from after a failure.
        writer.log_curve(self.parent, BY_TRIALS, [(trials, readable(value)) for trials, _, value in new], now_ms)
        self._drawn_to = new[-1][0]
        with scratch("curve") as folder:
            file = Path(folder, "anytime.csv")
            lines = (f"{trials},{seconds:.3f},{value:.6f}\n" for trials, seconds, value in curve)
            file.write_text("trials,seconds_on_workers,hypervolume\n" + "".join(lines), encoding="utf-8")
            writer.log_files(self.parent, [file])

    def _write_plots(
        self,
        members: Sequence[FrontPoint],
        quality: str,
        baselines: Sequence[BaselinePoint],
        picks: Mapping[int, str] | None,
    ) -> None:
        on_front = {point.number for point in members}
        others = [
            FrontPoint(number, run.metrics, parent=run.parent_trial, mutation=run.mutation)
            for number, run in sorted(self.runs.items())
            if number not in on_front and not run.failed
        ]
        error = self._facts.error
        title, cost = f"{self._facts.config.experiment}: {quality} against process time", self._facts.cost
        if not cost.endswith("_seconds"):
            title = f"{self._facts.config.experiment}: {quality} against {cost}"
        with scratch("front") as folder:
            page, picture = Path(folder, "front.html"), Path(folder, "front.png")
            look: dict[str, Any] = {"title": title, "cost": cost, "error": error}
            look |= {"baselines": baselines, "picks": picks}
            page.write_text(front_html(members, others, link=self._link, **look), encoding="utf-8")
            picture.write_bytes(front_png(members, others, **look))
            self._writer.log_files(self.parent, [page, picture])

    def write_champion(self, champion: Champion, files: Sequence[Path], model: Path | None) -> None:
        """Add its files to the parent run and register its model; see `make_champion`."""
        writer = self._writer
        writer.log_files(self.parent, files)
        run = self.runs.get(champion.number)
        tags = {"champion": str(champion.number)}
        if model is not None and run is not None:
            name = self._facts.config.model_name
            facts = {"search": self.search, "trial": str(champion.number)}
            tags["registered"] = f"models:/{name}@champion"
            version = writer.register(name, run.run_id, model, facts, champion.card)
            writer.log_values(run.run_id, {}, 0, 0, {"registered": f"{name} version {version}"})
        writer.log_values(self.parent, {}, 0, 0, tags)

    def wants_files(self, point: FrontPoint) -> bool:
        """Whether pictures or checkpoint of this member can be made and are not there yet."""
        run = self.runs.get(point.number)
        drawable = point.dag is not None or point.checkpoint is not None or point.details is not None
        return drawable and run is not None and run.finished and not run.artifacts

    def make_files(self, point: FrontPoint, folder: Path) -> list[Path]:
        """Draw pictures and write the checkpoint of a member of the front into `folder`; raises what they raise."""
        files = []
        if point.details is not None:
            point = point.details()
        title = f"trial {point.number}"  # not its name, whose time may change when the front is timed again
        if point.dag is not None:
            for name, draw in (("dag.png", dag_png), ("adjacency.png", adjacency_png)):
                files.append(folder / name)
                files[-1].write_bytes(draw(point.dag, point.weights, period=self._facts.period, title=title))
        if (curves := curves_png(point.history, title=title)) is not None:
            files.append(folder / "curves.png")
            files[-1].write_bytes(curves)
        if point.checkpoint is not None:
            target = folder / "network.safetensors"
            if callable(point.checkpoint):
                point.checkpoint(target)
            else:
                target.write_bytes(point.checkpoint.read_bytes())
            files.append(target)
        return files

    def log_files(self, number: int, files: Sequence[Path]) -> None:
        """Add files to a trial's artifacts."""
        run = self.runs[number]
        self._writer.log_files(run.run_id, files)
        self._writer.mark_files(run)

    def end(self, status: Ending) -> None:
        """End the parent run."""
        self._writer.end(self.parent, status)

    def _link(self, number: int) -> str | None:
        run = self.runs.get(number)
        return self._writer.run_link(run.run_id) if run is not None else None
