"""What a search tells whoever follows it, and the follower for jobs that want none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from nas.tracking.mlflow.champion import Champion
from nas.tracking.points import BaselinePoint, CurveCorner, FrontPoint
from nas.training.types import Candidate, TrialResult

__all__ = ["Ended", "Ending", "NullTracker", "Tracker"]

Ending = Literal["FINISHED", "FAILED", "KILLED"]
"""How a search ended, in MLflow's words: all trials done, an error, stopped by a person."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The trials of a study that have ended, as the study has them."""

    metrics: Mapping[int, Mapping[str, float]]
    """By number, timed again where they were; none of trials that did not complete."""
    load: Callable[[int], tuple[Candidate | None, TrialResult, float | None]]
    """A trial by its number: what was asked (None: it could not be), its result, and when it ended (seconds since
    1970). May raise where files are missing. Called from another thread."""


class Tracker(Protocol):
    """Whoever wants to follow a search. No method may block or raise because a server is away."""

    def start(self, resume: bool = False) -> None:
        """A search begins, or goes on."""

    def log_trial(self, candidate: Candidate | None, result: TrialResult) -> None:
        """A trial has ended; telling one twice does no harm. The candidate is None where it could not be asked."""

    def reconcile(self, ended: Callable[[], Ended]) -> None:
        """The study is what counts: what the follower lacks of it, or has otherwise, is put right."""

    def log_front(
        self,
        members: Sequence[FrontPoint],
        hypervolume: float,
        others: Sequence[FrontPoint] = (),
        curve: Sequence[CurveCorner] = (),
        picks: Mapping[int, str] | None = None,
    ) -> None:
        """The front is now this; `others` are trials off it whose metrics are newer than what `log_trial` told,
        `curve` how its hypervolume grew, `picks` what trials are picked as (best, knee)."""

    def log_baselines(self, baselines: Sequence[BaselinePoint], verdict: str) -> None:
        """The front is compared with these; `verdict` says in words how it compares as it is now."""

    def log_champion(self, champion: Champion) -> None:
        """The search hands over this network."""

    def draw_freely(self, freely: bool) -> None:
        """Whether pictures may have a whole core from now on: nothing is being timed, and a core is idle."""

    @property
    def backlog(self) -> int:
        """Trials that are still to be logged."""

    @property
    def undrawn(self) -> int:
        """Members of the front whose pictures and checkpoint are still to be logged."""

    @property
    def champion(self) -> int | None:
        """The trial whose network this search has published, now or before it was resumed; None: none yet."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """After `finish`: what could not be logged besides trials, in words."""

    def finish(self, status: Ending = "FINISHED", waiting: Callable[[int], bool] | None = None) -> int:
        """The search has ended. Returns how many trials are still to be logged.

        `waiting` is called now and then with that number, as long as some are logged; False: leave the rest.
        """


class NullTracker:
    """Follows nothing, for jobs with ``tracking.mlflow: false``."""

    def start(self, resume: bool = False) -> None:
        """Do nothing."""

    def log_trial(self, candidate: Candidate | None, result: TrialResult) -> None:
        """Do nothing."""

    def reconcile(self, ended: Callable[[], Ended]) -> None:
        """Do nothing."""

    def log_front(
        self,
        members: Sequence[FrontPoint],
        hypervolume: float,
        others: Sequence[FrontPoint] = (),
        curve: Sequence[CurveCorner] = (),
        picks: Mapping[int, str] | None = None,
    ) -> None:
        """Do nothing."""

    def log_baselines(self, baselines: Sequence[BaselinePoint], verdict: str) -> None:
        """Do nothing."""

    def log_champion(self, champion: Champion) -> None:
        """Do nothing."""

    def draw_freely(self, freely: bool) -> None:
        """Do nothing."""

    @property
    def backlog(self) -> int:
        """None."""
        return 0

    @property
    def undrawn(self) -> int:
        """None."""
        return 0

    @property
    def champion(self) -> int | None:
        """None."""
        return None

    @property
    def left_out(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def finish(self, status: Ending = "FINISHED", waiting: Callable[[int], bool] | None = None) -> int:
        """Do nothing; nothing is left."""
        return 0
