"""A whole training run in one compiled loop: closeness, network, loss terms, optimiser.

In eager torch a step of a small network is a hundred framework calls, each as dear as a thousand edges. Here every
thread runs `train_steps` with its rank; they share the arrays below and meet at barriers, so a step costs only its
arithmetic. `nas.training._reference` does the same step in torch and is the specification.

A step, each thread on its own rows (in-edges of a range of neurons, about equally many edges) or tiles:

    1  structure    closeness d, c and weight W of the rows; the live edges packed to the front of each row
    2  columns      if any edge died or came alive: the live out-edges packed to the front of each column
    3  network      tiles of the batch: inputs, forward, objective, backward
    4  update       gradients of the rows' parameters, summed over threads; optimiser

Symbols: E allowed edges, m neurons that are no inputs, T threads; others as in `nas.engine.kernels` and
`nas.manifold.kernels`. The trainable parameters lie in one vector: weight (E or 0), gain (m or 0), bias (m), the seven
closeness parameters (7 m or 0), cutoff (1 or 0).
"""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine.kernels import backward_tile, backward_tile_by_rows, forward_tile, load_inputs
from nas.engine.threads import barrier
from nas.training._fused_objective import disturb, objective_of_tile
from nas.training._fused_readout import backward_from_linear, forward_outputs
from nas.training._fused_state import (
    CORRECT,
    FINITE,
    FLOW,
    LIVE,
    LOST,
    OBJECTIVE,
    P_CHANGED,
    P_CORRECT,
    P_CUTOFF,
    P_FLOW,
    P_LIVE,
    P_LOSS,
    P_LOST,
    P_NEURONS,
    P_SMOOTH,
    SMOOTH,
    STEPS_DONE,
    TOTAL,
)
from nas.training._fused_structure import columns, lost_output, structure, used_inputs
from nas.training._fused_update import row_updates, update

__all__ = ["train_steps"]


