"""CUDA C++ to machine code at run time, through NVRTC, which every CUDA build of torch brings along.

Called through ctypes: the handful of functions below has been the same since CUDA 11.2 (the kernels themselves need
11.7, for ``__grid_constant__``), so no binding is needed, and none of torch's private helpers, whose names change.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from nas.engine.cuda._cache import cache_folder

__all__ = ["SIGNATURES", "NVRTCError", "compiled", "nvrtc", "target_of"]

_OPTIONS = ("--std=c++17", "--restrict", "-diag-suppress=177")  # 177: functions that this program does not use

_program, _text, _size = ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t)
_int, _ints, _texts = ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_char_p)
_programs = ctypes.POINTER(ctypes.c_void_p)
SIGNATURES: dict[str, tuple[Any, ...]] = {
    "nvrtcVersion": (_ints, _ints),
    "nvrtcGetNumSupportedArchs": (_ints,),
    "nvrtcGetSupportedArchs": (_ints,),
    "nvrtcCreateProgram": (_programs, _text, _text, _int, _texts, _texts),
    "nvrtcCompileProgram": (_program, _int, _texts),
    "nvrtcGetCUBINSize": (_program, _size),
    "nvrtcGetCUBIN": (_program, ctypes.c_char_p),
    "nvrtcGetPTXSize": (_program, _size),
    "nvrtcGetPTX": (_program, ctypes.c_char_p),
    "nvrtcGetProgramLogSize": (_program, _size),
    "nvrtcGetProgramLog": (_program, ctypes.c_char_p),
    "nvrtcDestroyProgram": (_programs,),
}
"""Types of the arguments; every function returns an nvrtcResult, an int."""


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
def nvrtc() -> Any:
    """The library.

    Raises:
        NVRTCError: it is nowhere to be found.
    """
    for name in _candidates():
        try:
            for builtins in sorted(Path(name).parent.glob("libnvrtc-builtins.so.*")) if "/" in name else ():
                ctypes.CDLL(str(builtins), ctypes.RTLD_GLOBAL)  # which the library looks for by name alone
            library = ctypes.CDLL(name)
        except OSError:
            continue
        for each, arguments in SIGNATURES.items():
            function = getattr(library, each)
            function.argtypes, function.restype = arguments, ctypes.c_int
        library.nvrtcGetErrorString.argtypes = (ctypes.c_int,)
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        return library
    raise NVRTCError("libnvrtc.so is not installed; install a CUDA build of torch, or nvidia-cuda-nvrtc")


@lru_cache(maxsize=8)
def target_of(capability: int) -> str:
    """What to compile for: machine code of that GPU, or PTX for the driver to finish where NVRTC is older than the GPU.

    Args:
        capability: 90 for compute capability 9.0.
    """
    count = ctypes.c_int()
    _call("nvrtcGetNumSupportedArchs", ctypes.byref(count))
    known = (ctypes.c_int * count.value)()
    _call("nvrtcGetSupportedArchs", known)
    if capability in known:
        return f"sm_{capability}"
    older = [each for each in known if each < capability]
    if not older:
        major, minor = _version()
        raise NVRTCError(f"NVRTC {major}.{minor} cannot compile for compute capability {capability / 10}")
    return f"compute_{max(older)}"


_lock = threading.Lock()


def compiled(source: str, capability: int) -> bytes:
    """A program in a form that the driver loads, for one kind of GPU; kept on disk.

    Args:
        source: CUDA C++ without system headers.
        capability: see `target_of`.

    Raises:
        NVRTCError: see above; the compiler's log is in the message.
    """
    target = target_of(capability)
    options = [f"--gpu-architecture={target}", *_OPTIONS]
    key = "\0".join([*map(str, _version()), *options, source])
    path = cache_folder() / f"{target}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.code"
    with _lock:
        if path.exists():
            return path.read_bytes()
        code = _compile(source, options, ptx=target.startswith("compute"))
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(code)
        unfinished.replace(path)
    return code


def _version() -> tuple[int, int]:
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call("nvrtcVersion", ctypes.byref(major), ctypes.byref(minor))
    return major.value, minor.value


def _compile(source: str, options: list[str], *, ptx: bool) -> bytes:
    handle = ctypes.c_void_p()
    _call("nvrtcCreateProgram", ctypes.byref(handle), source.encode(), b"kernels.cu", 0, None, None)
    try:
        arguments = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if nvrtc().nvrtcCompileProgram(handle, len(options), arguments) != 0:
            log = _fetched("nvrtcGetProgramLog", handle).rstrip(b"\0").decode(errors="replace")
            raise NVRTCError(f"NVRTC refused the kernels:\n{log[:4000]}")
        return _fetched("nvrtcGetPTX" if ptx else "nvrtcGetCUBIN", handle)
    finally:
        nvrtc().nvrtcDestroyProgram(ctypes.byref(handle))


def _fetched(name: str, handle: ctypes.c_void_p) -> bytes:
    """What a pair of functions …Size and … tells of a program; text with the zero at its end."""
    size = ctypes.c_size_t()
    _call(f"{name}Size", handle, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    _call(name, handle, buffer)
    return buffer.raw


def _call(name: str, *arguments: Any) -> None:
    status = getattr(nvrtc(), name)(*arguments)
    if status != 0:
        raise NVRTCError(f"{name}: {nvrtc().nvrtcGetErrorString(status).decode()}")
