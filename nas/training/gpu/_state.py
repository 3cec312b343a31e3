"""What the GPU's training kernel is given for each candidate; see ``nas/engine/cuda/source/train.cu``."""

from __future__ import annotations

from functools import lru_cache

from nas.engine.cuda import Struct

__all__ = [
    "CORRECT", "FINITE", "LIVE", "LOST", "OBJECTIVE", "PARTIALS", "STEPS", "TOTAL", "TOTALS", "candidate",
]  # fmt: skip

# Columns of the report; from TOTALS those of the measures.
OBJECTIVE, TOTAL, CORRECT, LIVE, STEPS, FINITE, LOST, TOTALS = range(8)
PARTIALS = 5  # sums a block hands to its team, beside those of the measures


@lru_cache(maxsize=8)
def candidate(measures: int) -> Struct:
    """The structure, with factors of so many measures."""
    return Struct("Candidate", _POINTERS, (*_DOUBLES, *(f"factor_{q}" for q in range(measures))), _INTEGERS)


_POINTERS = (
    # the schedule, see nas.engine.cuda.Schedule
    *(("const int", name) for name in (
        "slot_input", "group_ptr", "group_ahead", "group_back", "row_ptr", "sources", "outer_ptr", "earlier_ptr",
        "chunk_ptr", "column_ptr", "column_targets", "column_edges", "inner_ptr", "later_ptr",
    )),
    ("const unsigned char", "codes"),
    ("const real", "p"),  # (E,) displacement of each edge
    ("const real", "flow_signs"),
    # data and orders of a launch
    ("const real", "x"),
    ("const int", "classes"),
    ("const real", "y"),
    ("const real", "factor"),
    ("const real", "offset"),
    ("const int", "shifts"),  # (blocks * TABLE_SIZE, 2); null: no images are moved
    ("const double", "deviations"),
    ("const int", "numbers"),  # (steps, batch); null: the kernel shuffles
    ("const double", "rates"),
    ("const double", "sharpnesses"),
    # what changes
    *(("real", name) for name in (
        "theta", "moment_1", "moment_2", "d", "c", "weight", "saved", "row_absent", "before", "grad_weight",
        "grad_bias", "scratch",
    )),
    *(("unsigned char", name) for name in ("alive", "chunks", "dirty", "reached")),
    ("Link", "links"),
    *(("int", name) for name in (
        "row_outer", "row_earlier", "row_end", "column_inner", "column_later", "column_end", "live_at", "live_edge",
    )),
    ("unsigned", "meeting"),
    ("double", "partial"),
    ("double", "report"),
)  # fmt: skip
_DOUBLES = (
    "period", "weight_decay", "closeness_rate", "length_rate", "k_objective", "k_constant", "power_1", "power_2",
)  # fmt: skip
_INTEGERS = (
    "m", "n_slots", "n_inputs", "n_outputs", "n_edges", "n_groups", "batch", "n_samples", "steps", "first_step",
    "optimizer", "closeness", "weighted", "gained", "linear", "classifies", "keeps_z", "team", "noise_bits",
    "noise_group", "noise_block", "width", "channels", "seed", "scratch_size",
)  # fmt: skip
