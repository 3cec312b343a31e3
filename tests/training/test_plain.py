"""Training in plain torch operations, beside the reference and as what takes the place of a GPU's kernels."""

import dataclasses

import numpy as np
import pytest
import torch

from nas.engine import cuda
from nas.engine.cuda import SimulatedGPU, Verdict, _check, _verdict
from nas.graph import complete, random_dag
from nas.manifold import CostModel, ManifoldNetwork
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    LossWeights,
    SparsifyConfig,
    TrainingConfig,
    _trainer,
    _trial,
    run_trial,
    run_trials,
)
from nas.training import devices as _devices
from nas.training._order import keyed_batches
from nas.training.gpu import check as _gpu_check
from nas.training.gpu import measured as _gpu_measured
from nas.training.gpu.check import training_problems
from nas.training.loss_terms import structure_costs
from nas.training.plain import PlainTrainer
from nas.training.reference import reference_step

KINDS = [("free", "activated"), ("masked", "activated"), ("manifold", "activated"), ("manifold", "linear"),
         ("manifold", "square")]  # fmt: skip


def dataset(task="classification"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 12)).astype(np.float32)
    if task == "classification":
        y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
        return Dataset("xor", task, x, y, x[:50], y[:50], x[50:90], y[50:90], classes=("no", "yes"))
    y = (x[:, :2] * x[:, 1:3]).astype(np.float32)
    return Dataset("products", task, x, y, x, y, x, y)


def network(parametrisation, readout="activated"):
    rng = np.random.default_rng(1)
    dag = complete(12, 24, 2) if parametrisation == "manifold" else random_dag(12, 24, 2, density=0.5, rng=rng)
    made = ManifoldNetwork(
        dag, parametrisation=parametrisation, activation="tanh", readout=readout, generator=rng, period=4
    )
    if parametrisation == "manifold":
        with torch.no_grad():  # some edges dead, every output with a path
            made.closeness.cutoff.fill_(-3.0)
            made.bias.mul_(0.1)
    return made


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize(("parametrisation", "readout"), KINDS)
def test_steps_are_those_of_the_reference(parametrisation, readout, task, optimizer):
    # More or longer steps of plain gradient descent on the closeness turn rounding into differences.
    rate, steps = (2e-4, 2) if optimizer == "sgd" else (2e-3, 6)
    config = TrainingConfig(
        batch_size=40, optimizer=optimizer, learning_rate=rate,
        weight_decay=0.02 if readout == "activated" else 0.0,  # the reference lets untrained gains of outputs decay
        losses=LossWeights(flow=1e-4, sparsity=0.1, time=1.0, memory=0.1),
    )  # fmt: skip
    slow, fast, start = (network(parametrisation, readout) for _ in range(3))
    data = dataset(task)
    seconds, held = CostModel(1e-4, 1e-6, 1e-7), CostModel(1e4, 1e3, 1e2)
    step = reference_step(slow, task, config, time_cost=seconds, memory_cost=held)
    costs = structure_costs(config, fast.dag, seconds, held)
    trainer = PlainTrainer(fast, data, config, costs, device="cpu", seed=7, watched=True)
    numbers = keyed_batches(200, 40, 7, 0, steps)
    rates = np.linspace(1, 0.5, steps) * config.learning_rate
    temperatures = np.linspace(0.5, 0.3, steps)
    for rows, rate, temperature in zip(numbers, rates, temperatures, strict=True):
        x, y = (torch.from_numpy(each[rows]) for each in (data.x_train, data.y_train))
        values = step(x, y, rate, temperature, True)
    first = trainer.run(None, rates[: steps - 1], temperatures[: steps - 1])  # in two parts
    report = trainer.run(None, rates[steps - 1 :], temperatures[steps - 1 :])
    trainer.write_back()
    assert (first.steps, report.steps, trainer.steps_done) == (steps - 1, 1, steps)
    assert report.objective == pytest.approx(float(values.objective), rel=1e-3)
    assert report.total == pytest.approx(float(values.total), rel=1e-3)
    assert report.smooth_edges == pytest.approx(float(values.terms.smooth_edges), rel=1e-3)
    assert report.live == int(values.live.sum()) and report.finite and not report.lost
    for (name, a), b, begin in zip(slow.named_parameters(), fast.parameters(), start.parameters(), strict=True):
        trained = slice(0, slow.dag.n_computational) if readout != "activated" and name in ("bias", "gain") else ...
        moved, apart = (a - begin).detach()[trained], (a - b).detach()[trained]
        assert float(apart.abs().max()) < 1e-2 * float(moved.abs().max()) + 1e-6, name


@pytest.fixture
def plain(monkeypatch):
    """A device whose kernels are known to be wrong: networks are trained there by plain operations."""
    verdict = Verdict(False, "a test says so")
    for module in (_trainer, _trial, _gpu_measured):
        monkeypatch.setattr(module, "way_on", lambda gpu: verdict)
    monkeypatch.setattr(_devices.SimulatedGPU, "launch", lambda *_, **__: pytest.fail("a kernel was launched"))


@pytest.mark.parametrize("parametrisation", ["free", "masked", "manifold"])
def test_a_trial_is_trained_without_kernels_and_says_so(plain, parametrisation):
    config = TrainingConfig(batch_size=40, inference_batch=32, parametrisation=parametrisation, learning_rate=0.01)
    dag = random_dag(12, 30, 2, density=0.4, rng=np.random.default_rng(0))
    results = run_trials([Candidate(k, Genome(dag), k, 150) for k in range(2)], dataset(), config, device="simulated")
    alone = run_trial(Candidate(1, Genome(dag), 1, 150), dataset(), config, device="simulated")
    for result in (*results, alone):
        assert result.status.value == "complete", result.reason
        assert result.hardware["gpu_path"] == "plain torch operations"
        assert result.hardware["gpu_path_reason"] == "a test says so"
        assert result.metrics["train_step_seconds"] > 0
    assert results[1].metrics["val_accuracy"] == alone.metrics["val_accuracy"]
    if parametrisation != "manifold":
        assert alone.metrics["val_accuracy"] > 0.7


