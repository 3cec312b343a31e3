"""Every setting of a job does something or is refused when the job is read: all fields, all spaces, all strategies."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nas._rules import RULES
from nas._settings import refuse_unread, refuse_unused
from nas.errors import DataError, GraphError, JobError
from nas.graph import random_dag, write_edge_list
from nas.job import Job, stored_job
from nas.search import (
    RandomStrategy,
    SerialExecutor,
    SpaceConfig,
    StudyStore,
    TaskShape,
    load_space,
    make_strategy,
    run_search,
    with_scorer,
)
from nas.search.config import SPACES, STRATEGY_OPTIONS
from nas.search.front.objectives import Objectives
from nas.search.load import space_class
from nas.search_spaces._dags import DagOptions
from nas.search_spaces.neuron_dag import NeuronDag
from nas.training import (
    Candidate,
    Dataset,
    Genome,
    TrialResult,
    TrialStatus,
    load_data,
    pinned_threads,
    read_data,
    run_trial,
)
from nas.training.acting import acting_table, training_paths
from nas.training.cost import timing
from nas.training.data.config import DataConfig
from nas.training.quality.names import metric_names
from tests.search.conftest import pretend

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
            refusals.append(str(error))
    if refusals:
        assert all(path in refused for refused in refusals), f"the refusal must name {path}: {refusals}"
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
    "input_shift": (1.0, {}),
    "input_dropout": (0.5, {}),
    "activation": ("tanh", {}),
    "parametrisation": ("manifold", {}),
    "closeness": ("tests.kinds:BUMP", {}),
    "precision": ("int8", {}),
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
    "latency": (True, {}),
    "log_every": (3, {}),
    "evaluate_every": (4, {}),
    "rungs": ((0.5,), {}),
}
IMAGES = {"period": 2, "channels": 1}  # what iris would be as images
SEARCHED = {"rungs"}  # what a single trial does not show; see SEARCH


def test_no_field_of_the_training_section_is_forgotten() -> None:
    assert list(TRAINING) == training_paths()


@pytest.mark.parametrize("space", [*SPACES, "manifold, closeness alone"])
def test_training(space: str) -> None:
    name, _, closeness = space.partition(",")
    found = {}
    plain = base(name, training={"parametrisation": "manifold"} if closeness else {}, data=IMAGES)
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
    hyperparameters = values["space"]["options"].pop("hyperparameters")
    Job.from_mapping(values)  # the defaults search the learning rate, but where it is stated
    hyperparameters["learning_rate"] = {"low": 1e-3, "high": 1e-2, "log": True}
    values["space"]["options"]["hyperparameters"] = hyperparameters
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


def kept(search: Callable[[Job, Path, str], list[str]]) -> Callable[..., list[str]]:
    """What a search of a job gives, searched once: most settings are tried against the same job."""

    @functools.wraps(search)
    def outcome(values: Mapping[str, Any], folder: Path) -> list[str]:
        job = Job.from_mapping(values)
        name = hashlib.sha256(repr(job.to_mapping()).encode()).hexdigest()[:20]
        file = folder / name / "outcome"
        if not file.parent.is_dir():
            file.write_text("\n".join(search(job, folder, name)))
        return file.read_text().splitlines()

    return outcome


@kept
def search_outcome(job: Job, folder: Path, name: str) -> list[str]:
    """What a search asks for, and how each trial ended; trainings of neurons are pretended where nothing pauses."""
    data = loaded(job.data)
    space = load_space(job.space, data)
    search = job.search
    data = with_scorer(dataclasses.replace(read_data(job.data), dataset=data), search).dataset
    store = StudyStore.create(
        folder,
        name,
        seed=search.seed,
        objectives=search.objectives,
        scorer=data.scorer,
        constraints=search.constraints,
    )
    structured = space.initial(np.random.default_rng(0)).structure is not None  # which a pretended result has not
    evaluate = run_trial if job.training.rungs or structured else pretend
    executor = SerialExecutor(data, job.training, evaluate=evaluate, group=job.search.group_size(job.resources))
    found: list[str] = []

    def seen(candidate: Candidate, result: TrialResult) -> None:
        assert result.status is not TrialStatus.FAILED, result.reason
        genome = candidate.genome
        edges = hashlib.sha256(genome.dag.edges.tobytes()).hexdigest()
        settings = sorted(genome.hyperparameters.items())
        asked = (candidate.parent, candidate.steps, candidate.seed, candidate.inherited is None, edges, settings)
        found.append(repr((asked, result.status, result.steps)))

    run_search(
        make_strategy(job.search, space, job.training, store),
        executor,
        store,
        trials=job.search.trials,
        budget_seconds=None if job.search.budget_minutes is None else 60 * job.search.budget_minutes,
        budget_steps=job.search.budget_steps,
        halving=job.search.halving,
        stop_below=job.search.stop_below,
        on_result=seen,
    )
    return [*found, *(repr((each.number, sorted(each.metrics.items()))) for each in store.front().members)]


RUNGS: dict[str, Any] = {
    "training": {"rungs": [0.5]},
    "search": {"trials": 14, "strategy": "random", "halving": {"startup": 1}},
}
BRED: dict[str, Any] = {"search": {"options": {"initial": 4}}}  # children are asked for
ONE: dict[str, Any] = {"search": {"objectives": ["error"]}}
SEARCH: dict[str, tuple[Any, dict[str, Any]]] = {
    "search.strategy": ("random", {}),
    "search.trials": (4, {}),
    "search.objectives": (["edges", "depth"], BRED),
    "search.scorer": ("neg_log_loss", RUNGS),
    "search.constraints": (["edges<=9", "depth<=1"], BRED),
    "search.budget_minutes": (1e-6, {}),
    "search.budget_steps": (12, {}),
    "search.halving.keep": (0.1, RUNGS),
    "search.halving.rule": ("first", RUNGS),
    "search.halving.startup": (9, RUNGS),
    "search.halving.window": (2, RUNGS),
    "search.halving.pruner": ("hyperband", merged(RUNGS, ONE)),
    "search.seed": (5, {}),
    "search.group": (4, BRED),
    "training.rungs": ([0.5], {"search": {"trials": 24, "strategy": "random"}}),
}
OPTIONS: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {
    "evolution": {
        "roots": (1.0, {"initial": 3}),
        "grow": (0.0, {"initial": 3}),
        "blind": (1.0, {"initial": 3, "roots": 0.0, "grow": 1.0}),
        "guided": (False, {}),
        "population": (2, {"guided": False}),
        "initial": (3, {}),
        "tournament": (8, {"guided": False, "initial": 4}),
        "strength": ((0.9, 1.0), {"guided": False, "initial": 4}),
        "child_steps": (0.5, {"initial": 3}),
        "inherit": (False, {"initial": 3}),
        "means": (1.0, {"initial": 3}),
    },
    "optuna": {
        "sampler": ("random", {}),
        "startup_trials": (2, {}),
        "roots": (1.0, {"initial": 3}),
        "population": (2, {"guided": False}),
        "initial": (3, {}),
        "guided": (False, {}),
        "child_steps": (0.5, {"initial": 3}),
        "inherit": (False, {"initial": 3}),
    },
    "random": {},
}
# Who does not see a setting in what is trained, because it says where, for how long, or how fast; and which test does.
ELSEWHERE = {
    "search.stop": "tests/search/test_saturation.py",
    "search.least_gain": "tests/search/test_saturation.py",
    "search.baselines": "tests/cli/test_baselines.py",
    "resources.executor": "tests/cli/test_devices.py",
    "resources.threads": "tests/training/test_trial.py",
    "resources.workers": "tests/workers/test_pool.py",
    "resources.gpus": "tests/cli/test_devices.py",
    "resources.device": "tests/cli/test_devices.py",
    "resources.address": "tests/workers/test_elastic.py",
    "resources.trial_minutes": "tests/workers/test_pool.py",
    "tracking.experiment": "tests/test_job.py",
    "tracking.store": "tests/cli/test_commands.py",
    "tracking.storage": "tests/deploy/test_services.py",
    "tracking.mlflow": "tests/cli/test_commands.py",
    "tracking.mlflow_uri": "tests/tracking/test_tracker.py",
    "tracking.champion": "tests/tracking/test_champion.py",
    "tracking.model": "tests/tracking/test_champion.py",
    "tracking.animation": "tests/cli/test_replay.py",
}


# Options that choose edges by training: no child of these spaces is cut, and none of masked weights gains an edge.
NEVER = {
    "layer_dag": {"guided", "roots", "grow", "blind", "means"},
    "recurrent": {"guided", "roots", "grow", "blind", "means"},
    "manifold": {"blind", "means"},
}


def searched(space: str, strategy: str, options: Mapping[str, Any]) -> dict[str, Any]:
    search = {"strategy": strategy, "trials": 14, "options": dict(options)}
    return base(space, search=search, training={"steps": 8, "log_every": 8})


@pytest.mark.parametrize("strategy", [name for name, options in OPTIONS.items() if options])
@pytest.mark.parametrize("space", SPACES)
def test_options_of_strategies(space: str, strategy: str, tmp_path: Path) -> None:
    outcome = functools.partial(search_outcome, folder=tmp_path)
    never = NEVER.get(space, set())
    for name, (value, context) in OPTIONS[strategy].items():
        context = {key: each for key, each in context.items() if key not in never}
        one, two = (searched(space, strategy, context | more) for more in ({}, {name: value}))
        found = acts_or_is_refused(one, two, f"search.options.{name}", outcome)
        assert found == ("refused" if name in never else "acts"), name


def test_no_option_of_a_strategy_is_forgotten() -> None:
    stated = {(name, option) for name, options in OPTIONS.items() for option in options}
    assert stated == {(name, option) for name, model in STRATEGY_OPTIONS.items() for option in model.model_fields}


@pytest.mark.parametrize("space", SPACES)
def test_search(space: str, tmp_path: Path) -> None:
    outcome = functools.partial(search_outcome, folder=tmp_path)
    for path, (value, context) in SEARCH.items():
        one = merged(searched(space, "evolution", {}), context)
        assert acts_or_is_refused(one, merged(one, at(path, value)), path, outcome) == "acts", path


def test_no_field_of_the_other_sections_is_forgotten() -> None:
    fields = {
        f"{section}.{name}"
        for section in ("search", "resources", "tracking")
        for name in Job.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
    }
    halving = {path for path in SEARCH if path.startswith("search.halving.")}
    covered = SEARCH.keys() | ELSEWHERE.keys() | {"search.options", "search.halving"}
    assert fields == {path for path in covered - halving if path != "training.rungs"}
    from nas.search.config import HalvingConfig

    assert {path.rpartition(".")[2] for path in halving} == HalvingConfig.model_fields.keys()
    for file in ELSEWHERE.values():
        assert (ROOT / file).is_file()


def optuna(options: dict[str, Any]) -> dict[str, Any]:
    return {"search": {"strategy": "optuna", "options": options}}


def at_random(space: str, options: dict[str, Any]) -> dict[str, Any]:
    return {"space": {"name": space, "options": options}, "search": {"strategy": "random"}}


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("data.target", {"data": {"source": "iris", "target": "species"}}),
    ("data.drop", {"data": {"source": "iris", "drop": ["width"]}}),
    ("data.test", {"data": {"source": "mnist", "test": 0.1}}),
    ("data.test", {"data": {"source": "idx:folder", "test": 0.1}}),
    ("data.standardise_targets", {"data": {"source": "iris", "standardise_targets": True}}),
    ("search.objectives", {"space": {"name": "layer_dag"}, "search": {"objectives": ["error", "flash"]}}),
    ("search.constraints", {"space": {"name": "recurrent"}, "search": {"constraints": ["cycles<=30000"]}}),
    ("search.halving", {"search": {"halving": {"keep": 0.3}}}),
    ("search.halving.rule", merged(RUNGS, merged(ONE, {"search": {"halving": {"rule": "first"}}}))),
    ("search.halving.keep", merged(RUNGS, merged(ONE, {"search": {"halving": {"pruner": "median", "keep": 0.3}}}))),
    ("search.halving.window", merged(RUNGS, merged(ONE, {"search": {"halving": {"pruner": "median", "window": 9}}}))),
    ("search.options.guided", {"space": {"name": "layer_dag"}, "search": {"options": {"guided": True}}}),
    ("search.least_gain", {"search": {"least_gain": 0.01}}),
    ("search.options.roots", {"search": {"options": {"guided": False, "roots": 0.5}}}),
    ("search.options.roots", {"search": {"objectives": ["edges", "depth"], "options": {"roots": 0.5}}}),
    ("search.options.grow", {"training": {"sparsify": {"edges": 50}}, "search": {"options": {"grow": 0.1}}}),
    ("search.options.grow", {"space": {"name": "recurrent"}, "search": {"options": {"grow": 0.5}}}),
    ("search.options.blind", {"space": {"name": "manifold"}, "search": {"options": {"blind": 0.5}}}),
    ("search.options.blind", {"search": {"options": {"grow": 0, "blind": 0.5}}}),
    ("search.options.tournament", {"search": {"options": {"tournament": 5}}}),
    ("search.options.strength", {"search": {"options": {"strength": [0.1, 0.2]}}}),
    ("search.options.population", {"search": {"options": {"population": 9}}}),
    ("search.options.population", optuna({"population": 9})),
    ("search.options.child_steps", {"search": {"options": {"inherit": False, "child_steps": 0.5}}}),
    ("search.options.means", {"search": {"options": {"inherit": False, "means": 0.1}}}),
    ("search.options.means", {"search": {"options": {"roots": 1.0, "means": 0.1}}}),
    ("search.options.startup_trials", optuna({"sampler": "qmc", "startup_trials": 3})),
    ("resources.address", {"resources": {"executor": "serial", "address": "ray://head:10001"}}),
    ("resources.workers", {"resources": {"executor": "serial", "workers": 2}}),
    ("resources.trial_minutes", {"resources": {"executor": "serial", "trial_minutes": 2}}),
    ("resources.gpus", {"resources": {"gpus": 1, "device": "cpu"}}),
    ("tracking.mlflow_uri", {"tracking": {"mlflow": False, "mlflow_uri": "http://host:5000"}}),
    ("tracking.champion", {"tracking": {"mlflow": False, "champion": "fast"}}),
    ("tracking.model", {"tracking": {"mlflow": False, "model": "mine"}}),
    ("tracking.model", {"tracking": {"champion": None, "model": "mine"}}),
    ("tracking.animation", {"tracking": {"mlflow": False, "animation": True}}),
    ("tracking.animation", {"tracking": {"champion": None, "animation": True}}),
    ("tracking.animation", {"space": {"name": "layer_dag"}, "tracking": {"animation": True}}),
    ("training.activation", {"space": {"options": {"activations": ["relu"]}}, "training": {"activation": "tanh"}}),
    ("space.options.activation", at_random("recurrent", {"activations": ["relu"], "activation": "tanh"})),
    ("space.options.max_memory", at_random("recurrent", {"max_memory": 9})),
    ("space.options.memory_mutation", at_random("recurrent", {"memory_mutation": 0.5})),
    ("space.options.max_nodes", at_random("layer_dag", {"max_nodes": 20})),
]  # fmt: skip


@pytest.mark.parametrize(("path", "values"), REFUSED)
def test_refused(path: str, values: dict[str, Any]) -> None:
    lines = refusal(values).splitlines()
    assert any(line.startswith(f"job: {path}: it does nothing") for line in lines), lines


def test_every_rule_is_tried_and_names_a_field() -> None:
    assert {rule.path for rule in RULES} == {path for path, _ in REFUSED}


def test_a_refusal_names_the_line_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("training:\n  steps: 5\n  losses: {sparsity: 1}\n", encoding="utf-8")
    with pytest.raises(JobError, match=rf"^{file}, line 3: training.losses.sparsity: .*'neuron_dag'.*sparsify"):
        Job.from_yaml(file)
    with pytest.raises(JobError, match=r"^--set: training.losses.time: "):
        Job.from_yaml(file, ["training.losses={time: 1}"])


def test_defaults_and_null_and_what_is_so_anyway_are_accepted() -> None:
    Job.from_mapping({})
    Job.from_mapping({"training": {"parametrisation": "free", "sparsify": None}, "data": {"drop": []}})
    for name in SPACES:
        Job.from_mapping({"space": {"name": name}})


def test_a_job_that_is_kept_whole_is_read_again() -> None:
    job = Job.from_mapping({"space": {"name": "layer_dag"}, "training": {"steps": 7}})
    assert stored_job(job.to_mapping(complete=True), "the study") == job
    assert Job.from_mapping(job.to_mapping()) == job
    assert job.to_mapping() == {"space": {"name": "layer_dag"}, "training": {"steps": 7}}


# --- options of spaces ------------------------------------------------------------------------------------------------

# For each option another value, and what else must hold for it to matter.
WIDE: dict[str, Any] = {"nodes": [3, 4], "skips": [0.9, 1.0]}
SPACE_OPTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "n_computational": ([9, 12], {}),
    "density": ([0.1, 0.2], {}),
    "max_edges": (14, {}),
    "activations": (["tanh"], {}),
    "hyperparameters": ({"learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}}, {}),
    "families": (["banded"], {}),
    "input_shape": ([64], {}),
    "nodes": ([3, 4], {}),
    "skips": ([0.9, 1.0], {"nodes": [3, 4]}),
    "widths": ([9, 12], {}),
    "kernels": ([1], {}),
    "norms": (["none"], {}),
    "merges": (["concatenate"], WIDE),
    "max_nodes": (4, {}),
    "max_weights": (70, WIDE),
    "features": (4, {}),
    "memory": ([3, 4], {}),
    "max_memory": (2, {"memory_mutation": 1.0}),
    "memory_mutation": (1.0, {}),
    "activation": ("relu", {}),
    "memory_activation": ("identity", {}),
    "learn_initial": (True, {}),
}
ONLY_MUTATED = {"max_nodes", "max_memory", "memory_mutation"}


@kept
def space_outcome(job: Job, folder: Path, name: str) -> list[str]:
    """The networks that a search makes; trainings are pretended."""
    data = loaded(job.data)
    refuse_unread(job, data)
    store = StudyStore.create(folder, name, seed=0, objectives=job.search.objectives)
    found: list[str] = []

    def trained(candidate: Candidate, *arguments: Any) -> TrialResult:
        genome = candidate.genome
        text = "" if genome.structure is None else genome.structure.to_json()
        found.append(repr((genome.dag.to_json(), text, sorted(genome.hyperparameters.items()))))
        return dataclasses.replace(pretend(candidate, *arguments), structure=genome.structure)

    strategy = make_strategy(job.search, load_space(job.space, data), job.training, store)
    executor = SerialExecutor(data, job.training, evaluate=trained)
    run_search(strategy, executor, store, trials=job.search.trials, give_up_after=99)
    return found


@pytest.mark.parametrize("strategy", ["random", "evolution"])
@pytest.mark.parametrize("space", SPACES)
def test_options_of_spaces(space: str, strategy: str, tmp_path: Path) -> None:
    search = {"strategy": strategy, "trials": 12, "options": {"initial": 3} if strategy == "evolution" else {}}
    images = {"data": {"source": "digits", "samples": 200}} if space == "layer_dag" else {}
    outcome = functools.partial(space_outcome, folder=tmp_path)
    for name in space_class(SpaceConfig(name=space)).Options.model_fields:
        value, context = SPACE_OPTIONS[name]
        if strategy == "random" and name in ONLY_MUTATED:
            context = {}
        one = base(space, search=search, space={"options": context}, **images)
        found = acts_or_is_refused(one, merged(one, at(f"space.options.{name}", value)), f"options.{name}", outcome)
        assert found == ("refused" if strategy == "random" and name in ONLY_MUTATED else "acts"), name


def refused_option(values: Mapping[str, Any], data: Dataset) -> str:
    with pytest.raises(JobError, match="it does nothing here") as caught:
        refuse_unread(Job.from_mapping(values), data)
    return str(caught.value)


def test_options_that_the_data_or_other_options_void_are_refused(tmp_path: Path) -> None:
    data = loaded(DataConfig(source="iris"))
    flat = {"space": {"name": "layer_dag", "options": {"kernels": [3]}}}
    assert "space.options.kernels: it does nothing here: samples of shape (4,)" in refused_option(flat, data)
    small = merged(flat, {"space": {"options": {"input_shape": [1, 2, 2]}}})
    assert "space.options.kernels: it does nothing here: none of 3 fits into" in refused_option(small, data)
    options = {"memory": 0, "max_memory": 0, "features": 2, "learn_initial": True, "memory_activation": "identity"}
    still = {"space": {"name": "recurrent", "options": options}}
    said = refused_option(still, data)
    assert "options.learn_initial: it does nothing" in said and "options.memory_activation: it does nothing" in said
    write_edge_list(tmp_path / "graph.csv", random_dag(4, 5, 3, density=0.9, rng=np.random.default_rng(0)))
    files = {"families": [str(tmp_path / "graph.csv")], "n_computational": 3}
    assert "options.n_computational: it does nothing" in refused_option(
        {"space": {"name": "families", "options": files}}, data
    )
    limited = SpaceConfig(name="families", options={"families": files["families"], "max_edges": 9})
    with pytest.raises(GraphError, match=r"graph\.csv has \d+ edges, space\.options\.max_edges is 9"):
        load_space(limited, data).initial(np.random.default_rng(0))


def test_no_first_network_of_layers_is_beyond_the_limit() -> None:
    options = {"nodes": [1, 9], "widths": [4, 32], "max_weights": 300}
    space = load_space(SpaceConfig(name="layer_dag", options=options), loaded(DataConfig(source="iris")))
    weights = []
    for seed in range(12):
        structure = space.initial(np.random.default_rng(seed)).structure
        assert structure is not None
        weights.append(structure.measures()["edges"])
    assert 40 < max(weights) <= 300


class GhostOptions(DagOptions):
    seen: int = 3
    begun: int = 3
    rare: int = 3
    ghost: int = 3


class GhostSpace(NeuronDag):
    """One option of which is read at once, one at first, one when something is changed, and one never."""

    Options = GhostOptions
    options: Any

    def __init__(self, options: Any, shape: TaskShape) -> None:
        super().__init__(options, shape)
        self.begun = options.begun

    def initial(self, rng: np.random.Generator, **positions: Any) -> Genome:
        assert self.options.seen
        return super().initial(rng, **positions)

    def mutate(self, genome: Genome, rng: np.random.Generator, strength: float, **more: Any) -> tuple[Genome, str]:
        assert rng.random() > 0.3 or self.options.rare
        return super().mutate(genome, rng, strength, **more)


def test_options_of_ones_own_space_that_nothing_reads_are_refused() -> None:
    data = loaded(DataConfig(source="iris"))

    def stated(strategy: str, *names: str) -> Job:
        options = {"n_computational": [2, 4], **dict.fromkeys(names, 4)}
        space = {"name": f"{__name__}:GhostSpace", "options": options}
        return Job.from_mapping({"space": space, "search": {"strategy": strategy}})

    refuse_unread(stated("evolution", "seen", "begun", "rare"), data)
    refuse_unread(stated("random", "seen", "begun"), data)
    with pytest.raises(JobError, match=r"^space\.options\.ghost: it does nothing here: .* does not read it"):
        refuse_unread(stated("evolution", "seen", "ghost"), data)
    with pytest.raises(JobError, match=r"^space\.options\.rare: .* none is changed by this strategy"):
        refuse_unread(stated("random", "rare", "seen"), data)


def test_only_images_are_moved() -> None:
    for where in (
        at("training.input_shift", 0.5),
        at("space.options.hyperparameters.input_shift", {"low": 0.1, "high": 1.0}),
    ):
        (named,) = where
        job = Job.from_mapping(merged(base("neuron_dag"), where))
        with pytest.raises(JobError, match=rf"^{named}\..*input_shift: it does nothing here: it moves images"):
            refuse_unused(job, None, read_data(job.data))
        images = Job.from_mapping(merged(base("neuron_dag", data=IMAGES), where))
        refuse_unused(images, None, read_data(images.data))


def test_searches_of_images_try_to_move_them_and_no_others() -> None:
    space, large = SpaceConfig(), TaskShape(256, 10, period=16, channels=1)
    others = (TaskShape(256, 10), TaskShape(256, 10, period=16), TaskShape(64, 10, period=8, channels=1))
    for shape, moves in ((large, True), *((shape, False) for shape in others)):
        found = space_class(space)(DagOptions(), shape)
        assert ("input_shift" in found.hyperparameters) == moves
        assert all(("input_shift" in guess) == moves for guess in found.first_hyperparameters)
    own = space_class(space)(DagOptions(hyperparameters={}), large)
    assert own.hyperparameters == {}


# --- data -------------------------------------------------------------------------------------------------------------

DATA: dict[str, Any] = {
    "target": "a",
    "drop": ["a"],
    "keep": ["k"],
    "kinds": {"c": "category"},
    "missing": ["3"],
    "ramps": True,
    "task": "regression",
    "encoding": "cp1252",
    "separator": ";",
    "decimal": ",",
    "header": False,
    "validation": 0.3,
    "test": 0.3,
    "standardise": "global",
    "standardise_targets": False,
    "period": 2,
    "channels": 2,
    "pixels": 4,
    "split": "chronological",
    "group": "who",
    "time": "when",
    "samples": 50,
    "class_weight": "balanced",
    "seed": 5,
}
UNNAMED = {"separator", "decimal", "header", "task"}  # the file read so is refused for what that makes of it


def own_arrays() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(90, 4))
    return x, (x[:, 0] > 0.3).astype(int)


def own_dataset() -> Dataset:
    x, y = own_arrays()
    x32, labels = x.astype(np.float32), y.astype(np.int64)
    parts = (x32[:50], labels[:50], x32[50:70], labels[50:70], x32[70:], labels[70:])
    return Dataset("own", "classification", *parts, classes=("n", "p"))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    when = np.datetime64("2020-01-01") + rng.integers(0, 900, 120)
    columns = {"when": when, "who": np.repeat(np.arange(12), 10), "c": rng.integers(1, 4, 120), "k": np.arange(120)}
    values = {"a": rng.normal(size=120), "bä": rng.normal(size=120), "y": rng.choice([0, 0, 1], 120)}
    pd.DataFrame({**columns, **values}).to_csv(folder / "t.csv", index=False)
    x, y = own_arrays()
    np.savez(folder / "sums.npz", x=x, y=x.sum(axis=1))
    np.savez(folder / "parts.npz", x_train=x[:60], y_train=y[:60], x_val=x[60:], y_val=y[60:], x_test=x, y_test=y)
    files = [str(folder / name) for name in ("t.csv", "sums.npz", "parts.npz")]
    return ["iris", "diabetes", *files, f"{__name__}:own_arrays", f"{__name__}:own_dataset"]


def data_outcome(values: Mapping[str, Any]) -> str:
    job = Job.from_mapping(values)
    try:
        read = read_data(job.data)
    except DataError as error:
        raise JobError(str(error)) from error
    refuse_unused(job, None, read)
    found = hashlib.sha256()
    for field in dataclasses.fields(read.dataset):
        value = getattr(read.dataset, field.name)
        found.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return found.hexdigest()


def test_data(sources: list[str]) -> None:
    assert {*DATA, "source"} == {*DataConfig.model_fields}
    for source in sources:
        one = {"data": {"source": source}}
        for name, value in DATA.items():
            regression = source == "diabetes" or source.endswith("sums.npz")
            if name == "task" and regression:
                continue  # it is so anyway
            acts_or_is_refused(
                one, merged(one, at(f"data.{name}", value)), "" if name in UNNAMED else name, data_outcome
            )


def test_what_the_data_voids_is_refused(sources: list[str]) -> None:
    for source, names in (("parts.npz", ("validation", "test", "split", "seed")), ("own_dataset", ("seed", "period"))):
        path = next(each for each in sources if each.endswith(source))
        for name in names:
            with pytest.raises(JobError, match=rf"^data\.{name}: it does nothing here: "):
                data_outcome({"data": {"source": path, name: DATA[name]}})
    data_outcome({"data": {"source": f"{__name__}:own_dataset", "task": "classification"}})


# --- metrics that a job names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("source", ["iris", "diabetes"])
def test_metrics_are_known_before_the_first_trial(space: str, source: str) -> None:
    more = {"precision": "int8"} if space in ("neuron_dag", "families") else {}
    values = base(space, data={"source": source}, training={"steps": 2, **more})
    job = Job.from_mapping(values)
    data = loaded(job.data)
    for scorer in ("", "balanced_accuracy" if source == "iris" else "neg_mean_absolute_error"):
        judged = dataclasses.replace(data, scorer=scorer)
        strategy = RandomStrategy(load_space(job.space, data), job.training, Objectives(("error", "edges"), 1.0), 0)
        found = run_trial(strategy.ask(0), judged, job.training)
        assert found.status is TrialStatus.COMPLETE, found.reason
        neurons = space not in ("layer_dag", "recurrent")
        assert metric_names(job.training, (data.task,), (scorer,), neurons=neurons) == found.metrics.keys()


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"constraints": ["acuracy>=0.9"]}, "'acuracy>=0.9' bounds what networks do not have; did you mean 'accuracy'"),
        ({"constraints": ["edges<=90", "val_r2>=0.1"]}, "'val_r2>=0.1' bounds what networks do not have"),
        ({"constraints": ["test_error<=0.1"]}, "the test part says, which is there to judge .*; bound val_error"),
        ({"constraints": ["integer_val_error<=0.1"]}, "'integer_val_error<=0.1' bounds what networks do not have"),
        ({"objectives": ["f1_macro"], "constraints": ["accuracy>=0.1"]}, "They have .*val_correct.*val_f1_macro"),
    ],
)
def test_bounds_of_what_networks_will_not_have_are_refused_when_the_job_is_read(
    values: dict[str, Any], match: str
) -> None:
    with pytest.raises(JobError, match=rf"job: search\.constraints: .*{match}"):
        Job.from_mapping({"data": {"source": "iris"}, "search": values})


def test_bounds_that_the_data_decides_are_judged_by_it() -> None:
    values = base("neuron_dag", data={"source": "x.csv", "samples": None}, search={"constraints": ["accuracy>=0.9"]})
    job = Job.from_mapping(values)  # x.csv may be a classification
    refuse_unused(job, None, read_data(DataConfig(source="iris")))
    with pytest.raises(JobError, match="'accuracy>=0.9' bounds what networks do not have. They have .*val_r2"):
        refuse_unused(job, None, read_data(DataConfig(source="diabetes")))
    for source in ("diabetes", "addsub"):
        with pytest.raises(JobError, match="'accuracy>=0.9' bounds what networks do not have"):
            Job.from_mapping(merged(values, {"data": {"source": source}}))
    with pytest.raises(JobError, match="'train_bytes<=9' bounds what networks do not have"):
        Job.from_mapping({"space": {"name": "layer_dag"}, "search": {"constraints": ["train_bytes<=9"]}})


@pytest.mark.parametrize(
    ("champion", "match"),
    [("acuracy>=0.9", "networks have no metric 'acuracy'"), ("fastest", "cannot pick 'fastest'")],
)
def test_champions_that_nobody_can_be_are_refused(champion: str, match: str) -> None:
    with pytest.raises(JobError, match=rf"job: tracking\.champion: {match}"):
        Job.from_mapping({"tracking": {"champion": champion}})
    for good in ("best", "#3", "accuracy_low>=0.9, edges<100", "loss<2", "error<0.1"):
        Job.from_mapping({"tracking": {"champion": good}})


# --- what follows from the declarations -----------------------------------------------------------------------------


def test_the_table_of_the_docs_is_the_declaration() -> None:
    page = (ROOT / "docs" / "how-to" / "settings.md").read_text(encoding="utf-8")
    assert acting_table() in page, "docs/how-to/settings.md must hold nas.training.acting.acting_table()"
