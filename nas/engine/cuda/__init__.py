"""The engine on NVIDIA GPUs: the same plans, a thread block for each network and tile of its batch.

``source/`` holds the kernels in CUDA C++, compiled at run time (NVRTC) for the GPU at hand. Without a GPU the same
source runs on a simulator, which is how its tests run everywhere.
"""

from nas.engine.cuda._apply import gpu_apply
from nas.engine.cuda._device import CudaGPU, NoGPUError, gpu_is_lost, gpu_of, limit_memory, why_no_gpu
from nas.engine.cuda._machine import GPU, Kernel
from nas.engine.cuda._schedule import Schedule, schedule_of
from nas.engine.cuda._simulator import SimulatedGPU
from nas.engine.cuda._source import MOST_THREADS, VARIANTS, Variant, program
from nas.engine.cuda._struct import Struct
from nas.engine.cuda._variant import Tiling, choose_variant, tiling_of

__all__ = [
    "GPU",
    "MOST_THREADS",
    "VARIANTS",
    "CudaGPU",
    "Kernel",
    "NoGPUError",
    "Schedule",
    "SimulatedGPU",
    "Struct",
    "Tiling",
    "Variant",
    "choose_variant",
    "gpu_apply",
    "gpu_is_lost",
    "gpu_of",
    "limit_memory",
    "program",
    "schedule_of",
    "tiling_of",
    "why_no_gpu",
]
