"""CUDA C++ to machine code at run time, through NVRTC, which every CUDA build of torch brings along.

Called through ctypes: the handful of functions below has been the same since CUDA 11.1, so no binding is needed, and
none of torch's private helpers, whose names change.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from nas.engine.cuda._cache import cache_folder

__all__ = ["NVRTCError", "compile_cubin", "nvrtc"]

_OPTIONS = ("--std=c++17", "--restrict", "-diag-suppress=177")  # 177: functions that this program does not use


class NVRTCError(RuntimeError):
    """NVRTC is missing, or refuses a program."""


def _candidates() -> list[str]:
    """Names and paths under which the library may be found, best first."""
    majors = [torch.version.cuda.partition(".")[0]] if torch.version.cuda else []
    majors += [major for major in ("13", "12") if major not in majors]
    names = [f"libnvrtc.so.{major}" for major in majors]
    found = list(names)
    spec = importlib.util.find_spec("nvidia")
    for root in spec.submodule_search_locations or () if spec else ():  # the wheels that torch depends on
        found += [str(path) for name in names for path in sorted(Path(root).glob(f"*/lib/{name}"))]
    return [*found, "libnvrtc.so"]


@lru_cache(maxsize=1)
def nvrtc() -> ctypes.CDLL:
    """The library.

    Raises:
        NVRTCError: it is nowhere to be found.
    """
    for name in _candidates():
        try:
            for builtins in sorted(Path(name).parent.glob("libnvrtc-builtins.so.*")) if "/" in name else ():
                ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)  # which the library looks for by name alone
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise NVRTCError("libnvrtc.so is not installed; install a CUDA build of torch, or nvidia-cuda-nvrtc")


def compile_cubin(source: str, architecture: str) -> bytes:
    """Machine code of a program for one kind of GPU, kept on disk.

    Args:
        source: CUDA C++ without system headers.
        architecture: e.g. "sm_90".

    Raises:
        NVRTCError: see above; the compiler's log is in the message.
    """
    library = nvrtc()
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(library, library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), "nvrtcVersion")
    options = [f"--gpu-architecture={architecture}", *_OPTIONS]
    key = "\0".join([f"{major.value}.{minor.value}", *options, source])
    path = cache_folder() / f"{architecture}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.cubin"
    if path.exists():
        return path.read_bytes()
    cubin = _compile(library, source, options)
    unfinished = path.with_suffix(f".{id(source)}.part")
    unfinished.write_bytes(cubin)
    unfinished.replace(path)
    return cubin


def _compile(library: ctypes.CDLL, source: str, options: list[str]) -> bytes:
    handle = ctypes.c_void_p()
    _check(
        library,
        library.nvrtcCreateProgram(ctypes.byref(handle), source.encode(), b"kernels.cu", 0, None, None),
        "nvrtcCreateProgram",
    )
    try:
        arguments = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        status = library.nvrtcCompileProgram(handle, len(options), arguments)
        if status != 0:
            raise NVRTCError(f"NVRTC refused the kernels:\n{_text(library, handle)[:4000]}")
        size = ctypes.c_size_t()
        _check(library, library.nvrtcGetCUBINSize(handle, ctypes.byref(size)), "nvrtcGetCUBINSize")
        cubin = ctypes.create_string_buffer(size.value)
        _check(library, library.nvrtcGetCUBIN(handle, cubin), "nvrtcGetCUBIN")
        return cubin.raw
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(handle))


def _text(library: ctypes.CDLL, handle: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    library.nvrtcGetProgramLogSize(handle, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(handle, log)
    return log.value.decode(errors="replace")


def _check(library: Any, status: int, what: str) -> None:
    if status != 0:
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        raise NVRTCError(f"{what}: {library.nvrtcGetErrorString(status).decode()}")
