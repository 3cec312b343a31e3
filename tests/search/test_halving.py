from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from nas.search import (
    Halving,
    HalvingConfig,
    Objectives,
    SearchConfig,
    SearchSpace,
    SerialExecutor,
    StudyStore,
    make_strategy,
    run_search,
)
from nas.training import Candidate, Dataset, TrainingConfig, TrainingState, TrialResult, TrialStatus
from tests.search.conftest import pretend

RUNGS = TrainingConfig(steps=100, rungs=(0.1, 0.5))


def with_rungs(candidate: Candidate, dataset: Dataset, config: TrainingConfig) -> TrialResult:
    """`pretend` that pauses: what it resumes from must be what it returned."""
    result = pretend(candidate, dataset, config)
    done = 0 if candidate.resume is None else candidate.resume.step
    if candidate.resume is not None:
        assert candidate.resume.arrays["number"] == candidate.number
    if candidate.pause_at is None:
        return result
    assert candidate.pause_at > done
    known = {name: result.metrics[name] for name in ("val_error", "val_accuracy", "edges", "density", "depth")}
    state = TrainingState(candidate.pause_at, {"number": np.array(candidate.number)})
    return TrialResult(candidate.number, TrialStatus.PAUSED, known, state=state, steps=candidate.pause_at, seconds=0.25)


def search(store: StudyStore, space: SearchSpace, dataset: Dataset, trials: int, **changes: object) -> SearchConfig:
    values = {"strategy": "evolution", "options": {"population": 6}, "objectives": store.objectives.names, **changes}
    config = SearchConfig.model_validate(values)
    strategy = make_strategy(config, space, RUNGS, store)
    executor = SerialExecutor(dataset, RUNGS, evaluate=with_rungs)
    run_search(strategy, executor, store, trials=trials, halving=config.halving, budget_steps=config.budget_steps)
    return config


@pytest.mark.parametrize(
    ("objectives", "changes"),
    [
        (("error", "inference_time"), {}),
        (("error", "inference_time"), {"strategy": "random", "options": {}}),
        *(
            (("error", "inference_time"), {"strategy": "optuna", "options": {"population": 6, "sampler": name}})
            for name in ("tpe", "nsga2", "nsga3", "qmc", "random")
        ),
        (("error", "edges", "depth"), {"strategy": "optuna", "options": {"population": 6}}),
        (("error", "inference_time"), {"halving": {"rule": "first"}}),
        *(
            (("error",), {"strategy": "optuna", "options": {"population": 6}, "halving": {"pruner": name}})
            for name in ("median", "percentile", "successive_halving", "hyperband")
        ),
    ],
    ids=str,
)
def test_rungs_stop_trials_that_keep_their_record(
    objectives: tuple[str, ...], changes: dict[str, object], space: SearchSpace, dataset: Dataset, tmp_path: Path
) -> None:
    store = StudyStore.create(tmp_path, "study", objectives=objectives, seed=3)  # type: ignore[arg-type]
    search(store, space, dataset, 40, **changes)
    store = StudyStore.open(tmp_path, "study")
    counts = store.counts()
    assert counts["running"] == counts["failed"] == 0
    assert counts["stopped"] >= 2 and counts["complete"] >= 8
    frozen = {trial.number: trial for trial in store.study.trials}
    for trial in store.records():
        assert trial.result is not None
        steps = [rung.step for rung in trial.rungs]
        if trial.steps == 0:  # a mean of others is not trained
            assert trial.state == "complete" and not steps
            continue
        reached = [round(share * trial.steps) for share in RUNGS.rungs]
        assert steps == reached[: len(steps)]
        assert [rung.passed for rung in trial.rungs[:-1]] == [True] * len(steps[:-1])
        assert len(frozen[trial.number].intermediate_values) == len(steps)
        if trial.state == "stopped":
            assert frozen[trial.number].state.name == "PRUNED"
            assert trial.result.reason == f"stopped at rung {len(steps)} (step {steps[-1]})"
            assert trial.result.metrics["val_error"] == trial.rungs[-1].metrics["val_error"]
            assert (trial.result.steps, trial.result.seconds) == (steps[-1], pytest.approx(0.25 * len(steps)))
            assert not trial.rungs[-1].passed
        else:
            assert steps == reached and trial.rungs[-1].passed
    assert set(store.front().numbers) <= {n for n, trial in frozen.items() if trial.state.name == "COMPLETE"}


def test_without_rungs_nothing_pauses(store: StudyStore, space: SearchSpace, dataset: Dataset) -> None:
    plain = TrainingConfig(steps=100)
    strategy = make_strategy(SearchConfig(strategy="random"), space, plain, store)
    run_search(strategy, SerialExecutor(dataset, plain, evaluate=with_rungs), store, trials=20)
    assert store.counts()["complete"] == 20


