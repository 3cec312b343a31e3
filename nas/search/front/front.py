"""The Pareto front of a study, and how a person picks one network from it."""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import moocore
import numpy as np

from nas.search.errors import PickError
from nas.search.front._estimates import Estimate, Steady, estimates
from nas.search.front.constraints import nearest_miss
from nas.search.front.objectives import Objectives
from nas.training.quality.judged import worst_loss
from nas.training.quality.metrics import METRICS
from nas.training.quality.objectives import OBJECTIVES, metrics_called
from nas.training.types import Evidence

__all__ = ["Front", "FrontMember", "metrics_of_pick"]

TIE: Final = 0.03  # process times that differ by less are equal: what re-timing on a busy machine can tell apart
KNEE_TIE: Final = 0.05  # the same for the knee's sum of coordinates, each in [0, 1]
_MOST_NEAR: Final = 200  # trials beside the members that picks may fall on and that are timed again with them

_OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION: Final = re.compile(r"^\s*([A-Za-z_]\w*)\s*(>=|<=|>|<)\s*([-+0-9.eE]+)\s*$")
_WORDS: Final = ("best", "knee", "accurate", "fast")
_WAYS: Final = 'use "best", "knee", "accurate", "fast", a trial number, or a condition such as "accuracy>=0.97"'


@dataclass(frozen=True, slots=True)
class FrontMember:
    """A finished trial with its objective values (the re-timed ones where it was timed again)."""

    number: int
    values: tuple[float, ...]  # what it is compared by, in the order of the study's objectives, all minimised
    metrics: Mapping[str, float]
    retimed: bool = False


