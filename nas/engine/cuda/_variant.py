"""Which variant of a kernel a network gets: how many samples a lane holds, and what lies in shared memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.engine.cuda._schedule import Schedule
from nas.engine.cuda._source import VARIANTS, Variant

__all__ = ["Tiling", "choose_variant", "tiling_of"]

WARP = 32
# What an edge costs for 32 · V samples, in reads: its place and weight once, its source V times. Reads that miss
# shared memory go to the second-level cache, which gives a multiprocessor about a third as much.
_LINK_COST = 1.5
_FAR_COST = {0: 1.0, 1: 1.6, 2: 3.0}


@dataclass(frozen=True, slots=True)
class Tiling:
    """What one network needs in one variant."""

    samples: int  # of a tile
    shared_bytes: int
    scratch: int  # numbers of global memory a block


def tiling_of(
    schedule: Schedule, variant: Variant, *, keeps_z: bool, itemsize: int, reserved: int = 0, linear: bool = False
) -> Tiling:
    """Memory for the activations of a tile.

    Args:
        keeps_z: whether a derivative needs what is before the activation.
        reserved: bytes of shared memory that the kernel needs besides.
        linear: whether outputs read what is before the activation of their sources.
    """
    lane_samples, place = variant
    samples = WARP * lane_samples
    inputs = schedule.n_slots * (samples + 1)
    neurons = schedule.m * (samples + 1) * (2 + keeps_z + linear)
    near = (inputs if place == 0 else 0) + (neurons if place < 2 else 0)
    far = inputs + neurons - near
    return Tiling(samples, reserved + near * itemsize, -(-far // 32) * 32)


def choose_variant(tilings: Mapping[Variant, Tiling], batch: int, shared_bytes: int, *, blocks: int) -> Variant:
    """The variant that fits with the least estimated time for a batch that ``blocks`` blocks share."""

    def estimate(variant: Variant) -> float:
        lane_samples, place = variant
        tiles = -(-batch // (WARP * lane_samples))
        rounds = -(-tiles // blocks)
        return rounds * (_LINK_COST + lane_samples) * _FAR_COST[place]

    return min((variant for variant in VARIANTS if tilings[variant].shared_bytes <= shared_bytes), key=estimate)
