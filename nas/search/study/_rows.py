"""A study's trials as rows of Optuna's own tables, read and written many at a time.

Optuna's storages write each attribute of each trial in a transaction of its own, and read 10,000 trials in seconds.
Here a batch of trials is one transaction of a few multi-row statements (0.06 ms a trial), into the same tables: what
is written this way, Optuna, its dashboard and any tool of its own read as their own.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from nas.search.errors import StudyError

__all__ = ["RECORD", "RESULT", "Change", "Row", "Rows"]

RECORD: Final = "nas:record"  # attribute of a trial: what was asked (`candidate_json`)
RESULT: Final = "nas:result"  # attribute of a trial: what came out (`result_json`)

_SCHEMA: Final = 12  # of Optuna's tables, unchanged since Optuna 3.0
_TRIALS: Final = models.TrialModel.__table__
_ATTRIBUTES: Final = models.TrialUserAttributeModel.__table__
_VALUES: Final = models.TrialValueModel.__table__
_PARAMS: Final = models.TrialParamModel.__table__
_REPORTED: Final = models.TrialIntermediateValueModel.__table__
_OF_SAMPLERS: Final = models.TrialSystemAttributeModel.__table__
_OF_STUDY: Final = models.StudySystemAttributeModel.__table__


@dataclass(slots=True)
class Row:
    """A trial as the tables have it."""

    number: int
    state: TrialState
    record: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    values: tuple[float, ...] = ()
    ended: datetime.datetime | None = None  # UTC; None: not ended, or not known


@dataclass(slots=True)
class Change:
    """What has happened to a trial since it was last written; several changes of one trial merge into one."""

    number: int
    begun: float = 0.0  # seconds since 1970; 0: not known
    ended: float = 0.0
    state: TrialState = TrialState.RUNNING
    record: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None
    values: tuple[float, ...] = ()
    params: Mapping[str, tuple[float, str]] = field(default_factory=dict)  # internal value, distribution as JSON
    reported: Mapping[int, float] = field(default_factory=dict)  # intermediate values, by step
    system: Mapping[str, Any] = field(default_factory=dict)  # what a sampler remembers with the trial
    study: Mapping[str, Any] = field(default_factory=dict)  # what a sampler remembers with the study

    def merge(self, later: Change) -> None:
        """Take over what a later change says."""
        self.begun = self.begun or later.begun
        self.ended = later.ended or self.ended
        self.state = later.state
        self.record = later.record if later.record is not None else self.record
        self.result = later.result if later.result is not None else self.result
        self.values = later.values or self.values
        self.params = later.params or self.params
        self.reported = {**self.reported, **later.reported}
        self.system = {**self.system, **later.system}
        self.study = {**self.study, **later.study}


class Rows:
    """The rows of one study.

    Args:
        storage: as `open_storage` gives it.
        study_id: Optuna's own id of the study.

    Raises:
        StudyError: the tables are of an Optuna that this was not written for.
    """

    def __init__(self, storage: optuna.storages.BaseStorage, study_id: int) -> None:
        if models.SCHEMA_VERSION != _SCHEMA:
            raise StudyError(
                f"studies need Optuna's database schema {_SCHEMA}, but Optuna {optuna.__version__} has "
                f"{models.SCHEMA_VERSION}; install the version that constraints.txt names"
            )
        self._engine: Engine = storage._backend.engine  # type: ignore[attr-defined]
        self._study_id = study_id
        self._ids: dict[int, int] = {}  # by number; of rows seen or written
        self._last_id = 0

    def states(self) -> dict[int, TrialState]:
        """The state of every trial, by number."""
        query = select(_TRIALS.c.trial_id, _TRIALS.c.number, _TRIALS.c.state).where(
            _TRIALS.c.study_id == self._study_id
        )
        with self._engine.connect() as connection:
            found = connection.execute(query).all()
        for trial_id, number, _ in found:
            self._ids[number] = trial_id
            self._last_id = max(self._last_id, trial_id)
        return {number: state for _, number, state in sorted(found, key=lambda row: row[1])}

    def read(self, numbers: Collection[int] | None = None) -> list[Row]:
        """The trials, or those with `numbers`, by number."""
        ours = _TRIALS.c.study_id == self._study_id
        if numbers is not None:
            ours = ours & _TRIALS.c.number.in_(list(numbers))
            if len(numbers) == 1 and (known := self._ids.get(next(iter(numbers)))) is not None:
                ours = _TRIALS.c.trial_id == known
        with self._engine.connect() as connection:
            columns = _TRIALS.c.trial_id, _TRIALS.c.number, _TRIALS.c.state, _TRIALS.c.datetime_complete
            trials = connection.execute(select(*columns).where(ours)).all()
            rows = {trial_id: Row(number, state, ended=ended) for trial_id, number, state, ended in trials}
            of_ours = _ATTRIBUTES.join(_TRIALS, _ATTRIBUTES.c.trial_id == _TRIALS.c.trial_id)
            attributes = select(_ATTRIBUTES.c.trial_id, _ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json).select_from(
                of_ours
            )
            for trial_id, key, text in connection.execute(
                attributes.where(ours, _ATTRIBUTES.c.key.in_((RECORD, RESULT)))
            ):
                if key == RECORD:
                    rows[trial_id].record = json.loads(text)
                else:
                    rows[trial_id].result = json.loads(text)
            of_ours = _VALUES.join(_TRIALS, _VALUES.c.trial_id == _TRIALS.c.trial_id)
            values = select(_VALUES.c.trial_id, _VALUES.c.value).select_from(of_ours).where(ours)
            for trial_id, value in connection.execute(values.order_by(_VALUES.c.objective)):
                rows[trial_id].values += (value,)
        return sorted(rows.values(), key=lambda row: row.number)

    def params(self) -> dict[int, dict[str, tuple[float, str]]]:
        """What samplers chose, by number: internal value and distribution of each parameter."""
        query = (
            select(_TRIALS.c.number, _PARAMS.c.param_name, _PARAMS.c.param_value, _PARAMS.c.distribution_json)
            .select_from(_PARAMS.join(_TRIALS, _PARAMS.c.trial_id == _TRIALS.c.trial_id))
            .where(_TRIALS.c.study_id == self._study_id)
            .order_by(_PARAMS.c.param_id)  # some samplers mind the order
        )
        found: dict[int, dict[str, tuple[float, str]]] = {}
        with self._engine.connect() as connection:
            for number, name, value, distribution in connection.execute(query):
                found.setdefault(number, {})[name] = (value, distribution)
        return found

    def system(self) -> tuple[dict[int, dict[str, Any]], dict[str, Any]]:
        """What samplers remember with trials, by number, and with the study."""
        of_trials = (
            select(_TRIALS.c.number, _OF_SAMPLERS.c.key, _OF_SAMPLERS.c.value_json)
            .select_from(_OF_SAMPLERS.join(_TRIALS, _OF_SAMPLERS.c.trial_id == _TRIALS.c.trial_id))
            .where(_TRIALS.c.study_id == self._study_id)
        )
        of_study = select(_OF_STUDY.c.key, _OF_STUDY.c.value_json).where(_OF_STUDY.c.study_id == self._study_id)
        found: dict[int, dict[str, Any]] = {}
        with self._engine.connect() as connection:
            for number, key, text in connection.execute(of_trials):
                found.setdefault(number, {})[key] = json.loads(text)
            return found, {key: json.loads(text) for key, text in connection.execute(of_study)}

    def write(self, changes: Iterable[Change]) -> None:
        """Write changes, of one trial at most one, in one transaction; writing them again changes nothing."""
        changes = sorted(changes, key=lambda change: change.number)
        if not changes:
            return
        with self._engine.begin() as connection:
            new = [change for change in changes if change.number not in self._ids]
            ids = self._insert(connection, new)
            old = [change for change in changes if change.number in self._ids]
            ids |= {change.number: self._ids[change.number] for change in old}
            if old:
                self._update(connection, old)
            self._insert_parts(connection, changes, ids)
            self._replace_study(connection, {key: value for change in changes for key, value in change.study.items()})
        self._ids |= ids
        self._last_id = max(self._last_id, *ids.values())

    def _insert(self, connection: Connection, new: list[Change]) -> dict[int, int]:
        if not new:
            return {}
        rows = [
            {
                "number": change.number,
                "study_id": self._study_id,
                "state": change.state,
                "datetime_start": _utc(change.begun or change.ended),
                "datetime_complete": _utc(change.ended),
            }
            for change in new
        ]
        connection.execute(insert(_TRIALS), rows)
        added = select(_TRIALS.c.number, _TRIALS.c.trial_id).where(
            _TRIALS.c.study_id == self._study_id, _TRIALS.c.trial_id > self._last_id
        )
        return {number: trial_id for number, trial_id in connection.execute(added) if number not in self._ids}

    def _update(self, connection: Connection, old: list[Change]) -> None:
        ended = [change for change in old if change.state.is_finished()]
        if ended:
            statement = (
                update(_TRIALS)
                .where(_TRIALS.c.trial_id == bindparam("_id"))
                .values(state=bindparam("_state"), datetime_complete=bindparam("_ended"))
            )
            connection.execute(
                statement,
                [
                    {"_id": self._ids[change.number], "_state": change.state, "_ended": _utc(change.ended)}
                    for change in ended
                ],
            )
        # What is written below replaces what an earlier life of the trial, or of this driver, may have left.
        for table, column, keys in (
            (_ATTRIBUTES, _ATTRIBUTES.c.key, lambda change: list(_attributes(change))),
            (_PARAMS, _PARAMS.c.param_name, lambda change: list(change.params)),
            (_VALUES, _VALUES.c.objective, lambda change: list(range(len(change.values)))),
            (_REPORTED, _REPORTED.c.step, lambda change: list(change.reported)),
            (_OF_SAMPLERS, _OF_SAMPLERS.c.key, lambda change: list(change.system)),
        ):
            doomed = [{"_id": self._ids[change.number], "_key": key} for change in old for key in keys(change)]
            if doomed:
                matches = (table.c.trial_id == bindparam("_id")) & (column == bindparam("_key"))
                connection.execute(delete(table).where(matches), doomed)

    def _replace_study(self, connection: Connection, attributes: Mapping[str, Any]) -> None:
        if not attributes:
            return
        ours = _OF_STUDY.c.study_id == self._study_id
        connection.execute(delete(_OF_STUDY).where(ours, _OF_STUDY.c.key.in_(list(attributes))))
        rows = [{"study_id": self._study_id, "key": k, "value_json": json.dumps(v)} for k, v in attributes.items()]
        connection.execute(insert(_OF_STUDY), rows)

    @staticmethod
    def _insert_parts(connection: Connection, changes: list[Change], ids: Mapping[int, int]) -> None:
        finite = models.TrialValueModel.TrialValueType.FINITE
        reported = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
        tables = _ATTRIBUTES, _VALUES, _PARAMS, _REPORTED, _OF_SAMPLERS
        parts: list[tuple[Any, list[dict[str, Any]]]] = [(table, []) for table in tables]
        for change in changes:
            trial = {"trial_id": ids[change.number]}
            parts[0][1].extend({**trial, "key": k, "value_json": v} for k, v in _attributes(change).items())
            parts[1][1].extend(
                {**trial, "objective": k, "value": value, "value_type": finite} for k, value in enumerate(change.values)
            )
            parts[2][1].extend(
                {**trial, "param_name": name, "param_value": value, "distribution_json": distribution}
                for name, (value, distribution) in change.params.items()
            )
            parts[3][1].extend(
                {**trial, "step": step, "intermediate_value": value, "intermediate_value_type": reported}
                for step, value in change.reported.items()
            )
            parts[4][1].extend({**trial, "key": k, "value_json": json.dumps(v)} for k, v in change.system.items())
        for table, rows in parts:
            if rows:
                connection.execute(insert(table), rows)


def params_of(trial: FrozenTrial) -> dict[str, tuple[float, str]]:
    """The parameters of a trial as the tables have them."""
    return {
        name: (domain.to_internal_repr(trial.params[name]), distribution_to_json(domain))
        for name, domain in trial.distributions.items()
    }


def params_from(params: Mapping[str, tuple[float, str]]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Inverse of `params_of`: values and distributions."""
    domains = {name: json_to_distribution(text) for name, (_, text) in params.items()}
    return {name: domains[name].to_external_repr(value) for name, (value, _) in params.items()}, domains


def _attributes(change: Change) -> dict[str, str]:
    given = {RECORD: change.record, RESULT: change.result}
    return {key: json.dumps(value) for key, value in given.items() if value is not None}


def _utc(seconds: float) -> datetime.datetime | None:
    """What Optuna keeps: UTC without saying so."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None) if seconds else None
