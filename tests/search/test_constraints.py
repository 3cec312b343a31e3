"""Bounds of a search: how they are written, what they keep off the front, and how a search finds its way in."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nas.search import (
    Front,
    FrontMember,
    Objectives,
    PickError,
    RandomStrategy,
    SearchConfig,
    SearchSpace,
    SerialExecutor,
    SpaceConfig,
    StudyError,
    StudyStore,
    TaskShape,
    load_space,
    run_search,
)
from nas.search.front.constraints import Bound, largest_within, nearest_miss, no_such_metric, violation
from nas.search.strategies.optuna_sampler import OptunaOptions, _sampler
from nas.search.strategies.population import Population
from nas.search.study.sampling import Sampling
from nas.training import Dataset, TrainingConfig, TrialResult, TrialStatus
from tests.search.conftest import TRAINING, pretend

BOUNDS = (Bound.parse("flash<=2000"), Bound.parse("accuracy >= 0.9"))
OBJECTIVES = Objectives(("error", "edges"), bounds=BOUNDS)


def trial(number: int, error: float, edges: float, **metrics: float) -> FrontMember:
    metrics = {"val_accuracy": 1 - error, "val_error": error, "edges": edges, "flash": 2 * edges + 300, **metrics}
    return FrontMember(number, (error, edges), metrics)


@given(
    st.sampled_from(["edges", "val_loss", "inference_time"]),
    st.sampled_from(["<=", ">="]),
    st.floats(-1e9, 1e9).map(lambda value: float(f"{value:g}")),
)
def test_a_bound_reads_as_it_is_written(name: str, sign: str, limit: float) -> None:
    bound = Bound.parse(f"{name}{sign}{limit:g}")
    assert Bound.parse(str(bound)) == bound and bound.limit == limit
    assert bound.excess({bound.metric: limit}) == 0
    assert bound.excess({bound.metric: limit + (1 if sign == "<=" else -1) * (abs(limit) + 1)}) > 0
    assert bound.excess({}) == math.inf


@pytest.mark.parametrize("text", ["flash", "flash=2000", "flash<2000", "flash<=", "flash<=much", "2000>=flash", ""])
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match='a bound is written as "flash<=2000" or "accuracy>=0.9"'):
        SearchConfig(constraints=(text,))


def test_only_networks_within_are_members() -> None:
    trials = [trial(0, 0.02, 900), trial(1, 0.05, 800), trial(2, 0.04, 850), trial(3, 0.2, 100), trial(4, 0.09, 90)]
    front = Front.of(OBJECTIVES, trials)
    assert front.numbers == (2, 1, 4)  # trial 0 is too large, trial 3 too poor
    grown = Front.of(OBJECTIVES, trials[1:3])
    for late in (trials[0], trials[3], trials[4]):
        grown = grown.with_trial(late)
    assert grown.numbers == front.numbers
    assert front.pick("accurate").number == 2


def test_an_empty_front_says_what_is_in_the_way_and_by_how_much() -> None:
    far, near = trial(0, 0.02, 2000), trial(1, 0.11, 900)
    front = Front.of(OBJECTIVES, [far, near])
    assert len(front) == 0 and front.hypervolume == 0
    with pytest.raises(PickError, match="of 2 networks none is within all bounds; the nearest misses") as caught:
        front.pick("knee")
    assert "flash<=2000 by 5 % (2100) and accuracy>=0.9 by 1.11 % (0.89)" in str(caught.value)
    assert "no network keeps flash<=2000 at all" in str(caught.value)
    with pytest.raises(PickError, match="'heat<=1' bounds what networks do not have. They have accuracy, edges"):
        Front.of(Objectives(("error", "edges"), bounds=(Bound.parse("heat<=1"),)), [far]).knee()
    assert nearest_miss(BOUNDS, []) == "no trial has finished"
    with pytest.raises(PickError, match="no trial has finished"):
        Front.of(OBJECTIVES, []).knee()


def test_parents_are_ranked_by_feasibility_first() -> None:
    population = Population(OBJECTIVES, 10)
    for each in (trial(0, 0.01, 2000), trial(1, 0.08, 700), trial(2, 0.02, 5000), trial(3, 0.5, 800)):
        result = TrialResult(each.number, TrialStatus.COMPLETE, metrics={**each.metrics, "val_score": each.values[0]})
        values = OBJECTIVES.ranked(result)
        assert values is not None
        assert (values == OBJECTIVES.values(result)) == (violation(BOUNDS, each.metrics) == 0)
        population.add(each.number, values)
    order = [population._members[k].number for k in population.order()]
    assert order == [1, 3, 0, 2]  # within; then by how far outside: 44 % (accuracy), 115 % and 415 % (flash)


def test_bounds_of_costs_become_bounds_of_edges() -> None:
    networks = [{"edges": 10.0 * k, "flash": 20.0 * k + 300, "val_error": 1 / k} for k in range(1, 9)]
    assert largest_within([Bound.parse("flash<=1300")], networks) == pytest.approx(500)
    assert largest_within([Bound.parse("flash<=1300"), Bound.parse("edges<=400")], networks) == pytest.approx(400)
    assert largest_within([Bound.parse("flash<=200")], networks) == 1  # nothing is small enough
    free = [Bound.parse(text) for text in ("flash>=100", "error<=0.1", "cycles<=5", "flash<=1")]
    assert largest_within(free[:3], networks) == largest_within(free[3:], networks[:1]) == math.inf


def test_samplers_of_optuna_prefer_what_is_within() -> None:
    """The best values lie outside: a sampler that knows proposes them less often than one that does not."""
    domain = optuna.distributions.FloatDistribution(0.0, 1.0)

    def proposals(bounded: bool) -> np.ndarray:
        sampling = Sampling([optuna.study.StudyDirection.MINIMIZE] * 2, [])
        rng = np.random.default_rng(0)
        found = []
        for number in range(60):
            sampling.begin(number)
            sampling.study.sampler = _sampler(OptunaOptions(sampler="tpe"), 0, number)
            if number < 40:
                x = float(rng.random())
                sampling._storage.set_trial_param(number, "x", x, domain)
            else:
                x = float(sampling.trial(number)._suggest("x", domain))
                found.append(x)
            state = optuna.trial.TrialState.COMPLETE
            sampling.end(number, state, (x, 1 - 0.5 * x), max(0.5 - x, 0.0) if bounded else None)
            assert sampling.frozen(number).constraints == ({"bounds": max(0.5 - x, 0.0)} if bounded else {})
        return np.array(found)

    assert (proposals(True) >= 0.5).mean() > (proposals(False) >= 0.5).mean() + 0.2


@pytest.mark.parametrize("space", ["neuron_dag", "families", "manifold", "layer_dag", "recurrent"])
def test_random_candidates_keep_the_bounds_that_are_known_before_a_training(space: str) -> None:
    shape = TaskShape(8, 3, period=4)
    sizes = {"nodes": [1, 4]} if space == "layer_dag" else {"n_computational": [2, 40], "density": [0.1, 1.0]}
    found = load_space(SpaceConfig(name=space, options=sizes), shape)

    def drawn(*bounds: str) -> list[dict[str, float]]:
        objectives = Objectives(("error", "edges"), bounds=tuple(map(Bound.parse, bounds)))
        strategy = RandomStrategy(found, TrainingConfig(steps=9), objectives, 0)
        return [strategy._measures(strategy.ask(number).genome) for number in range(4)]

    free, bounded = drawn(), drawn("edges<=120", "accuracy>=0.5")
    assert max(each["edges"] for each in free) > 120 >= max(each["edges"] for each in bounded)
    assert {each["edges"] for each in free if each["edges"] <= 120} <= {each["edges"] for each in bounded}
    assert min(each["edges"] for each in drawn("edges>=60")) >= 60


def test_random_candidates_learn_what_edges_cost() -> None:
    found = load_space(SpaceConfig(name="neuron_dag", options={"n_computational": [2, 40]}), TaskShape(8, 3))
    objectives = Objectives(("error", "edges"), bounds=(Bound.parse("flash<=500"),))
    strategy = RandomStrategy(found, TrainingConfig(steps=9), objectives, 0)
    for number, edges in enumerate((10, 1000)):
        metrics = {"val_error": 0.1, "val_score": 0.1, "edges": edges, "flash": 2.0 * edges + 300}
        strategy.tell(TrialResult(number, TrialStatus.COMPLETE, metrics=metrics))
    assert max(strategy.ask(number).genome.dag.n_edges for number in range(2, 10)) <= 100


def test_a_study_keeps_its_bounds(tmp_path: Path) -> None:
    store = StudyStore.create(tmp_path, "bounded", objectives=("error", "flash"), constraints=("flash<=2000",))
    assert store.objectives.bounds == (Bound.parse("flash<=2000"),)
    assert StudyStore.open(tmp_path, "bounded").objectives == store.objectives
    free: Any = StudyStore.create(tmp_path, "free", objectives=("error", "flash"))
    assert free.objectives.bounds == () and "constraints" not in free.header


def test_a_bound_of_what_networks_do_not_have_ends_a_search_at_its_first(
    tmp_path: Path, dataset: Dataset, space: SearchSpace
) -> None:
    assert no_such_metric(BOUNDS, trial(0, 0.1, 3).metrics) == ""
    store = StudyStore.create(tmp_path, "bounded", objectives=("error", "edges"), constraints=("flsh<=2000",))
    executor = SerialExecutor(dataset, TRAINING, evaluate=pretend)
    strategy = RandomStrategy(space, TRAINING, store.objectives, 0)
    with pytest.raises(StudyError, match=r"'flsh<=2000' bounds what networks do not have"):
        run_search(strategy, executor, store, trials=50)
    assert store.counts()["complete"] == 1
