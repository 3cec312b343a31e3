"""What other compilers make of the engine's forward pass for an NVIDIA GPU: no GPU is needed, nothing is timed.

    pip install triton 'numba-cuda[cu13]'       # neither is used by the project itself
    python -m benchmarks.gpu_compilers

The same loop over the in-edges of each neuron, 32 samples a warp, is written in Triton, in numba-cuda and (as it is in
the project) in CUDA C++, compiled for sm_90, and its machine code is read: registers, and instructions and loads an
edge in the loop that does most edges. Triton's wheel brings the tools that this needs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["loops", "main"]

_TRITON = """
import triton, triton.language as tl
@triton.jit
def walk(ptr, at, weight, bias, h, m, stride, BLOCK: tl.constexpr):
    lane = tl.arange(0, BLOCK)
    h += tl.program_id(0).to(tl.int64) * m * stride
    for i in range(m):
        first, last = tl.load(ptr + i), tl.load(ptr + i + 1)
        s = tl.zeros((BLOCK,), tl.float32)
        for e in range(first, last):
            s += tl.load(weight + e) * tl.load(h + tl.load(at + e) + lane)
        tl.store(h + i * stride + lane, tl.maximum(s + tl.load(bias + i), 0.0))
        tl.debug_barrier()
"""


def main() -> int:
    """Prints a table; status 2: Triton, whose tools are needed, is not installed."""
    try:
        import triton  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        print("triton is not installed; its wheel has the tools: pip install triton", file=sys.stderr)
        return 2
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    print("| | registers | instructions an edge | loads an edge, global | shared |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name, compiled in (("CUDA C++", _cuda), ("numba-cuda", _numba), ("Triton", _triton)):
            try:
                code = compiled(tools, Path(folder))
            except Exception as error:
                print(f"| {name} | {type(error).__name__}: {str(error).splitlines()[0][:90]} | | | |")
                continue
            used = _output(tools / "cuobjdump", "-res-usage", code)
            text = _output(tools / "nvdisasm", "-c", code)
            if name == "CUDA C++":
                used, text = (each[each.index("module_forward_1_0") :] for each in (used, text))
                text = text[:end] if (end := text.find(".section", 100)) > 0 else text
            registers = re.search(r"REG:(\d+)", used)
            size, edges, far, near = max(loops(text), key=lambda each: (each[1] <= 16, each[1], -each[0]))
            cells = f"{size / edges:.1f} | {far / edges:.3g} | {near / edges:.3g}"
            print(f"| {name} | {registers.group(1) if registers else '?'} | {cells} |")
    return 0


def loops(text: str) -> list[tuple[int, int, int, int]]:
    """Of each innermost loop with multiply-adds: instructions, these, loads from global memory, from shared memory."""
    labels: dict[str, int] = {}
    instructions: list[str] = []
    for line in text.splitlines():
        if label := re.match(r"\s*\.(L_x_\d+):", line):
            labels[label.group(1)] = len(instructions)
        if instruction := re.search(r"/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            instructions.append(instruction.group(1))
    found = []
    for last, each in enumerate(instructions):
        jump = re.search(r"BRA.*\(\.(L_x_\d+)\)", each)
        if jump and (first := labels.get(jump.group(1), last + 1)) <= last:
            body = instructions[first : last + 1]
            if sum("BRA" in one for one in body) > 1:
                continue  # not innermost
            counts = [sum(bool(re.search(word, one)) for one in body) for word in ("FFMA", "LDG", r"LDS\b|LDS\.")]
            if counts[0]:
                found.append((len(body), counts[0], counts[1], counts[2]))
    return found


def _output(tool: Path, *arguments: str | Path) -> str:
    return subprocess.run([str(tool), *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def _cuda(tools: Path, folder: Path) -> Path:
    from nas.engine.cuda import program
    from nas.engine.cuda._apply import MODULE
    from nas.engine.cuda._nvrtc import compiled

    path = folder / "cuda.cubin"
    path.write_bytes(compiled(program("module.cu", MODULE, "module.h", ((1, 0),), "float"), 90))
    return path


def _triton(tools: Path, folder: Path) -> Path:
    import importlib.util

    source = folder / "triton_walk.py"
    source.write_text(_TRITON)
    spec = importlib.util.spec_from_file_location("triton_walk", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    import triton
    from triton.backends.compiler import GPUTarget  # type: ignore[import-not-found,unused-ignore]
    from triton.compiler import ASTSource  # type: ignore[import-not-found,unused-ignore]

    pointers = dict.fromkeys(("ptr", "at"), "*i32") | dict.fromkeys(("weight", "bias", "h"), "*fp32")
    signature = {**pointers, "m": "i32", "stride": "i32", "BLOCK": "constexpr"}
    made = ASTSource(fn=module.walk, signature=signature, constexprs={"BLOCK": 32})
    kernel = triton.compile(made, target=GPUTarget("cuda", 90, 32), options={"num_warps": 1})
    path = folder / "triton.cubin"
    path.write_bytes(kernel.asm["cubin"])
    return path


def _numba(tools: Path, folder: Path) -> Path:
    from numba import cuda, float32, int32, types

    def walk(ptr: Any, at: Any, weight: Any, bias: Any, h: Any, m: Any, stride: Any) -> None:
        values = cuda.shared.array(0, float32)
        lane, warp = cuda.threadIdx.x % 32, cuda.threadIdx.x // 32
        for i in range(warp, m, cuda.blockDim.x // 32):
            s = float32(0.0)
            e, last = ptr[i], ptr[i + 1]
            while e + 4 <= last:
                s = cuda.fma(weight[e], values[at[e] + lane], s)
                s = cuda.fma(weight[e + 1], values[at[e + 1] + lane], s)
                s = cuda.fma(weight[e + 2], values[at[e + 2] + lane], s)
                s = cuda.fma(weight[e + 3], values[at[e + 3] + lane], s)
                e += 4
            while e < last:
                s = cuda.fma(weight[e], values[at[e] + lane], s)
                e += 1
            h[i * stride + lane] = s + bias[i]

    whole, real = types.Array(int32, 1, "C"), types.Array(float32, 1, "C")
    compile_ptx: Callable[..., tuple[str, Any]] = cuda.compile_ptx
    text, _ = compile_ptx(walk, (whole, whole, real, real, real, int32, int32), cc=(9, 0), fastmath=True)
    source, path = folder / "numba.ptx", folder / "numba.cubin"
    # What Triton brings may be older than what numba's compiler writes; 8.0 is the first version that knows sm_90.
    text = re.sub(r"\.version \d+\.\d+", ".version 8.0", text)
    source.write_text(text)
    _output(tools / "ptxas", "-arch=sm_90", "-O3", source, "-o", path)
    return path


if __name__ == "__main__":
    sys.exit(main())