@dataclass(frozen=True, slots=True)
class Front:
    """The finished trials of a study that no other drives out, best first objective first.

    One trial drives another out that is as good in all objectives and better in one, where process times that differ by
    less than a tie count as equal: of two networks that take the same time, the one with fewer edges is the cheaper, so
    that a larger one with a lower error does not drive it out by a microsecond of noise. Of equal trials the earliest
    is a member. What a person picks comes from `near`, so that it does not
    change with the noise of the times: of trials that these cannot tell apart, the one with the fewest edges.

    Trials are compared by scores that hold as little luck as can be had (`Objectives.values`), and so become members;
    what a member is worth, to a person who picks and in the hypervolume, is its estimate, once it has one
    (`estimated`): estimates that the validation samples cannot put in order are equal, and then the smaller is taken.
    """

    objectives: Objectives
    members: tuple[FrontMember, ...]
    hypervolume: float  # share of the unit cube of `Objectives.coordinates`, in [0, 1]
    near: tuple[FrontMember, ...] = ()  # the members, and trials that are worse by less than times can tell
    missed: str = ""  # where there are trials, but none within the bounds of the objectives: what stands in the way
    to_beat: float = math.inf  # error that the best and the knee must be below, as a linear model and guessing have it
    margins: tuple[float, ...] = ()  # how far above the least error that of each of `near` may be and count as good

    @classmethod
    def of(cls, objectives: Objectives, trials: Iterable[FrontMember]) -> Front:
        """The front of all `trials`."""
        candidates, missed = _within(objectives, trials)
        if not candidates:
            return cls(objectives, (), 0.0, missed=missed)
        values = np.array([trial.values for trial in candidates])
        timed = _timed(objectives)
        if values.shape[1] == 1:
            keep = np.arange(len(values)) == int(values.argmin())
        else:
            keep = np.asarray(moocore.is_nondominated(values, keep_weakly=False))
        if timed.any():  # only one that is as good in all else and faster by more than a tie beats another here
            low, high = (np.array(ends) for ends in zip(*(_ends(trial, timed) for trial in candidates), strict=True))
            beaten = (high[keep][None, :, :] <= low[:, None, :]).all(axis=2).any(axis=1)
            keep = keep | ~beaten
        near = sorted(
            (trial for trial, kept in zip(candidates, keep, strict=True) if kept), key=lambda trial: trial.values
        )
        members = near
        if timed.any():
            members = []
            for trial in sorted(near, key=lambda trial: (*np.array(trial.values)[~timed], *_smallest(trial))):
                if not any(_drives_out(member, trial, timed) for member in members):
                    members.append(trial)
            members.sort(key=lambda trial: trial.values)
            near = _nearest(near, members, timed)
        hypervolume = objectives.hypervolume([trial.values for trial in members])
        return cls(objectives, tuple(members), hypervolume, tuple(near))

    def __len__(self) -> int:
        return len(self.members)

    @classmethod
    def estimated(
        cls,
        objectives: Objectives,
        trials: Iterable[FrontMember],
        evidence: Callable[[int], Evidence | None],
        *,
        to_beat: float = math.inf,
    ) -> Front:
        """The front of all `trials`, with what is to be expected of its members on samples that did not choose them.

        They are compared by steady scores, which a lucky network gains little by; members, and trials near them, get
        the metrics ``shown_error``, ``shown_error_low``, ``shown_error_high``, ``shown_error_deviation`` (see
        `nas.search.front._estimates`). Linear models with all edges are exempt from both: nothing was chosen there.

        Args:
            evidence: of a trial, by its number (`StudyStore.evidence`). Those without keep what they have.
            to_beat: what the error of a pick must be below, if any member's is. So must it be below those of the
                linear models with all edges.
        """
        trials, missed = _within(objectives, trials)
        if not trials:
            return cls(objectives, (), 0.0, missed=missed)
        values = np.array([trial.values for trial in trials], dtype=float)
        place = objectives.error_place
        scores = np.zeros(len(trials)) if place is None else values[:, place].copy()
        costs = values if place is None else np.delete(values, place, axis=1)
        at = functools.cache(lambda k: evidence(trials[k].number))
        plain = np.array([_is_linear(trial) for trial in trials])
        steady = None
        if place is not None:
            steady = Steady.of(scores, costs, at, plain=plain)
            values[:, place] = steady(scores)
        compared = [replace(trial, values=tuple(row.tolist())) for trial, row in zip(trials, values, strict=True)]
        front = cls.of(objectives, compared)
        near = {trial.number for trial in front.near}
        shown = [k for k, trial in enumerate(trials) if trial.number in near]
        found = estimates(
            scores,
            costs,
            shown,
            at,
            steady=steady,
            chosen=place is not None,
            plain=plain,
            most=worst_loss(objectives.scorer),
        )
        linear = [float(one.error.mean()) for k in np.flatnonzero(plain).tolist() if (one := at(k)) is not None]
        to_beat = min([to_beat, *linear])
        known = {trials[k].number: _with_estimate(compared[k], found.get(k)) for k in shown}
        members = tuple(known[member.number] for member in front.members)
        front = cls(objectives, members, 0.0, tuple(known[trial.number] for trial in front.near), to_beat=to_beat)
        hypervolume = objectives.hypervolume(front._judged(members))
        return replace(front, hypervolume=hypervolume, margins=front._margins(evidence))

    def bare(self) -> Front:
        """The same without the trials near the members."""
        return Front(self.objectives, self.members, self.hypervolume)

    def with_trial(self, trial: FrontMember) -> Front:
        """The bare front of the members and one newer trial."""
        timed = _timed(self.objectives)
        if self.objectives.outside(trial.metrics):
            return self
        driven_out = any(_drives_out(member, trial, timed) for member in self.members)
        return self if driven_out else Front.of(self.objectives, [*self.members, trial]).bare()

    @property
    def numbers(self) -> tuple[int, ...]:
        """Trial numbers of the members."""
        return tuple(member.number for member in self.members)

    def best(self) -> FrontMember:
        """The network that one would ship: the smallest that is as good as the most accurate, as far as can be told.

        It is the one with the fewest edges of those whose error is not above the least by more than one standard error
        of the least (Breiman 1984, "Classification and regression trees", 3.4.3). Our deviations: nor by more than one
        standard error of their difference on the same samples, which of thousands of samples often tells networks
        apart where their errors by themselves do not; and these must also have less error than a linear model and than
        guessing (`to_beat`); where none has, it is the most accurate. With few noisy samples a standard error has room
        for networks that know next to nothing (both: benchmarks/search_notes.md). Where the error is no objective, it
        is the knee.

        Raises:
            PickError: the front is empty.
        """
        self._require_members()
        place = self.objectives.error_place
        if place is None:
            return self.knee()
        errors = self._judged(self.near)[:, place]
        fair = (errors <= errors.min() + self._margin(errors)) & (errors < self.to_beat)
        fair |= errors == errors.min()
        return min((trial for trial, each in zip(self.near, fair, strict=True) if each), key=_smallest)

    def why_best(self) -> str:
        """Why `best` is the one that it is, for people: half a sentence.

        Raises:
            PickError: the front is empty.
        """
        best = self.best()
        place = self.objectives.error_place
        if place is None:
            return "the knee of the front, where no error is an objective"
        errors = self._judged(self.near)[:, place]
        if errors.min() >= self.to_beat:
            if _is_linear(best):
                return "a linear model: by validation, no other network is more accurate"
            return "the most accurate: by validation, no network is better than a linear model and guessing"
        margin = _standard_error(self.near[int(errors.argmin())])
        if not margin:
            return "the most accurate"
        classifies = all("val_accuracy" in member.metrics for member in self.near)
        within = (
            f"{100 * margin:.2g} points of the highest accuracy" if classifies else f"{margin:.2g} of the least error"
        )
        of = ", of it or of the difference to it" if self.margins else ""
        near = errors <= errors.min() + self._margin(errors)
        level = near & (errors >= self.to_beat)
        beating = " and ahead of a linear model and of guessing" if level.any() else ""
        return f"the one with the fewest edges of those within {within} (one standard error{of}){beating}"

    def _margin(self, errors: np.ndarray) -> np.ndarray:
        """How far above the least of these `errors` of `near` each may be, so that `best` makes nothing of it."""
        least = _standard_error(self.near[int(errors.argmin())])
        return np.array(self.margins) if self.margins else np.full(len(self.near), least)

    def _margins(self, evidence: Callable[[int], Evidence | None]) -> tuple[float, ...]:
        """Of each of `near`, one standard error of the least error, or of the difference to it where that is less."""
        if self.objectives.error_place is None or not self.near:
            return ()
        errors = self._judged(self.near)[:, self.objectives.error_place]
        least = self.near[int(errors.argmin())]
        most, own = _standard_error(least), evidence(least.number)
        if own is None:
            return ()
        margins = []
        for trial in self.near:
            found = evidence(trial.number)
            if found is None or len(own.error) != len(found.error):
                margins.append(most)
            else:
                apart = float((found.error - own.error).std()) / math.sqrt(found.samples)
                margins.append(min(most, apart))
        return tuple(margins)

    def knee(self) -> FrontMember:
        """The member where giving up a little of one objective stops buying much of the other.

        Each objective (the logarithm of a cost, the error itself) is scaled to [0, 1] between the extremes of the
        front; the knee is the member farthest below the line (plane) between them, the same as the one with the least
        sum of coordinates (Das 1999, "On characterizing the knee of the Pareto curve"). Our deviations: trials with
        an error far from the best (`Objectives.relevant`) do not take part, because a tiny network that
        guesses would otherwise be an extreme and pull the knee to poor accuracies; nor do those that a linear model or
        guessing is level with (`to_beat`), if there are others; and of those nearly as far below, `near` the front, it
        is the one with the fewest edges.

        Raises:
            PickError: the front is empty.
        """
        self._require_members()
        values = self._judged(self.near)
        chosen = np.flatnonzero(self.objectives.relevant(values))
        if (place := self.objectives.error_place) is not None:
            better = chosen[values[chosen, place] < self.to_beat]
            chosen = better if len(better) else chosen
        points = self.objectives.coordinates(values[chosen])
        span = np.ptp(points, axis=0)
        sums = ((points - points.min(axis=0)) / np.where(span > 0, span, 1.0)).sum(axis=1)
        if not _timed(self.objectives).any():
            return self.near[int(chosen[sums.argmin()])]
        tied: list[int] = chosen[sums <= sums.min() + KNEE_TIE].tolist()
        return min((self.near[k] for k in tied), key=_smallest)

    def pick(self, how: str) -> FrontMember:
        """One member, chosen as a person would say it.

        Args:
            how: "best" (see `best`); "knee" (see `knee`); "accurate" (best first objective); "fast" (best last
                objective); a trial number; or conditions on metrics joined by commas, e.g. "accuracy>=0.97" or
                "edges<=5000, accuracy>=0.9".
                `accuracy` and `error` mean the estimates from the validation part, `accuracy_low` and `error_high` the
                cautious ends of their intervals. Of the members that satisfy all conditions, the one with the best
                last objective is taken if a condition bounds the accuracy, error or loss, else the one with the best
                first objective.

        Raises:
            PickError: the front is empty, `how` is not understood, or no member satisfies it.
        """
        self._require_members()
        how = how.strip()
        if how == "best":
            return self.best()
        if how == "knee":
            return self.knee()
        if how == "accurate":
            return self._best(self.near, 0)
        if how == "fast":
            return self._best(self.near, -1)
        if how.lstrip("#").isdigit():
            for member in self.near:
                if member.number == int(how.lstrip("#")):
                    return member
            raise PickError(f"trial {how} is not on the front; its members are {', '.join(map(str, self.numbers))}")
        return self._satisfying(how)

    def _satisfying(self, how: str) -> FrontMember:
        conditions = _conditions(how)
        known = sorted({name for member in self.near for name in member.metrics})
        satisfying = list(self.near)
        by_quality = False
        for name, sign, bound in conditions:
            metric = next((each for each in _meant(name) if each in known), None)
            if metric is None:
                raise PickError(f"cannot pick {how!r}: no metric {name!r}; there are {', '.join(known)}")
            by_quality |= any(word in metric for word in METRICS)
            remaining = [
                member
                for member in satisfying
                if metric in member.metrics and _OPERATORS[sign](member.metrics[metric], bound)
            ]
            if not remaining:
                seen = [member.metrics[metric] for member in satisfying if metric in member.metrics]
                best = (max if sign[0] == ">" else min)(seen) if seen else "unknown"
                best = f"{best:.6g}" if isinstance(best, float) else best
                raise PickError(f"no member of the front has {name} {sign} {bound:g}; the closest has {best}")
            satisfying = remaining
        return self._best(satisfying, -1 if by_quality else 0)

    def _best(self, trials: Sequence[FrontMember], objective: int) -> FrontMember:
        """The best in one objective; of those that tie with it the one with the fewest edges."""
        tolerances = np.where(_timed(self.objectives), TIE, 0.0)
        judged = self._judged(trials)
        bound = (1 + tolerances[objective]) * judged[:, objective].min()
        tied = [int(k) for k in np.flatnonzero(judged[:, objective] <= bound)]
        if not tolerances.any():  # all exact: as good in the others as can be had
            return trials[min(tied, key=lambda k: tuple(judged[k][:: -1 if objective else 1]))]
        return min((trials[k] for k in tied), key=_smallest)

    def _judged(self, trials: Sequence[FrontMember]) -> np.ndarray:
        """Values (trials, objectives) with the estimate of the error in place of the score, where there is one."""
        values = np.array([trial.values for trial in trials], dtype=float).reshape(len(trials), -1)
        if (place := self.objectives.error_place) is not None:
            for row, trial in zip(values, trials, strict=True):
                row[place] = trial.metrics.get("shown_error", row[place])
        return values

    def rows(self) -> list[dict[str, Any]]:
        """The members as plain dictionaries (trial, objectives by name, metrics), e.g. for JSON."""
        return [
            {
                "trial": member.number,
                "objectives": dict(zip(self.objectives.names, judged, strict=True)),
                "metrics": dict(member.metrics),
                "retimed": member.retimed,
            }
            for member, judged in zip(self.members, self._judged(self.members).tolist(), strict=True)
        ]

    def _require_members(self) -> None:
        if self.missed:
            raise PickError(f"the front is empty: {self.missed}; relax the bound (search.constraints) or search longer")
        if not self.members:
            raise PickError("the front is empty because no trial has finished; run the search first")


