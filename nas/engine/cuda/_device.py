"""A real GPU: kernels compiled by NVRTC and launched through the driver, memory and streams torch's.

The driver's functions are called through ctypes; their signatures are fixed since CUDA 9. They act on torch's context,
which is current in every thread that has used torch on the device.
"""

from __future__ import annotations

import ctypes
import threading
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from nas.engine.cuda._machine import Kernel
from nas.engine.cuda._nvrtc import compile_cubin
from nas.errors import NasError

__all__ = ["CudaGPU", "NoGPUError", "gpu_of", "why_no_gpu"]

_MOST_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_MOST_SHARED_A_BLOCK = 97  # CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
_PLAIN_SHARED = 48 * 1024  # what a block may have without asking


class NoGPUError(NasError, RuntimeError):
    """Work is to be done on a GPU, but there is none that can be used."""


def why_no_gpu() -> str | None:
    """Why no GPU can be used here; None: one can."""
    if torch.version.cuda is None:
        return f"this torch ({torch.__version__}) is built without CUDA; install a CUDA build of torch"
    if not torch.cuda.is_available():
        return "torch finds no NVIDIA GPU or driver (see nvidia-smi; a container needs --gpus)"
    return None


@lru_cache(maxsize=1)
def _driver() -> Any:
    """libcuda with the signatures of what is used of it."""
    library = ctypes.CDLL("libcuda.so.1")
    pointer, word = ctypes.c_void_p, ctypes.c_uint
    signatures: dict[str, list[Any]] = {
        "cuDeviceGet": [ctypes.POINTER(ctypes.c_int), ctypes.c_int],
        "cuDeviceGetAttribute": [ctypes.POINTER(ctypes.c_int), ctypes.c_int, ctypes.c_int],
        "cuModuleLoadData": [ctypes.POINTER(pointer), ctypes.c_char_p],
        "cuModuleGetFunction": [ctypes.POINTER(pointer), pointer, ctypes.c_char_p],
        "cuFuncSetAttribute": [pointer, ctypes.c_int, ctypes.c_int],
        "cuLaunchKernel": [pointer, *[word] * 6, word, pointer, ctypes.POINTER(pointer), ctypes.POINTER(pointer)],
        "cuLaunchCooperativeKernel": [pointer, *[word] * 6, word, pointer, ctypes.POINTER(pointer)],
        "cuGetErrorString": [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)],
    }
    for name, arguments in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    return library


def _check(status: int, what: str) -> None:
    if status != 0:
        text = ctypes.c_char_p()
        _driver().cuGetErrorString(status, ctypes.byref(text))
        raise RuntimeError(f"{what}: {(text.value or b'unknown error').decode()} ({status})")


def _most_shared(index: int) -> int:
    """Bytes of shared memory that a block may have when it asks; torch tells only in newer versions."""
    device, found = ctypes.c_int(), ctypes.c_int()
    torch.cuda.init()  # type: ignore[no-untyped-call]
    _check(_driver().cuDeviceGet(ctypes.byref(device), index), "cuDeviceGet")
    status = _driver().cuDeviceGetAttribute(ctypes.byref(found), _MOST_SHARED_A_BLOCK, device)
    _check(status, "cuDeviceGetAttribute")
    return max(found.value, _PLAIN_SHARED)


class CudaGPU:
    """One GPU; see `nas.engine.cuda.GPU`.

    Args:
        index: as torch counts them.
        threads: of a block; more hide latency, fewer leave each more registers.

    Raises:
        NoGPUError: there is none, or it is older than compute capability 7.0.
    """

    def __init__(self, index: int = 0, *, threads: int = 512) -> None:
        if (reason := why_no_gpu()) is not None:
            raise NoGPUError(reason)
        if not 0 <= index < torch.cuda.device_count():
            raise NoGPUError(f"there is no GPU cuda:{index}; this process sees {torch.cuda.device_count()}")
        facts = torch.cuda.get_device_properties(index)
        if facts.major < 7:
            raise NoGPUError(f"{facts.name} has compute capability {facts.major}.{facts.minor}; 7.0 or newer is needed")
        self.torch_device = torch.device("cuda", index)
        self.name = str(facts.name)
        self.threads, self.multiprocessors = threads, int(facts.multi_processor_count)
        self.shared_bytes = _most_shared(index)
        self.architecture = f"sm_{facts.major}{facts.minor}"
        self._functions: dict[Kernel, ctypes.c_void_p] = {}
        self._allowed: dict[Kernel, int] = {}
        self._lock = threading.Lock()

    def launch(
        self, kernel: Kernel, grid: int, jobs: torch.Tensor, count: int, *, shared_bytes: int = 0, team: int = 1
    ) -> None:
        """See `nas.engine.cuda.GPU.launch`. Teams are launched cooperatively, so that all blocks run at once."""
        with torch.cuda.device(self.torch_device):
            function = self._function(kernel, shared_bytes)
            pointer, number = ctypes.c_void_p(jobs.data_ptr()), ctypes.c_int(count)
            arguments = (ctypes.c_void_p * 2)(
                ctypes.cast(ctypes.pointer(pointer), ctypes.c_void_p),
                ctypes.cast(ctypes.pointer(number), ctypes.c_void_p),
            )
            stream = ctypes.c_void_p(torch.cuda.current_stream(self.torch_device).cuda_stream)
            shape = (grid, 1, 1, self.threads, 1, 1, shared_bytes)
            driver, what = _driver(), f"{kernel.name} on {grid} blocks with {shared_bytes} bytes of shared memory"
            if team > 1:
                _check(driver.cuLaunchCooperativeKernel(function, *shape, stream, arguments), what)
            else:
                _check(driver.cuLaunchKernel(function, *shape, stream, arguments, None), what)

    def _function(self, kernel: Kernel, shared_bytes: int) -> ctypes.c_void_p:
        with self._lock:
            function = self._functions.get(kernel)
            if function is None:
                torch.cuda.current_stream(self.torch_device).synchronize()  # torch's context is current from here on
                module, function = ctypes.c_void_p(), ctypes.c_void_p()
                cubin = compile_cubin(kernel.source, self.architecture)
                _check(_driver().cuModuleLoadData(ctypes.byref(module), cubin), "cuModuleLoadData")
                name = kernel.name.encode()
                _check(_driver().cuModuleGetFunction(ctypes.byref(function), module, name), f"kernel {kernel.name}")
                self._functions[kernel] = function
            if shared_bytes > max(_PLAIN_SHARED, self._allowed.get(kernel, 0)):
                _check(
                    _driver().cuFuncSetAttribute(function, _MOST_DYNAMIC_SHARED, shared_bytes),
                    f"{kernel.name} with {shared_bytes} bytes of shared memory",
                )
                self._allowed[kernel] = shared_bytes
            return function

    def synchronize(self) -> None:
        """See `nas.engine.cuda.GPU.synchronize`."""
        torch.cuda.synchronize(self.torch_device)

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """See `nas.engine.cuda.GPU.upload`."""
        return torch.from_numpy(np.array(array)).to(self.torch_device)


@lru_cache(maxsize=16)
def gpu_of(index: int) -> CudaGPU:
    """The GPU that torch counts as ``index``; one object for each, which keeps what was compiled for it.

    Raises:
        NoGPUError: see `CudaGPU`.
    """
    return CudaGPU(index)
