"""A barrier for threads that run one compiled loop together.

numba has no such thing for the CPU. This one is a counter and a generation number in shared memory, changed by atomic
instructions; a thread that waits long gives its time slice away, so that more threads than cores still make progress.
Each crossing costs a few hundred nanoseconds, where waking a sleeping thread costs ten microseconds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["BARRIER_WORDS", "barrier"]

BARRIER_WORDS = 16  # int64 words of a barrier's state; counter and generation on cache lines of their own
_GENERATION = 8
_SPINS = 2000  # before the time slice is given away

_yield_slice = types.ExternalFunction("sched_yield", types.int32())


@intrinsic
def _atomic_add(_typing: Any, words: Any, index: Any, amount: Any) -> Any:
    """Add to ``words[index]`` and return what it was before."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), codegen


@intrinsic
def _atomic_load(_typing: Any, words: Any, index: Any) -> Any:
    """``words[index]``, seen in order with what other threads wrote before."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "seq_cst", align=8)

    return types.int64(words, types.intp), codegen


@njit(cache=True, nogil=True)
def barrier(words: Any, threads: int) -> None:
    """Wait until all of ``threads`` threads have called this.

    Args:
        words: (`BARRIER_WORDS`,) int64, zero before the first use, shared by the threads and used for nothing else.
    """
    if threads == 1:
        return
    generation = _atomic_load(words, _GENERATION)
    if _atomic_add(words, 0, 1) == threads - 1:
        _atomic_add(words, 0, -threads)
        _atomic_add(words, _GENERATION, 1)
        return
    spins = 0
    while _atomic_load(words, _GENERATION) == generation:
        spins += 1
        if spins > _SPINS:
            _yield_slice()