def test_noise_pauses_cuts_and_lost_outputs_work_without_kernels(plain):
    config = TrainingConfig(
        batch_size=40, inference_batch=32, parametrisation="masked", input_noise=0.1, input_dropout=0.1,
        losses=LossWeights(sparsity=0.5), on_lost_output="restore", sparsify=SparsifyConfig(edges=60), rungs=(0.5,),
    )  # fmt: skip
    dag = random_dag(12, 30, 2, density=0.5, rng=np.random.default_rng(0))
    candidate = Candidate(0, Genome(dag), 0, 80)
    whole = run_trial(candidate, dataset(), config, device="simulated")
    assert whole.status.value == "complete", whole.reason
    assert whole.metrics["edges"] <= 60
    paused = run_trial(dataclasses.replace(candidate, pause_at=40), dataset(), config, device="simulated")
    assert paused.state is not None, paused.reason
    again = run_trial(dataclasses.replace(candidate, resume=paused.state), dataset(), config, device="simulated")
    assert again.metrics["val_loss"] == whole.metrics["val_loss"]


class WrongGPU(SimulatedGPU):
    """A GPU on which one kernel computes something else."""

    def __init__(self, old, new):
        super().__init__(multiprocessors=1)
        self._old, self._new = old, new

    def launch(self, kernel, *arguments, **options):
        source = kernel.source.replace(self._old, self._new)
        super().launch(dataclasses.replace(kernel, source=source), *arguments, **options)


def test_right_kernels_pass_the_checks():
    gpu = SimulatedGPU(multiprocessors=2)
    assert _check.module_problems(gpu) == []
    assert training_problems(gpu) == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("{ return (real(1.0) - (h * h)); }", "{ return (real(1.0) - h); }", "gradients of"),
        ("{ return (x * sigmoid(x)); }", "{ return (x * sigmoid(x) * real(1.01)); }", "outputs"),
    ],
)
def test_a_wrong_kernel_of_modules_is_noticed(old, new, found):
    assert any(found in each for each in _check.module_problems(WrongGPU(old, new)))


def test_a_wrong_kernel_of_training_is_noticed(monkeypatch):
    monkeypatch.setattr(_gpu_check, "_KINDS", (("free", "activated", "silu"),))
    assert training_problems(WrongGPU("one = ((real(0.9) * one) + gradient);", "one = ((real(0.8) * one) + gradient);"))
    monkeypatch.setattr(_gpu_check, "_KINDS", (("masked", "activated", "leaky_relu"),))
    assert training_problems(WrongGPU("(real(0.01) * x)", "(real(0.1) * x)"))


def test_a_gpu_without_kernels_says_why():
    gpu = SimulatedGPU()
    gpu.torch_device, gpu.why_no_kernels = torch.device("cuda", 0), "too old"
    assert cuda.verdict_on(gpu, cuda.MODULE_CHECK) == Verdict(False, "too old")


@pytest.fixture
def strange(monkeypatch, tmp_path):
    gpu = SimulatedGPU()
    gpu.torch_device, gpu.name = torch.device("cuda", 0), f"strange {tmp_path.name}"
    monkeypatch.setattr(_verdict, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(_verdict, "_driver_version", lambda: "1")
    return gpu


def test_what_was_found_is_remembered_by_driver(strange, monkeypatch):
    asked = []
    monkeypatch.setattr(_verdict, "_check", lambda gpu, check: asked.append(check) or Verdict(True))

    def fresh():
        _verdict._known.clear()  # as in another process
        return _verdict.verdict_on(strange, cuda.MODULE_CHECK)

    assert fresh().right and fresh().right and len(asked) == 1
    monkeypatch.setattr(_verdict, "_driver_version", lambda: "2")
    monkeypatch.setattr(_verdict, "_check", lambda gpu, check: asked.append(check) or Verdict(False, "it is 3"))
    assert fresh() == Verdict(False, "it is 3") == fresh() and len(asked) == 2
    monkeypatch.setattr(_verdict, "_KEPT_SECONDS", -1.0)  # the next day
    assert not fresh().right and len(asked) == 3


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import os; os.abort()", "ended with -6"),
        ("raise RuntimeError('NVRTC refused the kernels')", "RuntimeError: NVRTC refused the kernels"),
        ("import time; time.sleep(60)", "did not end within 1 s"),
        ("print('nothing')", "ended with 0: nothing"),
        ("from nas.engine.cuda import report; report(lambda: 1 / 0)", "ZeroDivisionError: division by zero"),
        ("from nas.engine.cuda import report; report(lambda: ['y is wrong'])", "y is wrong"),
    ],
)
def test_a_check_that_dies_or_never_ends_is_a_verdict_too(strange, monkeypatch, tmp_path, code, why):
    (tmp_path / "toy_check.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_verdict, "_SECONDS", 1.0 if "sleep" in code else 280.0)
    monkeypatch.setattr(_verdict, "stamp_of", lambda modules: "")
    found = _verdict.verdict_on(strange, "toy_check")
    assert not found.right and why in found.why
    assert found.facts == {"gpu_path": "plain torch operations", "gpu_path_reason": found.why}
