"""Noise on the inputs while a network is trained: a regulariser, near to a penalty on its slopes (Bishop 1995).

Every sample of every step meets other noise, but no new random numbers: each input of `NOISE_GROUP` samples takes a
stretch of a table that begins at a random place, and the table is drawn anew for each block of `NOISE_BLOCK` steps. So
the noise costs one multiply-add an input that is read. Predictions, and every metric, are those of the undisturbed
inputs.

Blocks, places and deviations follow from the number of the step alone, counted from the first of the training: nothing
that ends a stretch of steps (a point of the curves, a rung, a pause, a frame), and neither tiles nor threads nor the
device, changes what a sample meets.
"""

from __future__ import annotations

import numpy as np

from nas.training.fused.state import NOISE_BITS, NOISE_GROUP
from nas.training.types import TrainingConfig

__all__ = ["NOISE_BLOCK", "TABLE_SIZE", "InputNoise", "input_noise"]

NOISE_BLOCK = 1024  # steps that share a table: drawing one takes as long as some fifty steps of a small network
TABLE_SIZE = 2**NOISE_BITS + NOISE_GROUP


def input_noise(config: TrainingConfig, seed: int) -> InputNoise | None:
    """The noise of a training; None where its configuration has none."""
    if not (config.input_noise or config.final_input_noise or config.input_dropout):
        return None
    return InputNoise(config, seed)


class InputNoise:
    """Input x becomes factor * x + deviation * offset.

    The factor is 0 for a share ``input_dropout`` and 1 / (1 - input_dropout) elsewhere (Srivastava 2014); the offset is
    standard normal; the deviation goes from ``input_noise`` to ``final_input_noise``, in units of the scaled inputs.

    Args:
        seed: decides, with the step, all numbers.
    """

    def __init__(self, config: TrainingConfig, seed: int) -> None:
        self._config, self._seed = config, seed
        self._drawn: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None

    def tables(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """Factors and offsets (TABLE_SIZE,) float32 of the steps [block * NOISE_BLOCK, (block + 1) * NOISE_BLOCK)."""
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
        factor, offset = self.tables(step // NOISE_BLOCK)
        groups = np.arange(-(-len(x) // NOISE_GROUP), dtype=np.uint64)[:, None]
        place = (np.uint64(step * 4096) + groups) * np.uint64(0x9E3779B97F4A7C15)
        random: np.ndarray = place + np.arange(x.shape[1], dtype=np.uint64)
        random = (random ^ (random >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        random = (random ^ (random >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        first = (random >> np.uint64(64 - NOISE_BITS)).astype(np.int64)  # (groups, inputs)
        rows = np.arange(len(x))
        at = first[rows // NOISE_GROUP] + (rows % NOISE_GROUP)[:, None]
        disturbed: np.ndarray = x * factor[at] + offset[at] * self.deviations(step, 1)
        return disturbed

    def _draw(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        share = self._config.input_dropout
        factor = np.ones(TABLE_SIZE, np.float32)
        if share:
            kept = np.random.default_rng([self._seed, block, 0]).random(TABLE_SIZE, np.float32) >= share
            factor = np.where(kept, np.float32(1 / (1 - share)), np.float32(0))
        offset = np.zeros(TABLE_SIZE, np.float32)
        if self._config.input_noise or self._config.final_input_noise:
            offset = np.random.default_rng([self._seed, block, 1]).standard_normal(TABLE_SIZE, np.float32)
        return factor, offset
