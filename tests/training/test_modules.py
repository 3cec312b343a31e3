"""Trials of structures: the same metrics, repeatable, refusing what does not fit; any class may be a structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from nas.engine import DAGModule
from nas.errors import NasError
from nas.graph import DAG, complete
from nas.layers import Conv, Dropout, GlobalPool, LayerDAG, LayerSpec, LayerStructure, Linear, Node
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    TrainingConfig,
    TrialResult,
    TrialStatus,
    module_of,
    pinned_threads,
    register_structure,
    run_trial,
    structure_of,
    train_module,
)
from nas.training._modules import _decayed

CONFIG = TrainingConfig(steps=120, batch_size=32, learning_rate=2e-2, log_every=50, inference_batch=16)


METRICS = {  # of a trial of neurons, see tests/training/test_trial.py
    *(f"{part}_{name}" for part in ("val", "test") for name in ("loss", "error", "accuracy")),
    "val_score",
    *("edges", "density", "depth", "neurons", "flow", "smooth_edges"),
    *("val_score", "train_step_seconds", "inference_seconds", "inference_spread", "reference_seconds"),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Which of two rows of a 4 x 4 image is brighter."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 16)).astype(np.float32)
    y = (x[:, :4].sum(axis=1) > x[:, 4:8].sum(axis=1)).astype(np.int64)
    return Dataset(
        "rows", "classification", x[:240], y[:240], x[240:320], y[240:320], x[320:], y[320:], classes=("a", "b")
    )


def structure(classes: int = 2) -> LayerStructure:
    return LayerStructure(
        LayerSpec.of(
            (1, 4, 4),
            [
                Node(name="c", op=Conv(channels=4, bias=False), norm="batch", activation="relu"),
                Node(name="d", inputs=("c",), op=Dropout(p=0.1)),
                Node(name="out", inputs=("d", "input"), merge="concatenate", op=Linear(features=classes)),
            ],
        )
    )


def candidate(built: Any, steps: int = 120, inherited: Mapping[str, np.ndarray] | None = None) -> Candidate:
    return Candidate(3, Genome(built.dag, {}, built), seed=5, steps=steps, inherited=inherited)


@pytest.fixture(scope="module")
def result(dataset: Dataset) -> TrialResult:
    return run_trial(candidate(structure()), dataset, CONFIG)


def test_a_trial_reports_what_every_trial_reports(result: TrialResult, dataset: Dataset) -> None:
    assert result.status is TrialStatus.COMPLETE, result.reason
    assert result.metrics.keys() == METRICS
    assert result.metrics["val_accuracy"] > 0.8
    assert result.metrics["edges"] == 4 * 9 + (4 + 1) * 16 * 2
    assert result.metrics["neurons"] == 2 * 4 * 16
    assert result.metrics["depth"] == 2
    assert 0 < result.metrics["inference_seconds"] < 1 and 0 < result.metrics["train_step_seconds"] < 1
    assert result.history["step"].tolist() == [50, 100, 120]
    assert result.history["learning_rate"][-1] < result.history["learning_rate"][0]


def test_a_trial_run_again_gives_the_same_network(result: TrialResult, dataset: Dataset) -> None:
    torch.rand(3)  # whatever others drew from the global generator
    state = torch.get_rng_state()
    again = run_trial(candidate(structure()), dataset, CONFIG)
    assert again.arrays.keys() == result.arrays.keys()
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_module_comes_back_from_its_arrays(result: TrialResult, dataset: Dataset) -> None:
    assert result.structure is not None
    module = module_of(structure_of(result.structure.kind, result.structure.to_json()), result.arrays)
    with torch.no_grad():
        right = module(torch.from_numpy(dataset.x_val)).argmax(1).numpy() == dataset.y_val
    assert right.mean() == pytest.approx(result.metrics["val_accuracy"])
    with pytest.raises(ValueError, match="arrays do not fit the structure"):
        module_of(structure(3), result.arrays)


def test_inherited_weights_are_where_training_starts(result: TrialResult, dataset: Dataset) -> None:
    child = run_trial(candidate(structure(), steps=0, inherited=result.arrays), dataset, CONFIG)
    assert child.metrics["val_error"] == result.metrics["val_error"]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_optimisers_lower_the_loss_and_decay_only_weights(optimizer: str, dataset: Dataset) -> None:
    config = CONFIG.with_overrides({"optimizer": optimizer, "learning_rate": 0.02, "log_every": 1, "steps": 60})
    module = structure().build(0)
    curves = train_module(module, dataset, config, 0).curves
    assert np.mean(curves["objective"][-10:]) < 0.8 * np.mean(curves["objective"][:10])
    assert not module.training


def test_weight_decay_pulls_weights_alone(dataset: Dataset) -> None:
    config = CONFIG.with_overrides({"optimizer": "adamw", "losses.objective": 0.0, "weight_decay": 1.0, "steps": 5})
    module = structure().build(0)
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    train_module(module, dataset, config, 0)
    for name, p in module.named_parameters():
        assert torch.equal(p, before[name]) == (p.ndim == 1), name


def test_regression(dataset: Dataset) -> None:
    y = (dataset.x_train[:, :2] * 0.5).astype(np.float32)
    values = Dataset(
        "sum", "regression", dataset.x_train, y, dataset.x_val, y[:80], dataset.x_test, y[:80],
    )  # fmt: skip
    built = LayerStructure(LayerSpec.of((16,), [Node(name="out", op=Linear(features=2))]))
    found = run_trial(candidate(built), values, CONFIG)
    assert found.status is TrialStatus.COMPLETE and found.history["train_mse"][-1] < 0.01


@pytest.mark.parametrize(
    ("built", "overrides", "message"),
    [
        (structure(3), {}, "data set rows needs 2 outputs, but the network gives shape"),
        (structure(), {"learning_rate": 1e38, "optimizer": "sgd"}, "diverged: the loss must stay finite"),
        (LayerStructure(LayerSpec.of((9,), [Node(name="o", op=Linear(features=2))])), {}, "input must have shape"),
        (LayerStructure(LayerSpec.of((4, 4), [Node(name="o", op=GlobalPool())])), {}, "at least one parameter"),
        (
            LayerStructure(LayerSpec.of((16,), [Node(name="o", op=Conv(channels=2))])),
            {},
            "node 'o': conv reads",
        ),
    ],
)
def test_what_cannot_be_trained_fails_with_a_reason(
    built: LayerStructure, overrides: dict[str, Any], message: str, dataset: Dataset
) -> None:
    failed = run_trial(candidate(built), dataset, CONFIG.with_overrides(overrides))
    assert failed.status is TrialStatus.FAILED
    assert message in failed.reason


@dataclass(frozen=True)
class Bottleneck:
    """A structure of a user's own."""

    width: int
    kind: ClassVar[str] = "test-bottleneck"

    @property
    def dag(self) -> DAG:
        return DAG(1, 1, 1, [(0, 1), (1, 2)], names=("input", "bottleneck", "output"))

    def to_json(self) -> str:
        return str(self.width)

    def build(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return nn.Sequential(nn.Linear(16, self.width), nn.Tanh(), nn.Linear(self.width, 2))

    def inherit(self, parent: Any, arrays: Mapping[str, np.ndarray], seed: int) -> None:
        return None

    def measures(self) -> dict[str, float]:
        return {"edges": 18.0 * self.width, "density": 1.0, "depth": 2.0, "neurons": float(self.width)}


def test_a_structure_of_ones_own(dataset: Dataset) -> None:
    found = run_trial(candidate(Bottleneck(3)), dataset, CONFIG)
    assert found.status is TrialStatus.COMPLETE and found.metrics["edges"] == 54
    with pytest.raises(NasError, match=r"known \(layers.*\), but this is 'test-bottleneck'; import the module"):
        structure_of("test-bottleneck", "3")
    register_structure("test-bottleneck", lambda text: Bottleneck(int(text)))
    assert structure_of("test-bottleneck", "3") == Bottleneck(3)


def test_a_layer_dag_is_what_a_layer_structure_builds() -> None:
    assert isinstance(structure().build(0), LayerDAG)
    assert structure().inherit(Bottleneck(3), {}, 0) is None


def test_weight_decay_acts_on_weights_of_any_shape_and_on_no_bias_or_norm() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LayerNorm(4), DAGModule(complete(4, 2, 2)))
    decayed, plain = _decayed(network)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    assert {names[id(each)] for each in decayed} == {"0.weight", "3.weight"}
    assert len(decayed) + len(plain) == len(names)
