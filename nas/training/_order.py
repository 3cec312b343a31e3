"""The order of the samples without a table: what the GPU's kernel computes for itself, on the processor.

A keyed permutation of the samples for every epoch, by a Feistel network of six rounds whose cycle is walked until the
result is one of them (Black & Rogaway 2002); see ``nas/engine/cuda/source/order.cuh``.
"""

from __future__ import annotations

import numpy as np

__all__ = ["keyed_batches"]

_GOLDEN = np.uint32(0x9E3779B9)


def keyed_batches(count: int, size: int, seed: int, first_step: int, steps: int) -> np.ndarray:
    """Sample numbers (steps, size) int64 of steps ``first_step …``; an epoch's incomplete last batch is left out.

    Args:
        count: samples, at most 2^32.
        seed: of the order, below 2^32.
    """
    batches = count // size
    numbers = np.empty((steps, size), np.int64)
    for k in range(steps):
        epoch, batch = divmod(first_step + k, batches)
        places = np.arange(batch * size, (batch + 1) * size, dtype=np.uint32)
        numbers[k] = _shuffled(places, count, seed, epoch)
    return numbers


def _mixed(x: np.ndarray) -> np.ndarray:
    """The finaliser of MurmurHash3 on uint32."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    result: np.ndarray = x ^ (x >> np.uint32(16))
    return result


def _shuffled(places: np.ndarray, count: int, seed: int, epoch: int) -> np.ndarray:
    half = 1
    while half < 16 and 4**half < count:
        half += 1
    bits, mask = np.uint32(half), np.uint32(2**half - 1)
    with np.errstate(over="ignore"):
        key = _mixed(np.full(1, seed, np.uint32) ^ _mixed(np.full(1, epoch, np.uint32) + _GOLDEN))
        outside = np.ones(places.size, bool)
        while outside.any():
            left, right = places[outside] >> bits, places[outside] & mask
            for turn in range(6):
                left, right = right, left ^ (_mixed(right + key + np.uint32(turn) * _GOLDEN) & mask)
            places[outside] = left << bits | right
            outside = places >= count
    return places
