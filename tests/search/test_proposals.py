"""Children chosen by a model, in a tiny space whose table is known."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from nas.graph import DAG
from nas.search import (
    EvolutionOptions,
    EvolutionStrategy,
    Inheritance,
    Objectives,
    Parent,
    SearchSpace,
    SpaceOptions,
    TaskShape,
)
from nas.search.strategies._proposals import Proposer, encodes
from nas.search.strategies._surrogate import Surrogate, expected_improvement
from nas.training import Candidate, Genome, TrainingConfig, TrialResult, TrialStatus

LETTERS, PLACES = 4, 4
BOTH = Objectives(("error", "inference_time"))


class Words(SearchSpace):
    """Four letters of four: the hyperparameter "word" stands for a structure."""

    Options: ClassVar[type[SpaceOptions]] = SpaceOptions

    def __init__(self) -> None:
        super().__init__(SpaceOptions(hyperparameters={}), TaskShape(1, 1))

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        return word(rng.integers(LETTERS, size=PLACES))

    def mutate(self, genome: Genome, rng: np.random.Generator, strength: float, **others: Any) -> tuple[Genome, str]:
        letters = np.array(list(map(int, str(genome.hyperparameters["word"]))))
        places = rng.choice(PLACES, max(1, round(strength * PLACES)), replace=False)
        letters[places] = rng.integers(LETTERS, size=len(places))
        return word(letters), "letters"

    def encode(self, genome: Genome) -> np.ndarray:
        return np.eye(LETTERS)[list(map(int, str(genome.hyperparameters["word"])))].ravel()


class Blind(Words):
    encode = SearchSpace.encode  # type: ignore[assignment]


def word(letters: np.ndarray) -> Genome:
    return Genome(DAG(1, 0, 1, [(0, 1)]), {"word": "".join(map(str, letters))})


def values(genome: Genome) -> tuple[float, float]:
    """Error and time: letters cost what they are, and are worth more together."""
    letters = np.array(list(map(int, str(genome.hyperparameters["word"])))) / (LETTERS - 1)
    return float(0.9 * np.exp(-2 * letters.mean() - 2 * letters[0] * letters[-1])), float(
        1e-3 * (1 + letters.sum()) ** 2
    )


ALL = [values(word(np.array(letters))) for letters in itertools.product(range(LETTERS), repeat=PLACES)]


def search(
    space: SearchSpace, seed: int, trials: int, failing: frozenset[str] = frozenset(), resume_at: int | None = None
) -> list[str]:
    """Words in the order in which an evolution asks for them."""
    asked: dict[int, Candidate] = {}
    results: dict[int, TrialResult] = {}
    inheritance = Inheritance(
        lambda number: Parent(number, asked[number].genome),
        lambda *given: None,
        lambda parent: None,
        lambda number: asked[number].genome,
    )

    options = EvolutionOptions(guided=0)

    def new() -> EvolutionStrategy:
        return EvolutionStrategy(space, TrainingConfig(steps=1), BOTH, seed, inheritance=inheritance, options=options)

    strategy = new()
    for number in range(trials):
        if number == resume_at:
            strategy = new()
            for result in results.values():
                strategy.tell(result)
        asked[number] = strategy.ask(number)
        text = str(asked[number].genome.hyperparameters["word"])
        error, time = values(asked[number].genome)
        if text in failing:
            results[number] = TrialResult(number, TrialStatus.FAILED, reason="too large")
        else:
            metrics = {"val_error": error, "inference_seconds": time}
            results[number] = TrialResult(number, TrialStatus.COMPLETE, metrics)
        strategy.tell(results[number])
    return [str(candidate.genome.hyperparameters["word"]) for candidate in asked.values()]


def share(words: list[str]) -> float:
    found, best = np.log([values(word(np.array(list(text)))) for text in words]), np.log(ALL)
    low, high = best.min(axis=0), best.max(axis=0)
    unit = Objectives(("density", "depth"))  # any two: only their number matters here
    assert len(unit.names) == 2
    import moocore

    ones = np.ones(2)
    mine = moocore.hypervolume((found - low) / (high - low), ref=ones)
    return float(mine / moocore.hypervolume((best - low) / (high - low), ref=ones))


def test_no_genome_is_evaluated_twice_until_the_space_is_exhausted() -> None:
    words = search(Words(), 0, 40)
    assert len(set(words)) == 40


def test_the_model_finds_more_of_the_front_than_blind_mutation() -> None:
    seeds = range(2)
    chosen = [share(search(Words(), seed, 50)) for seed in seeds]
    blind = [share(search(Blind(), seed, 50)) for seed in seeds]
    assert np.mean(chosen) > np.mean(blind) + 0.01
    assert min(chosen) > 0.95


def test_the_seed_decides_and_a_new_object_that_is_told_the_results_goes_on() -> None:
    words = search(Words(), 3, 30)
    assert search(Words(), 3, 30, resume_at=24) == words
    assert search(Words(), 4, 30) != words


def test_what_failed_is_not_asked_again_and_its_like_is_avoided() -> None:
    failing = frozenset(
        "".join(map(str, each)) for each in itertools.product(range(LETTERS), repeat=PLACES) if each[0] > 1
    )
    words = search(Words(), 1, 44, failing)
    assert len(set(words)) == 44
    late = [text in failing for text in words[24:]]
    assert np.mean(late) < 0.35  # of all words it is half


def test_a_space_without_unknown_genomes_gives_a_known_one() -> None:
    space = Words()
    proposer = Proposer(space, BOTH, (0.1, 0.5))
    for number, letters in enumerate(itertools.product(range(LETTERS), repeat=PLACES)):
        genome = word(np.array(letters))
        proposer.add(number, genome, values(genome))
    assert proposer.knows(proposer.propose(np.random.default_rng(0), 0).genome)


def test_spaces_that_do_not_encode_are_left_alone() -> None:
    assert encodes(Words()) and not encodes(Blind())
    with pytest.raises(IndexError, match="at least one complete trial"):
        Proposer(Words(), BOTH, (0.1, 0.5)).propose(np.random.default_rng(0), 0)


def test_hyperparameters_are_part_of_what_is_modelled() -> None:
    from nas.search import Range

    class Tuned(Words):
        @property
        def hyperparameters(self) -> dict[str, Any]:
            return {"learning_rate": Range(low=1e-4, high=1e-1, log=True)}

    proposer = Proposer(Tuned(), BOTH, (0.1, 0.5))
    base = word(np.zeros(PLACES, dtype=int))
    genomes = [replace(base, hyperparameters={**base.hyperparameters, "learning_rate": rate}) for rate in (1e-3, 1e-2)]
    proposer.add(0, genomes[0], (0.5, 1e-3))
    assert proposer.knows(genomes[0]) and not proposer.knows(genomes[1])
    assert "learning_rate" in proposer.propose(np.random.default_rng(0), 0).genome.hyperparameters


def test_the_model_predicts_what_it_saw_and_knows_what_it_does_not() -> None:
    rng = np.random.default_rng(0)
    X = rng.random((60, 3))
    Y = np.stack([np.sin(4 * X[:, 0]) + X[:, 1], X[:, 2] ** 2], axis=1)
    model = Surrogate(X[:50], Y[:50])
    mean, deviation = model.predict(X)
    assert np.abs(mean - Y)[:50].max() < 0.05
    assert np.abs(mean - Y)[50:].mean() < 0.1
    _, far = model.predict(np.full((1, 3), 5.0))
    assert (far > 2 * deviation.max(axis=0)).all()
    with pytest.raises(ValueError, match="the same n >= 2 rows"):
        Surrogate(X[:1], Y[:1])


@pytest.mark.parametrize("m", [1, 2, 3])
def test_expected_improvement_is_the_volume_where_nothing_is_uncertain(m: int) -> None:
    import moocore

    rng = np.random.default_rng(m)
    front, points = rng.random((5, m)), rng.random((40, m))
    reference = np.ones(m)
    gain = expected_improvement(points, np.zeros_like(points), front, reference, rng)
    if m == 1:
        exact = np.maximum(front.min() - points[:, 0], 0)
    else:
        before = moocore.hypervolume(front, ref=reference)
        exact = np.array([moocore.hypervolume(np.vstack([front, point]), ref=reference) - before for point in points])
    assert (gain[exact < 1e-9] < 1e-9).all()
    assert np.corrcoef(gain, exact)[0, 1] > 0.97
