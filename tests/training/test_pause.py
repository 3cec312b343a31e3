"""A training that paused at rungs and went on is, bit for bit, the one that never paused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nas.checkpoint import load_arrays, save_arrays
from nas.search import SpaceConfig, load_space
from nas.training import (
    Candidate,
    DataConfig,
    Dataset,
    Scalar,
    TrainingConfig,
    TrainingState,
    TrialStatus,
    load_data,
    pinned_threads,
    run_trial,
)

CONFIG = TrainingConfig(steps=60, rungs=(0.1, 0.33, 0.5), log_every=7)
WAYS: dict[str, tuple[str, dict[str, Scalar]]] = {
    "closeness": ("manifold", {}),
    "free": ("neuron_dag", {}),
    "noise": ("manifold", {"input_noise": 0.3, "input_dropout": 0.1}),
    "cuts": ("manifold", {"sparsify.share": 0.4, "sparsify.every": 5, "losses.sparsity": 0.5}),
    "regrowth": ("neuron_dag", {"sparsify.share": 0.4, "sparsify.every": 5, "sparsify.regrow": 0.3}),
    "drawn": ("neuron_dag", {"sparsify.edges": 60, "sparsify.initial_edges": 60, "sparsify.regrow": 0.3}),
    "momentum": ("neuron_dag", {"optimizer": "sgd"}),
    "layers": ("layer_dag", {}),
    "layers, momentum": ("layer_dag", {"optimizer": "sgd"}),
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataConfig(source="digits"))


def candidate(way: str, digits: Dataset) -> Candidate:
    name, overrides = WAYS[way]
    options = {} if name == "layer_dag" else {"n_computational": [20, 30]}
    genome = load_space(SpaceConfig(name=name, options=options), digits).initial(np.random.default_rng(1))
    genome = dataclasses.replace(genome, hyperparameters={**genome.hyperparameters, **overrides})
    return Candidate(0, genome, seed=3, steps=CONFIG.steps)


@pytest.mark.parametrize("way", WAYS)
def test_pauses_change_nothing(way: str, digits: Dataset, tmp_path) -> None:  # type: ignore[no-untyped-def]
    asked = candidate(way, digits)
    with pinned_threads(1):
        whole = run_trial(asked, digits, CONFIG)
        state = None
        for rung in (*CONFIG.rung_steps(), None):
            result = run_trial(dataclasses.replace(asked, pause_at=rung, resume=state), digits, CONFIG)
            state = result.state
            if rung is not None:
                assert result.status is TrialStatus.PAUSED, result.reason
                assert state is not None and (state.step, result.steps) == (rung, rung)
                assert 0 <= result.metrics["val_error"] <= 1 and result.metrics["edges"] > 0
                assert "inference_seconds" not in result.metrics
                save_arrays(tmp_path / "state", asked.genome.dag, state.arrays)  # as it would travel
                state = TrainingState(rung, load_arrays(tmp_path / "state")[1])
    assert whole.status is result.status is TrialStatus.COMPLETE, whole.reason
    assert result.dag == whole.dag
    assert result.arrays.keys() == whole.arrays.keys()
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(result.arrays[name], array, err_msg=name)
    for name, curve in whole.history.items():
        np.testing.assert_array_equal(result.history[name], curve, err_msg=name)
    assert result.metrics["test_error"] == whole.metrics["test_error"]


def test_rungs_are_shares_of_a_trials_own_steps() -> None:
    assert CONFIG.rung_steps() == (6, 20, 30)
    assert CONFIG.with_overrides({"steps": 30}).rung_steps() == (3, 10, 15)
    assert CONFIG.with_overrides({"steps": 2}).rung_steps() == (1,)
    assert TrainingConfig(steps=0, rungs=(0.5,)).rung_steps() == ()
    for wrong in ((0.5, 0.1), (0.0,), (1.0,), (0.2, 0.2)):
        with pytest.raises(ValueError, match="0 < rungs < 1 must hold"):
            TrainingConfig(rungs=wrong)
