"""The trials of a study in an Optuna storage, by its public interface, in few operations each.

    asked   `create_new_trial` with parameters and record, RUNNING: from then on there is such a trial
    paused  an attribute and an intermediate value
    ended   an attribute, the result: from then on it has ended, for every reader of this package
    settled the state, in Optuna's own words, for its samplers and dashboard

Optuna's finished trials can never be changed again. So the state follows only when the files of the trial are on the
disk, to survive a power cut; and because that takes the disk as long for a hundred files as for one, it is done for all
trials of the last second together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from nas.search.errors import StudyError
from nas.search.study.records import RECORD, RESULT, RUNG, Rung, outcome, rung_json

__all__ = ["Trials"]

_SECONDS: Final = 1.0  # between two times that trials are settled, at least
_SHARE: Final = 0.1  # of the driver's time that this may take


class Trials:
    """The trials of one study.

    Args:
        storage: Optuna's.
        study_id: Optuna's own id of the study.
        to_disk: returns when the files of trials with these numbers survive a power cut.
    """

    def __init__(self, storage: BaseStorage, study_id: int, to_disk: Callable[[Iterable[int]], None]) -> None:
        self._storage = storage
        self._study_id = study_id
        self._to_disk = to_disk
        self._ids: dict[int, int] = {}  # Optuna's own, of running trials, by number
        self._ended: dict[int, tuple[TrialState, Sequence[float] | None]] = {}  # not settled yet
        self._due = 0.0  # when they are, on the monotonic clock
        self.states: dict[int, TrialState] = {}
        """Of all trials, by number, for whoever drives; see `drive`."""

    # --- reading: anybody -------------------------------------------------------------------------------------------

    def all(self) -> list[FrozenTrial]:
        """As they are now, by number; not to be changed."""
        return self._storage.get_all_trials(self._study_id, deepcopy=False)

    def get(self, number: int) -> FrozenTrial | None:
        """One of them; None: there is none with this number."""
        try:
            return self._storage.get_trial(self._id(number))
        except KeyError:
            return None

    # --- writing: the driver only -----------------------------------------------------------------------------------

    def drive(self) -> None:
        """Knows the states from here on, which nobody else changes."""
        self.states = {trial.number: outcome(trial) for trial in self.all()}

    def begin(self, number: int) -> None:
        """The next trial is there, RUNNING, and nothing is known of it."""
        self._create(number, optuna.trial.create_trial(state=TrialState.RUNNING))

    def ask(
        self,
        number: int,
        record: Mapping[str, Any],
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        of_sampler: Mapping[str, Any],
    ) -> None:
        """What a trial is to train. `number`: the next; or one that is RUNNING, and is asked (again).

        Args:
            record: see `nas.search.study.records.candidate_json`.
            params: values in their distributions.
            of_sampler: what a sampler remembers with the trial.
        """
        if number not in self.states:
            trial = optuna.trial.create_trial(
                state=TrialState.RUNNING,
                params=dict(params),
                distributions=dict(distributions),
                user_attrs={RECORD: dict(record)},
                system_attrs=dict(of_sampler),
            )
            self._create(number, trial)
            return
        trial_id = self._id(number)
        known = self._storage.get_trial(trial_id).params  # once chosen they stay; so do samplers' choices, asked again
        for name in params.keys() - known.keys():
            value = distributions[name].to_internal_repr(params[name])
            self._storage.set_trial_param(trial_id, name, value, distributions[name])
        for name, value in of_sampler.items():
            self._storage.set_trial_system_attr(trial_id, name, value)
        self._storage.set_trial_user_attr(trial_id, RECORD, dict(record))

    def pause(self, number: int, rung: Rung, value: float) -> None:
        """A trial has paused; `value`: its intermediate value."""
        trial_id = self._id(number)
        self._storage.set_trial_user_attr(trial_id, f"{RUNG}{rung.step}", rung_json(rung))
        self._storage.set_trial_intermediate_value(trial_id, rung.step, value)

    def end(self, number: int, state: TrialState, values: Sequence[float], result: Mapping[str, Any]) -> None:
        """A trial has ended; one that was never asked, too.

        Args:
            result: see `nas.search.study.records.result_json`.
        """
        if number not in self.states:
            self.begin(number)
        self._storage.set_trial_user_attr(self._id(number), RESULT, dict(result))
        self.told(number, state, values)

    def told(self, number: int, state: TrialState, values: Sequence[float] | None) -> None:
        """The same of a trial that has its result already."""
        self.states[number] = state
        self._ended[number] = state, list(values) if values else None

    def unend(self, number: int) -> None:
        """A trial that is not settled has lost what it ended with, and is to be run again."""
        self.states[number] = TrialState.RUNNING
        self._storage.set_trial_user_attr(self._id(number), RESULT, None)

    def settle(self, *, now: bool = True) -> None:
        """Brings ended trials to their end in Optuna's words; `now`: False: where that is due."""
        began = time.monotonic()
        if not self._ended or (not now and began < self._due):
            return
        self._to_disk(self._ended)
        for number in sorted(self._ended):
            self._storage.set_trial_state_values(self._id(number), *self._ended[number])
            del self._ended[number]
            self._ids.pop(number, None)
        self._due = time.monotonic() + max(_SECONDS, (time.monotonic() - began) / _SHARE)

    def remember(self, of_samplers: Mapping[str, Any]) -> None:
        """What samplers remember with the study."""
        for name, value in of_samplers.items():
            self._storage.set_study_system_attr(self._study_id, name, value)

    def _create(self, number: int, trial: FrozenTrial) -> None:
        if number != len(self.states):
            raise StudyError(f"the study has {len(self.states)} trials, so the next cannot have the number {number}")
        self._ids[number] = self._storage.create_new_trial(self._study_id, template_trial=trial)
        self.states[number] = TrialState.RUNNING

    def _id(self, number: int) -> int:
        if number not in self._ids:
            return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._ids[number]
