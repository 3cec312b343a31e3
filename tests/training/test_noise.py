"""Noise on inputs: of the strength asked for, the same from a seed, only while training, and the reference's step."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from nas.engine.cuda import SimulatedGPU
from nas.graph import random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, TrainingConfig, pinned_threads, train
from nas.training.fused.state import NOISE_BITS, NOISE_GROUP
from nas.training.fused.trainer import FusedTrainer
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer
from nas.training.loss_terms import structure_costs
from nas.training.noise import NOISE_BLOCK, TABLE_SIZE, InputNoise, input_noise, moved_pixels
from nas.training.reference import reference_step


def data() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 20)).astype(np.float32)
    y = np.tanh(x @ rng.normal(size=(20, 4))).argmax(axis=1)
    return Dataset("synthetic", "classification", x, y, x, y, x, y, classes=tuple("abcd"))


def network() -> ManifoldNetwork:
    rng = np.random.default_rng(1)
    return ManifoldNetwork(random_dag(20, 30, 4, density=0.5, rng=rng), parametrisation="free", generator=rng)


def disturbed(x: np.ndarray, config: TrainingConfig, seed: int, step: int) -> np.ndarray:
    """What the kernels make of the batch of a step, counted from 0: slow and obvious."""
    noise = InputNoise(config, seed)
    factor, offset, _ = noise.tables(step // NOISE_BLOCK)
    (deviation,) = noise.deviations(step, 1)
    out = x.copy()
    for group in range(-(-len(x) // NOISE_GROUP)):
        rows = slice(group * NOISE_GROUP, min((group + 1) * NOISE_GROUP, len(x)))
        for j in range(x.shape[1]):
            random = ((step * 4096 + group) * 0x9E3779B97F4A7C15 + j) % 2**64
            random = (random ^ (random >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            random = (random ^ (random >> 27)) * 0x94D049BB133111EB % 2**64
            at = random >> (64 - NOISE_BITS)
            lanes = slice(at, at + rows.stop - rows.start)
            out[rows, j] = x[rows, j] * factor[lanes] + offset[lanes] * deviation
    return out


@pytest.mark.parametrize(
    "noise", [{"input_noise": 0.5}, {"input_dropout": 0.3}, {"input_noise": 0.2, "input_dropout": 0.1}]
)
@pytest.mark.parametrize("kind", ["processor", "gpu"])
@pytest.mark.parametrize("done", [0, 2 * NOISE_BLOCK + 3])
def test_one_step_is_the_references_on_disturbed_inputs(noise: dict[str, float], kind: str, done: int) -> None:
    config = TrainingConfig.model_validate({"batch_size": 70, "optimizer": "sgd", "learning_rate": 0.1} | noise)
    samples, slow, fast, start = data(), network(), network(), network()
    numbers = np.random.default_rng(2).integers(0, 300, (1, 70))
    costs = structure_costs(config, fast.dag)
    trainer = (
        FusedTrainer(fast, samples, config, costs, threads=1, seed=7)
        if kind == "processor"
        else GPUTrainer(fast, GPUData(SimulatedGPU(multiprocessors=2), samples), config, costs, seed=7)
    )
    trainer.steps_done = done
    x = disturbed(samples.x_train[numbers[0]], config, 7, done)
    assert np.abs(x - samples.x_train[numbers[0]]).max() > 0.3
    values = reference_step(slow, "classification", config)(
        torch.from_numpy(x), torch.from_numpy(samples.y_train[numbers[0]]), 0.1
    )
    report = trainer.run(numbers, np.array([0.1]))
    trainer.write_back()
    assert report.objective == pytest.approx(float(values.objective), rel=1e-5)
    for before, expected, got in zip(start.parameters(), slow.parameters(), fast.parameters(), strict=True):
        change = (expected - before).detach()
        torch.testing.assert_close((got - before).detach(), change, rtol=1e-3, atol=1e-3 * float(change.abs().max()))


def test_tables_have_the_strength_asked_for() -> None:
    noise = InputNoise(TrainingConfig(input_noise=0.5, input_dropout=0.25), 1)
    factor, offset, _ = noise.tables(3)
    assert len(factor) == len(offset) == TABLE_SIZE
    assert (factor == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert factor.mean() == pytest.approx(1.0, abs=0.01)
    assert offset.std() == pytest.approx(1.0, abs=0.01)
    assert offset.mean() == pytest.approx(0.0, abs=0.01)
    assert (noise.deviations(0, 3) == 0.5).all()
    assert not np.array_equal(offset, noise.tables(4)[1])


def test_a_seed_repeats_the_noise_and_other_steps_have_other_noise() -> None:
    config = TrainingConfig(steps=40, batch_size=32, log_every=10, parametrisation="free", input_noise=0.5)
    nets = [network() for _ in range(3)]
    with pinned_threads(1):
        for net, seed in zip(nets, (0, 0, 1), strict=True):
            train(net, data(), config, seed)
    first, again, other = (net.to_arrays()["weight"] for net in nets)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    samples = data()
    same = dataclasses.replace(samples, x_train=np.zeros_like(samples.x_train))
    trainer = FusedTrainer(network(), same, config, structure_costs(config, network().dag), threads=1)
    losses = {trainer.run(np.zeros((1, 32), np.int64), np.zeros(1)).objective for _ in range(5)}
    assert len(losses) == 5


def test_noise_falls_linearly_to_its_final_deviation() -> None:
    config = TrainingConfig(steps=100, input_noise=0.8, final_input_noise=0.2)
    deviations = InputNoise(config, 1).deviations(0, 201)
    assert deviations[[0, 50, 100, 200]] == pytest.approx([0.8, 0.5, 0.2, 0.2])
    assert (np.diff(deviations[:101]) < 0).all()
    steady = config.model_copy(update={"final_input_noise": None})
    assert (InputNoise(steady, 1).deviations(0, 100) == np.float32(0.8)).all()


@pytest.mark.parametrize("step", [0, 1, NOISE_BLOCK])
def test_modules_meet_the_noise_of_the_kernels(step: int) -> None:
    config = TrainingConfig(steps=300, input_noise=0.5, final_input_noise=0.1, input_dropout=0.2)
    x = np.random.default_rng(0).normal(size=(2 * NOISE_GROUP + 5, 7)).astype(np.float32)
    np.testing.assert_array_equal(InputNoise(config, 7).disturb(x, step), disturbed(x, config, 7, step))


def test_falling_noise_ends_elsewhere_than_steady_noise() -> None:
    ends = []
    for final in (None, 0.0):
        net = network()
        train(net, data(), TrainingConfig(steps=40, input_noise=0.5, final_input_noise=final, log_every=10), 0)
        assert net.weight is not None
        ends.append(net.weight.detach().numpy().copy())
    assert np.abs(ends[0] - ends[1]).max() > 1e-3


# --- images that are moved --------------------------------------------------------------------------------------------


def images(width: int = 12, channels: int = 2) -> Dataset:
    """36 numbers an image: rows of ``width`` with so many numbers a pixel."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 36)).astype(np.float32)
    y = rng.integers(0, 4, 300)
    return Dataset("images", "classification", x, y, x, y, x, y, classes=tuple("abcd"), period=width, channels=channels)


