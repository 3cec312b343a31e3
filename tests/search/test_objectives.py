from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import JobError
from nas.search import Objectives, error_reference
from nas.training import Dataset, TrialResult, TrialStatus

BOTH = Objectives(("error", "inference_time"))


def test_hypervolume_of_one_point_is_the_rectangle_up_to_the_reference() -> None:
    # 1 us..1 s in logarithms: 1 ms is half of the way; (1 - 0.25) * (1 - 0.5)
    assert BOTH.hypervolume([(0.25, 1e-3)]) == pytest.approx(0.375)


def test_hypervolume_of_two_points_is_that_of_their_union() -> None:
    # (0.75 x 0.5) + (0.5 x 0.75) - (0.5 x 0.5)
    third = 10 ** (-6 * 0.75)
    assert BOTH.hypervolume([(0.25, 1e-3), (0.5, third)]) == pytest.approx(0.375 + 0.375 - 0.25)


def test_points_at_or_beyond_the_reference_add_nothing() -> None:
    assert BOTH.hypervolume([(1.0, 1e-4), (0.1, 2.0)]) == 0.0
    assert BOTH.hypervolume([]) == 0.0


def test_single_objective_hypervolume_is_the_distance_to_the_reference() -> None:
    assert Objectives(("error",)).hypervolume([(0.3,), (0.2,)]) == pytest.approx(0.8)


@given(
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(1e-7, 2)), min_size=1, max_size=12),
    extra=st.tuples(st.floats(0, 1), st.floats(1e-7, 2)),
)
def test_hypervolume_is_in_the_unit_interval_and_never_falls(
    points: list[tuple[float, float]], extra: tuple[float, float]
) -> None:
    before = BOTH.hypervolume(points)
    after = BOTH.hypervolume([*points, extra])
    assert 0 <= before <= after + 1e-12 <= 1 + 1e-12


def test_regression_errors_are_measured_against_predicting_the_mean() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 2)).astype(np.float32)
    y = (3 * x[:, :1]).astype(np.float32)
    data = Dataset("r", "regression", x[:200], y[:200], x[200:], y[200:], x[:5], y[:5])
    assert error_reference(data) == pytest.approx(float(y[200:].var()), rel=0.1)
    scaled = Objectives(("error",), error_reference=9.0)
    assert scaled.hypervolume([(4.5,)]) == pytest.approx(0.5)


def test_values_need_every_objective_to_be_finite() -> None:
    def values(**metrics: float) -> tuple[float, ...] | None:
        return BOTH.values(TrialResult(0, TrialStatus.COMPLETE, metrics))

    assert values(val_error=0.1, inference_seconds=2e-5) == (0.1, 2e-5)
    assert values(val_error=0.1) is None
    assert values(val_error=float("nan"), inference_seconds=2e-5) is None
    assert values(val_error=0.1, inference_seconds=float("inf")) is None


def test_unknown_objective_is_refused() -> None:
    with pytest.raises(JobError, match=r"must be among error.*got \['test_error'\]"):
        Objectives(("test_error",))  # type: ignore[arg-type]


def test_relevant_drops_networks_that_guess() -> None:
    values = [(0.02, 1e-3), (0.08, 1e-4), (0.13, 1e-5), (0.9, 1e-6)]
    assert BOTH.relevant(values).tolist() == [True, True, False, False]
    assert Objectives(("edges",)).relevant([(5,), (9,)]).all()
