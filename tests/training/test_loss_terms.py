"""Each structural loss term is one entry: its value and gradient are the same on every back end, and users see it."""

import numpy as np
import pytest
import torch
from pydantic import Field, ValidationError

from nas.engine.cuda import SimulatedGPU
from nas.engine.formulas import sqrt, tensor_of, x
from nas.graph import complete, random_dag
from nas.manifold import TERMS, CostModel, LossTerm, ManifoldNetwork, Measure, direction, measures_of, share, strength
from nas.tracking import curves_png
from nas.training import Dataset, Recorder, TrainingConfig, train
from nas.training import types as types_of_training
from nas.training.acting import NEURONS
from nas.training.fused.trainer import FusedTrainer
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer
from nas.training.loss_terms import structure_costs
from nas.training.plain import PlainTrainer, _parameters
from nas.training.reference import reference_step

# As many measures as each other, so that a kernel compiled for one would take the other's place unnoticed.
TOYS = {
    "root": LossTerm(0.0, "The sum over edges of the root of their strength.", (Measure(sqrt(strength)),)),
    "entering": LossTerm(0.5, "How unlike 3 is the strength of what leads in.", (
        Measure(strength * (direction + 1), value=(x - 3) * (x - 3)),),
    ),
    "crowd": LossTerm(
        0.0, "Neurons that have edges for sure, and pairs of edges.",
        (Measure(share * share, over="neurons"), Measure(share * share / (share + 1), value=x / (x + 7))),
        lambda network: (2.0, network.n_edges, 0.25),
    ),
}  # fmt: skip
COSTS = CostModel(1e-4, 1e-5, 1e-6), CostModel(1e6, 1e5, 1e4)
GPU = SimulatedGPU(multiprocessors=4, order="shuffled")


@pytest.fixture(params=[*TERMS, *TOYS])
def name(request, monkeypatch):
    if request.param in TOYS:
        monkeypatch.setitem(TERMS, request.param, TOYS[request.param])
    return request.param


def config_with(name, factor, **settings):
    """A configuration whose loss is one term alone, as a job would state it where the table has these entries."""
    weights = types_of_training._loss_weights()

    class Config(TrainingConfig):
        losses: weights = Field(default_factory=weights)

    none = dict.fromkeys(("objective", *TERMS), 0.0)
    return Config.model_validate({"losses": {**none, name: factor}, **settings})


def dataset():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(64, 8)).astype(np.float32)
    y = (inputs[:, :3] * inputs[:, 1:4]).astype(np.float32)
    return Dataset("s", "regression", inputs, y, inputs, y, inputs, y)


def network(parametrisation):
    rng = np.random.default_rng(1)
    dag = complete(8, 20, 3) if parametrisation == "manifold" else random_dag(8, 20, 3, density=0.5, rng=rng)
    made = ManifoldNetwork(dag, parametrisation=parametrisation, generator=rng, period=4)
    with torch.no_grad():  # some edges dead, some not sure
        if made.closeness is not None:
            made.closeness.cutoff.fill_(0.5 if parametrisation == "masked" else -2.0)
        else:
            made.weight[::7] = 0.0
    return made


