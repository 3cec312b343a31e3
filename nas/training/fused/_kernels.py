"""A whole training run in one compiled loop: closeness, network, loss terms, optimiser.

In eager torch a step of a small network is a hundred framework calls, each as dear as a thousand edges. Here all steps
are one region of a team of threads (`nas.engine.threads`), which share the arrays below and meet at barriers, so a step
costs only its arithmetic. `nas.training.reference` does the same step in torch and is the specification.

The work is cut into ranks, and a thread takes every so many of them, so that the result does not depend on how many
threads there are. A step, each rank on its own rows (in-edges of a range of neurons, about equally many edges) or
tiles:

    1  structure    closeness d, c and weight W of the rows; the live edges packed to the front of each row
    2  columns      if any edge died or came alive: the live out-edges packed to the front of each column
    3  network      tiles of the batch: inputs, forward, objective, backward
    4  update       gradients of the rows' parameters, summed over ranks; optimiser

Symbols: E allowed edges, m neurons that are no inputs, T ranks; others as in `nas.engine.kernels` and
`nas.manifold.kernels`. The trainable parameters lie in one vector: weight (E or 0), gain (m or 0), bias (m), the seven
closeness parameters (7 m or 0), cutoff (1 or 0).
"""

# mypy: disable-error-code="no-untyped-def,assignment"

from __future__ import annotations

import numpy as np
from numba import njit

from nas.engine.kernels import backward_tile, backward_tile_by_rows, forward_tile, load_inputs
from nas.engine.threads import meet, together
from nas.training.fused._objective import disturb, move_images, objective_of_tile
from nas.training.fused._readout import backward_from_linear, forward_outputs
from nas.training.fused._structure import columns, lost_output, structure, used_inputs
from nas.training.fused._update import row_updates, update
from nas.training.fused.state import (
    CORRECT,
    FINITE,
    LIVE,
    LOST,
    OBJECTIVE,
    P_CHANGED,
    P_CORRECT,
    P_CUTOFF,
    P_LIVE,
    P_LOSS,
    P_LOST,
    P_TOTALS,
    STEPS_DONE,
    TOTAL,
    TOTALS,
)
from nas.training.loss_terms import add_totals, loss_of, partial_totals, pulls_of, start_totals

__all__ = ["train_steps"]


@njit(error_model="numpy")
def _steps(
    thread, threads, team, narrow, lanes, size, ranks, graph, data, settings, buffers, numbers, rates, sharpnesses,
    deviations, first_step, report,
):  # fmt: skip
    """What each thread does; see `train_steps`."""
    n_inputs, n_outputs = settings.n_inputs, settings.n_outputs
    m = graph.in_ptr.size - 1 - n_inputs
    batch = numbers.shape[1]
    cutoff_at = _bias_at(graph, settings, m) + 8 * m
    partial, terms = buffers.partial, settings.terms
    for k in range(numbers.shape[0]):
        step = first_step + k + 1
        # Every thread reads the cutoff between two barriers; the first alone writes it, between two others.
        cutoff = buffers.theta[cutoff_at] if settings.closeness else np.float32(0.0)
        sharpness = sharpnesses[k]
        for rank in range(thread, ranks, threads):
            structure(narrow, rank, graph, settings, buffers, cutoff, sharpness, (step - 1) % settings.refresh == 0)
        meet(team, threads)
        totals, live, changed = start_totals(terms), 0.0, 0.0
        for t in range(ranks):
            totals = add_totals(terms, totals, partial_totals(terms, partial, t, P_TOTALS))
            live += partial[t, P_LIVE]
            changed += partial[t, P_CHANGED]
        if changed > 0:
            for rank in range(thread, ranks, threads):
                columns(rank, graph, buffers)
            meet(team, threads)
            if thread == 0:
                used_inputs(graph, n_inputs, buffers)
                if settings.watched:
                    partial[0, P_LOST] = lost_output(graph, n_inputs, n_outputs, buffers)
            meet(team, threads)
            if partial[0, P_LOST] > 0:
                if thread == 0:
                    report[LOST] = 1
                    report[STEPS_DONE] = k
                break
        for rank in range(thread, ranks, threads):
            _network(lanes, size, rank, ranks, graph, data, settings, buffers, numbers[k], deviations, k, step)
        meet(team, threads)
        objective, right = 0.0, 0.0
        for t in range(ranks):
            objective += partial[t, P_LOSS]
            right += partial[t, P_CORRECT]
        objective /= batch
        sum_ = settings.k_objective * objective + loss_of(terms, settings.factors, totals) + settings.k_constant
        finite = np.isfinite(sum_)
        if thread == 0:
            report[OBJECTIVE] = objective
            report[TOTAL] = sum_
            report[CORRECT] = right / batch
            report[LIVE] = live
            report[STEPS_DONE] = k + 1
            report[FINITE] = finite
            for q in range(len(totals)):
                report[TOTALS + q] = totals[q]
        if not finite:
            break
        pulls = pulls_of(terms, settings.factors, totals)
        for rank in range(thread, ranks, threads):
            row_updates(narrow, rank, ranks, graph, settings, buffers, cutoff, sharpness, pulls, rates[k], step)
        meet(team, threads)
        if settings.closeness:
            if thread == 0:
                to_cutoff = 0.0
                for t in range(ranks):
                    to_cutoff += partial[t, P_CUTOFF]
                buffers.gradient[cutoff_at] = to_cutoff
                if settings.watched:
                    buffers.before[7 * m] = cutoff
                update(
                    narrow, settings.optimizer, buffers, cutoff_at, cutoff_at + 1,
                    rates[k] * settings.closeness_rate, 0.0, step,
                )  # fmt: skip
            meet(team, threads)


