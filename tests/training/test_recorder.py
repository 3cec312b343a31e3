"""Frames of a training: what they hold, and that taking them changes nothing."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from nas.errors import TrialError
from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.recurrent import RecurrentStructure
from nas.training import (
    Candidate,
    DataConfig,
    Dataset,
    Genome,
    Recorder,
    TrainingConfig,
    load_data,
    record_training,
    run_trial,
    train,
)

CONFIGS: Mapping[str, Mapping[str, object]] = {
    "masked": {},
    "manifold": {"parametrisation": "manifold", "learning_rate": 2e-3},
    "free, cut": {"parametrisation": "free", "sparsify": {"edges": 300, "start": 0.1, "end": 0.7, "every": 7}},
    "noise on the inputs": {"input_noise": 0.2, "log_every": 20},
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataConfig(source="digits"))


def candidate(**overrides: object) -> Candidate:
    dag = random_dag(64, 30, 10, n_edges=1500, rng=np.random.default_rng(1))
    return Candidate(3, Genome(dag, overrides), seed=5, steps=150)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings", CONFIGS.values(), ids=CONFIGS)
def test_recording_changes_nothing(digits: Dataset, settings: dict[str, object]) -> None:
    config = TrainingConfig.model_validate({"steps": 150, **settings})
    dag = candidate().genome.dag

    def trained(recorder: Recorder | None) -> ManifoldNetwork:
        network = ManifoldNetwork(
            dag, parametrisation=config.parametrisation, period=8, generator=np.random.default_rng(2)
        )
        train(network, digits, config, 4, recorder=recorder)
        return network

    recorder = Recorder(dag, digits, config, 31)
    without, recorded = trained(None), trained(recorder)
    assert recorded.dag == without.dag
    for name, array in without.to_arrays().items():
        np.testing.assert_array_equal(recorded.to_arrays()[name], array, err_msg=name)
    seen = recorder.recording()
    assert seen.steps[0] == 0 and seen.steps[-1] == 150 and (np.diff(seen.steps) > 0).all()
    assert len(seen.steps) > 5
    kept = dag.with_edges(seen.live[-1], allow_unreachable=True)
    assert kept == recorded.dag.with_edges(recorded.live_mask(), allow_unreachable=True)
    with torch.no_grad():
        weight = recorded.edge_weights().numpy()[recorded.live_mask()]
    np.testing.assert_allclose(seen.weight[-1][seen.live[-1]], weight, rtol=2e-3, atol=1e-6)


def test_the_last_frame_is_the_trial(digits: Dataset) -> None:
    one, config = candidate(learning_rate=1e-2), TrainingConfig()
    torch.set_num_threads(1)
    result = run_trial(one, digits, config)
    seen = record_training(one, digits, config, 12)
    assert seen.curves["test_accuracy"][-1] == result.metrics["test_accuracy"]
    assert seen.curves["val_accuracy"][-1] == result.metrics["val_accuracy"]
    assert seen.curves["test_accuracy"][0] < 0.4 < seen.curves["test_accuracy"][-1]
    assert seen.curves["live_edges"][0] == 1500
    assert seen.closeness is not None and seen.closeness.shape == seen.weight.shape == (len(seen.steps), 1500)
    assert {len(curve) for curve in seen.curves.values()} == {len(seen.steps)}
    assert len(seen.steps) <= 12


def test_what_cannot_be_watched(digits: Dataset) -> None:
    one = candidate()
    with pytest.raises(ValueError, match="at least 2 frames, but got 1"):
        Recorder(one.genome.dag, digits, TrainingConfig(), 1)
    untrained = Candidate(3, one.genome, seed=5, steps=0)
    with pytest.raises(TrialError, match="steps is 0"):
        record_training(untrained, digits, TrainingConfig())
    structure = RecurrentStructure(random_dag(6, 4, 3, n_edges=20, rng=np.random.default_rng(1)), memory=1)
    layers = Candidate(3, Genome(structure.dag, structure=structure), seed=5, steps=10)
    with pytest.raises(TrialError, match="trial 3 is of the kind recurrent"):
        record_training(layers, digits, TrainingConfig())
