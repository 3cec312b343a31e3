"""Feeds damaged files to everything that reads files: `make fuzz`, or a few hundred cases within the tests.

Each case starts from a valid file, damages it (bytes, or values inside its structure) and reads it. Allowed: the read
succeeds and the result can be used, or it raises the error that its documentation names. Anything else is a finding:
another exception, more than ten seconds of process time, more than two gigabytes over the start, a crash, or code that
runs: unpickling, `exec` of a string, a process started, a connection opened, a file written outside the case's folder.

    python tests/fuzz/run.py --cases 120000 [--target checkpoint] [--seed 1]

A finding is kept in build/fuzz/ and fails the run.
"""

from __future__ import annotations

import argparse
import collections
import mmap
import multiprocessing
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from damage import damaged
from targets import TARGETS, Target

CASE_SECONDS = 10
EXTRA_BYTES = 2 * 2**30
KEPT = Path("build/fuzz")
FORBIDDEN = (
    "pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect",
    "socket.bind", "ctypes.dlopen", "marshal.loads", "code.__new__",
)  # fmt: skip


class Forbidden(BaseException):
    """Code ran, or tried to: nothing may catch this."""


class TooSlow(BaseException):
    """The case took more than its seconds."""


def watch(folder: str) -> None:
    """From now on what a reader has no business to do raises `Forbidden`."""

    def hook(event: str, arguments: tuple) -> None:
        if event in FORBIDDEN and not importing():
            raise Forbidden(f"{event} {str(arguments)[:200]}")
        if event == "exec" and getattr(arguments[0], "co_filename", "").startswith("<") and not importing():
            raise Forbidden(f"exec of {arguments[0]}")
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+") and not importing():
            path = str(arguments[0])
            if not path.startswith(folder) and path != os.devnull:
                raise Forbidden(f"open {path!r} for writing")

    sys.addaudithook(hook)


# Imports, numba's cache of compiled kernels, networkx's decorators, which compile themselves on first use.
OWN_CODE = ("importlib", "/numba/core/", "/networkx/utils/decorators")


def importing() -> bool:
    """Whether a library runs code of its own."""
    frame = sys._getframe(2)
    while frame is not None:
        if any(part in frame.f_code.co_filename for part in OWN_CODE):
            return True
        frame = frame.f_back
    return False


def run_target(target: Target, first: int, last: int, seed: int, progress: mmap.mmap, outcome) -> None:
    """Cases ``first`` to ``last - 1`` in this process; findings and counts go to ``outcome``."""
    counts: collections.Counter[str] = collections.Counter()
    findings: list[tuple[int, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        seeds = target.seeds(Path(folder))
        for content in seeds:  # imports, compiled kernels and caches come before the watch
            target.read(write(Path(folder), target, content))
        base = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        watch(folder)
        resource.setrlimit(resource.RLIMIT_AS, (base + EXTRA_BYTES, resource.RLIM_INFINITY))
        signal.signal(signal.SIGPROF, lambda *_: (_ for _ in ()).throw(TooSlow()))
        for case in range(first, last):
            progress[:8] = struct.pack("<q", case)
            rng = np.random.default_rng([seed, case])
            path = write(Path(folder), target, damaged(seeds, target.kind, rng))
            signal.setitimer(signal.ITIMER_PROF, CASE_SECONDS)
            try:
                target.read(path)
                counts["read"] += 1
            except target.errors as error:
                counts[type(error).__name__] += 1
                if not str(error).strip():
                    findings.append((case, f"{type(error).__name__} without a message"))
            except (Exception, Forbidden, TooSlow):
                findings.append((case, traceback.format_exc(limit=-6)))
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            if len(findings) >= 20:
                break
    outcome.put((dict(counts), findings))


def write(folder: Path, target: Target, content: bytes) -> Path:
    path = folder / f"case{target.suffix}"
    path.write_bytes(content)
    return path


def fuzz(target: Target, cases: int, seed: int) -> tuple[collections.Counter[str], list[tuple[int, str]]]:
    """All cases of a target, in fresh processes; one that dies is a finding, and the rest goes on without it."""
    context = multiprocessing.get_context("spawn")
    counts: collections.Counter[str] = collections.Counter()
    findings: list[tuple[int, str]] = []
    first = 0
    while first < cases and len(findings) < 20:
        outcome = context.Queue()
        with tempfile.NamedTemporaryFile() as shared:
            shared.write(struct.pack("<q", -1))
            shared.flush()
            process = context.Process(
                target=_child, args=(target.name, first, min(cases, first + 20_000), seed, shared.name, outcome)
            )
            process.start()
            found = None
            last_case, since = -1, time.monotonic()
            while found is None and process.is_alive():
                try:
                    found = outcome.get(timeout=1)
                except Exception:
                    (case,) = struct.unpack("<q", Path(shared.name).read_bytes())
                    if case != last_case:
                        last_case, since = case, time.monotonic()
                    # Stuck where no signal is heard; what comes before the first case may be compiled.
                    elif time.monotonic() - since > (6 if case >= 0 else 24) * CASE_SECONDS:
                        process.kill()
            process.join()
            if found is None and not outcome.empty():
                found = outcome.get()
            if found is None:
                (case,) = struct.unpack("<q", Path(shared.name).read_bytes())
                if case < first:
                    raise SystemExit(f"{target.name}: the undamaged files cannot be read; see above")
                findings.append((case, f"the process ended with {process.exitcode}"))
                first = case + 1
                continue
        counts.update(found[0])
        findings += found[1]
        first = min(cases, first + 20_000)
    return counts, findings


def _child(name: str, first: int, last: int, seed: int, shared: str, outcome) -> None:
    os.environ.update(OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1", NAS_LOG="")
    with Path(shared).open("r+b") as file, mmap.mmap(file.fileno(), 8) as progress:
        run_target(TARGETS[name], first, last, seed, progress, outcome)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=120_000, help="in all, shared out over the targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=sorted(TARGETS), action="append")
    options = parser.parse_args()
    chosen = [TARGETS[name] for name in options.target or TARGETS]
    weights = sum(target.weight for target in chosen)
    failed, total = False, 0
    print(f"{'target':<14}{'cases':>8}{'seconds':>9}  outcome")
    for target in chosen:
        cases = max(1, round(options.cases * target.weight / weights))
        start = time.monotonic()
        counts, findings = fuzz(target, cases, options.seed)
        total += cases
        said = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
        print(f"{target.name:<14}{cases:>8,}{time.monotonic() - start:>9.1f}  {said}", flush=True)
        for case, text in findings:
            failed = True
            KEPT.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                content = damaged(target.seeds(Path(folder)), target.kind, np.random.default_rng([options.seed, case]))
            kept = KEPT / f"{target.name}-{options.seed}-{case}{target.suffix}"
            kept.write_bytes(content)
            print(f"FINDING {target.name}, case {case}, kept as {kept}\n{text}", flush=True)
    print(f"{total:,} cases, {'findings above' if failed else 'nothing but documented errors'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
