"""What inputs go through while a network is trained: noise, and other places for images.

Noise is a regulariser, near to a penalty on a network's slopes (Bishop 1995). Images are moved by a few pixels at
random (Simard 2003, "Best practices for convolutional neural networks"), each sample anew in each step: down and to the
right by rounded normal numbers; what comes in at an edge repeats the pixels there.

Every sample of every step meets other noise, but no new random numbers: each input of `NOISE_GROUP` samples takes a
stretch of a table that begins at a random place, and the table is drawn anew for each block of `NOISE_BLOCK` steps. So
the noise costs one multiply-add an input that is read. Places of images come from a table in the same way. Predictions,
and every metric, are those of the undisturbed inputs.

Blocks, places and deviations follow from the number of the step alone, counted from the first of the training: nothing
that ends a stretch of steps (a point of the curves, a rung, a pause, a frame), and neither tiles nor threads nor the
device, changes what a sample meets.
"""

from __future__ import annotations

import numpy as np

from nas.training.fused.state import NOISE_BITS, NOISE_GROUP, SHIFT_PLACE
from nas.training.types import Dataset, TrainingConfig

__all__ = ["NOISE_BLOCK", "NO_NOISE", "TABLE_SIZE", "InputNoise", "drawn_shifts", "input_noise", "moved_pixels"]

NOISE_BLOCK = 1024  # steps that share a table: drawing one takes as long as some fifty steps of a small network
TABLE_SIZE = 2**NOISE_BITS + NOISE_GROUP
_FARTHEST = 2**20  # pixels
NO_NOISE = {"input_noise": 0.0, "final_input_noise": None, "input_dropout": 0.0, "input_shift": 0.0}
"""Fields of a configuration as they are where inputs stay what they are."""


def input_noise(config: TrainingConfig, seed: int, dataset: Dataset) -> InputNoise | None:
    """What the inputs of a training go through; None where its configuration says nothing, or only what is for images
    and the data are none."""
    noise = InputNoise(config, seed, dataset.image)
    return noise if noise.disturbs or noise.moves else None


def drawn_shifts(rng: np.random.Generator, deviation: float, count: int) -> np.ndarray:
    """(count, 2) int32: by how many pixels images are moved, down and to the right."""
    return np.rint(deviation * rng.standard_normal((count, 2))).clip(-_FARTHEST, _FARTHEST).astype(np.int32)


def moved_pixels(shifts: np.ndarray, n_inputs: int, width: int, channels: int) -> np.ndarray:
    """(samples, n_inputs) int64: from which input each takes its value where images are moved.

    Args:
        shifts: (samples, 2) by how many pixels, down and to the right.
        n_inputs: height * width.
        width: numbers of a row.
        channels: numbers of a pixel.
    """
    rows, columns = np.arange(n_inputs // width), np.arange(width // channels)
    row = np.clip(rows - shifts[:, :1], 0, len(rows) - 1)[:, :, None, None]
    column = np.clip(columns - shifts[:, 1:], 0, len(columns) - 1)[:, None, :, None]
    places: np.ndarray = row * width + column * channels + np.arange(channels)
    return places.reshape(len(shifts), n_inputs)


class InputNoise:
    """Images are moved; then input x becomes factor * x + deviation * offset.

    The factor is 0 for a share ``input_dropout`` and 1 / (1 - input_dropout) elsewhere (Srivastava 2014); the offset is
    standard normal; the deviation goes from ``input_noise`` to ``final_input_noise``, in units of the scaled inputs.

    Args:
        seed: decides, with the step, all numbers.
        image: numbers of a row and of a pixel, where the inputs are an image.
    """

    def __init__(self, config: TrainingConfig, seed: int, image: tuple[int, int] | None = None) -> None:
        self._config, self._seed = config, seed
        self.disturbs = bool(config.input_noise or config.final_input_noise or config.input_dropout)
        self.moves = bool(config.input_shift) and image is not None
        self.width, self.channels = image or (1, 1)
        self._drawn: tuple[int, tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None

    def tables(self, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the steps [block * NOISE_BLOCK, (block + 1) * NOISE_BLOCK): factors and offsets (TABLE_SIZE,) float32, and
        shifts (TABLE_SIZE, 2) int32, down and to the right; empty where there is no noise, or nothing moves."""
        if self._drawn is None or self._drawn[0] != block:
            self._drawn = block, self._draw(block)
        return self._drawn[1]

    def deviations(self, first: int, count: int) -> np.ndarray:
        """(count,) float32, of the steps from ``first`` on, counted from 0."""
        begin, end = self._config.input_noise, self._config.final_input_noise
        if end is None:
            return np.full(count, begin, np.float32)
        done = np.minimum(1.0, np.arange(first, first + count) / max(self._config.steps, 1))
        return (begin + (end - begin) * done).astype(np.float32)

    def disturb(self, x: np.ndarray, step: int) -> np.ndarray:
        """A disturbed copy of the batch ``x`` (samples, inputs) of a step; the specification of the kernels."""
        factor, offset, shifts = self.tables(step // NOISE_BLOCK)
        rows = np.arange(len(x))
        if self.moves:
            at = self._first(len(x), np.array([SHIFT_PLACE], np.uint64), step)[rows // NOISE_GROUP, 0]
            places = moved_pixels(shifts[at + rows % NOISE_GROUP], x.shape[1], self.width, self.channels)
            x = np.take_along_axis(x, places, axis=1)
        if not self.disturbs:
            return x
        first = self._first(len(x), np.arange(x.shape[1], dtype=np.uint64), step)
        at = first[rows // NOISE_GROUP] + (rows % NOISE_GROUP)[:, None]
        disturbed: np.ndarray = x * factor[at] + offset[at] * self.deviations(step, 1)
        return disturbed

    @staticmethod
    def _first(samples: int, inputs: np.ndarray, step: int) -> np.ndarray:
        """(groups, inputs): where in a table the stretch of each group of samples begins."""
        groups = np.arange(-(-samples // NOISE_GROUP), dtype=np.uint64)[:, None]
        place = (np.uint64(step * 4096) + groups) * np.uint64(0x9E3779B97F4A7C15)
        random: np.ndarray = place + inputs
        random = (random ^ (random >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        random = (random ^ (random >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (random >> np.uint64(64 - NOISE_BITS)).astype(np.int64)

    def _draw(self, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shifts = np.zeros((0, 2), np.int32)
        if self.moves:
            shifts = drawn_shifts(np.random.default_rng([self._seed, block, 2]), self._config.input_shift, TABLE_SIZE)
        if not self.disturbs:
            return np.zeros(0, np.float32), np.zeros(0, np.float32), shifts
        share = self._config.input_dropout
        factor = np.ones(TABLE_SIZE, np.float32)
        if share:
            kept = np.random.default_rng([self._seed, block, 0]).random(TABLE_SIZE, np.float32) >= share
            factor = np.where(kept, np.float32(1 / (1 - share)), np.float32(0))
        offset = np.zeros(TABLE_SIZE, np.float32)
        if self._config.input_noise or self._config.final_input_noise:
            offset = np.random.default_rng([self._seed, block, 1]).standard_normal(TABLE_SIZE, np.float32)
        return factor, offset, shifts
