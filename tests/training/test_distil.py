"""Learning from a teacher: the fused objective and its gradient are those of the torch reference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nas.graph import complete, random_dag
from nas.manifold import ManifoldNetwork
from nas.training import Dataset, DistilConfig, TeacherConfig, TrainingConfig, evaluate, pinned_threads, train
from nas.training._fused import FusedTrainer, structure_costs
from nas.training._reference import reference_step
from nas.training._teacher import teacher_logits, train_teacher

TEACHER = TeacherConfig(layers=(32,), epochs=5, batch_size=32, dropout=0.2, input_dropout=0.1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with pinned_threads(1):
        yield


def data(samples: int = 300) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(samples, 20)).astype(np.float32)
    y = np.tanh(x @ rng.normal(size=(20, 4))).argmax(axis=1)
    return Dataset("synthetic", "classification", x, y, x, y, x, y, classes=tuple("abcd"))


def network() -> ManifoldNetwork:
    rng = np.random.default_rng(1)
    return ManifoldNetwork(random_dag(20, 30, 4, density=0.5, rng=rng), parametrisation="free", generator=rng)


@pytest.mark.parametrize(("share", "temperature"), [(0.5, 2.0), (1.0, 4.0), (0.3, 1.0), (0.0, 3.0)])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("batch", [64, 70])
def test_one_step_gives_the_references_gradient(share: float, temperature: float, threads: int, batch: int) -> None:
    distil = DistilConfig(share=share, temperature=temperature, teacher=TEACHER)
    config = TrainingConfig(batch_size=batch, optimizer="sgd", learning_rate=0.1, distil=distil)
    samples, slow, fast, start = data(), network(), network(), network()
    logits = torch.from_numpy(teacher_logits(samples, TEACHER))
    numbers = np.random.default_rng(2).integers(0, 300, (1, batch))
    x, y = torch.from_numpy(samples.x_train[numbers[0]]), torch.from_numpy(samples.y_train[numbers[0]])
    values = reference_step(slow, "classification", config)(x, y, 0.1, logits[numbers[0]])
    trainer = FusedTrainer(fast, samples, config, structure_costs(config, fast.dag), threads=threads)
    report = trainer.run(numbers, np.array([0.1]))
    trainer.write_back()
    assert report.objective == pytest.approx(float(values.objective), rel=1e-5)
    assert report.correct == pytest.approx(float((values.outputs.argmax(dim=1) == y).float().mean()))
    for before, expected, got in zip(start.parameters(), slow.parameters(), fast.parameters(), strict=True):
        change = (expected - before).detach()
        torch.testing.assert_close((got - before).detach(), change, rtol=1e-3, atol=1e-3 * float(change.abs().max()))


def test_the_teacher_learns_and_repeats_itself() -> None:
    samples = data()
    config = TeacherConfig(layers=(64,), epochs=100, batch_size=32, dropout=0.1, input_dropout=0.0)
    assert evaluate(train_teacher(samples, config), samples.x_train, samples.y_train, "classification")["error"] < 0.05
    assert torch.equal(train_teacher(samples, TEACHER)[0].weight, train_teacher(samples, TEACHER)[0].weight)
    other = train_teacher(samples, TEACHER.model_copy(update={"seed": 1}))
    assert not torch.equal(train_teacher(samples, TEACHER)[0].weight, other[0].weight)


def test_logits_are_kept_for_the_next_candidate_of_the_same_data() -> None:
    samples = data()
    first = teacher_logits(samples, TEACHER)
    assert first.shape == (300, 4)
    assert teacher_logits(samples, TEACHER) is first
    assert teacher_logits(data(200), TEACHER) is not first


def test_a_network_comes_to_agree_with_its_teacher() -> None:
    samples = data()
    logits = torch.from_numpy(teacher_logits(samples, TEACHER))
    soft = torch.softmax(logits, dim=1)
    apart = []
    for distil in (None, DistilConfig(share=1.0, temperature=1.0, teacher=TEACHER)):
        net = ManifoldNetwork(complete(20, 10, 4), parametrisation="free", generator=np.random.default_rng(0))
        config = TrainingConfig(steps=400, batch_size=64, parametrisation="free", learning_rate=0.01, distil=distil)
        train(net, samples, config, seed=0)
        with torch.no_grad():
            out = net(torch.from_numpy(samples.x_train))
        apart.append(float(torch.nn.functional.kl_div(out.log_softmax(dim=1), soft, reduction="batchmean")))
    assert apart[1] < 0.3 * apart[0]


def test_regression_has_no_teacher() -> None:
    x = np.zeros((50, 3), np.float32)
    samples = Dataset("numbers", "regression", x, x, x, x, x, x)
    with pytest.raises(ValueError, match="distillation needs classes, but the task of numbers is regression"):
        teacher_logits(samples, TEACHER)
