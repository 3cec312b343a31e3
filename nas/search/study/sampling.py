"""A study as Optuna's samplers and pruners see it: in memory, fed by the driver.

Samplers read all finished trials for every parameter they suggest. From a database that costs more the longer a study
is; from memory it costs what the sampler itself does, and of a long study a window is enough (see `WindowStorage`).
Here is only what samplers look at: states, values, parameters, and, of studies with one objective, the values reported
at rungs (with several, Optuna's samplers fail on them).
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from nas.search.space import Choice, Range
from nas.search.study._window import WindowStorage
from nas.search.study.records import ended_at
from nas.training.types import Scalar

__all__ = ["Sampling", "distribution_of", "params_in"]

# What `optuna.trial.Trial.set_constraint("bounds", …)` writes; a trial object would ask its sampler for values first.
_OUTSIDE: Final = "constraints:bounds"
_EARLIEST: Final = datetime.datetime.min.replace(tzinfo=datetime.UTC)


class Sampling:
    """Trials in memory; a trial's id in `study` is its number.

    Args:
        directions: of the study.
        trials: of the study so far, as Optuna has them.
        reported: what pruners see of them: values by number and step.
        of_study: what samplers remember with the study.
        outside: how far outside its bounds each trial is; None where there are none.

    Attributes:
        study: Optuna's; its sampler is whoever asks to set.
    """

    def __init__(
        self,
        directions: Sequence[StudyDirection],
        trials: Iterable[FrozenTrial],
        reported: Mapping[int, Mapping[int, float]] = MappingProxyType({}),
        of_study: Mapping[str, Any] = MappingProxyType({}),
        outside: Mapping[int, float | None] = MappingProxyType({}),
    ) -> None:
        self.study = optuna.create_study(
            storage=WindowStorage(),
            directions=list(directions),
            sampler=optuna.samplers.RandomSampler(seed=0),
        )
        self._storage = self.study._storage
        self._count = 0
        for key, value in sorted(of_study.items(), key=lambda item: (len(item[0]), item[0])):  # generations in order
            self._storage.set_study_system_attr(self.study._study_id, key, value)
        self._of_study = dict(of_study)
        trials = list(trials)
        for trial in trials:
            self._fill(trial.number)
            self._add(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=trial.params,
                    distributions=trial.distributions,
                    intermediate_values=dict(reported.get(trial.number, {})) if self._one else {},
                    system_attrs=trial.system_attrs,
                )
            )
        # Which trials are in a window, and which of the old are the best, depends on the order in which they ended.
        for trial in sorted(trials, key=lambda trial: (ended_at(trial) or _EARLIEST, trial.number)):
            if trial.state.is_finished():
                self.end(trial.number, trial.state, trial.values or (), outside.get(trial.number))

    @property
    def _one(self) -> bool:
        return len(self.study.directions) == 1

    def begin(self, number: int) -> None:
        """A trial is RUNNING."""
        self._fill(number)
        if number == self._count:
            self._storage.create_new_trial(self.study._study_id)
            self._count += 1

    def trial(self, number: int) -> optuna.trial.Trial:
        """A running trial, or the next, to suggest its parameters with the sampler of `study`."""
        self.begin(number)
        self.study._thread_local.cached_all_trials = None  # as `study.ask` does: what samplers read is cached by trial
        return optuna.trial.Trial(self.study, number)

    def frozen(self, number: int) -> FrozenTrial:
        """A trial as pruners take it."""
        return self._storage.get_trial(number)

    def sampled(self, number: int) -> FrozenTrial | None:
        """What samplers chose for a trial, and remember with it; None: nobody asked them."""
        return self.frozen(number) if number < self._count else None

    def remembered(self) -> dict[str, Any]:
        """What samplers remember with the study since this was last asked."""
        now = self._storage.get_study_system_attrs(self.study._study_id)
        changed = {key: value for key, value in now.items() if self._of_study.get(key) != value}
        self._of_study = dict(now)
        return changed

    def report(self, number: int, step: int, value: float) -> None:
        """A trial's intermediate value."""
        if self._one and number < self._count:
            self._storage.set_trial_intermediate_value(number, step, value)

    def end(self, number: int, state: TrialState, values: Sequence[float], outside: float | None = None) -> None:
        """A trial has ended, so far outside the bounds of the search."""
        self.begin(number)
        if outside is not None:
            self._storage.set_trial_system_attr(number, _OUTSIDE, outside)
        self._storage.set_trial_state_values(number, state, list(values) if state is TrialState.COMPLETE else None)

    def _fill(self, number: int) -> None:
        """Numbers that are missing (nothing was recorded of them) become failed trials, so that ids are numbers."""
        while self._count < number:
            now = datetime.datetime.now()
            template = optuna.trial.create_trial(state=TrialState.FAIL)
            template.datetime_start = template.datetime_complete = now
            self._add(template)

    def _add(self, template: FrozenTrial) -> None:
        self._storage.create_new_trial(self.study._study_id, template_trial=template)
        self._count += 1


def distribution_of(domain: Range | Choice) -> BaseDistribution:
    """What Optuna calls a domain."""
    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.choices)
    if domain.integer:
        return IntDistribution(math.ceil(domain.low), math.floor(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)


def params_in(
    hyperparameters: Mapping[str, Scalar], domains: Mapping[str, Range | Choice]
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """The hyperparameters that are from these domains, as values and distributions of an Optuna trial."""
    params = {
        path: hyperparameters[path]
        for path, domain in domains.items()
        if path in hyperparameters and _contains(domain, hyperparameters[path])
    }
    return params, {path: distribution_of(domains[path]) for path in params}


def _contains(domain: Range | Choice, value: Scalar) -> bool:
    if isinstance(domain, Choice):
        return value in domain.choices
    return isinstance(value, int | float) and domain.low <= value <= domain.high
