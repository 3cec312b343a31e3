"""Populations: on one thread or on all, as is faster, with the same networks in the end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.training import DataConfig, Dataset, TrainingConfig, load_data
from nas.training import _population as population
from nas.training._population import Member, Pace, train_population


def test_tries_both_ways_and_keeps_the_faster() -> None:
    for seconds, kept in (({1: 1.0, 4: 0.4}, 4), ({1: 1.0, 4: 1.2}, 1)):
        pace = Pace()
        tried = []
        for _ in range(10):
            tried.append(pace.choose(1000.0, 4))
            pace.took(1000.0, tried[-1], seconds[tried[-1]])
        assert sorted(tried[:6]) == [1, 1, 1, 4, 4, 4]
        assert tried[6:] == [kept] * 4


def test_one_slow_measurement_decides_nothing() -> None:
    pace = Pace()
    for threads, seconds in ((4, 9.0), (4, 0.4), (4, 0.5), (1, 1.0), (1, 1.1), (1, 1.0)):
        pace.took(1000.0, threads, seconds)
    assert pace.choose(1000.0, 4) == 4


def test_sizes_of_work_are_told_apart() -> None:
    pace = Pace()
    for work, faster in ((1e3, 1), (1e6, 4)):
        for threads in (1, 4):
            for _ in range(3):
                pace.took(work, threads, 0.5 if threads == faster else 1.0)
    assert (pace.choose(1e3, 4), pace.choose(1e6, 4)) == (1, 4)


@pytest.mark.parametrize("parametrisation", ["free", "masked"])
def test_whatever_was_chosen_the_networks_are_the_same(
    parametrisation: str, monkeypatch: pytest.MonkeyPatch, population_threads: list[int]
) -> None:
    dataset = load_data(DataConfig(source="iris"))
    config = TrainingConfig(steps=60, batch_size=16, parametrisation=parametrisation)

    def trained(threads: int) -> list[dict[str, np.ndarray]]:
        monkeypatch.setattr(population._pace, "choose", lambda work, most: threads)
        members = []
        for k in range(4):
            rng = np.random.default_rng(k)
            dag = random_dag(dataset.n_inputs, 6 + 2 * k, dataset.n_outputs, density=0.5, rng=rng)
            network = ManifoldNetwork(dag, parametrisation=config.parametrisation, generator=rng)
            members.append(Member(network, config, seed=k))
        assert not any(isinstance(end, Exception) for end in train_population(members, dataset, threads=4))
        return [member.network.to_arrays() for member in members]

    for alone, together in zip(trained(1), trained(4), strict=True):
        assert alone.keys() == together.keys()
        assert all(np.array_equal(alone[name], together[name]) for name in alone)
    assert population_threads == [4]  # and that on one thread in none


class Asked(Pace):
    """Remembers what it was asked and told."""

    def __init__(self) -> None:
        super().__init__()
        self.work: list[float] = []
        self.told: list[float] = []

    def choose(self, work: float, threads: int) -> int:
        self.work.append(work)
        return 1

    def took(self, work: float, threads: int, seconds: float) -> None:
        self.told.append(work)


def _members(dataset: Dataset, config: TrainingConfig) -> list[Member]:
    members = []
    for k in range(2):
        rng = np.random.default_rng(k)
        dag = random_dag(dataset.n_inputs, 6, dataset.n_outputs, density=0.5, rng=rng)
        members.append(Member(ManifoldNetwork(dag, parametrisation="free", generator=rng), config, seed=k))
    return members


def test_steps_that_are_done_are_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    pace = Asked()
    monkeypatch.setattr(population, "_pace", pace)
    dataset, config = load_data(DataConfig(source="iris")), TrainingConfig(steps=60, batch_size=16, rungs=(0.5,))
    first, again = _members(dataset, config), _members(dataset, config)
    for member in first:
        member.pause_at = 30
    for member, end in zip(again, train_population(first, dataset, threads=2), strict=True):
        assert not isinstance(end, Exception)
        assert end[1] is not None
        member.resume = end[1]
    train_population(again, dataset, threads=2)
    assert pace.work[0] == pace.work[1] == pytest.approx(30 * (population._STEP_EDGES + _edges(first)))
    assert pace.told == pace.work


def test_a_population_with_a_failure_tells_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    pace, drive = Asked(), population.drive
    monkeypatch.setattr(population, "_pace", pace)
    dataset, config = load_data(DataConfig(source="iris")), TrainingConfig(steps=10, batch_size=16)
    failures = iter([True, False])

    def failing(routine: Any) -> Any:
        if next(failures):
            raise FloatingPointError("the loss must stay finite")
        return drive(routine)

    monkeypatch.setattr(population, "drive", failing)
    ended = train_population(_members(dataset, config), dataset, threads=2)
    assert [isinstance(end, Exception) for end in ended] == [True, False]
    assert len(pace.work) == 1
    assert pace.told == []


def _edges(members: list[Member]) -> float:
    return sum(member.network.dag.n_edges for member in members) / len(members)
