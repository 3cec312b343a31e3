"""Noise on the inputs while a network is trained: a regulariser, near to a penalty on its slopes (Bishop 1995).

Every sample of every step meets other noise, but no new random numbers: each input of a tile of samples takes a stretch
of a table that begins at a random place, and the table is drawn anew for each chunk of steps. So the noise costs one
multiply-add an input that is read. Predictions, and every metric, are those of the undisturbed inputs.
"""

from __future__ import annotations

import numpy as np

from nas.training._fused_state import NOISE_BITS
from nas.training._types import TrainingConfig

__all__ = ["MOST_LANES", "noise_tables"]

MOST_LANES = 256  # no tile is wider


def noise_tables(config: TrainingConfig, entropy: np.ndarray, step: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Factors and offsets (2^NOISE_BITS + MOST_LANES,) float32: input x becomes factor * x + offset.

    The factor is 0 for a share ``input_dropout`` and 1 / (1 - input_dropout) elsewhere (Srivastava 2014); the offset
    is normal with deviation ``input_noise``, in units of the scaled inputs, on its way to ``final_input_noise``.

    Args:
        entropy: integers that decide the numbers.
        step: how many steps of the training are done.
    """
    deviation = config.input_noise
    if config.final_input_noise is not None:
        deviation += (config.final_input_noise - deviation) * min(1.0, step / max(config.steps, 1))
    rng = np.random.default_rng(entropy)
    size = 2**NOISE_BITS + MOST_LANES
    kept = rng.random(size, np.float32) >= config.input_dropout
    factor = np.where(kept, np.float32(1 / (1 - config.input_dropout)), np.float32(0))
    offset = rng.standard_normal(size, np.float32) * np.float32(deviation)
    return factor, offset
