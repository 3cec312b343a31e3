"""What the studies of a store say of themselves, as metrics for Prometheus; see ``nas metrics``."""

from __future__ import annotations

import datetime
import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nas._text import harmless
from nas.cli._standing import Looks
from nas.cli._submitted import Submissions
from nas.errors import NasError

__all__ = ["METRICS", "StudyCollector"]

METRICS: Final = {
    "nas_build_info": ("1, with the version of this program", ("version",)),
    "nas_store_readable": ("Whether the store could be read: 1, or 0", ()),
    "nas_study_readable": ("Whether the study could be read: 1, or 0", ()),
    "nas_search_running": ("Whether a process drives the search: 1, or 0", ()),
    "nas_search_state": (
        "1 for the state of the search: running, finished, stopped, failed, died, not running",
        ("state",),
    ),
    "nas_search_reported_timestamp_seconds": ("When the search last wrote its status, Unix time", ()),
    "nas_search_elapsed_seconds": ("Time that the search has run", ()),
    "nas_search_left_seconds": ("Time that the search is expected to run on", ()),
    "nas_trials": ("Trials by state: running, complete, stopped, failed", ("state",)),
    "nas_trials_asked": ("Trials that the search is to make", ()),
    "nas_trials_per_minute": ("Trials that end in a minute, lately", ()),
    "nas_trials_failed": ("Failed trials by kind of reason, the most frequent kinds", ("reason",)),
    "nas_workers": ("Workers by state: busy, idle, starting", ("state",)),
    "nas_trial_longest_seconds": ("Time that the longest of the running trials has taken so far", ()),
    "nas_mlflow_backlog": ("Trials that MLflow does not have yet", ()),
    "nas_front_networks": ("Networks on the front", ()),
    "nas_front_hypervolume": ("Hypervolume of the front", ()),
    "nas_best": ("Metrics of the best network so far", ("metric",)),
}
"""Name, meaning and labels (beside ``study``) of all that is served."""

_OF_NO_STUDY: Final = ("nas_build_info", "nas_store_readable")
_logger = logging.getLogger(__name__)

_WORKER_STATES: Final = ("busy", "idle", "starting")


class StudyCollector(Collector):
    """Reads the studies whenever it is asked, one reader at a time.

    Args:
        store: folder of the studies.
        storage: their database, if they are not in the store.
        name: of one study; None: all.
        cluster: where they were searched, in place of a store here.
    """

    def __init__(
        self,
        store: Path,
        storage: str | None = None,
        name: str | None = None,
        *,
        cluster: Submissions | None = None,
    ) -> None:
        self._store = store
        self._storage = storage
        self._name = name
        self._cluster = cluster
        self._looks: dict[str, Callable[[], dict[str, Any]]] = {}
        self._problems: set[str] = set()
        self._one_at_a_time = threading.Lock()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The metrics as they are now. A study that cannot be read is said to be so, and hides no other."""
        families = {
            name: GaugeMetricFamily(name, meaning, labels=labels if name in _OF_NO_STUDY else ("study", *labels))
            for name, (meaning, labels) in METRICS.items()
        }
        families["nas_build_info"].add_metric([metadata.version("dag-nas")], 1)
        with self._one_at_a_time:
            names = self._names()
            families["nas_store_readable"].add_metric([], float(names is not None))
            for study in names or ():
                try:
                    found = list(_samples(self._looks[study]()))
                except Exception as error:  # whatever it is, in a study or in its status
                    self._warn(f"study {study} cannot be read: {error}")
                    found = []
                families["nas_study_readable"].add_metric([study], float(bool(found)))
                for name, labels, value in found:
                    families[name].add_metric([study, *map(harmless, labels)], value)
        return families.values()

    def _names(self) -> list[str] | None:
        from nas.search import StudyStore

        try:
            if self._cluster is not None:
                names = [self._name] if self._name else self._cluster.names()
                self._looks = {name: functools.partial(self._cluster.look, name) for name in names}
                return names
            names = [self._name] if self._name else StudyStore.studies(self._store, storage=self._storage)
        except NasError as error:
            self._warn(f"{'the cluster' if self._cluster else self._store} cannot be read: {error}")
            return None
        self._looks = {name: self._looks.get(name) or Looks(self._store, name, self._storage) for name in names}
        return names

    def _warn(self, problem: str) -> None:
        """Says a problem once, not at each look."""
        if problem not in self._problems:
            self._problems.add(problem)
            _logger.warning("%s", problem)


def _samples(record: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], float]]:
    """Name, labels beside the study, and value of all that a status says; what it does not say is left out."""
    yield "nas_search_running", (), float(record["driven"])
    yield "nas_search_state", (str(record["state"]),), 1.0
    for state in ("running", "complete", "stopped", "failed"):
        if state in record:  # a search that has only been submitted has said nothing yet
            yield "nas_trials", (state,), float(record[state])
    for name, key in _PLAIN.items():
        if isinstance(value := record.get(key), int | float):
            yield name, (), float(value)
    if record.get("time"):
        reported = datetime.datetime.fromisoformat(record["time"]).timestamp()
        yield "nas_search_reported_timestamp_seconds", (), reported
    for reason, count in (record.get("failures") or {}).items():
        yield "nas_trials_failed", (reason,), float(count)
    for metric, value in (record.get("best") or {}).items():
        yield "nas_best", (metric,), float(value)
    states = Counter(each["state"] for each in record["workers"])
    for state in _WORKER_STATES:
        yield "nas_workers", (state,), float(states[state])
    taken = [each["seconds"] for each in record["workers"] if each["trial"] is not None]
    yield "nas_trial_longest_seconds", (), float(max(taken, default=0.0))


_PLAIN: Final = {  # metrics that are a number of the status as it stands
    "nas_search_elapsed_seconds": "seconds",
    "nas_search_left_seconds": "seconds_left",
    "nas_trials_asked": "trials",
    "nas_trials_per_minute": "trials_per_minute",
    "nas_mlflow_backlog": "mlflow_behind",
    "nas_front_networks": "front",
    "nas_front_hypervolume": "hypervolume",
}