def moved_slowly(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """(rows, columns, channels), pixel by pixel."""
    rows, columns = image.shape[:2]
    out = np.empty_like(image)
    for r in range(rows):
        for c in range(columns):
            out[r, c] = image[min(max(r - down, 0), rows - 1), min(max(c - right, 0), columns - 1)]
    return out


@pytest.mark.parametrize(("down", "right"), [(0, 0), (1, 0), (-1, 2), (0, -1), (5, 0), (-9, -9), (2, 7), (10**6, 1)])
def test_moved_images_repeat_their_edges(down: int, right: int) -> None:
    image = np.arange(36.0).reshape(3, 6, 2)
    places = moved_pixels(np.array([[down, right]]), 36, 12, 2)
    np.testing.assert_array_equal(image.reshape(1, 36)[0][places[0]].reshape(3, 6, 2), moved_slowly(image, down, right))


@pytest.mark.parametrize("shift", [0.5, 2.0, 30.0])
@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["processor", "gpu"])
@pytest.mark.parametrize(("width", "channels"), [(12, 2), (6, 1), (36, 3), (1, 1)])
def test_one_step_is_the_references_on_moved_images(
    shift: float, noise: float, kind: str, width: int, channels: int
) -> None:
    config = TrainingConfig(batch_size=70, optimizer="sgd", learning_rate=0.1, input_shift=shift, input_noise=noise)
    samples = images(width, channels)
    rng = np.random.default_rng(1)
    dag = random_dag(36, 30, 4, density=0.5, rng=rng)
    slow, fast, start = (
        ManifoldNetwork(dag, parametrisation="free", generator=np.random.default_rng(1)) for _ in range(3)
    )
    numbers = np.random.default_rng(2).integers(0, 300, (1, 70))
    costs = structure_costs(config, fast.dag)
    trainer = (
        FusedTrainer(fast, samples, config, costs, threads=1, seed=7)
        if kind == "processor"
        else GPUTrainer(fast, GPUData(SimulatedGPU(multiprocessors=2), samples), config, costs, seed=7)
    )
    trainer.steps_done = 2 * NOISE_BLOCK + 3
    x = InputNoise(config, 7, (width, channels)).disturb(samples.x_train[numbers[0]], trainer.steps_done)
    assert np.abs(x - samples.x_train[numbers[0]]).max() > 0.3
    values = reference_step(slow, "classification", config)(
        torch.from_numpy(x), torch.from_numpy(samples.y_train[numbers[0]]), 0.1
    )
    report = trainer.run(numbers, np.array([0.1]))
    trainer.write_back()
    assert report.objective == pytest.approx(float(values.objective), rel=1e-5)
    for before, expected, got in zip(start.parameters(), slow.parameters(), fast.parameters(), strict=True):
        change = (expected - before).detach()
        torch.testing.assert_close((got - before).detach(), change, rtol=1e-3, atol=1e-3 * float(change.abs().max()))


