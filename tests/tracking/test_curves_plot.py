"""The picture of a training's curves."""

import io

import numpy as np
import pytest
from PIL import Image

from nas.tracking.plots._theme import OUTPUT, POSITIVE
from nas.tracking.plots.curves import curves_png

STEPS = np.arange(0, 500, 50.0)


def history(**curves: np.ndarray) -> dict[str, np.ndarray]:
    return {"step": STEPS, "objective": np.exp(-STEPS / 100), **curves}


def pixels_of(picture: bytes | None, colour: str) -> int:
    assert picture is not None
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(pixels - wanted).max(axis=2) < 12).sum())


def test_panels_appear_where_there_are_curves() -> None:
    sparse = np.full(len(STEPS), np.nan)
    sparse[[0, -1]] = [0.1, 0.9]
    few = curves_png(history())
    many = curves_png(history(live_edges=STEPS[::-1], test_accuracy=sparse, test_error=1 - sparse, flow=0 * STEPS))
    assert pixels_of(few, POSITIVE) > 100 and pixels_of(many, POSITIVE) > 100
    assert pixels_of(few, OUTPUT) == 0
    assert pixels_of(many, OUTPUT) > 100, "two points far apart are joined"


@pytest.mark.parametrize(
    "found", [{}, {"step": STEPS}, {"step": STEPS[:1], "objective": STEPS[:1]}, {"step": STEPS, "objective": STEPS[:3]}]
)
def test_nothing_to_draw(found: dict[str, np.ndarray]) -> None:
    assert curves_png(found) is None


def test_values_that_are_never_finite_or_positive() -> None:
    assert curves_png({"step": STEPS, "objective": np.full(len(STEPS), np.nan)}) is None
    assert curves_png({"step": STEPS, "objective": np.full(len(STEPS), -1.0)}) is not None
    # A loss of 0 has no place on a logarithmic axis: the legend has it.
    alone = {"step": STEPS, "val_loss": np.exp(-STEPS / 100)}
    assert curves_png(alone | {"objective": 0 * STEPS}) != curves_png(alone)


def test_terms_of_the_structure_say_nothing_of_free_weights() -> None:
    # A rounding error below 1, as the smooth count has it.
    free = curves_png(history(sparsity=np.full(len(STEPS), 1 - 1e-16), flow=1e4 + STEPS, total=2 + STEPS))
    assert free == curves_png(history())
    assert free != curves_png(history(sparsity=np.linspace(1, 0.5, len(STEPS)), flow=1e4 + STEPS, total=2 + STEPS))
