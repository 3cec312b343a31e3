"""The next genome of a space whose candidates are small and start from nothing: proposed often, trained once.

Where a child inherits weights, a blind change is cheap to try. Where it does not, each evaluation is a whole training,
so some dozens of children are drawn and the one is taken that a model of what was evaluated so far expects the most of:

    parents    members of the front, each as likely as the next, now and then another evaluated genome, or none
    children   mutations of log-uniform strength, crossings of two parents where the space can, genomes from nothing
    known      a genome that was evaluated (or failed, or was stopped) is not proposed again
    choice     the greatest expected gain of hypervolume, in logarithms of all objectives (see `_surrogate`)

A space takes part by offering `SearchSpace.encode`. All is decided by the evaluated trials and the random generator.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import moocore
import numpy as np

from nas.search.front.objectives import Objectives
from nas.search.space import Choice, Range, SearchSpace
from nas.search.strategies._surrogate import Surrogate, expected_improvement
from nas.training.types import Genome, Scalar

__all__ = ["Proposal", "Proposer", "encodes"]

_CHILDREN: Final = 96  # unknown genomes that the model compares
_TRIES: Final = 10  # draws for each of these at most: a small space runs out of unknown genomes
_NEW: Final = 0.1  # share of them from nothing
_CROSSED: Final = 0.25  # share of them from two parents, where the space can cross
_OFF_FRONT: Final = 0.1  # share of parents that are any evaluated genome
_MODELLED: Final = 256  # evaluations that the model looks at: half the best, half spread over the others


@dataclass(frozen=True, slots=True)
class Proposal:
    """A genome to evaluate."""

    genome: Genome  # with its hyperparameters
    parent: int | None  # trial that it was changed from; None: drawn from nothing
    description: str  # one line for people


@dataclass(frozen=True, slots=True)
class _Evaluated:
    genome: Genome
    code: np.ndarray
    values: tuple[float, ...] | None  # None: it failed
    stopped: bool = False


class Proposer:
    """Knows the evaluated genomes of a study and proposes the next.

    Args:
        space: one whose `encode` gives arrays.
        objectives: of the study.
        strength: least and largest share of a genome that a mutation changes.
    """

    def __init__(self, space: SearchSpace, objectives: Objectives, strength: tuple[float, float]) -> None:
        self._space = space
        self._objectives = objectives
        self._strength = strength
        self._trials: dict[int, _Evaluated] = {}
        self._known: set[bytes] = set()

    def __len__(self) -> int:
        return sum(trial.values is not None for trial in self._trials.values())

    def add(self, number: int, genome: Genome, values: tuple[float, ...] | None, *, stopped: bool = False) -> None:
        """Takes an ended trial in.

        Args:
            number: of the trial; adding one twice changes nothing.
            genome: as it was asked.
            values: its objectives. None: it has none, because it failed; its like is taken to be worth nothing.
            stopped: it has none because others were better; that is all that is known of it.
        """
        if number not in self._trials:
            code = self._encode(genome)
            self._trials[number] = _Evaluated(genome, code, values, stopped)
            self._known.add(code.tobytes())

    def knows(self, genome: Genome) -> bool:
        """Whether an equal genome has been added."""
        return self._encode(genome).tobytes() in self._known

    def propose(self, rng: np.random.Generator, next_id: int) -> Proposal:
        """The genome that is expected to add most to the front.

        Args:
            rng: decides what is compared.
            next_id: as in `SearchSpace.mutate`.

        Raises:
            IndexError: no trial is complete yet.
        """
        numbers = sorted(number for number, trial in self._trials.items() if trial.values is not None)
        if not numbers:
            raise IndexError("a proposal needs at least one complete trial, but there is none")
        values = self._coordinates(np.array([self._trials[number].values for number in numbers]))
        front = np.flatnonzero(_nondominated(values))
        children, codes = self._children([numbers[k] for k in front], numbers, rng, next_id)
        if len(children) == 1 or len(numbers) < 2:
            return children[0]
        mean, deviation = self._predictions(numbers, values, np.array(codes))
        gain = expected_improvement(mean, deviation, values[front], np.ones(values.shape[1]), rng)
        best = int(gain.argmax())  # where nothing is to be gained, the first: as good as drawn
        return children[best]

    def _children(
        self, front: list[int], everyone: list[int], rng: np.random.Generator, next_id: int
    ) -> tuple[list[Proposal], list[np.ndarray]]:
        """Unknown genomes, all different; one that is known where the space has no other."""
        children: list[Proposal] = []
        codes: list[np.ndarray] = []
        seen = set(self._known)
        for _ in range(_TRIES * _CHILDREN):
            child = self._child(front, everyone, rng, next_id)
            code = self._encode(child.genome)
            if (key := code.tobytes()) not in seen:
                seen.add(key)
                children.append(child)
                codes.append(code)
                if len(children) == _CHILDREN:
                    break
        if not children:
            return [child], [code]
        return children, codes

    def _child(self, front: list[int], everyone: list[int], rng: np.random.Generator, next_id: int) -> Proposal:
        way = rng.random()
        if way < _NEW:
            genome = self._space.initial(rng)
            own = {path: domain.sample(rng) for path, domain in self._space.hyperparameters.items()}
            return Proposal(_with(genome, own), None, genome.origin)
        parent = self._parent(front, everyone, rng)
        genome = self._trials[parent].genome
        if way < _NEW + _CROSSED:
            other = self._parent(front, everyone, rng)
            mate = self._trials[other].genome
            crossed = self._space.cross(genome, mate, rng) if other != parent else None
            if crossed is not None:
                own = {
                    path: (genome if rng.random() < 0.5 else mate).hyperparameters.get(path, domain.nearest(None))
                    for path, domain in self._space.hyperparameters.items()
                }
                return Proposal(_with(crossed, own), parent, f"crossed with trial {other}")
        low, high = self._strength
        strength = math.exp(rng.uniform(math.log(low), math.log(high)))
        mutated, description = self._space.mutate(genome, rng, strength, growth=rng.uniform(-1, 1), next_id=next_id)
        own = {
            path: domain.perturb(genome.hyperparameters.get(path, domain.nearest(None)), rng)
            for path, domain in self._space.hyperparameters.items()
        }
        return Proposal(_with(mutated, own), parent, description)

    def _parent(self, front: list[int], everyone: list[int], rng: np.random.Generator) -> int:
        among = everyone if rng.random() < _OFF_FRONT else front
        return among[int(rng.integers(len(among)))]

    def _coordinates(self, values: np.ndarray) -> np.ndarray:
        """Logarithms of objectives (trials, m), scaled so that 0 is the best of each and 1 the worst that counts.

        An error counts up to what knowing nothing gives, a cost up to the dearest that was evaluated.
        """
        values = values.copy()
        if "error" in self._objectives.names:
            k = self._objectives.names.index("error")
            values[:, k] = np.minimum(values[:, k], self._objectives.error_reference)
        points = self._objectives.logarithms(values)
        low, span = points.min(axis=0), np.ptp(points, axis=0)
        scaled: np.ndarray = (points - low) / np.where(span > 0, span, 1.0)
        return scaled

    def _predictions(self, numbers: list[int], values: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the objectives of children with these codes, by trials with these coordinates and by those that failed."""
        chosen = _most_telling(values, _MODELLED)
        failed = [trial.code for trial in self._trials.values() if trial.values is None and not trial.stopped]
        failed = failed[-_MODELLED // 4 :]
        known = np.array([*(self._trials[numbers[k]].code for k in chosen), *failed])
        targets = np.concatenate([values[chosen], np.ones((len(failed), values.shape[1]))])
        low, span = known.min(axis=0), np.ptp(known, axis=0)
        # A column in which all evaluated genomes agree is no unit to measure others by.
        scale = np.where(span > 0, span, np.maximum(np.abs(codes - low).max(axis=0), 1.0))
        return Surrogate((known - low) / scale, targets).predict((codes - low) / scale)

    def _encode(self, genome: Genome) -> np.ndarray:
        code = self._space.encode(genome)
        if code is None:
            raise ValueError(f"{type(self._space).__name__}.encode must give an array of every genome, but gave None")
        return np.concatenate([np.asarray(code, dtype=float).ravel(), _positions(self._space.hyperparameters, genome)])


def encodes(space: SearchSpace) -> bool:
    """Whether a space offers `encode`."""
    return type(space).encode is not SearchSpace.encode


def _positions(domains: Mapping[str, Range | Choice], genome: Genome) -> np.ndarray:
    """Hyperparameters as numbers in [0, 1]: the position in a range, one number for each choice."""
    found: list[float] = []
    for path, domain in domains.items():
        value = genome.hyperparameters.get(path)
        if isinstance(domain, Choice):
            found += [float(value == choice) for choice in domain.choices]
        else:
            found.append(domain.position(float(value)) if isinstance(value, int | float) else 0.5)
    return np.array(found)


def _with(genome: Genome, own: Mapping[str, Scalar]) -> Genome:
    return replace(genome, hyperparameters={**genome.hyperparameters, **own})


def _nondominated(values: np.ndarray) -> np.ndarray:
    """Which rows (bool) no other dominates; of equal ones the first."""
    if values.shape[1] == 1:
        first: np.ndarray = np.arange(len(values)) == int(values.argmin())
        return first
    return np.asarray(moocore.is_nondominated(values, keep_weakly=False))


def _most_telling(values: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most so many rows: half of them the best by non-domination rank, the others spread evenly."""
    if len(values) <= most:
        return np.arange(len(values))
    rank = moocore.pareto_rank(values) if values.shape[1] > 1 else np.argsort(np.argsort(values[:, 0]))
    order = np.lexsort((np.arange(len(values)), rank))
    best, others = order[: most // 2], np.sort(order[most // 2 :])
    spread = np.unique(np.linspace(0, len(others) - 1, most - len(best)).round().astype(int))
    return np.sort(np.concatenate([best, others[spread]]))
