from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nas import graph
from nas.errors import JobError
from nas.graph import DAG
from nas.search import Choice, Range, SearchSpace, SpaceConfig, SpaceOptions, TaskShape, load_space, stable_ids
from nas.training import Genome

SHAPE = TaskShape(3, 2)


class OwnSpace(SearchSpace):
    """What a user would write: complete graphs of one size."""

    def initial(self, rng: np.random.Generator, *, size: float | None = None, density: float | None = None) -> Genome:
        return Genome(graph.complete(self.shape.n_inputs, 2, self.shape.n_outputs))

    def mutate(  # type: ignore[no-untyped-def]
        self, genome: Genome, rng: np.random.Generator, strength: float, **_
    ) -> tuple[Genome, str]:
        return genome, "nothing"


def test_built_in_spaces_load_by_name() -> None:
    assert type(load_space(SpaceConfig(name="neuron_dag"), SHAPE)).__name__ == "NeuronDag"
    assert type(load_space(SpaceConfig(name="manifold"), SHAPE)).__name__ == "Manifold"


def test_own_space_loads_by_import_path(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys
    import types

    module = types.ModuleType("my_spaces")
    module.Own = OwnSpace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "my_spaces", module)
    space = load_space(SpaceConfig(name="my_spaces:Own"), SHAPE)
    assert space.initial(np.random.default_rng(0)).dag.n_outputs == 2
    assert space.large(np.random.default_rng(0)) is None  # the default: `initial` draws the first genome


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing_here", {}, r"space.name: cannot load 'nothing_here'.*\"neuron_dag\", \"manifold\""),
        ("math:Space", {}, r"space.name: cannot load 'math:Space'"),
        ("math:pi", {}, r"must name a subclass of nas.search.SearchSpace, got 3.14"),
        (
            "neuron_dag",
            {"densty": 1},
            r"space.options.densty: unknown key; did you mean density\? the options are .*density",
        ),
        ("neuron_dag", {"density": [0.5, 0.1]}, r"density: 0 < least <= largest <= 1 must hold, but got 0.5, 0.1"),
        ("neuron_dag", {"n_computational": [-1, 4]}, r"n_computational: 0 <= least <= most"),
        ("neuron_dag", {"hyperparameters": {"lr": {"low": 0.1, "high": 1}}}, r"hyperparameter 'lr'"),
        ("neuron_dag", {"hyperparameters": {"losses.flo": {"low": 0.1, "high": 1}}}, r"hyperparameter 'losses.flo'"),
        (
            "neuron_dag",
            {"hyperparameters": {"learning_rate": {"low": -1, "high": 1}}},
            r"hyperparameter 'learning_rate' = -1.0: Input should be greater than 0",
        ),
    ],
)
def test_wrong_space_section_is_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(JobError, match=message):
        load_space(SpaceConfig(name=name, options=options), SHAPE)


@given(st.floats(0, 1), st.booleans())
def test_range_position_inverts_at(position: float, log: bool) -> None:
    domain = Range(low=0.01, high=10, log=log)
    assert domain.position(float(domain.at(position))) == pytest.approx(position, abs=1e-9)


def test_log_range_is_uniform_in_the_logarithm() -> None:
    domain = Range(low=1e-4, high=1, log=True)
    assert domain.at(0.5) == pytest.approx(1e-2)
    rng = np.random.default_rng(0)
    drawn = [math.log10(float(domain.sample(rng))) for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(-2, abs=0.1)


@given(st.integers(0, 2**32), st.floats(1e-4, 1))
def test_perturbed_values_stay_in_the_range(seed: int, value: float) -> None:
    domain = Range(low=1e-4, high=1, log=True)
    moved = domain.perturb(value, np.random.default_rng(seed), scale=2.0)
    assert 1e-4 <= moved <= 1


def test_perturbation_is_small_and_integers_stay_integers() -> None:
    domain = Range(low=0, high=100, integer=True)
    rng = np.random.default_rng(0)
    moved = [domain.perturb(50, rng, scale=0.05) for _ in range(300)]
    assert all(isinstance(value, int) for value in moved)
    assert np.std(moved) == pytest.approx(5, rel=0.2)


def test_choice_changes_now_and_then() -> None:
    domain = Choice(choices=("relu", "tanh"))
    rng = np.random.default_rng(0)
    changed = sum(domain.perturb("relu", rng, scale=0.4) == "tanh" for _ in range(1000))
    assert changed == pytest.approx(200, rel=0.2)
    assert domain.perturb("unknown", rng) in domain.choices


def test_bad_ranges_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"low <= high.*got low=2.0, high=1.0"):
        Range(low=2, high=1)
    with pytest.raises(ValidationError, match="a log range must start above 0"):
        Range(low=0, high=1, log=True)
    with pytest.raises(ValidationError, match="activation"):
        SpaceOptions(hyperparameters={"learning_rate": Choice(choices=("activation",))})


def test_stable_ids_tell_trials_apart_and_agree_on_inputs_and_outputs() -> None:
    first = stable_ids(graph.complete(3, 4, 2), 1000)
    second = stable_ids(graph.complete(3, 7, 2), 2000)
    assert set(first.ids) & set(second.ids) == set(range(5))
    assert first.ids[-2:].tolist() == second.ids[-2:].tolist() == [3, 4]
    own = DAG(3, 0, 2, [[0, 3], [1, 4]], ids=[9, 8, 7, 6, 5])
    assert stable_ids(own, 1000).ids.tolist() == [9, 8, 7, 6, 5]
