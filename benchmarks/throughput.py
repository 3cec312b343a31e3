"""What the service itself costs a trial, ``make bench-throughput``: ask, dispatch, tell and log, without the training.

    overhead    trials that take no time, one after the other in this process: wall time of each part of a trial,
                process time and memory, at trials 10 to 10,000; then how long the study takes to be opened
    busy        trials of 50 ms on two Ray workers: the share of the time in which the workers evaluate
    MLflow      how many trials a second it takes, with nothing else to do
    groups      small networks trained in groups on a worker of two threads, against one after the other

Writes benchmarks/results/throughput.md and .json; five minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any, Final

from benchmarks._groups import groups
from benchmarks._tables import table
from benchmarks._throughput import PARTS, busy, mlflow_server, overhead, tracked
from nas.training import hardware

__all__ = ["main", "report"]

RESULTS: Final = Path(__file__).parent / "results"


def measure(trials: int, short: int, logged: int, strategies: list[str]) -> dict[str, Any]:
    """All of it; each part is printed as it comes."""
    found: dict[str, Any] = {
        "hardware": dict(hardware(1)),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "overhead": [],
    }
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - began:4.0f} s] {what}", flush=True)

    for strategy in strategies:
        found["overhead"].append(overhead(strategy, trials))
        for row in found["overhead"][-1]["rows"]:
            say(f"{strategy:10} " + "  ".join(f"{name} {value:,.2f}" for name, value in row.items()))
    if short:
        for mlflow in (False, True):
            found["busy with MLflow" if mlflow else "busy"] = each = busy(short, mlflow=mlflow)
            say(f"2 workers, trials of 50 ms{', MLflow' if mlflow else ''}: {each}")
    if logged:
        found["tracked"] = {"SQLite": tracked(logged)}
        with mlflow_server() as address:
            found["tracked"]["server"] = tracked(logged, address)
        say(f"MLflow: {found['tracked']}")
    found["groups"] = groups()
    for row in found["groups"]:
        say("  ".join(f"{name} {value:,.2f}" for name, value in row.items()))
    found["seconds"] = time.monotonic() - began
    found["load at the end"] = os.getloadavg()[0]
    return found


def report(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    machine = found["hardware"]
    lines = [
        "# What the service costs a trial",
        "",
        f"`make bench-throughput`: {machine['processor']}, {machine['logical_cores']} logical cores; load "
        f"{found['load']:.1f} at the beginning, {found['load at the end']:.1f} at the end; {found['seconds']:.0f} s.",
        "",
        "Milliseconds of wall time a trial, means over the tenth of the trials before (ten at least), with one worker "
        "in the driver's process and the training left out. *ask*: choosing, and writing the genome; *dispatch*: "
        "handing over and collecting; *tell*: writing the result, learning; *log*: MLflow's journal; *all*: wall time "
        "without the evaluation; *process*: processor time of the process.",
        "",
        table(
            ["strategy", "trial", *PARTS, "all", "process", "memory, MiB"],
            [
                [each["strategy"], f"{row['trial']:,}"]
                + [f"{row[name]:.2f}" for name in (*PARTS, "all", "process")]
                + [f"{row['rss_mib']:.0f}"]
                for each in found["overhead"]
                for row in each["rows"]
            ],
        ),
        "",
        *(
            f"{each['strategy']}: memory grew by {each['grown_bytes'] / 1024:.2f} KiB a trial after the first fifth; "
            f"{each['disk_kib']:.1f} KiB a trial on disk; the study is opened and read in {each['open_seconds']:.1f} s."
            for each in found["overhead"]
        ),
        "",
    ]
    if "busy" in found:
        plain, logging = found["busy"], found["busy with MLflow"]
        lines += [
            f"Two Ray workers with trials of 50 ms were busy {100 * plain['busy']:.1f} % of the time "
            f"({plain['trials_per_second']:.1f} trials/s); with MLflow writing into SQLite at the same time "
            f"{100 * logging['busy']:.1f} % ({logging['trials_per_second']:.1f} trials/s, "
            f"{logging['behind']:,.0f} trials were waiting for MLflow at the end).",
            "",
        ]
    if "tracked" in found:
        lines += [
            table(
                ["MLflow, nothing else running", "trials/s", "process time of the driver, ms a trial"],
                [
                    [name, f"{each['trials_per_second']:.1f}", f"{each['process_ms']:.1f}"]
                    for name, each in found["tracked"].items()
                ],
            ),
            "",
        ]
    lines += [
        "Networks trained four at a time on a worker of two threads, against one after the other on one thread "
        "(the networks are the same bit for bit): on both threads always, and as tried at run time.",
        "",
        table(
            ["edges", "one alone, ms", "always together", "as tried"],
            [
                [f"{row['edges']:,.0f}", f"{row['alone_ms']:.1f}", f"{row['together']:.2f} x", f"{row['kept']:.2f} x"]
                for row in found["groups"]
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10000, help="of the overhead")
    parser.add_argument("--strategies", nargs="+", default=["evolution", "optuna"])
    parser.add_argument("--busy", type=int, default=600, help="trials of 50 ms on two Ray workers; 0: none")
    parser.add_argument("--logged", type=int, default=400, help="trials logged to MLflow; 0: none")
    parser.add_argument("--out", type=Path, default=RESULTS / "throughput", help="where to, without .md and .json")
    options = parser.parse_args()
    found = measure(options.trials, options.busy, options.logged, options.strategies)
    options.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(report(found))
    print("\n" + report(found))


if __name__ == "__main__":
    main()
