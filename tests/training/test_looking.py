"""Looking at a training changes no bit of it: whatever is logged, evaluated, recorded or paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nas.engine.cuda import SimulatedGPU
from nas.graph import complete, random_dag
from nas.layers import Dropout, LayerSpec, LayerStructure, Linear, Node
from nas.manifold import ManifoldNetwork
from nas.recurrent import RecurrentStructure, reach_outputs, remember
from nas.training import Dataset, LossWeights, Recorder, SparsifyConfig, TrainingConfig, pinned_threads
from nas.training import _population as population
from nas.training._modules import _train_until
from nas.training._population import Member, train_population
from nas.training._trainer import train_until
from nas.training.fused.trainer import OptimiserState
from nas.training.gpu.data import GPUData
from nas.training.gpu.trainer import GPUTrainer
from nas.training.loss_terms import structure_costs
from nas.training.noise import NOISE_BLOCK

STEPS = NOISE_BLOCK + 32


def data(n_inputs: int = 6, n_outputs: int = 3) -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, n_inputs)).astype(np.float32)
    y = np.tanh(x @ rng.normal(size=(n_inputs, n_outputs))).argmax(axis=1)
    return Dataset("synthetic", "classification", x, y, x[:20], y[:20], x[:20], y[:20], classes=tuple("abc"))


DATA = data()


def network(parametrisation: str) -> ManifoldNetwork:
    rng = np.random.default_rng(1)
    dag = complete(6, 5, 3) if parametrisation != "free" else random_dag(6, 5, 3, density=0.7, rng=rng)
    return ManifoldNetwork(dag, parametrisation=parametrisation, generator=rng, period=3)


@dataclass(frozen=True)
class Look:
    """How one looks at a training."""

    log_every: int = 50
    evaluate_every: int | None = None
    rungs: tuple[float, ...] = ()
    pauses: bool = False  # at every rung
    frames: int | None = None
    population: int = 0


looks = st.builds(
    Look,
    log_every=st.integers(1, 2 * STEPS),
    evaluate_every=st.none() | st.integers(1, STEPS),
    rungs=st.lists(st.floats(0.05, 0.95), max_size=3, unique=True).map(lambda shares: tuple(sorted(shares))),
    pauses=st.booleans(),
    frames=st.none() | st.integers(2, 30),
    population=st.sampled_from([0, 0, 1, 3]),
)


def trained(parametrisation: str, look: Look, **configured: Any) -> dict[str, np.ndarray]:
    config = TrainingConfig.model_validate(
        {"steps": STEPS, "batch_size": 40, "learning_rate": 0.02, "parametrisation": parametrisation}
        | {"log_every": look.log_every, "evaluate_every": look.evaluate_every, "rungs": look.rungs}
        | configured
    )
    with pinned_threads(1):
        if look.population:
            members = [Member(network(parametrisation), config, seed) for seed in range(look.population)]
            for ended in train_population(members, DATA, threads=2):
                assert not isinstance(ended, Exception)
            return members[0].network.to_arrays()
        rungs, state = [*(config.rung_steps() if look.pauses else ()), None], None
        for rung in rungs:
            net = network(parametrisation)
            recorder = Recorder(net.dag, DATA, config, look.frames) if look.frames and not look.pauses else None
            _, state = train_until(net, DATA, config, 0, pause_at=rung, resume=state, recorder=recorder)
        return net.to_arrays()


CASES: dict[str, dict[str, Any]] = {
    "noise": {"input_noise": 0.3, "final_input_noise": 0.05, "input_dropout": 0.1},
    "structure": {
        "losses": LossWeights(sparsity=3.0, flow=1e-3),
        "structure_until": 0.7,
        "learning_rate": 0.1,
        "on_lost_output": "restore",
    },
    "cuts": {
        "sparsify": SparsifyConfig(share=0.6, start=0.1, end=0.7, every=13),
        "input_noise": 0.3,
        "optimizer": "adamw",
        "weight_decay": 0.01,
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("parametrisation", ["free", "masked", "manifold"])
def test_neurons_end_with_the_same_bits(
    parametrisation: str, case: str, monkeypatch: pytest.MonkeyPatch, population_threads: list[int]
) -> None:
    monkeypatch.setattr(population._pace, "choose", lambda work, most: most)  # else it tries which is faster
    configured = CASES[case]
    plain = trained(parametrisation, Look(), **configured)

    @settings(max_examples=5, deadline=None)
    @example(look=Look(population=3))  # whatever is drawn, one of several threads is among them
    @given(look=looks)
    def check(look: Look) -> None:
        population_threads.clear()
        seen = trained(parametrisation, look, **configured)
        assert population_threads == ([2] if look.population > 1 else [])
        for name, value in plain.items():
            np.testing.assert_array_equal(seen[name], value, err_msg=f"{name}, {look}")

    check()


def structure(kind: str) -> LayerStructure | RecurrentStructure:
    if kind == "recurrent":
        rng, memory = np.random.default_rng(0), 2
        dag = remember(random_dag(2 + memory, 4, 3 + memory, density=0.5, rng=rng), memory)
        return RecurrentStructure(reach_outputs(dag, memory, rng), memory, time=3)
    nodes = [
        Node(name="a", op=Linear(features=5), norm="batch", activation="relu"),
        Node(name="d", inputs=("a",), op=Dropout(p=0.2)),
        Node(name="out", inputs=("d", "input"), merge="concatenate", op=Linear(features=3)),
    ]
    return LayerStructure(LayerSpec.of((6,), nodes))


@pytest.mark.parametrize("kind", ["layers", "recurrent"])
def test_modules_end_with_the_same_bits(kind: str) -> None:
    built = structure(kind)

    def ended(look: Look, noise: float = 0.3) -> dict[str, np.ndarray]:
        config = TrainingConfig(
            steps=40, batch_size=40, log_every=look.log_every, evaluate_every=look.evaluate_every, rungs=look.rungs,
            input_noise=noise, final_input_noise=0.05, input_dropout=0.1 if noise else 0.0,
        )  # fmt: skip
        state = None
        with pinned_threads(1):
            for rung in (*(config.rung_steps() if look.pauses else ()), None):
                module = built.build(0)
                history, state = _train_until(module, DATA, config, 0, pause_at=rung, resume=state)
        if look.evaluate_every is not None:
            seen = np.isfinite(history.curves["val_accuracy"])
            assert history.curves["step"][seen].tolist() == sorted(
                {*range(look.evaluate_every, 40, look.evaluate_every), 40}
            )
        return {name: value.numpy() for name, value in module.state_dict().items()}

    plain = ended(Look())
    quiet = ended(Look(), noise=0.0)
    assert any(not np.array_equal(value, quiet[name]) for name, value in plain.items())

    @settings(max_examples=6, deadline=None)
    @given(look=looks)
    def check(look: Look) -> None:
        for name, value in ended(look).items():
            np.testing.assert_array_equal(value, plain[name], err_msg=f"{name}, {look}")

    check()


def test_a_gpu_ends_with_the_same_bits_however_its_steps_are_split() -> None:
    config = TrainingConfig(steps=STEPS, batch_size=40, input_noise=0.4, final_input_noise=0.1, input_dropout=0.2)
    begin = NOISE_BLOCK - 5

    def ended(*ends: int) -> np.ndarray:
        net = network("free")
        count = sum(parameter.numel() for parameter in net.parameters())
        state = OptimiserState(begin, np.zeros((2, count), np.float32), net.dag.n_edges)
        costs = structure_costs(config, net.dag)
        gpu = SimulatedGPU(multiprocessors=1)
        trainer = GPUTrainer(net, GPUData(gpu, DATA), config, costs, seed=3, state=state)
        for first, last in zip((0, *ends), (*ends, 10), strict=True):
            assert trainer.run(None, np.full(last - first, 0.01)).steps == last - first
        trainer.write_back()
        return np.concatenate([p.detach().numpy().ravel() for p in net.parameters()])

    whole = ended()
    for ends in ((1,), (5,), (2, 7)):
        np.testing.assert_array_equal(ended(*ends), whole)
