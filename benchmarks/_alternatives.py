"""Every way to run the same pass that the engine is measured against, and what each needs at the least."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks._levels import AutogradLevels, copied_values, kept_values, multiplied_cells
from benchmarks._per_neuron import PerNeuron
from benchmarks._problem import Execution, Problem
from benchmarks._sparse import SparseLevels, sparse_bytes
from benchmarks._staged import Columns, Staged, Stages, dense_cells, stages_by_block, stages_by_level
from nas.graph import DAG

__all__ = ["AUTOGRAD_LEVELS", "Alternative", "Variant", "alternatives"]

AUTOGRAD_LEVELS = "level by level"
_BLOCK_SIZES = (64, 128, 256)


@dataclass(frozen=True, slots=True)
class Variant:
    """One setting of an alternative; the fastest of them represents it in a cell."""

    name: str
    make: Callable[[Problem], Execution]
    # Bytes that the pass keeps, and FLOPs that it does at the dense rate, whatever its overheads: lower bounds.
    bytes_needed: Callable[[Problem], int] = lambda problem: 0
    flops_needed: Callable[[Problem], int] = lambda problem: 0
    # Bytes that it copies, at least.
    bytes_copied: Callable[[Problem], int] = lambda problem: 0


@dataclass(frozen=True, slots=True)
class Alternative:
    """A way to run the pass."""

    name: str
    about: str
    variants: tuple[Variant, ...]


def alternatives() -> list[Alternative]:
    """All that compute the same function; see `benchmarks._libraries` for those that do not quite."""
    return [
        Alternative(
            "per neuron",
            "a torch loop over neurons; hand-written backward pass",
            (Variant("gather", PerNeuron),),
        ),
        Alternative(
            AUTOGRAD_LEVELS,
            "one masked dense product for each longest-path level, torch autograd",
            tuple(_autograd(columns) for columns in _COLUMNS),
        ),
        Alternative(
            "level by level, by hand",
            "the same without mask and autograd: all buffers and views made before, hand-written backward pass",
            tuple(_staged(columns, stages_by_level, columns) for columns in _COLUMNS),
        ),
        Alternative(
            "torch.sparse by level",
            "one CSR product a level, hand-written backward pass (sampled_addmm)",
            (Variant("csr", SparseLevels, sparse_bytes),),
        ),
        Alternative(
            "blocked triangle",
            "dense products by blocks of neurons, levels inside a block; hand-written backward pass",
            tuple(_staged(f"blocks of {size}", _by_block(size), "all") for size in _BLOCK_SIZES),
        ),
    ]


_COLUMNS: tuple[Columns, Columns] = ("needed", "all")


def _by_block(size: int) -> Callable[[DAG], Stages]:
    return lambda dag: stages_by_block(dag, size)


def _staged(name: str, partition: Callable[[DAG], Stages], columns: Columns) -> Variant:
    def cells(problem: Problem) -> int:
        return dense_cells(problem.dag, partition(problem.dag), columns)

    return Variant(
        name if name not in _COLUMNS else f"columns {name}",
        lambda problem: Staged(problem, partition, columns),
        lambda problem: 8 * cells(problem),
        lambda problem: 4 * problem.batch * cells(problem),
    )


def _autograd(columns: Columns) -> Variant:
    return Variant(
        f"columns {columns}",
        lambda problem: AutogradLevels(problem, columns),
        lambda problem: 4 * kept_values(problem, columns),
        lambda problem: 6 * problem.batch * multiplied_cells(problem, columns),
        lambda problem: 4 * copied_values(problem),
    )
