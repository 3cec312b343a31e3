"""The picture of a DAG shows what it says: roles, signs, names, and does so at every size."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from nas.graph import DAG, random_dag
from nas.tracking import dag_png
from nas.tracking.plots._theme import INPUT, NEGATIVE, OUTPUT, POSITIVE
from nas.tracking.plots.dag import _BOTTOM, _TOP, dag_facts


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


def count(picture: np.ndarray, colour: str) -> int:
    """Pixels of nearly that colour, above the legend."""
    drawn = picture[: int(0.92 * len(picture))]
    return int((np.abs(drawn - 255 * np.array(to_rgb(colour))).max(axis=2) < 12).sum())


@pytest.mark.parametrize(
    "dag",
    [
        DAG(1, 0, 1, np.array([[0, 1]])),
        random_dag(4, 6, 2, n_edges=20, rng=np.random.default_rng(0)),
        random_dag(64, 300, 10, n_edges=3000, rng=np.random.default_rng(1)),
        random_dag(784, 206, 10, n_edges=60_000, rng=np.random.default_rng(2)),
    ],
    ids=["two neurons", "toy", "digits", "mnist"],
)
def test_every_size_is_drawn(dag: DAG) -> None:
    picture = pixels(dag_png(dag, np.random.default_rng(0).normal(size=dag.n_edges), title="t"))
    assert picture.shape == (900, 1600, 3)
    assert (picture == 255).all(axis=2).mean() > 0.2, "the paper is white"
    assert count(picture, OUTPUT) > 100


def test_signs_have_colours() -> None:
    dag = random_dag(4, 6, 2, n_edges=20, rng=np.random.default_rng(0))
    positive, negative = pixels(dag_png(dag, np.ones(20))), pixels(dag_png(dag, -np.ones(20)))
    assert count(positive, POSITIVE) > 500 and count(positive, NEGATIVE) == 0
    assert count(negative, NEGATIVE) > 500 and count(negative, POSITIVE) == 0
    unknown = pixels(dag_png(dag))
    assert count(unknown, POSITIVE) == count(unknown, NEGATIVE) == 0


def test_pixels_are_coloured_by_fan_out() -> None:
    """Only the upper half of the image is read: only the upper half of the block has colour."""
    edges = [(i, 64) for i in range(32)]
    picture = pixels(dag_png(DAG(64, 0, 1, np.array(edges)), period=8))
    block = picture[:, :420]
    dark = np.abs(block - 255 * np.array(to_rgb("#064d3b"))).max(axis=2) < 20
    rows = np.flatnonzero(dark.sum(axis=1) > 200)
    assert 100 < len(rows) < 220
    assert rows.max() <= 900 - 100 * (_BOTTOM + _TOP) / 2 + 1, "the lower half is not dark"


def test_idle_neurons_are_left_out() -> None:
    """Neuron 2 leads nowhere."""
    idle = DAG(1, 2, 1, np.array([[0, 1], [1, 3], [0, 2]]))
    alone = DAG(1, 1, 1, np.array([[0, 1], [1, 2]]))
    weights = np.array([{1: 1.0, 2: 9.0, 3: -2.0}[int(target)] for target in idle.targets])
    same = pixels(dag_png(idle, weights)) == pixels(dag_png(alone, np.array([1.0, -2.0])))
    assert same.all()


def test_names_and_broken_weights_do_no_harm() -> None:
    dag = DAG(2, 1, 1, np.array([[0, 2], [1, 2], [2, 3]]), names=("petal $width", "a" * 99, "", "setosa_1"))
    picture = pixels(dag_png(dag, np.array([np.nan, np.inf, 0.0]), title="$x_1 & <b>"))
    assert count(picture, INPUT) > 50


def test_facts() -> None:
    dag = DAG(2, 1, 1, np.array([[0, 2], [1, 2], [2, 3]]))
    assert dag_facts(dag) == "2 inputs · 1 computational · 1 outputs · 3 edges · density 60.0 % · depth 2"
