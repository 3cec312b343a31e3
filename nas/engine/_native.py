"""Kernels that are called through a pointer with the addresses of their arrays.

numba takes a third of a microsecond an array to hand a call with arrays over, and a pass needs twenty of them: as much
as thousands of edges. So a pass is a *job*: a row of int64 words, most of them addresses, which one compiled function
without array arguments carries to the kernel and to the threads that help.

    word        an int64: a number, or the address of an array's first element
    kernel      address of a compiled ``void(job, rank)``, from `compiled`
    token       a numpy dtype class, which says what an address points at
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, types
from numba.core import cgutils
from numba.extending import intrinsic, overload

__all__ = ["address_of", "array_at", "call_kernel", "compiled", "words_of"]


def address_of(array: np.ndarray) -> int:
    """Address of the first element; the array must be kept alive and in place by the caller."""
    return int(array.__array_interface__["data"][0])


@intrinsic
def _pointer(_typing: Any, address: Any) -> Any:
    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return builder.inttoptr(args[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), codegen


@intrinsic
def words_of(_typing: Any, array: Any) -> Any:
    """Address of the first element of an array inside a kernel."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        data = cgutils.create_struct_proxy(signature.args[0])(context, builder, args[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), codegen


@intrinsic
def call_kernel(_typing: Any, kernel: Any, job: Any, rank: Any) -> Any:
    """Call the kernel at an address with a job's address and a rank."""

    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        word = ir.IntType(64)
        function = ir.FunctionType(ir.VoidType(), [word, word])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), [args[1], args[2]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


def array_at(token: Any, address: int, size: int) -> Any:
    """The flat array of ``size`` elements at an address; without elements where the address is 0."""
    raise NotImplementedError("only inside numba kernels")


@overload(array_at)
def _array_at(token: Any, address: Any, size: Any) -> Any:
    def implementation(token: Any, address: Any, size: Any) -> Any:
        return carray(_pointer(address), (size * (address != 0),), token)

    return implementation


def compiled(function: Callable[[int, int], None]) -> int:
    """Address of ``function(job, rank)`` compiled to machine code, which is kept on disk between processes."""
    kernel = cfunc("void(int64, int64)", cache=True, error_model="numpy")(function)
    _kernels.append(kernel)  # the code is freed with its last reference
    return int(kernel.address)


_kernels: list[Any] = []
