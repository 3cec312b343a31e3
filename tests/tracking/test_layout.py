"""Neurons lie where a reader of the picture expects them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.graph import DAG, Role, random_dag
from nas.tracking.plots._layout import input_columns, layout


@st.composite
def dags(draw: st.DrawFn) -> DAG:
    inputs, outputs = draw(st.integers(1, 80)), draw(st.integers(1, 12))
    hidden = draw(st.integers(0, 120))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return random_dag(inputs, hidden, outputs, density=draw(st.floats(0.02, 1)), rng=rng)


@given(dags())
@settings(max_examples=60, deadline=None)
def test_every_edge_goes_to_the_right(dag: DAG) -> None:
    places = layout(dag)
    assert (places.x[dag.sources] < places.x[dag.targets]).all()
    assert (places.x[dag.roles == Role.INPUT] == 0).all()
    assert (places.x[dag.roles == Role.OUTPUT] == 1).all()


@given(dags())
@settings(max_examples=60, deadline=None)
def test_neurons_stay_on_the_page_and_apart(dag: DAG) -> None:
    places = layout(dag)
    hidden = dag.roles == Role.COMPUTATIONAL
    assert ((places.y >= -0.5) & (places.y <= 1.5)).all()
    spots = np.column_stack([places.x[hidden], places.y[hidden]]).round(9)
    assert len(np.unique(spots, axis=0)) == hidden.sum()


def test_columns_leave_room() -> None:
    """A thousand neurons of one level are spread over several columns."""
    edges = [(0, 1 + i) for i in range(1000)] + [(1 + i, 1001) for i in range(1000)]
    places = layout(DAG(1, 1000, 1, np.array(edges)))
    assert np.unique(places.x[1:1001], return_counts=True)[1].max() <= 40
    assert places.spacing >= 1 / 40


@pytest.mark.parametrize(
    ("inputs", "period", "columns"),
    [(4, None, None), (40, None, None), (64, None, 8), (784, None, 28), (784, 28, 28), (6, 3, 3), (7, 3, None)],
)
def test_images_are_blocks(inputs: int, period: int | None, columns: int | None) -> None:
    assert input_columns(inputs, period) == columns


def test_pixels_are_in_rows_from_the_top() -> None:
    dag = DAG(64, 0, 1, np.array([[i, 64] for i in range(64)]))
    y = layout(dag, period=8).y[:64].reshape(8, 8)
    assert (y[0] == y[0, 0]).all() and (np.diff(y[:, 0]) < 0).all()
