"""Groups of trials in one call: the results of single ones, bit for bit, and those of a (simulated) GPU."""

import numpy as np
import pytest
import torch

from nas.engine.cuda import NoGPUError, why_no_gpu
from nas.graph import random_dag
from nas.training import Candidate, Dataset, Genome, TrainingConfig, TrialStatus, run_trial, run_trials
from nas.training import _population as population
from nas.training.cost.timing import pinned_threads
from nas.training.devices import SIMULATED, gpu_named


def dataset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    return Dataset("xor", "classification", x, y, x[:60], y[:60], x[60:120], y[60:120], classes=("no", "yes"))


CONFIG = TrainingConfig(batch_size=40, inference_batch=60, log_every=10)


def candidates(count, **hyperparameters):
    return [
        Candidate(
            k, Genome(random_dag(8, 5 + 3 * k, 2, density=0.5, rng=np.random.default_rng(k)), hyperparameters), k, 20
        )
        for k in range(count)
    ]


@pytest.mark.parametrize("parametrisation", ["free", "masked"])
def test_a_group_ends_as_its_members_alone_on_one_thread(parametrisation, monkeypatch, population_threads):
    monkeypatch.setattr(population._pace, "choose", lambda work, most: most)  # else it tries which is faster
    data, group = dataset(), candidates(5, parametrisation=parametrisation)
    with pinned_threads(2):
        assert torch.get_num_threads() == 2
        together = run_trials(group, data, CONFIG)
    assert population_threads == [2]
    with pinned_threads(1):
        alone = [run_trial(each, data, CONFIG) for each in group]
    for one, two in zip(together, alone, strict=True):
        assert one.status is two.status is TrialStatus.COMPLETE
        assert one.dag == two.dag
        assert one.arrays.keys() == two.arrays.keys()
        assert all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)
        assert all(np.array_equal(one.history[name], two.history[name]) for name in one.history)
        assert one.metrics["test_accuracy"] == two.metrics["test_accuracy"]
        assert one.metrics["inference_seconds"] > 0
        assert one.seconds > 0 and one.worker


def test_one_that_fails_does_not_touch_the_others():
    group = candidates(3)
    bad = Genome(group[1].genome.dag, {"learning_rate": -1.0})
    diverging = Genome(group[1].genome.dag, {"learning_rate": 1e30, "optimizer": "sgd"})
    group = [group[0], Candidate(1, bad, 1, 20), Candidate(2, diverging, 2, 20), Candidate(3, group[2].genome, 3, 20)]
    results = run_trials(group, dataset(), CONFIG)
    assert [result.number for result in results] == [0, 1, 2, 3]
    assert [result.status.value for result in results] == ["complete", "failed", "failed", "complete"]
    assert "learning_rate" in results[1].reason and "diverged" in results[2].reason


def test_trials_on_a_gpu_report_what_those_on_a_processor_do():
    group, data = candidates(3), dataset()
    there = [
        *run_trials(group[:2], data, CONFIG, device=SIMULATED),
        run_trial(group[2], data, CONFIG, device=SIMULATED),
    ]
    here = run_trials(group, data, CONFIG)
    for one, two in zip(there, here, strict=True):
        assert one.status is TrialStatus.COMPLETE, one.reason
        assert {name for name in two.metrics if not name.startswith("predicted")} == set(one.metrics)
        assert one.hardware["device"] == "simulated GPU"
        assert np.array_equal(one.history["step"], two.history["step"])
        assert one.metrics["val_loss"] == pytest.approx(two.metrics["val_loss"], rel=0.5)


def test_a_pause_on_a_gpu_changes_nothing():
    data = dataset()
    config = CONFIG.model_copy(update={"rungs": (0.5,)})
    rungs = config.model_copy(update={"steps": 20}).rung_steps()
    whole = candidates(1)[0]
    paused = run_trial(Candidate(0, whole.genome, 0, 20, pause_at=rungs[0]), data, config, device=SIMULATED)
    assert paused.status is TrialStatus.PAUSED
    gone_on = run_trial(Candidate(0, whole.genome, 0, 20, resume=paused.state), data, config, device=SIMULATED)
    at_once = run_trial(whole, data, config, device=SIMULATED)
    assert all(np.array_equal(gone_on.arrays[name], at_once.arrays[name]) for name in at_once.arrays)


def test_devices_by_name():
    assert gpu_named("cpu") is None
    with pytest.raises(ValueError, match='"cpu", "cuda" or "cuda:1"'):
        gpu_named("gpu")
    if why_no_gpu() is not None:
        with pytest.raises(NoGPUError, match="CUDA|driver"):
            gpu_named("cuda")
        with pytest.raises(NoGPUError, match="CUDA|driver"):
            run_trials(candidates(1), dataset(), CONFIG, device="cuda")
