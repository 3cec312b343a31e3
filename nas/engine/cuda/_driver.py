"""The CUDA driver's functions that are used here, through ctypes.

Memory, streams and events are torch's; the driver is asked only to load machine code and to launch it. All names are
those that the library exports (``cuda.h`` renames some by macros: ``cuCtxPushCurrent`` is ``cuCtxPushCurrent_v2``), all
signatures the same since CUDA 9.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

__all__ = ["SIGNATURES", "DriverError", "call", "driver"]

_pointer, _int, _word, _size = ctypes.c_void_p, ctypes.c_int, ctypes.c_uint, ctypes.c_size_t
_ints, _pointers = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_void_p)
_shape = (_word, _word, _word, _word, _word, _word, _word)  # grid x, y, z, block x, y, z, bytes of shared memory

SIGNATURES: dict[str, tuple[Any, ...]] = {
    "cuInit": (_word,),
    "cuDeviceGet": (_ints, _int),
    "cuDeviceGetAttribute": (_ints, _int, _int),
    "cuDevicePrimaryCtxRetain": (_pointers, _int),
    "cuCtxPushCurrent_v2": (_pointer,),
    "cuCtxPopCurrent_v2": (_pointers,),
    "cuModuleLoadData": (_pointers, ctypes.c_char_p),
    "cuModuleGetFunction": (_pointers, _pointer, ctypes.c_char_p),
    "cuFuncSetAttribute": (_pointer, _int, _int),
    "cuOccupancyMaxActiveBlocksPerMultiprocessor": (_ints, _pointer, _int, _size),
    "cuLaunchKernel": (_pointer, *_shape, _pointer, _pointers, _pointers),
    "cuLaunchCooperativeKernel": (_pointer, *_shape, _pointer, _pointers),
    "cuGetErrorString": (_int, ctypes.POINTER(ctypes.c_char_p)),
}
"""Types of the arguments; every function returns a CUresult, an int."""


class DriverError(RuntimeError):
    """The driver refuses, or an earlier launch failed; the message has its own words and the number."""


@lru_cache(maxsize=1)
def driver() -> Any:
    """libcuda, which is part of the driver.

    Raises:
        OSError: it is not installed.
    """
    library = ctypes.CDLL("libcuda.so.1")
    for name, arguments in SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    return library


def call(name: str, *arguments: Any, what: str | None = None) -> None:
    """Call a function of the driver.

    Args:
        what: was to be done, for the message; default: the function's name.

    Raises:
        DriverError: its result is not CUDA_SUCCESS.
    """
    library = driver()
    status = getattr(library, name)(*arguments)
    if status != 0:
        text = ctypes.c_char_p()
        library.cuGetErrorString(status, ctypes.byref(text))
        raise DriverError(f"{what or name}: {(text.value or b'unknown error').decode()} ({status})")