def test_a_budget_of_steps_counts_what_was_trained(store: StudyStore, space: SearchSpace, dataset: Dataset) -> None:
    search(store, space, dataset, 1000, strategy="random", options={}, budget_steps=2000)
    steps = [t.result.steps if t.result.steps is not None else t.steps for t in store.records() if t.result]
    assert 2000 <= sum(steps) < 2100
    assert len(steps) > 25  # without rungs 20


def test_a_killed_search_with_rungs_goes_on_as_if_it_had_not_been(
    space: SearchSpace, dataset: Dataset, tmp_path: Path
) -> None:
    class Dying(BaseException):
        pass

    whole = StudyStore.create(tmp_path / "whole", "study", seed=5)
    search(whole, space, dataset, 30)
    for step in ("pause", "finish", "record", "begin"):
        for after in (False, True):
            store = StudyStore.create(tmp_path / f"{step}{after}", "study", seed=5)
            act, calls = getattr(store, step), 0

            def dying(*arguments, act=act, after=after, **options):  # type: ignore[no-untyped-def]
                nonlocal calls
                calls += 1
                if calls == 14 and not after:
                    raise Dying
                found = act(*arguments, **options)
                if calls == 14:
                    raise Dying
                return found

            setattr(store, step, dying)
            with pytest.raises(Dying):
                search(store, space, dataset, 30)
            again = StudyStore.open(store.root, "study")
            search(again, space, dataset, 30)
            for a, b in zip(whole.records(), again.records(), strict=True):
                assert (a.number, a.state, a.seed, a.rungs) == (b.number, b.state, b.seed, b.rungs), (step, after)


def paused(error: float, edges: float) -> dict[str, float]:
    return {"val_error": error, "edges": edges}


def test_the_best_by_rank_go_on() -> None:
    halving = Halving(HalvingConfig(startup=4, keep=0.5), Objectives(("error", "inference_time")))
    for number, (error, edges) in enumerate([(0.5, 100), (0.4, 200), (0.3, 300), (0.2, 400)]):
        assert halving.passes(number, 0, paused(error, edges))
    assert not halving.passes(4, 0, paused(0.55, 400))  # dominated by all
    assert halving.passes(5, 0, paused(0.1, 90))  # dominates all
    assert halving.passes(6, 0, paused(0.9, 10))  # the smallest, however bad: it may become good
    assert halving.passes(7, 1, paused(0.9, 900))  # another rung knows nothing of this one
    assert not halving.passes(8, 0, paused(float("nan"), 10))


def test_the_best_by_the_first_objective_go_on() -> None:
    halving = Halving(HalvingConfig(startup=1, keep=0.5, rule="first"), Objectives(("error", "edges")))
    passed = [halving.passes(n, 0, paused(e, 1.0)) for n, e in enumerate([0.5, 0.4, 0.6, 0.45, 0.41, 0.3])]
    assert passed == [True, True, False, True, True, True]


def test_only_the_last_so_many_count() -> None:
    halving = Halving(HalvingConfig(startup=1, keep=0.5, window=4), Objectives(("error",)))
    for number in range(4):
        halving.passes(number, 0, paused(0.1, 1.0))
    assert not halving.passes(4, 0, paused(0.2, 1.0))
    for number in range(5, 9):
        halving.passes(number, 0, paused(0.5, 1.0))
    assert halving.passes(9, 0, paused(0.2, 1.0))


def test_optunas_pruners_need_one_objective() -> None:
    with pytest.raises(ValidationError, match="Optuna's pruners compare one objective, but there are 2"):
        SearchConfig.model_validate({"halving": {"pruner": "median"}})
    SearchConfig.model_validate({"objectives": ["error"], "halving": {"pruner": "median"}})


def test_a_group_with_rungs(store: StudyStore, space: SearchSpace, dataset: Dataset) -> None:
    """Groups are filled with paused trials first, then new ones; each candidate is evaluated for every visit once."""
    seen: list[list[tuple[int, int | None]]] = []

    def evaluate_group(group, data, config):  # type: ignore[no-untyped-def]
        seen.append([(candidate.number, candidate.pause_at) for candidate in group])
        return [dataclasses.replace(with_rungs(candidate, data, config)) for candidate in group]

    strategy = make_strategy(SearchConfig(strategy="random"), space, RUNGS, store)
    executor = SerialExecutor(dataset, RUNGS, evaluate=with_rungs, evaluate_group=evaluate_group, group=4)
    run_search(strategy, executor, store, trials=22)
    assert sum(store.counts().values()) == 22
    assert all(len(group) <= 4 for group in seen)
    visits = [visit for group in seen for visit in group]
    assert len(visits) == len(set(visits))
    assert len([group for group in seen if len(group) == 4]) >= 5
