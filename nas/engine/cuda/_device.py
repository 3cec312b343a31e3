"""A real GPU: kernels compiled by NVRTC and launched through the driver, memory and streams torch's.

torch works in the primary context of a device. The driver's functions act on the context that is current in the calling
thread, which a thread that has not used CUDA yet does not have (that of torch's backward passes, or of a Ray actor), so
that context is made current around each of them.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from nas.engine.cuda._driver import call, driver
from nas.engine.cuda._machine import GPU, Kernel
from nas.engine.cuda._nvrtc import compiled
from nas.errors import NasError

__all__ = ["CudaGPU", "NoGPUError", "TorchGPU", "gpu_at", "gpu_is_lost", "gpu_of", "limit_memory", "why_no_gpu"]

_MOST_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_MOST_SHARED_A_BLOCK = 97  # CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
_CONTEXT_BYTES = 0.6 * 2**30  # of a process, before its first tensor
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


class CudaGPU:
    """One GPU; see `nas.engine.cuda.GPU`. May be used by many threads.

    Args:
        index: as torch counts them.
        threads: of a block; more hide latency, fewer leave each more registers.

    Raises:
        NoGPUError: there is none, or it is older than compute capability 7.0.
    """

    why_no_kernels = ""

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
        self._capability = 10 * int(facts.major) + int(facts.minor)
        torch.cuda.init()  # type: ignore[no-untyped-call]
        call("cuInit", 0)
        device, found = ctypes.c_int(), ctypes.c_int()
        call("cuDeviceGet", ctypes.byref(device), index)  # torch and the driver count alike
        call("cuDeviceGetAttribute", ctypes.byref(found), _MOST_SHARED_A_BLOCK, device)
        self.shared_bytes = max(found.value, _PLAIN_SHARED)
        self._primary = ctypes.c_void_p()  # kept until the process ends, as torch keeps it
        call("cuDevicePrimaryCtxRetain", ctypes.byref(self._primary), device)
        self._functions: dict[Kernel, ctypes.c_void_p] = {}
        self._allowed: dict[Kernel, int] = {}
        self._resident: dict[tuple[Kernel, int], int] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _current(self) -> Iterator[None]:
        call("cuCtxPushCurrent_v2", self._primary)
        try:
            yield
        finally:
            # Unchecked: an error that stays would hide the message of the call that met it.
            driver().cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        jobs: torch.Tensor | np.ndarray,
        count: int = 1,
        *,
        shared_bytes: int = 0,
        team: int = 1,
    ) -> None:
        """See `nas.engine.cuda.GPU.launch`. Teams are launched cooperatively, so that all blocks run at once."""
        what = f"{kernel.name} on {grid} blocks with {shared_bytes} bytes of shared memory"
        # The driver copies what these point at before it returns, so they need to live no longer than the call.
        if isinstance(jobs, np.ndarray):
            arguments = (ctypes.c_void_p * 1)(jobs.ctypes.data)
        else:
            pointer, number = ctypes.c_void_p(jobs.data_ptr()), ctypes.c_int(count)
            arguments = (ctypes.c_void_p * 2)(ctypes.addressof(pointer), ctypes.addressof(number))
        stream = ctypes.c_void_p(torch.cuda.current_stream(self.torch_device).cuda_stream)
        with self._current():
            function = self._function(kernel, shared_bytes)
            shape = (grid, 1, 1, self.threads, 1, 1, shared_bytes)
            if team > 1:
                self._check_resident(kernel, function, grid, shared_bytes)
                call("cuLaunchCooperativeKernel", function, *shape, stream, arguments, what=what)
            else:
                call("cuLaunchKernel", function, *shape, stream, arguments, None, what=what)

    def _function(self, kernel: Kernel, shared_bytes: int) -> ctypes.c_void_p:
        with self._lock:
            function = self._functions.get(kernel)
            if function is None:
                module, function = ctypes.c_void_p(), ctypes.c_void_p()
                code = compiled(kernel.source, self._capability)
                call("cuModuleLoadData", ctypes.byref(module), code, what=f"loading the code of {kernel.name}")
                name = kernel.name.encode()
                call("cuModuleGetFunction", ctypes.byref(function), module, name, what=f"kernel {kernel.name}")
                self._functions[kernel] = function
            if shared_bytes > max(_PLAIN_SHARED, self._allowed.get(kernel, 0)):
                what = f"{kernel.name} with {shared_bytes} bytes of shared memory"
                call("cuFuncSetAttribute", function, _MOST_DYNAMIC_SHARED, shared_bytes, what=what)
                self._allowed[kernel] = shared_bytes
            return function

    def _check_resident(self, kernel: Kernel, function: ctypes.c_void_p, grid: int, shared_bytes: int) -> None:
        """Raises: RuntimeError: blocks that wait for each other do not all fit on the multiprocessors."""
        key = (kernel, shared_bytes)
        if key not in self._resident:
            found = ctypes.c_int()
            shape = (self.threads, shared_bytes)
            call("cuOccupancyMaxActiveBlocksPerMultiprocessor", ctypes.byref(found), function, *shape)
            self._resident[key] = found.value
        if grid > (most := self._resident[key] * self.multiprocessors):
            raise RuntimeError(f"{grid} blocks of {kernel.name} wait for each other, but only {most} run at once")

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


class TorchGPU:
    """A GPU that torch can use and the kernels cannot; see `nas.engine.cuda.GPU`."""

    threads, multiprocessors, shared_bytes = 32, 1, 0

    def __init__(self, index: int, why: str) -> None:
        self.torch_device = torch.device("cuda", index)
        self.name = str(torch.cuda.get_device_properties(index).name)
        self.why_no_kernels = why

    def launch(
        self,
        kernel: Kernel,
        grid: int,
        jobs: torch.Tensor | np.ndarray,
        count: int = 1,
        *,
        shared_bytes: int = 0,
        team: int = 1,
    ) -> None:
        """Raises: NoGPUError: always."""
        raise NoGPUError(f"{kernel.name} cannot be launched on {self.name}: {self.why_no_kernels}")

    def synchronize(self) -> None:
        """See `nas.engine.cuda.GPU.synchronize`."""
        torch.cuda.synchronize(self.torch_device)

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """See `nas.engine.cuda.GPU.upload`."""
        return torch.from_numpy(np.array(array)).to(self.torch_device)


@lru_cache(maxsize=16)
def gpu_at(index: int) -> GPU:
    """The GPU that torch counts as ``index``: `gpu_of`, or where the driver or its age rules that out, torch's alone.

    Raises:
        NoGPUError: torch can use none of that number.
    """
    try:
        return gpu_of(index)
    except (NoGPUError, OSError, RuntimeError, AttributeError) as error:
        if why_no_gpu() is not None or not 0 <= index < torch.cuda.device_count():
            raise
        return TorchGPU(index, str(error))


def gpu_is_lost() -> bool:
    """Whether an error has left this process's CUDA context unusable: everything fails in it from then on."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def limit_memory(share: float) -> None:
    """Let this process have at most a share of its GPU's memory; more fails as if there were no more.

    Args:
        share: of the whole, of which the context that CUDA itself makes in each process is taken off.
    """
    if why_no_gpu() is None:
        whole = float(torch.cuda.get_device_properties(0).total_memory)
        torch.cuda.set_per_process_memory_fraction(max(share - _CONTEXT_BYTES / whole, share / 2), 0)
