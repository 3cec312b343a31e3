"""A barrier for threads that run one compiled loop together.

numba has no such thing for the CPU. This one is a counter and a generation number in shared memory, changed by atomic
instructions; a thread that waits long gives its time slice away, so that more threads than cores still make progress.
Each crossing costs a few hundred nanoseconds, where waking a sleeping thread costs ten microseconds.
"""

from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["BARRIER_WORDS", "atomic_add", "atomic_load", "atomic_store", "barrier", "pause", "yield_slice"]

BARRIER_WORDS = 16  # int64 words of a barrier's state; counter and generation on cache lines of their own
_GENERATION = 8
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_SPINS = 2000  # before the time slice is given away

yield_slice = types.ExternalFunction("sched_yield", types.int32())


@intrinsic
def atomic_add(_typing: Any, words: Any, index: Any, amount: Any) -> Any:
    """Add to ``words[index]`` and return what it was before."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(words, types.intp, types.int64), codegen


@intrinsic
def atomic_load(_typing: Any, words: Any, index: Any) -> Any:
    """``words[index]``, seen in order with what other threads wrote before."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "seq_cst", align=8)

    return types.int64(words, types.intp), codegen


@intrinsic
def atomic_store(_typing: Any, words: Any, index: Any, value: Any) -> Any:
    """Set ``words[index]``, seen by other threads after all that was written before."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        builder.store_atomic(args[2], builder.gep(data, [args[1]]), "seq_cst", align=8)
        return context.get_dummy_value()

    return types.void(words, types.intp, types.int64), codegen


@intrinsic
def pause(_typing: Any) -> Any:
    """Tell an x86 processor that this thread waits for another; nothing elsewhere."""

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, _args: Any) -> ir.Value:
        if _X86:
            function = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function, "llvm.x86.sse2.pause"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@njit(cache=True, nogil=True)
def barrier(words: Any, threads: int) -> None:
    """Wait until all of ``threads`` threads have called this.

    Args:
        words: (`BARRIER_WORDS`,) int64, zero before the first use, shared by the threads and used for nothing else.
    """
    if threads == 1:
        return
    generation = atomic_load(words, _GENERATION)
    if atomic_add(words, 0, 1) == threads - 1:
        atomic_add(words, 0, -threads)
        atomic_add(words, _GENERATION, 1)
        return
    spins = 0
    while atomic_load(words, _GENERATION) == generation:
        spins += 1
        if spins > _SPINS:
            yield_slice()