@njit(error_model="numpy")
def _bias_at(graph, settings, m):
    """Where the biases begin in the vector of parameters."""
    return (graph.sources.size if settings.weighted else 0) + (m if settings.gained else 0)


@njit(cache=True, nogil=True, error_model="numpy")
def _network(lanes, size, rank, ranks, graph, data, settings, buffers, numbers, deviations, k, step):
    """Step 3 for the tiles of one rank."""
    n = graph.in_ptr.size - 1
    n_inputs, n_outputs = settings.n_inputs, settings.n_outputs
    batch = numbers.size
    tiles = (batch + size - 1) // size
    scale = np.float32(settings.k_objective / batch)
    bias_at = _bias_at(graph, settings, n - n_inputs)
    bias = buffers.theta[bias_at : bias_at + n - n_inputs]
    values, kept_z, grads = buffers.values[rank], buffers.kept_z[rank], buffers.grads[rank]
    loss = 0.0
    correct = 0
    for tile in range(rank, tiles, ranks):
        first = tile * size
        count = min(size, batch - first)
        if data.shifts.size > 0:
            moved = buffers.moved[rank]
            move_images(data, numbers, step - 1, first, count, n_inputs, settings.width, settings.channels, moved)
            load_inputs(lanes, size, moved, buffers.in_order, 0, count, n_inputs, buffers.used, values, 0)
        else:
            load_inputs(lanes, size, data.x, numbers, first, count, n_inputs, buffers.used, values, 0)
        if data.factor.size > 0:
            disturb(lanes, size, data, deviations[k], step - 1, first, n_inputs, graph.out_ptr, buffers.out_end, values)
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
            lanes, size, data, numbers, first, count, values, (n - n_outputs) * size, n - n_outputs, n_outputs,
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
    buffers.partial[rank, P_LOSS] = loss
    buffers.partial[rank, P_CORRECT] = correct


_start = together(_steps)


@njit(cache=True, nogil=True, error_model="numpy")
def train_steps(
    team, narrow, lanes, size, ranks, graph, data, settings, buffers, numbers, rates, sharpnesses, deviations,
    first_step, report,
):  # fmt: skip
    """Do one optimiser step for each row of ``numbers``.

    Args:
        team: from `nas.engine.threads.team`.
        narrow, lanes, size: vector widths of rows (16) and tiles.
        ranks: T.
        numbers: (steps, batch) int64, the samples of each step.
        rates: (steps,) learning rates.
        sharpnesses: (steps,) float32, 1 / temperature of the smooth counts.
        deviations: (steps,) float32, of the normal noise on the inputs; these steps are of one block of the noise.
        first_step: how many steps the optimiser has done before.
        report: (TOTALS + Q,) float64, receives what the last step saw before its update, and how many steps were done;
            a step whose loss is not finite is the last and makes no update. Where ``settings.watched``, steps end
            before one in which some output has no path from any input; ``buffers.before`` then has the closeness
            parameters with which it still had one, if a step was done.
    """
    _start(
        team, ranks,
        (team, narrow, lanes, size, ranks, graph, data, settings, buffers, numbers, rates, sharpnesses, deviations,
         first_step, report),
    )  # fmt: skip
