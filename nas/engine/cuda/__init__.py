"""The engine on NVIDIA GPUs: the same plans, a thread block for each network and tile of its batch.

``source/`` holds the kernels in CUDA C++, compiled at run time (NVRTC) for the GPU at hand. Without a GPU the same
source runs on a simulator, which is how its tests run everywhere.
"""

from nas.engine.cuda._apply import gpu_apply
from nas.engine.cuda._device import CudaGPU, NoGPUError, TorchGPU, gpu_at, gpu_is_lost, gpu_of, limit_memory, why_no_gpu
from nas.engine.cuda._machine import GPU, Kernel
from nas.engine.cuda._schedule import Schedule, schedule_of
from nas.engine.cuda._simulator import SimulatedGPU
from nas.engine.cuda._source import MOST_THREADS, VARIANTS, Variant, program
from nas.engine.cuda._struct import Struct
from nas.engine.cuda._variant import Tiling, choose_variant, tiling_of
from nas.engine.cuda._verdict import Verdict, report, verdict_on

MODULE_CHECK = "nas.engine.cuda._check"
"""See `verdict_on`: the check of what `gpu_apply` runs."""

__all__ = [
    "GPU",
    "MODULE_CHECK",
    "MOST_THREADS",
    "VARIANTS",
    "CudaGPU",
    "Kernel",
    "NoGPUError",
    "Schedule",
    "SimulatedGPU",
    "Struct",
    "Tiling",
    "TorchGPU",
    "Variant",
    "Verdict",
    "choose_variant",
    "gpu_apply",
    "gpu_at",
    "gpu_is_lost",
    "gpu_of",
    "limit_memory",
    "program",
    "report",
    "schedule_of",
    "tiling_of",
    "verdict_on",
    "why_no_gpu",
]