def metrics_of_pick(how: str) -> list[tuple[str, tuple[str, ...]]]:
    """Which metrics a pick looks at: each by the name in its conditions, and what that may mean.

    Raises:
        PickError: `how` is not understood.
    """
    how = how.strip()
    if how in _WORDS or how.lstrip("#").isdigit():
        return []
    return [(name, _meant(name)) for name, _, _ in _conditions(how)]


def _meant(name: str) -> tuple[str, ...]:
    return (*metrics_called(name), f"val_{name}")


def _conditions(how: str) -> list[tuple[str, str, float]]:
    """Name, sign and bound of each condition of a pick."""
    conditions = []
    for part in how.split(","):
        match = _CONDITION.match(part)
        try:
            bound = float(match.group(3)) if match else None
        except ValueError:
            bound = None
        if match is None or bound is None:
            raise PickError(f"cannot pick {how!r}: {_WAYS}")
        conditions.append((match.group(1), match.group(2), bound))
    return conditions


def _within(objectives: Objectives, trials: Iterable[FrontMember]) -> tuple[list[FrontMember], str]:
    """The trials within the bounds by number, and what stands in the way where there are trials, but none of these."""
    everyone = sorted(trials, key=lambda trial: trial.number)
    within = [trial for trial in everyone if not objectives.outside(trial.metrics)]
    missed = nearest_miss(objectives.bounds, [trial.metrics for trial in everyone]) if everyone and not within else ""
    return within, missed


