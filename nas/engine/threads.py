"""The threads that torch computes with, for the kernels of this package too.

Torch keeps a team of threads in an OpenMP runtime. After each of its operations they stay awake for a while and watch
for the next, so a second team beside them waits for cores: between two ``nn.Linear`` a pass through a DAG of 1,000
neurons took twice as long on a crew of our own as alone. So the kernels run on torch's team: whatever function torch's
own library would call to start it is called here with a compiled function as its body (``GOMP_parallel`` of GNU's
runtime, and of LLVM's on Linux; ``__kmpc_fork_call`` where there is only that, as on macOS).

There is no team, and everything runs on the calling thread, where torch has no such runtime and in a forked child, in
which GNU's runtime waits for threads that do not exist. Inside another parallel region a team has one thread. So
whatever runs here must give the same on a team of any size.

    team        address of a table of int64 words, by which compiled code finds the runtime; 0: there is none
    body        address of a ``void(data)`` that every thread of a region calls
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from nas.engine._native import address_of, array_at, words_of

__all__ = ["meet", "team", "together"]

_WORDS = 8
_PARALLEL, _THREAD, _THREADS, _BARRIER, _IDENT, _REQUEST, _NUMBER, _TASK = range(_WORDS)
_PUBLIC = ("omp_get_thread_num", "omp_get_num_threads")
_GNU = ("GOMP_parallel", "GOMP_barrier")
_LLVM = ("__kmpc_fork_call", "__kmpc_barrier", "__kmpc_push_num_threads", "__kmpc_global_thread_num")

_WORD, _INT = ir.IntType(64), ir.IntType(32)


class _Place(ctypes.Structure):
    """``ident_t`` of LLVM's runtime: where in a program a region stands."""

    _fields_ = (("reserved", ctypes.c_int32), ("flags", ctypes.c_int32), ("more", ctypes.c_int32 * 2),
                ("source", ctypes.c_char_p))  # fmt: skip


_place = _Place(0, 2, (0, 0), b";dag-nas;kernel;0;0;;")  # 2: made by a compiler


def _call(builder: ir.IRBuilder, address: ir.Value, result: ir.Type, args: list[ir.Value], fixed: int = -1) -> ir.Value:
    """Call what is at an address; ``fixed``: how many arguments are declared, if any number may follow."""
    count = len(args) if fixed < 0 else fixed
    function = ir.FunctionType(result, [each.type for each in args[:count]], var_arg=fixed >= 0)
    return builder.call(builder.inttoptr(address, function.as_pointer()), args)


