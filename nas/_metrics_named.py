"""Metrics that a job names, in bounds and in the choice of its champion, and that no network will have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from nas._jobfile import KeyPath
from nas._rules import Situation, tasks_of
from nas.search import PickError, metrics_of_pick
from nas.search.front.constraints import Bound, no_such_metric
from nas.training.acting import KINDS
from nas.training.quality.judged import PLAIN
from nas.training.quality.names import metric_names
from nas.training.quality.objectives import OBJECTIVES
from nas.training.types import Dataset

__all__ = ["wrong_metrics", "wrong_pick"]

_BALANCED: Final = "balanced_accuracy"  # what the error may be by where the job says nothing of it
_SHOWN: Final = ("shown_error", "shown_error_low", "shown_error_high", "shown_error_deviation")


def wrong_metrics(at: Situation, dataset: Dataset | None) -> Iterator[tuple[KeyPath, str]]:
    """What names a metric that is none: its path, and the rest of a message about it.

    Args:
        at: the job.
        dataset: of the job; None: it has not been read, and what it may be counts as known.
    """
    job = at.job
    bounds = [Bound.parse(text) for text in job.search.constraints]
    for bound in bounds:
        if bound.metric.startswith(("test_", "integer_test_")):
            yield (
                ("search", "constraints"),
                f"{str(bound)!r} bounds what the test part says, which is there to judge the network that was chosen; "
                f"bound {bound.metric.replace('test_', 'val_')}",
            )
    names = _known(at, dataset)
    if names is None:
        return
    judging = {name for name in names if "test_" not in name}
    known = [
        bound
        for bound in bounds
        if not (bound.name in OBJECTIVES and OBJECTIVES[bound.name].of_neurons) and "test_" not in bound.metric
    ]
    if wrong := no_such_metric(known, judging):
        yield ("search", "constraints"), wrong
    champion = job.tracking.champion
    stated = "champion" in job.tracking.model_fields_set
    if stated and champion is not None and (wrong := wrong_pick(champion, at, dataset)):
        yield ("tracking", "champion"), wrong


def wrong_pick(how: str, at: Situation, dataset: Dataset | None) -> str:
    """Why `Front.pick` can take no network of the job by ``how``, whatever is found; "" where it may.

    Args:
        how: as for `Front.pick`.
        at: the job.
        dataset: of the job; see `wrong_metrics`.
    """
    try:
        asked = metrics_of_pick(how)
    except PickError as error:
        return str(error)
    if (names := _known(at, dataset)) is None:
        return ""
    search, training = at.job.search, at.job.training
    measured = {*search.objectives, *(Bound.parse(text).name for text in search.constraints)}
    for name, each in OBJECTIVES.items():  # what is measured only where something asks for it
        if each.setting and name not in measured and not getattr(training, each.setting):
            if any(each.metric in meant for _, meant in asked):
                return f"{name} is not measured here; state training.{each.setting}: true, or bound it"
            names -= {each.metric}
    names |= {*_SHOWN, *(name.replace("error", "accuracy") for name in _SHOWN if "val_accuracy" in names)}
    odd = [name for name, meant in asked if not {*meant} & names]
    return f"networks have no metric {odd[0]!r}; they have {', '.join(sorted(names))}" if odd else ""


def _known(at: Situation, dataset: Dataset | None) -> frozenset[str] | None:
    """Metrics that networks of the job may have; None: that depends on a structure of the user's own."""
    if not at.kinds or any(kind not in KINDS for kind in at.kinds):
        return None
    job = at.job
    stated = job.search.scorer
    scorers: tuple[str, ...] = ("", _BALANCED) if stated is None else ("" if stated == PLAIN else stated,)
    tasks = tasks_of(job.data)
    if dataset is not None:
        scorers, tasks = (dataset.scorer,), (dataset.task,)
    training = job.training.model_copy(update={"latency": True})  # where a bound names it, it is measured
    found = metric_names(training, tasks, scorers, neurons=at.of_neurons, gpu=job.resources.on_gpu)
    if "precision" in at.searched:
        training = training.model_copy(update={"precision": "int8"})
        found |= metric_names(training, tasks, scorers, neurons=at.of_neurons)
    return found
