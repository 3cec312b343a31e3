"""Training in integers: what a step sees is what the C code computes, and the steps help."""

from typing import Any

import numpy as np
import pytest
import torch

from nas.cexport import IntegerNetwork, Program, c_source
from nas.cexport._finish import _bytes, _flat, _read, finished
from nas.cexport._finish_kernels import finish_steps
from nas.cexport._quantise import quantised
from nas.engine import ACTIVATIONS
from nas.errors import DataError, ExportError
from tests.cexport.networks import network, record_of


def case(task: str, **kwargs: Any) -> tuple[Program, np.ndarray, np.ndarray]:
    """A network, samples, and targets that one with somewhat other weights gives: it has something to learn."""
    module, other = (network(seed, computational=14, density=0.4, **kwargs) for seed in (1, 1))
    with torch.no_grad():
        other.weight.mul_(1 + 0.1 * torch.randn(other.weight.shape, generator=torch.Generator().manual_seed(3)))
    record = record_of(module, task)
    statistics = record["statistics"]
    raw = np.array(statistics["mean"]) + np.array(statistics["scale"]) * np.random.default_rng(2).normal(size=(900, 6))
    program = Program.of(other, record)
    values = c_source(module, precision="int8", samples=raw, record=record).integers
    assert values is not None
    answers = values.values(raw)
    return program, raw, answers.argmax(axis=1) if task == "classification" else answers


def loss(program: Program, integers: IntegerNetwork, raw: np.ndarray, targets: np.ndarray) -> float:
    """Mean cross-entropy, or mean squared error in deviations of the targets."""
    values = integers.values(raw)
    if program.scaling.task == "classification":
        chosen = values[np.arange(len(values)), targets]
        return float((np.log(np.exp(values).sum(axis=1)) - chosen).mean())
    return float(np.square((values - targets) / program.scaling.target_scale).mean())


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("bits", [8, 4])
def test_a_step_sees_what_the_integers_give(task: str, bits: int) -> None:
    program, raw, targets = case(task, activations=tuple(ACTIVATIONS))
    integers = quantised(program, raw, bits)
    columns = _read(integers)
    nodes, state = _flat(program, integers, columns)
    x, rows = _bytes(integers, raw, columns), np.arange(len(raw)).reshape(3, -1)
    scale = program.scaling.target_scale
    labels = targets if task == "classification" else np.zeros(0, np.int64)
    wanted = np.zeros((0, 3), np.float32) if task == "classification" else (targets / scale).astype(np.float32)
    seen = finish_steps(nodes, state, x, labels, wanted, rows, np.zeros(3), 2.0 ** (8 - bits), 127.0, 64.0, 0)
    assert seen == pytest.approx(loss(program, integers, raw, targets), rel=1e-3)


@pytest.mark.parametrize(
    ("task", "activation", "bits"), [("classification", "relu", 4), ("regression", "tanh", 8), ("regression", "sin", 8)]
)
def test_steps_in_integers_bring_them_nearer_to_the_targets(task: str, activation: str, bits: int) -> None:
    program, raw, targets = case(task, activations=(activation,))
    rounded = quantised(program, raw, bits)
    trained = finished(program, rounded, raw, targets, 400)
    assert loss(program, trained, raw, targets) < 0.7 * loss(program, rounded, raw, targets)
    grain = 2 ** (8 - bits)
    assert all(
        (part % grain == 0).all() for each in trained.neurons for part in (each.input_weights, each.neuron_weights)
    )
    again = finished(program, rounded, raw, targets, 400)
    assert all((a.input_weights == b.input_weights).all() for a, b in zip(again.neurons, trained.neurons, strict=True))


def test_steps_that_do_not_help_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    program, raw, targets = case("regression")
    rounded = quantised(program, raw, 8)
    monkeypatch.setattr("nas.cexport._finish._RATES", {8: 1e4, 4: 1e4})
    kept = finished(program, rounded, raw, targets, 20)
    np.testing.assert_array_equal(kept.values(raw), rounded.values(raw))


def test_what_cannot_be_finished_is_refused() -> None:
    program, raw, targets = case("classification")
    rounded = quantised(program, raw, 8)
    with pytest.raises(DataError, match=r"of shape \(900,\) to finish with, but are of shape \(899,\)"):
        finished(program, rounded, raw, targets[1:], 10)
    with pytest.raises(DataError, match="classes must be numbers from 0 to 2"):
        finished(program, rounded, raw, targets + 1, 10)
    module = network(1)
    with pytest.raises(ExportError, match="finish trains integers, but precision is float"):
        c_source(module, finish=10)
    with pytest.raises(ExportError, match="finish needs targets"):
        c_source(module, precision="int8", samples=raw, finish=10)
