"""No edge is lost in the picture of the adjacency matrix, however small its cells."""

import io

import numpy as np
import pytest
from PIL import Image

from nas.graph import DAG, random_dag
from nas.tracking import adjacency_png
from nas.tracking.plots.adjacency import matrix_image

RNG = np.random.default_rng


def test_cells_are_where_the_matrix_has_them() -> None:
    dag = random_dag(5, 7, 3, n_edges=40, rng=RNG(0))
    weights = RNG(1).normal(size=40)
    picture = matrix_image(dag, weights, 900, 700)
    assert picture.shape == (10, 12, 3)
    coloured = np.ptp(picture, axis=2) > 0.1
    expected = np.zeros((15, 15), dtype=bool)
    expected[dag.targets, dag.sources] = True
    assert (coloured == expected[5:, :12]).all()
    red, blue = picture[..., 0], picture[..., 2]
    for (source, target), weight in zip(dag.edges, weights, strict=True):
        assert (blue > red)[target - 5, source] == (weight > 0)


def test_impossible_cells_are_grey() -> None:
    dag = DAG(1, 2, 1, np.array([[0, 1], [0, 2], [2, 3]]))
    picture = matrix_image(dag, None, 900, 700)
    grey = (picture < 1).all(axis=2) & (np.ptp(picture, axis=2) < 0.05)
    assert grey.tolist() == [[False, True, True], [False, False, True], [False, False, False]]


@pytest.mark.parametrize("edges", [2000, 200_000])
def test_many_cells_a_pixel(edges: int) -> None:
    dag = random_dag(784, 1000, 10, n_edges=edges, rng=RNG(0))
    picture = matrix_image(dag, None, 920, 720)
    down, across = picture.shape[:2]
    assert down <= 720 and across <= 920
    i = (dag.targets.astype(int) - 784) * down // 1010
    j = dag.sources.astype(int) * across // 1784
    assert (picture[i, j].max(axis=1) < 0.8).all()


@pytest.mark.parametrize("sizes", [(1, 0, 1), (784, 2, 3), (2, 300, 1), (3, 5, 200)])
def test_every_shape_is_drawn(sizes: tuple[int, int, int]) -> None:
    dag = random_dag(*sizes, density=0.3, rng=RNG(0))
    png = adjacency_png(dag, RNG(1).normal(size=dag.n_edges), period=28 if sizes[0] == 784 else None, title="t")
    width, height = Image.open(io.BytesIO(png)).size
    assert 400 < width < 1600 and 300 < height < 1400


def test_neurons_that_do_nothing_are_left_out_as_tables_count_them() -> None:
    """The heading of the picture has the density of the table, and no row of a neuron that nothing reaches."""
    edges = np.array([[0, 2], [1, 4], [2, 4], [3, 4]])  # nothing enters 3
    alone = DAG(2, 1, 1, np.array([[0, 2], [1, 3], [2, 3]]))
    weights = np.array([1.0, -2.0, 5.0, 0.5])
    assert adjacency_png(DAG(2, 2, 1, edges), weights) == adjacency_png(alone, weights[:3])