@njit(cache=True, nogil=True, error_model="numpy")
def train_steps(
    narrow, lanes, size, rank, threads, graph, data, settings, buffers, numbers, rates, sharpnesses, deviations,
    first_step, report,
):  # fmt: skip
    """Do one optimiser step for each row of ``numbers``; every thread calls this with its rank.

    Args:
        narrow, lanes, size: vector widths of rows (16) and tiles.
        numbers: (steps, batch) int64, the samples of each step.
        rates: (steps,) learning rates.
        sharpnesses: (steps,) float32, 1 / temperature of the smooth counts.
        deviations: (steps,) float32, of the normal noise on the inputs; these steps are of one block of the noise.
        first_step: how many steps the optimiser has done before.
        report: (9,) float64, receives what the last step saw before its update, and how many steps were done; a step
            whose loss is not finite is the last and makes no update. Where ``settings.watched``, steps end before one
            in which some output has no path from any input; ``buffers.before`` then has the closeness parameters with
            which it still had one, if a step was done.
    """
    n = graph.in_ptr.size - 1
    n_inputs, n_outputs = settings.n_inputs, settings.n_outputs
    m = n - n_inputs
    batch = numbers.shape[1]
    tiles = (batch + size - 1) // size
    scale = np.float32(settings.k_objective / batch)
    bias_at = (graph.sources.size if settings.weighted else 0) + (m if settings.gained else 0)
    cutoff_at = bias_at + 8 * m
    bias = buffers.theta[bias_at : bias_at + m]
    partial = buffers.partial
    values, kept_z, grads = buffers.values[rank], buffers.kept_z[rank], buffers.grads[rank]
    for k in range(numbers.shape[0]):
        step = first_step + k + 1
        # Every thread reads the cutoff between two barriers; rank 0 alone writes it, between two others.
        cutoff = buffers.theta[cutoff_at] if settings.closeness else np.float32(0.0)
        sharpness = sharpnesses[k]
        structure(narrow, rank, graph, settings, buffers, cutoff, sharpness, (step - 1) % settings.refresh == 0)
        barrier(buffers.meeting, threads)
        flow, smooth, neurons, live, changed = 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(threads):
            flow += partial[t, P_FLOW]
            smooth += partial[t, P_SMOOTH]
            neurons += partial[t, P_NEURONS]
            live += partial[t, P_LIVE]
            changed += partial[t, P_CHANGED]
        if changed > 0:
            columns(rank, graph, buffers)
            barrier(buffers.meeting, threads)
            if rank == 0:
                used_inputs(graph, n_inputs, buffers)
                if settings.watched:
                    partial[0, P_LOST] = lost_output(graph, n_inputs, n_outputs, buffers)
            barrier(buffers.meeting, threads)
            if partial[0, P_LOST] > 0:
                if rank == 0:
                    report[LOST] = 1
                    report[STEPS_DONE] = k
                break
        loss = 0.0
        correct = 0
        for tile in range(rank, tiles, threads):
            first = tile * size
            count = min(size, batch - first)
            load_inputs(lanes, size, data.x, numbers[k], first, count, n_inputs, buffers.used, values, 0)
            if data.factor.size > 0:
                disturb(
                    lanes, size, data, deviations[k], step - 1, first, n_inputs, graph.out_ptr, buffers.out_end, values
                )
            # Outputs of a linear readout are no part of the walk over neurons.
            rows = n - n_outputs if settings.linear else n
            forward_tile(
                lanes, size, n_inputs, graph.in_ptr[:rows], buffers.in_end, buffers.live_sources, buffers.live_weight,
                bias, graph.codes, values, kept_z, 0,
            )  # fmt: skip
            if settings.linear:
                forward_outputs(
                    lanes, size, n_inputs, n_outputs, graph.in_ptr[:-1], buffers.in_end, buffers.live_sources,
                    buffers.live_weight, bias, settings.squared, values, kept_z,
                )  # fmt: skip
            tile_loss, tile_correct = objective_of_tile(
                lanes, size, data, numbers[k], first, count, values, (n - n_outputs) * size, n - n_outputs, n_outputs,
                scale, grads,
            )  # fmt: skip
            loss += tile_loss
            correct += tile_correct
            if settings.linear:
                backward_from_linear(
                    lanes, size, n_inputs, n_outputs, graph.out_ptr[:-1], buffers.out_end, buffers.live_targets,
                    buffers.live_edges, buffers.weight, graph.codes, settings.squared, values, kept_z, grads,
                    buffers.grad_weight[rank], buffers.grad_bias[rank],
                )  # fmt: skip
            elif settings.by_rows:  # all edges are live, so slots are edges
                backward_tile_by_rows(
                    lanes, size, n_inputs, n_outputs, graph.in_ptr[:-1], buffers.in_end, buffers.live_sources,
                    buffers.weight, graph.codes, values, kept_z, 0, grads, buffers.grad_weight[rank],
                    buffers.grad_bias[rank], False,
                )  # fmt: skip
            else:
                backward_tile(
                    lanes, size, n_inputs, n_outputs, graph.out_ptr[:-1], buffers.out_end, buffers.live_targets,
                    buffers.live_edges, buffers.weight, graph.codes, values, kept_z, 0, grads,
                    buffers.grad_weight[rank], buffers.grad_bias[rank], False,
                )  # fmt: skip
        partial[rank, P_LOSS] = loss
        partial[rank, P_CORRECT] = correct
        barrier(buffers.meeting, threads)
        objective, right = 0.0, 0.0
        for t in range(threads):
            objective += partial[t, P_LOSS]
            right += partial[t, P_CORRECT]
        objective /= batch
        sum_ = settings.k_objective * objective + settings.k_flow * flow * flow
        sum_ += settings.k_edge * smooth + settings.k_neuron * neurons + settings.k_constant
        finite = np.isfinite(sum_)
        if rank == 0:
            report[OBJECTIVE] = objective
            report[FLOW] = flow * flow
            report[SMOOTH] = smooth
            report[TOTAL] = sum_
            report[CORRECT] = right / batch
            report[LIVE] = live
            report[STEPS_DONE] = k + 1
            report[FINITE] = finite
        if not finite:
            break
        row_updates(narrow, rank, threads, graph, settings, buffers, cutoff, sharpness, flow, rates[k], step)
        barrier(buffers.meeting, threads)
        if settings.closeness:
            if rank == 0:
                to_cutoff = 0.0
                for t in range(threads):
                    to_cutoff += partial[t, P_CUTOFF]
                buffers.gradient[cutoff_at] = to_cutoff
                if settings.watched:
                    buffers.before[7 * m] = cutoff
                update(
                    narrow, settings.optimizer, buffers, cutoff_at, cutoff_at + 1,
                    rates[k] * settings.closeness_rate, 0.0, step,
                )  # fmt: skip
            barrier(buffers.meeting, threads)
