"""The film of a training: that it plays, moves, and shows each kind of network."""

import base64
import io
import re
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from nas.graph import DAG, complete, random_dag
from nas.tracking import Animation
from nas.training import Recording

STEPS = np.array([0, 1, 10, 100])


def recording(dag: DAG, *, closeness: bool, regression: bool = False) -> Recording:
    """Edges die from frame to frame, in the end nearly all."""
    rng = np.random.default_rng(1)
    weight = rng.normal(size=(1, dag.n_edges)).astype(np.float16).repeat(len(STEPS), 0)
    order = rng.random(dag.n_edges)
    for frame, share in enumerate((1.0, 0.7, 0.3, 0.1)):
        weight[frame, order > share] = 0
    live = (weight != 0).sum(axis=1).astype(float)
    falling, rising = np.array([2.0, 1.0, 0.5, 0.1]), np.array([0.1, 0.4, 0.8, 0.95])
    quality = {"test_error": falling, "train_error": falling / 2}
    if not regression:
        quality |= {"test_accuracy": rising, "train_accuracy": rising}
    curves = {"objective": falling, "flow": np.zeros(4), "sparsity": falling, "live_edges": live, "density": live / 1e3}
    return Recording(dag, STEPS, weight, np.tanh(weight) if closeness else None, curves | quality)


@pytest.mark.parametrize(
    ("dag", "period", "closeness", "regression"),
    [
        (complete(5, 16, 4), None, True, True),
        (complete(64, 20, 10), 8, True, False),
        (random_dag(64, 20, 10, n_edges=300, rng=np.random.default_rng(2)), 8, False, False),
        (DAG.from_edges([("a", "h"), ("h", "y"), ("a", "y")], ["a"], ["y"]), None, True, True),
    ],
    ids=["toy", "image", "free", "two neurons"],
)
def test_film(dag: DAG, period: int | None, closeness: bool, regression: bool) -> None:
    animation = Animation(
        recording(dag, closeness=closeness, regression=regression), period=period, title="<toy> & others"
    )
    assert len(animation) == 4
    with av.open(io.BytesIO(animation.mp4)) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]
    assert frames[0].shape == (720, 1280, 3)
    assert len(frames) >= 4 + 12, "the last frame stays for a second at least"
    changes = [np.abs(after - before).max() for before, after in pairwise(frames[:4])]
    assert min(changes) > 60, "every frame shows something else"
    assert np.abs(frames[-1] - frames[3]).mean() < 0.7
    page = animation.page
    assert "&lt;toy&gt; &amp; others" in page and "const steps = [0,1,10,100]" in page
    (film,) = re.findall(r'src="data:video/mp4;base64,([^"]*)"', page)
    assert base64.b64decode(film) == animation.mp4
    assert not re.search(r"https?://|%[A-Z]+%", page)


def test_a_single_frame() -> None:
    animation = Animation(recording(complete(64, 20, 10), closeness=True), period=8)
    first, last = (np.asarray(Image.open(io.BytesIO(animation.png(frame)))).astype(int) for frame in (0, -1))
    assert first.shape == (720, 1280, 3)
    graph = (slice(100, 480), slice(510, 1190))
    assert (first[graph] < 250).mean() > 1.2 * (last[graph] < 250).mean(), "a tenth of the edges is left"


def test_a_period_that_does_not_fit_is_ignored() -> None:
    animation = Animation(recording(complete(10, 5, 2), closeness=True), period=4)
    assert Image.open(io.BytesIO(animation.png(0))).size == (1280, 720)
