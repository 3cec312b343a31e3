"""Every setting of a job does something or is refused when the job is read: all fields, all spaces, all strategies."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from nas._rules import RULES
from nas.errors import JobError
from nas.job import Job, stored_job
from nas.search import RandomStrategy, SerialExecutor, StudyStore, load_space, make_strategy, run_search
from nas.search._config import SPACES, STRATEGY_OPTIONS
from nas.search._objectives import Objectives
from nas.training import Dataset, TrialResult, load_data, pinned_threads, run_trial, timing
from nas.training._acting import acting_table, training_paths
from nas.training._data_config import DataConfig

ROOT = Path(__file__).parents[1]

# --- what a job comes to --------------------------------------------------------------------------------------------

SMALL: dict[str, dict[str, Any]] = {
    "neuron_dag": {"n_computational": [3, 6], "density": [0.5, 1.0]},
    "families": {"n_computational": [3, 6], "density": [0.5, 1.0]},
    "manifold": {"n_computational": [3, 6], "density": [0.5, 1.0]},
    "layer_dag": {"nodes": [1, 2], "widths": [3, 5]},
    "recurrent": {"n_computational": [3, 5], "features": 2, "memory": 2},
}
assert tuple(sorted(SMALL)) == tuple(sorted(SPACES))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is timed: a time says how many samples there were. On one thread."""

    def pretend(*arguments: Any, **_: Any) -> timing.Timing:
        size = next((len(each) for each in arguments if hasattr(each, "__len__")), 1)
        return timing.Timing(1e-6 * size, 0.0, 1, 1, 1, "cpu")

    def inference(module: Any, dataset: Any, config: Any, seconds: float) -> timing.Timing:
        return timing.Timing(1e-6 * config.inference_batch, 0.0, 1, 1, 1, "cpu")

    monkeypatch.setattr("nas.training._trial.inference_timing", inference)
    monkeypatch.setattr("nas.training._trial.step_timing", pretend)
    monkeypatch.setattr("nas.training._modules.time_inference", pretend)
    monkeypatch.setattr("nas.training._modules.time_training_step", pretend)
    for module in ("_trial", "_modules"):
        monkeypatch.setattr(f"nas.training.{module}.reference_kernel_seconds", lambda *_: 1e-3)
    with pinned_threads(1):
        yield


@functools.lru_cache(maxsize=64)
def loaded(config: DataConfig) -> Dataset:
    return load_data(config)


