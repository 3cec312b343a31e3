"""Whether the kernels compute the right thing on a GPU: found out there, before their first use, and remembered.

A check is a module with a ``main`` that compares the kernels with plain torch operations. It runs in a process of its
own: a kernel that writes beside its memory leaves nothing of the CUDA context of its process, and one that waits for
ever must not hold up a worker for ever. What it found is kept in the user's cache, by GPU, driver, versions and source;
what could not be found out is tried again the next day.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from nas._files import contents
from nas._stamps import stamp_of
from nas.engine.cuda._cache import cache_folder
from nas.engine.cuda._driver import driver
from nas.engine.cuda._machine import GPU

__all__ = ["Verdict", "report", "verdict_on"]

_SOURCE: Final = Path(__file__).with_name("source")
_SECONDS: Final = 600.0  # compiling takes some tens of them
_KEPT_SECONDS: Final = 86_400.0  # what was found wrong: a driver may have been mended that calls itself the same

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found about the kernels on one GPU."""

    right: bool
    why: str = ""  # what is wrong

    @property
    def facts(self) -> dict[str, str]:
        """For the record of a trial: which way it was trained on the GPU, and why."""
        way = "kernels" if self.right else "plain torch operations"
        return {"gpu_path": way} | ({} if self.right else {"gpu_path_reason": self.why})


_known: dict[tuple[str, str, str], Verdict] = {}
_lock = threading.Lock()


def verdict_on(gpu: GPU, check: str) -> Verdict:
    """Whether the kernels are right on this GPU.

    Args:
        check: name of the module that checks; run as ``python -m <check> <index>``, it prints what `report` does.
    """
    if gpu.torch_device.type == "cpu":  # simulated: what tests of the kernels themselves run on
        return Verdict(True)
    if gpu.why_no_kernels:
        return Verdict(False, gpu.why_no_kernels)
    key = (gpu.name, str(gpu.torch_device), check)
    with _lock:
        if key not in _known:
            _known[key] = found = _remembered(gpu, check)
            if not found.right:
                logger.warning(
                    "%s (%s): its kernels are not used, because %s; plain torch operations are, which are slower",
                    gpu.name, gpu.torch_device, found.why,
                )  # fmt: skip
        return _known[key]


def report(check: Callable[[], list[str]]) -> None:
    """Print what a check finds wrong, for `verdict_on`: nothing where all is right, the error that ends it."""
    try:
        problems = check()
    except Exception as error:  # whatever a driver or a compiler may say
        problems = [f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"]
    sys.stdout.write(json.dumps({"problems": problems}) + "\n")


def _remembered(gpu: GPU, check: str) -> Verdict:
    path = cache_folder() / "gpu-checks.json"
    name = _name(gpu, check)
    entry = _read(path).get(name)
    if isinstance(entry, dict):
        right, why, taken = entry.get("right") is True, str(entry.get("why", "")), entry.get("taken", 0)
        if right or (why and isinstance(taken, int | float) and time.time() - taken < _KEPT_SECONDS):
            return Verdict(right, why)
    logger.info("%s (%s): its kernels are checked there, once", gpu.name, gpu.torch_device)
    found = _check(gpu, check)
    if "out of memory" in found.why.lower():
        return found  # which says nothing of the kernels: the next process tries again
    entries = _read(path) | {name: {"right": found.right, "why": found.why, "taken": time.time(), "gpu": gpu.name}}
    partial = path.with_suffix(f".{os.getpid()}.part")
    with contextlib.suppress(OSError):
        partial.write_text(json.dumps(entries, indent=1), encoding="utf-8")
        partial.replace(path)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(contents(path))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _name(gpu: GPU, check: str) -> str:
    """What a verdict is valid for."""
    spec = importlib.util.find_spec(check)
    assert spec is not None and spec.origin is not None
    parts = [
        check,
        gpu.name,
        _driver_version(),
        str(torch.version.cuda),
        torch.__version__,
        stamp_of([Path(spec.origin)]),
    ]
    parts += [path.read_text(encoding="utf-8") for path in sorted(_SOURCE.iterdir()) if path.is_file()]
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _driver_version() -> str:
    found = ctypes.c_int()
    with contextlib.suppress(AttributeError, OSError):
        driver().cuDriverGetVersion(ctypes.byref(found))
    try:
        exact = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        exact = ""
    return f"{found.value} {exact}"


def _check(gpu: GPU, check: str) -> Verdict:
    command = [sys.executable, "-m", check, str(gpu.torch_device.index or 0)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return Verdict(False, f"the check of its kernels did not end within {_SECONDS:g} s")
    except OSError as error:
        return Verdict(False, f"the check of its kernels could not be started: {error}")
    lines = done.stdout.splitlines()
    try:
        problems = json.loads(lines[-1])["problems"] if done.returncode == 0 else None
    except (IndexError, ValueError, KeyError, TypeError):
        problems = None
    if problems is None:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        # A compiler's message has many lines, of which the last is often a mark under one word.
        raised = [line for line in said if re.match(r"[\w.]*(Error|Exception)\b", line)]
        why = (raised or said)[-1:]
        return Verdict(False, f"the check of its kernels ended with {done.returncode}: {' '.join(why)[:400]}")
    return Verdict(not problems, "; ".join(problems)[:1000])
