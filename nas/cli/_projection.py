"""What a running search tells MLflow: results, fronts, and at its start and end whatever MLflow lacks of the study."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nas.job import Job
    from nas.search import Front, StudyStore
    from nas.tracking import Ended, FrontPoint, Tracker
    from nas.training import Candidate, Dataset, TrialResult

__all__ = ["Reporter", "make_tracker"]

_logger = logging.getLogger(__name__)


class Reporter:
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

    def reconcile(self) -> None:
        """The tracker compares what it has with the study as it is now."""
        from nas.search import StudyError

        try:
            with self._study.reporting():
                self._tracker.reconcile(self._ended)
        except StudyError as error:  # the next start compares them again
            _logger.warning("MLflow is not compared with the study: %s", error)

    def _ended(self) -> Ended:
        """The trials that have ended, as the study has them."""
        from nas.tracking import Ended

        retimed = self._study.retimed()
        ended = {record.number: record for record in self._study.records() if record.result is not None}
        metrics = {
            number: {**record.result.metrics, **retimed.get(number, {})} if record.result is not None else {}
            for number, record in ended.items()
        }
        times = {number: record.ended.timestamp() for number, record in ended.items() if record.ended is not None}

        def load(number: int) -> tuple[Candidate | None, TrialResult, float | None]:
            result = ended[number].result
            assert result is not None
            if ended[number].state == "complete":
                result = self._study.load_result(number)
            candidate = None
            with contextlib.suppress(KeyError):  # nothing was asked
                candidate = self._study.load_candidate(number)
            return candidate, result, times.get(number)

        return Ended(metrics, load)

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
        # What is known while trials run has no picks: they want the estimates of all.
        picks = {found.knee().number: "knee"} | {found.best().number: "best"} if found.near else {}
        self._tracker.log_front(list(members.values()), found.hypervolume, others, corners, picks)

    def _compare(self, found: Front) -> None:
        """The front is compared with the baselines, where there are any."""
        from nas.search import verdict
        from nas.tracking import BaselinePoint

        if (baselines := self._study.baselines()) is not None:
            points = [BaselinePoint(each.name, each.label, each.metrics, each.reason) for each in baselines.members]
            self._tracker.log_baselines(points, verdict(found, baselines))

    def _point(self, number: int, metrics: Mapping[str, float]) -> FrontPoint:
        import dataclasses

        from nas.cli.study import drawn_network
        from nas.tracking import FrontPoint

        known = self._points.get(number)
        if known is not None:
            return dataclasses.replace(known, metrics=metrics)
        result = self._study.load_result(number)
        trial = self._study.trial(number)
        dag, weights = drawn_network(self._study, result)
        return FrontPoint(
            number,
            metrics,
            dag=dag,
            weights=weights,
            history=result.history,
            checkpoint=self._writer(number),
            parent=trial.parent,
            mutation=trial.mutation,
        )

    def _writer(self, number: int) -> Callable[[Path], object]:
        from nas.cli.study import export_network

        return lambda path: export_network(self._study, number, path)


def make_tracker(job: Job, dataset: Dataset, study: StudyStore) -> Tracker:
    """Whoever follows a search of this job."""
    from nas.tracking import MlflowTracker, NullTracker
    from nas.training import hardware
    from nas.training.quality.objectives import OBJECTIVES

    if not job.tracking.mlflow:
        return NullTracker()
    costs = [OBJECTIVES[name].metric for name in job.search.objectives if name != "error"]
    return MlflowTracker(
        job.tracking,
        job_params=job.to_mapping(complete=True),
        hardware=hardware(job.resources.threads),
        study=study.identity,
        # The inputs of a network with memory are one time step and what it remembers: no image.
        period=dataset.period if job.space.name != "recurrent" else None,
        cost=costs[0] if costs else "inference_seconds",
        error=study.objectives.error_label,
    )