def _is_linear(trial: FrontMember) -> bool:
    """Whether it is a linear model with all its edges: what every search could have had without searching."""
    return trial.metrics.get("depth") == 1 and trial.metrics.get("density") == 1


def _standard_error(trial: FrontMember) -> float:
    """Of its estimate; 0: it has none."""
    return trial.metrics.get("shown_error_deviation", 0.0)


def _timed(objectives: Objectives) -> np.ndarray:
    """Which objectives are process times."""
    return np.array([OBJECTIVES[name].timed for name in objectives.names])


def _ends(trial: FrontMember, timed: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Between which values each objective of a trial lies: of times, what a tie leaves open.

    While a search runs, each network is timed once, beside whatever else the machine does: then the spread of its
    repeats counts too. Times that were taken again, side by side, differ by no more than a tie.
    """
    spread = 0.0 if trial.retimed else trial.metrics.get("inference_spread", 0.0)
    margins = [0.5 * TIE * value + spread if each else 0.0 for value, each in zip(trial.values, timed, strict=True)]
    low = tuple(value - margin for value, margin in zip(trial.values, margins, strict=True))
    return low, tuple(value + margin for value, margin in zip(trial.values, margins, strict=True))


def _drives_out(one: FrontMember, other: FrontMember, timed: np.ndarray) -> bool:
    """Whether ``one`` is as good as ``other`` and better in something, or equal and earlier (see `Front`)."""
    # Numbers of Python's: asked of each member for each new trial, and two or three numbers are no array.
    if any(a > b for a, b, each in zip(one.values, other.values, timed, strict=True) if not each):
        return False
    if not any(timed):
        return one.values != other.values or one.number < other.number
    (low_a, high_a), (low_b, high_b) = _ends(one, timed), _ends(other, timed)
    if all(high <= low for high, low, each in zip(high_a, low_b, timed, strict=True) if each):
        return True  # faster by more than a tie
    if any(low > high for low, high, each in zip(low_a, high_b, timed, strict=True) if each):
        return False  # slower by more than a tie
    edges, others = (trial.metrics.get("edges", math.inf) for trial in (one, other))
    if edges != others:
        return edges < others
    return (one.values, one.number) < (other.values, other.number)


def _nearest(near: list[FrontMember], members: Sequence[FrontMember], timed: np.ndarray) -> list[FrontMember]:
    """The members and the others of `near`, of very many some: all are timed again, and tiny networks whose times
    nobody can tell apart are thousands in a long search. First come those that a pick may fall on, for none is as good
    in all but time with fewer edges, then the fastest."""
    if len(near) <= len(members) + _MOST_NEAR:
        return near
    rest = [(*np.array(trial.values)[~timed], trial.metrics.get("edges", math.inf)) for trial in near]
    choice = np.asarray(moocore.is_nondominated(np.array(rest), keep_weakly=False))
    on_front = {member.number for member in members}
    others = [k for k, trial in enumerate(near) if trial.number not in on_front]
    others.sort(key=lambda k: (not choice[k], *np.array(near[k].values)[timed]))
    kept = on_front | {near[k].number for k in others[:_MOST_NEAR]}
    return [trial for trial in near if trial.number in kept]


def _smallest(trial: FrontMember) -> tuple[float, tuple[float, ...], int]:
    return trial.metrics.get("edges", math.inf), trial.values, trial.number


def _with_estimate(trial: FrontMember, estimate: Estimate | None) -> FrontMember:
    if estimate is None:
        return trial
    shown = {
        "shown_error": estimate.error,
        "shown_error_low": estimate.low,
        "shown_error_high": estimate.high,
        "shown_error_deviation": estimate.deviation,
    }
    if "val_accuracy" in trial.metrics:
        shown |= {
            "shown_accuracy": 1 - estimate.error,
            "shown_accuracy_low": 1 - estimate.high,
            "shown_accuracy_high": 1 - estimate.low,
        }
    return replace(trial, metrics={**trial.metrics, **shown})