def test_shifts_have_the_strength_asked_for() -> None:
    factor, offset, shifts = InputNoise(TrainingConfig(input_shift=1.5), 1, (6, 1)).tables(0)
    assert shifts.shape == (TABLE_SIZE, 2)
    assert len(factor) == len(offset) == 0
    assert shifts.std(axis=0) == pytest.approx([1.5, 1.5], rel=0.05)  # rounding adds a twelfth to the variance
    assert np.corrcoef(shifts.T)[0, 1] == pytest.approx(0.0, abs=0.02)
    assert (InputNoise(TrainingConfig(input_shift=0.1), 1, (6, 1)).tables(0)[2] == 0).mean() > 0.99


def test_only_images_are_moved() -> None:
    config = TrainingConfig(input_shift=1.0)
    assert input_noise(config, 0, data()) is None
    assert input_noise(config, 0, dataclasses.replace(images(), channels=None)) is None  # sequences have a period, too
    found = input_noise(config, 0, images())
    assert found is not None and found.moves and not found.disturbs


def test_each_step_moves_images_elsewhere_and_a_seed_repeats_it() -> None:
    noise, again = (InputNoise(TrainingConfig(input_shift=1.0), 5, (6, 1)) for _ in range(2))
    x = images().x_train[:64]
    first, second = noise.disturb(x, 0), noise.disturb(x, 1)
    assert not np.array_equal(first, second)
    assert len({tuple(row) for row in (first - x != 0).tolist()}) > 5  # samples of a batch go to different places
    np.testing.assert_array_equal(first, again.disturb(x, 0))