def merged(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(one)
    for key, value in two.items():
        nested = isinstance(value, Mapping) and isinstance(both.get(key), Mapping) and "low" not in value
        both[key] = merged(both[key], value) if nested else value
    return both


def at(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


def base(name: str, **more: Any) -> dict[str, Any]:
    return merged(
        {
            "data": {"source": "iris", "samples": 60},
            "space": {"name": name, "options": {**SMALL[name], "hyperparameters": {}}},
            "training": {"steps": 12, "batch_size": 16, "log_every": 6},
            "resources": {"executor": "serial"},
            "tracking": {"mlflow": False},
        },
        more,
    )


def digest(result: TrialResult) -> str:
    """Of all that is kept of a trial."""
    found = hashlib.sha256(repr((result.status, result.reason, sorted(result.metrics.items()))).encode())
    for arrays in (result.arrays, result.history):
        for name in sorted(arrays):
            found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    if result.dag is not None:
        found.update(result.dag.edges.tobytes() + repr(result.dag.activations).encode())
    if result.structure is not None:
        found.update(result.structure.to_json().encode())
    return found.hexdigest()


def first_trial(values: Mapping[str, Any]) -> str:
    job = Job.from_mapping(values)
    data = loaded(job.data)
    space = load_space(job.space, data)
    strategy = RandomStrategy(space, job.training, Objectives(("error", "edges"), 1.0), job.search.seed)
    return digest(run_trial(strategy.ask(0), data, job.training))


def acts_or_is_refused(one: Mapping[str, Any], two: Mapping[str, Any], path: str, outcome: Any) -> str:
    """Whether the setting at ``path``, which two jobs have differently, "acts" or is "refused"."""
    outcomes, refusals = [], []
    for values in (one, two):
        try:
            outcomes.append(outcome(values))
        except JobError as error:
            assert path in str(error), f"the refusal must name {path}: {error}"
            refusals.append(str(error))
    if refusals:
        return "refused"
    assert outcomes[0] != outcomes[1], f"{path} is accepted and does nothing"
    return "acts"


# --- training -------------------------------------------------------------------------------------------------------

# For each field another value than the default, and what else must hold for it to matter.
CUT = {"sparsify": {"share": 0.5, "start": 0.0, "end": 0.8, "every": 3}}
CLOSING = {"losses": {"sparsity": 3000.0}, "learning_rate": 0.5, "steps": 40}
TRAINING: dict[str, tuple[Any, dict[str, Any]]] = {
    "steps": (13, {}),
    "batch_size": (8, {}),
    "inference_batch": (7, {}),
    "optimizer": ("sgd", {}),
    "learning_rate": (0.1, {}),
    "schedule": ("constant", {}),
    "warmup": (0.5, {}),
    "weight_decay": (0.3, {}),
    "input_noise": (0.5, {}),
    "final_input_noise": (0.5, {}),
    "input_dropout": (0.5, {}),
    "activation": ("tanh", {}),
    "parametrisation": ("manifold", {}),
    "readout": ("linear", {}),
    "on_lost_output": ("fail", CLOSING),
    "structure_until": (0.5, {}),
    "losses.objective": (3.0, {}),
    "losses.flow": (0.5, {}),
    "losses.sparsity": (1000.0, {}),
    "losses.time": (1e6, {}),
    "losses.memory": (1e6, {}),
    "losses.temperature": (0.2, {"losses": {"sparsity": 30.0}}),
    "losses.final_temperature": (0.1, {"losses": {"sparsity": 30.0}}),
    "sparsify.edges": (9, {}),
    "sparsify.share": (0.3, {}),
    "sparsify.start": (0.5, CUT),
    "sparsify.end": (0.5, CUT),
    "sparsify.every": (1, CUT),
    "sparsify.criterion": ("saliency", CUT),
    "sparsify.initial_edges": (12, CUT),
    "sparsify.grow": (1.0, merged(CUT, {"sparsify": {"share": 1.0}})),
    "sparsify.regrow": (0.9, CUT),
    "log_every": (3, {}),
    "evaluate_every": (4, {}),
    "rungs": ((0.5,), {}),
}
SEARCHED = {"rungs"}  # what a single trial does not show; see SEARCH


def test_no_field_of_the_training_section_is_forgotten() -> None:
    assert list(TRAINING) == training_paths()


@pytest.mark.parametrize("space", [*SPACES, "manifold, closeness alone"])
def test_training(space: str) -> None:
    name, _, closeness = space.partition(",")
    found = {}
    plain = base(name, training={"parametrisation": "manifold"} if closeness else {})
    for path, (value, context) in TRAINING.items():
        if path in SEARCHED or (path == "parametrisation" and closeness):
            continue
        # What a field needs may itself be refused here, and then so is the field.
        for one in (merged(plain, {"training": context}), plain):
            two = merged(one, {"training": at(path, value)})
            try:
                Job.from_mapping(one)
            except JobError:
                continue
            found[path] = acts_or_is_refused(one, two, path.partition(".")[0], first_trial)
            break
    kinds = {"layer_dag": "layers", "recurrent": "neurons with memory", "manifold": "neurons with masked weights"}
    kind = "neurons whose weights are their closeness" if closeness else kinds.get(name, "neurons with free weights")
    header, _, *rows = [line.strip("| ").split(" | ") for line in acting_table().splitlines()]
    column = header.index(kind)
    table = {row[0].strip("`"): row[column] for row in rows}
    if "parametrisation" in found:
        table["parametrisation"] = "acts" if name == "manifold" else "refused"
    assert found == {path: table[path] for path in found}


# --- hyperparameters ------------------------------------------------------------------------------------------------


def refusal(values: Mapping[str, Any]) -> str:
    with pytest.raises(JobError) as caught:
        Job.from_mapping(values)
    return str(caught.value)


@pytest.mark.parametrize("strategy", STRATEGY_OPTIONS)
def test_what_the_search_chooses_cannot_be_stated_in_vain(strategy: str) -> None:
    values = base("neuron_dag", search={"strategy": strategy}, training={"learning_rate": 0.02})
    Job.from_mapping(values)
    del values["space"]["options"]["hyperparameters"]  # the default searches the learning rate
    if strategy == "evolution":  # its first guess
        Job.from_mapping(values)
    else:
        assert "training.learning_rate: it does nothing here: the search chooses it" in refusal(values)


def test_hyperparameters_that_do_nothing_are_refused() -> None:
    values = base("neuron_dag", space={"options": {"hyperparameters": {"losses.sparsity": {"low": 0.0, "high": 1.0}}}})
    assert "space.options.hyperparameters.losses.sparsity: it does nothing for networks of neurons" in refusal(values)
    either = {"parametrisation": {"choices": ["free", "masked"]}, "losses.sparsity": {"low": 0.0, "high": 1.0}}
    Job.from_mapping(base("manifold", space={"options": {"hyperparameters": either}}))


# --- the other sections ---------------------------------------------------------------------------------------------


def search_outcome(values: Mapping[str, Any], folder: Path, *, seconds: float | None = None) -> list[str]:
    job = Job.from_mapping(values)
    data = loaded(job.data)
    space = load_space(job.space, data)
    number = len(list(folder.iterdir()))
    store = StudyStore.create(
        folder, f"s{number}", seed=job.search.seed, objectives=job.search.objectives
    )
    executor = SerialExecutor(data, job.training, group=job.search.group_size(job.resources))
    found: list[str] = []
    run_search(
        make_strategy(job.search, space, job.training, store),
        executor,
        store,
        trials=job.search.trials,
        budget_seconds=None if job.search.budget_minutes is None else 60 * job.search.budget_minutes,
        budget_steps=job.search.budget_steps,
        halving=job.search.halving,
        on_result=lambda candidate, result: found.append(
            f"{candidate.parent} {candidate.steps} {candidate.seed} {digest(result)}"
        ),
    )
    return found
