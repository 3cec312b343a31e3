"""Step 3 of the fused training loop around the network: noise on the inputs, objective and its gradient."""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine.functions import v_exp, v_log
from nas.engine.simd import add, div, fma, like, load, maximum, mul, store, sub
from nas.training.fused.state import NOISE_BITS, NOISE_GROUP, SHIFT_PLACE

__all__ = ["disturb", "move_images", "objective_of_tile"]


@njit(inline="always")
def _place(step, first, number):
    """Where in the tables the stretch begins that an input of a tile's samples takes (`nas.training.noise`)."""
    random = np.uint64(step * 4096 + first // NOISE_GROUP) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(number)
    random = (random ^ (random >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # as in splitmix64 (Steele 2014);
    random = (random ^ (random >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)  # the same in train.cu
    return np.int64(random >> np.uint64(64 - NOISE_BITS)) + first % NOISE_GROUP


@njit(cache=True, nogil=True, error_model="numpy")
def move_images(data, numbers, step, first, count, n_inputs, width, channels, moved):
    """The images of a tile, each moved by a row of the table of shifts, into the rows of ``moved``.

    Args:
        numbers: of the batch's samples.
        step, first: as in `disturb`.
    """
    at = _place(step, first, SHIFT_PLACE)
    rows, columns = n_inputs // width, width // channels
    for s in range(count):
        down, right = np.int64(data.shifts[2 * (at + s)]), np.int64(data.shifts[2 * (at + s) + 1])
        image, target = numbers[first + s] * n_inputs, s * n_inputs
        # All at once, as if rows went on in the next; then the pixels that this is wrong for, which come in at an edge.
        ahead = min(max(down * width + right * channels, -n_inputs), n_inputs)
        begin, end = max(0, ahead), min(n_inputs, n_inputs + ahead)
        moved[target + begin : target + end] = data.x[image + begin - ahead : image + end - ahead]
        if down == 0 and right == 0:
            continue
        left, beyond = min(max(right, 0), columns), max(min(columns + right, columns), 0)
        for row in range(rows):
            source = min(max(row - down, 0), rows - 1)
            inside = source == row - down
            for column in range(columns):
                if inside and left <= column < beyond:
                    continue
                pixel = image + source * width + min(max(column - right, 0), columns - 1) * channels
                place = target + row * width + column * channels
                for k in range(channels):
                    moved[place + k] = data.x[pixel + k]


@njit(cache=True, nogil=True, error_model="numpy")
def disturb(lanes, size, data, deviation, step, first, n_inputs, out_ptr, out_end, values):
    """Noise on the inputs of a tile: each takes a stretch of the tables that begins anywhere (`nas.training.noise`).

    Args:
        deviation: float32, of the normal noise.
        step: of the training, from 0.
        first: of the tile's samples in the batch.
    """
    for j in range(n_inputs):
        if out_end[j] > out_ptr[j]:
            at = _place(step, first, j)
            x = load(lanes, values, j * size)
            noise = mul(load(lanes, data.offset, at), like(x, deviation))
            store(values, j * size, fma(x, load(lanes, data.factor, at), noise))


@njit(cache=True, nogil=True, error_model="numpy")
def objective_of_tile(
    lanes,
    size,
    data,
    numbers,
    first,
    count,
    values,
    base,
    first_output,
    n_outputs,
    scale,
    grads,
):
    """Objective summed over the tile's samples, samples classified rightly; gradients of the outputs into ``grads``."""
    loss = 0.0
    correct = 0
    spare = (first_output + n_outputs) * size
    if data.classes.size > 0:
        top = load(lanes, values, base)
        for o in range(1, n_outputs):
            top = maximum(top, load(lanes, values, base + o * size))
        sum_ = like(top, 0.0)
        for o in range(n_outputs):
            grown = v_exp(sub(load(lanes, values, base + o * size), top))
            store(grads, (first_output + o) * size, grown)
            sum_ = add(sum_, grown)
        share = div(like(sum_, scale), sum_)
        for o in range(n_outputs):
            at = (first_output + o) * size
            store(grads, at, mul(load(lanes, grads, at), share))
        store(grads, spare, add(top, v_log(sum_)))
        store(grads, spare + size, top)
        for s in range(count):
            label = data.classes[numbers[first + s]]
            z = values[base + label * size + s]
            loss += grads[spare + s] - z
            correct += z >= grads[spare + size + s]
            grads[(first_output + label) * size + s] -= scale
        for o in range(n_outputs):
            for s in range(count, size):
                grads[(first_output + o) * size + s] = 0
    else:
        for o in range(n_outputs):
            at = (first_output + o) * size
            for s in range(count):
                error = values[base + o * size + s] - data.values[numbers[first + s] * n_outputs + o]
                loss += error * error / n_outputs
                grads[at + s] = 2 * scale / n_outputs * error
            for s in range(count, size):
                grads[at + s] = 0
    return loss, correct