@pytest.mark.parametrize("parametrisation", ["masked", "manifold", "free"])
def test_value_and_gradient_are_those_of_torch_on_every_back_end(name, parametrisation):
    term = TERMS[name]
    # What momentum remembers of one step is the gradient; at rate 0 no parameter moves.
    config = config_with(name, 0.7, optimizer="sgd", batch_size=32)
    data, rows = dataset(), np.arange(32)
    nets = {key: network(parametrisation) for key in ("reference", "plain", "fused", "gpu")}
    rates, temperatures = np.zeros(1), np.full(1, 0.3)
    step = reference_step(nets["reference"], "regression", config, time_cost=COSTS[0], memory_cost=COSTS[1])
    wanted = step(*(torch.from_numpy(each[rows]) for each in (data.x_train, data.y_train)), 0.0, 0.3)
    gradients = [
        (torch.zeros_like(each) if each.grad is None else each.grad).numpy().reshape(-1)
        for each in _parameters(nets["reference"])
    ]
    costs = structure_costs(config, nets["plain"].dag, *COSTS)
    trainers = {
        "plain": PlainTrainer(nets["plain"], data, config, costs, device="cpu"),
        "fused": FusedTrainer(nets["fused"], data, config, costs, threads=1),
        "gpu": GPUTrainer(nets["gpu"], GPUData(GPU, data), config, costs),
    }
    acts = parametrisation != "free" or not term.of_shares
    assert any(each.any() for each in gradients) == acts
    for key, trainer in trainers.items():
        report = trainer.run(rows[None], rates, temperatures)
        assert report.total == pytest.approx(float(wanted.total), rel=1e-4, abs=1e-9), key
        assert 0.7 * costs.curves(report.values)[name] == pytest.approx(float(wanted.total), rel=1e-4, abs=1e-9), key
        found = np.split(trainer.state.moments[0], np.cumsum([len(each) for each in gradients])[:-1])
        for place, (expected, got) in enumerate(zip(gradients, found, strict=True)):
            assert np.abs(got - expected).max() <= 3e-3 * np.abs(expected).max(), (key, place)


def test_slopes_are_those_of_the_formulas(name):
    for measure in TERMS[name].measures:
        at = torch.linspace(0.05, 0.95, 7, dtype=torch.float64, requires_grad=True)
        given = {"strength": at, "share": at, "direction": torch.tensor(-1.0, dtype=torch.float64)}
        (wanted,) = torch.autograd.grad(tensor_of(measure.edge, **given).sum(), at)
        torch.testing.assert_close(tensor_of(measure.slope, **given).expand(7), wanted)


def test_a_term_is_added_seen_and_taken_away(monkeypatch):
    data, steps = dataset(), {"steps": 60, "log_every": 20, "learning_rate": 1e-2, "batch_size": 32}
    before = train(network("masked"), data, TrainingConfig.model_validate(steps), 1).curves
    ends = {}
    with monkeypatch.context() as patch:
        patch.setitem(TERMS, "root", TOYS["root"])
        for factor in (0.0, 0.05):
            config = config_with("root", factor, **steps)
            net = network("masked")
            recorder = Recorder(net.dag, data, config, 5)
            curves = train(net, data, config, 1, recorder=recorder).curves
            # One that is not usual is recorded where it is used.
            assert ("root" in curves) == ("root" in recorder.recording().curves) == (factor > 0)
            with torch.no_grad():
                ends[factor] = float(net.strengths().c.abs().sqrt().sum())
        assert recorder.recording().curves["root"][-1] == pytest.approx(0.05 * ends[0.05], rel=1e-3)
        assert curves["root"][0] > curves["root"][-1]
        assert ends[0.05] < 0.8 * ends[0.0]
        assert curves_png(curves) is not None
        reasons = NEURONS["masked"].why_unused("losses.root"), NEURONS["free"].why_unused("losses.sparsity")
        assert reasons[0] is None and "closeness" in reasons[1]
    assert "root" not in types_of_training._loss_weights().model_fields
    with pytest.raises(ValidationError, match="root"):
        TrainingConfig.model_validate({"losses": {"root": 1.0}})
    after = train(network("masked"), data, TrainingConfig.model_validate(steps), 1).curves
    assert after.keys() == before.keys()
    np.testing.assert_array_equal(after["total"], before["total"])


def test_measures_are_shared_and_refused():
    assert len(measures_of()) == len(set(measures_of())) < sum(len(term.measures) for term in TERMS.values())
    with pytest.raises(ValueError, match="of strength or of share"):
        Measure(strength * share)
    with pytest.raises(ValueError, match="must be 0 at share 0"):
        Measure(share + 1)
    with pytest.raises(ValueError, match="must be of share"):
        Measure(strength, over="neurons")
