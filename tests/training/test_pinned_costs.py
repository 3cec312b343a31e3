"""A study's calibration reaches every training, in groups on threads of their own too."""

from __future__ import annotations

import numpy as np
import pytest

from nas.graph import random_dag
from nas.training import (
    Candidate,
    DataConfig,
    Genome,
    LossWeights,
    PinnedCosts,
    TrainingConfig,
    TrialResult,
    find_calibration,
    load_data,
    pinned_costs,
    pinned_threads,
    run_trial,
    run_trials,
)
from nas.training import _population as population

CONFIG = TrainingConfig(steps=40, batch_size=32, parametrisation="masked", losses=LossWeights(time=0.5))


def dearer() -> PinnedCosts:
    """The shipped calibration with edges that cost much more."""
    calibration = find_calibration()[0]
    threads = {}
    for count, fits in calibration.threads.items():
        training = {name: fit.model_copy(update={"edge": fit.edge + 1e-5}) for name, fit in fits.training.items()}
        threads[count] = fits.model_copy(update={"training": training})
    return PinnedCosts(calibration=calibration.model_copy(update={"threads": threads, "taken": "then"}), own=True)


def same(a: TrialResult, b: TrialResult) -> bool:
    return a.dag == b.dag and all(np.array_equal(a.arrays[name], b.arrays[name]) for name in a.arrays)


def test_only_within_the_block() -> None:
    pinned, now = dearer(), find_calibration()
    with pinned_costs(pinned):
        assert find_calibration() == (pinned.calibration, True)
        with pinned_costs(None):
            assert find_calibration() == (pinned.calibration, True)
    assert find_calibration() == now
    assert PinnedCosts.model_validate(pinned.model_dump(mode="json")) == pinned


@pytest.mark.parametrize("threads", [1, 2])
def test_decides_the_training_of_one_and_of_a_group(
    threads: int, monkeypatch: pytest.MonkeyPatch, population_threads: list[int]
) -> None:
    monkeypatch.setattr(population._pace, "choose", lambda work, most: threads)
    data = load_data(DataConfig(source="digits", samples=300))
    group = []
    for k in range(3):
        dag = random_dag(data.n_inputs, 12, data.n_outputs, density=0.3, rng=np.random.default_rng(k))
        group.append(Candidate(k, Genome(dag), seed=k, steps=40))
    with pinned_threads(1):
        alone = [run_trial(each, data, CONFIG, costs=dearer()) for each in group]
        otherwise = run_trial(group[0], data, CONFIG)
    with pinned_threads(2):
        together = run_trials(group, data, CONFIG, costs=dearer())
    assert population_threads == ([2] if threads == 2 else [])
    assert all(same(one, two) for one, two in zip(alone, together, strict=True))
    assert not same(alone[0], otherwise)
    assert alone[0].hardware["cost_model"] == "calibrated then"
