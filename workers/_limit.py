"""How long a trial may take before its worker counts as hung.

A limit in minutes alone suits no search: long enough for the longest trials, it lets one frozen worker hold the end of
a search of one-second trials for hours. So it is also a generous multiple of what trials of this search take, learned
from those that completed, relative to their work: steps, times what a step of their size takes. Trials of the same
work differ by what else a machine does and by what is compiled at first, and by far less than this multiple.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from nas.search import work_of
from nas.training import Candidate, TrainingConfig, TrialResult, TrialStatus

__all__ = ["TrialLimit"]

_TIMES_USUAL: Final = 20.0  # what such a trial usually takes
_TIMES_LONGEST: Final = 4.0  # and what it would have taken at the pace of the slowest
_LEAST_SECONDS: Final = 300.0  # no limit that is learned is shorter: compiling, a slow disk, a machine that swaps
_ENOUGH: Final = 5  # groups to learn from before anything is concluded
_LATELY: Final = 50  # groups that are remembered
_AWAY_SECONDS: Final = 10.0  # without a look at the clock: this process was stopped, and its workers perhaps with it


class TrialLimit:
    """The time that a group of trials may take on a worker.

    Attributes:
        most: as given.

    Args:
        most: seconds that a trial may take in any case; None: no trial is ever overdue.
        config: what every candidate is trained with.
        clock: seconds, never going back.
    """

    def __init__(self, most: float | None, config: TrainingConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = most
        self._config = config
        self._clock = clock
        self._costs: deque[float] = deque(maxlen=_LATELY)  # seconds of a unit of work
        self._looked = clock()

    def told(self, group: Sequence[Candidate], results: Sequence[TrialResult]) -> None:
        """A group has been evaluated. One of which a member failed or was stopped says little of what others take, and
        one that is not trained nothing of what steps take."""
        seconds = sum(result.seconds for result in results)
        trained = all(candidate.steps for candidate in group)
        if seconds > 0 and trained and all(result.status in _WHOLE for result in results):
            self._costs.append(seconds / self._work(group))

    def away(self) -> float:
        """Seconds that this process did not look at the clock, where it should have: nobody is to be blamed for them.

        To be asked at each look at the workers.
        """
        now = self._clock()
        gap, self._looked = now - self._looked, now
        return gap if gap > _AWAY_SECONDS else 0.0

    def overdue(self, group: Sequence[Candidate], since: float) -> str | None:
        """Why the trials of a group fail that a worker has had since then; None: it has time left."""
        if self.most is None or not group:
            return None
        limit = self.most * len(group)
        reason = f"it took longer than {self.most:g} s"
        if len(self._costs) >= _ENOUGH:
            work = self._work(group)
            usual = median(self._costs) * work
            learned = max(_TIMES_USUAL * usual, _TIMES_LONGEST * max(self._costs) * work, _LEAST_SECONDS)
            if learned < limit:
                limit = learned
                reason = f"it took longer than {limit:.0f} s; about {usual / len(group):.3g} s are usual"
        return reason if self._clock() - since > limit else None

    def _work(self, group: Sequence[Candidate]) -> float:
        return sum(self._steps(each) * self._work_of_step(each) for each in group)

    @staticmethod
    def _steps(candidate: Candidate) -> int:
        """That it trains now: from where it goes on, up to the rung at which it pauses."""
        until = candidate.steps if candidate.pause_at is None else candidate.pause_at
        return max(until - (0 if candidate.resume is None else candidate.resume.step), 1)

    def _work_of_step(self, candidate: Candidate) -> float:
        genome = candidate.genome
        if genome.structure is not None:
            return work_of(0, 0, 0)  # what a layer takes is not for its picture to say
        batch = genome.hyperparameters.get("batch_size", self._config.batch_size)
        edges = genome.dag.n_edges
        return work_of(edges, edges, int(batch))


_WHOLE: Final = (TrialStatus.COMPLETE, TrialStatus.PAUSED)