@intrinsic
def _number(_typing: Any, address: Any) -> Any:
    """Call an ``int(void)``."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return builder.sext(_call(builder, args[0], _INT, []), _WORD)

    return types.int64(types.int64), codegen


@intrinsic
def _gnu_region(_typing: Any, address: Any, body: Any, data: Any, threads: Any) -> Any:
    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        _call(builder, args[0], ir.VoidType(), [args[1], args[2], builder.trunc(args[3], _INT), _INT(0)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), codegen


@intrinsic
def _gnu_barrier(_typing: Any, address: Any) -> Any:
    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        _call(builder, args[0], ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@intrinsic
def _llvm_barrier(_typing: Any, address: Any, place: Any, number: Any) -> Any:
    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        number = _call(builder, args[2], _INT, [args[1]])
        _call(builder, args[0], ir.VoidType(), [args[1], number])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def _llvm_region(
    _typing: Any, address: Any, place: Any, request: Any, number: Any, task: Any, data: Any, threads: Any
) -> Any:
    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        fork, place, request, number, task, data, threads = args
        own = _call(builder, number, _INT, [place])
        _call(builder, request, ir.VoidType(), [place, own, builder.trunc(threads, _INT)])
        _call(builder, fork, ir.VoidType(), [place, _INT(1), task, data], fixed=3)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7), codegen


@intrinsic
def _run_body(_typing: Any, body: Any, data: Any) -> Any:
    def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        _call(builder, args[0], ir.VoidType(), [args[1]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@njit(error_model="numpy")
def _region(team, body, data, threads):
    table = array_at(np.int64, team, _WORDS)
    if table[_IDENT] == 0:
        _gnu_region(table[_PARALLEL], body, data, threads)
    else:
        pair = np.array([body, data])
        _llvm_region(
            table[_PARALLEL], table[_IDENT], table[_REQUEST], table[_NUMBER], table[_TASK], words_of(pair), threads
        )
        pair[0] = 0  # keeps the array alive until here


@njit(error_model="numpy")
def _thread(team):
    return _number(array_at(np.int64, team, _WORDS)[_THREAD])


@njit(error_model="numpy")
def _threads(team):
    return _number(array_at(np.int64, team, _WORDS)[_THREADS])


@njit(cache=True, error_model="numpy")
def meet(team: int, threads: int) -> None:
    """Wait until all threads of a region have called this; ``threads``: how many there are."""
    if threads > 1:
        table = array_at(np.int64, team, _WORDS)
        if table[_IDENT] == 0:
            _gnu_barrier(table[_BARRIER])
        else:
            _llvm_barrier(table[_BARRIER], table[_IDENT], table[_NUMBER])


@intrinsic
def _on_stack(_typing: Any, packed: Any) -> Any:
    """Address of a copy of a tuple, which lives as long as the calling function."""

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, args: Any) -> ir.Value:
        return builder.ptrtoint(cgutils.alloca_once_value(builder, args[0]), _WORD)

    return types.int64(packed), codegen


def together(function: Any) -> Any:
    """Makes a compiled function run on a team.

    Args:
        function: compiled, of (thread, threads, …), where it is told how many threads there are and which it is; must
            raise nothing.

    Returns:
        A compiled function of (team, wanted, arguments): on each of at most ``wanted`` threads, ``function(thread,
        threads, *arguments)``. For use in other compiled functions.
    """

    @njit(error_model="numpy")
    def run(team, arguments):
        function(_thread(team), _threads(team), *arguments)

    @intrinsic
    def body_of(typing: Any, packed: Any) -> Any:
        """Address of a body whose data is a tuple, of which it calls ``run(*tuple)``."""
        inner = types.Dispatcher(run).get_call_type(typing, packed.types, {})

        def codegen(context: Any, builder: ir.IRBuilder, _signature: Any, _args: Any) -> ir.Value:
            compiled = run.overloads[inner.args]
            context.active_code_library.add_linking_library(compiled.library)
            kind = ir.FunctionType(ir.VoidType(), [_WORD])
            body = ir.Function(builder.module, kind, f"{builder.function.name}.body")
            body.linkage = "internal"
            inside = ir.IRBuilder(body.append_basic_block("entry"))
            pointer = inside.inttoptr(body.args[0], context.get_value_type(packed).as_pointer())
            own = cgutils.unpack_tuple(inside, inside.load(pointer))
            context.call_internal_no_propagate(inside, compiled.fndesc, inner, own)
            inside.ret_void()
            return builder.ptrtoint(body, _WORD)

        return types.int64(packed), codegen

    @njit(error_model="numpy")
    def start(team, wanted, arguments):
        if team == 0 or wanted <= 1:
            function(0, 1, *arguments)
        else:
            packed = (team, arguments)
            _region(team, body_of(packed), _on_stack(packed), wanted)

    return start


def _task(_number: int, _bound: int, pair: int) -> None:
    """What LLVM's runtime calls on each thread."""
    words = array_at(np.int64, pair, 2)
    _run_body(words[0], words[1])


def _task_address() -> int:
    compiled = cfunc("void(int64, int64, int64)", cache=True, error_model="numpy")(_task)
    _kept.append(compiled)
    return int(compiled.address)


_kept: list[Any] = []  # compiled code is freed with its last reference


def _find(library: str) -> np.ndarray | None:
    """The table of the runtime that a loaded library computes with; None if there is none that is known."""
    try:
        # A symbol is looked for in the library, then in those that it was linked with.
        torch_own = ctypes.CDLL(library, mode=getattr(os, "RTLD_NOLOAD", 0) | os.RTLD_NOW)
    except OSError:
        return None

    def addresses(names: tuple[str, ...]) -> list[int]:
        found = [getattr(torch_own, name, None) for name in names]
        return [ctypes.cast(each, ctypes.c_void_p).value or 0 if each is not None else 0 for each in found]

    thread, threads = addresses(_PUBLIC)
    parallel, barrier = addresses(_GNU)
    place = request = number = task = 0
    if not (parallel and barrier):
        parallel, barrier, request, number = addresses(_LLVM)
        place = ctypes.addressof(_place)
        if not (request and number):
            return None
        task = _task_address()
    if not (thread and threads and parallel and barrier):
        return None
    return np.array([parallel, thread, threads, barrier, place, request, number, task], np.int64)


def _torch_library() -> str:
    name = "libtorch_cpu.dylib" if sys.platform == "darwin" else "libtorch_cpu.so"
    return str(Path(torch.__file__).parent / "lib" / name)


_table = _find(_torch_library())
_team = 0 if _table is None else address_of(_table)


def _leave_team() -> None:
    global _team
    _team = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_team)


def team() -> int:
    """Torch's team of threads, for `together`; 0 where there is none."""
    return _team
