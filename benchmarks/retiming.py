"""Does the same network come out of a re-timing each time? ``python -m benchmarks.retiming``

Runs a search on digits (or takes a finished study: ``--store``, ``--study``), times its front again as the end of every
search does, ten times over, and counts how often each pick is the one that most re-timings choose. The study is not
changed by it. Writes benchmarks/results/retiming.md and .json.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks._tables import table
from nas.job import stored_job
from nas.search import Front, FrontMember, PickError, SerialExecutor, StudyStore, time_side_by_side
from nas.search.front.retime import _REPEATS, _network
from nas.training import TrialResult, TrialStatus, hardware, load_data

__all__ = ["main", "retimed_front", "summary"]

RESULTS: Final = Path(__file__).parent / "results" / "retiming"
_JOB: Final = Path(__file__).parents[1] / "examples" / "digits.yaml"
_SHARES: Final = (0.5, 0.7, 0.9, 0.97)  # of the way from the worst to the best accuracy of the front


def retimed_front(study: StudyStore) -> tuple[Front, int]:
    """The front after one re-timing, as `nas.search.retime` does it but not written down; and how many were timed."""
    job = stored_job((study.header.get("job") or {})["job"], "the job")
    data = load_data(job.data)
    threads = job.resources.threads
    executor = SerialExecutor(data, job.training, threads=threads)
    complete = {trial.number: trial.result for trial in study.records() if trial.state == "complete"}
    times: dict[int, dict[str, float]] = {}

    def front() -> Front:
        members = []
        for number, result in complete.items():
            assert result is not None
            metrics = {**result.metrics, **times.get(number, {})}
            values = study.objectives.values(TrialResult(number, TrialStatus.COMPLETE, metrics))
            assert values is not None
            members.append(FrontMember(number, values, metrics, retimed=number in times))
        return Front.of(study.objectives, members)

    timed: set[int] = set()
    found = front()
    for _ in range(_REPEATS):
        near = {trial.number for trial in found.near}
        if near <= timed:
            break
        timed |= near
        networks = [_network(study, number) for number in sorted(timed)]
        times = executor.call(time_side_by_side, networks, data, job.training, threads)
        found = front()
    return found, len(timed)


def picks(front: Front, bounds: tuple[float, ...]) -> dict[str, int]:
    """What a person may ask for, and the trial that the front gives."""
    asked = ["knee", "accurate", "fast", *(f"accuracy>={bound:g}" for bound in bounds)]
    found = {}
    for how in asked:
        try:
            found[how] = front.pick(how).number
        except PickError:
            found[how] = -1
    return found


def summary(runs: list[dict[str, int]]) -> list[dict[str, Any]]:
    """For each pick: the trial that most runs chose, how many did, and the others."""
    rows = []
    for how in runs[0]:
        counts = collections.Counter(run[how] for run in runs)
        (most, times), *others = counts.most_common()
        rows.append({"pick": how, "trial": most, "runs": times, "of": len(runs), "others": dict(others)})
    return rows


def report(found: dict[str, Any]) -> str:
    """The results as Markdown."""
    sizes = found["front sizes"]
    rows = [
        [
            f"`{row['pick']}`",
            str(row["trial"]),
            f"{row['runs']} of {row['of']}",
            ", ".join(f"trial {number}: {times}" for number, times in row["others"].items()) or "-",
        ]
        for row in found["picks"]
    ]
    return (
        "# Is the pick the same after each re-timing?\n\n"
        f"`python -m benchmarks.retiming`: one study of {found['trials']} trials ({found['study']}), its front timed "
        f"again {found['runs']} times ({found['seconds']:.1f} s each, {found['timed']} networks; load "
        f"{found['load'][0]:.1f} to {found['load'][1]:.1f}, {found['hardware']['processor']}). The front itself had "
        f"{min(sizes)} to {max(sizes)} members; a time of inference varied by {100 * found['variation']:.1f} % between "
        "re-timings (median over the networks of standard deviation over mean).\n\n"
        + table(["pick", "trial", "chosen in", "otherwise"], rows)
        + "\n"
    )


def run(study: StudyStore, runs: int) -> dict[str, Any]:
    """So many re-timings of a study."""
    known = [member.metrics["val_accuracy"] for member in study.front().members]
    low, high = min(known), max(known)
    bounds = tuple(round(low + share * (high - low), 3) for share in _SHARES)
    chosen, sizes, times, began, load = [], [], [], time.monotonic(), os.getloadavg()[0]
    timed = 0
    for k in range(runs):
        front, timed = retimed_front(study)
        chosen.append(picks(front, bounds))
        sizes.append(len(front))
        times.append({trial.number: trial.metrics["inference_seconds"] for trial in front.near})
        print(f"{k + 1} of {runs}: {chosen[-1]}", flush=True)
    always = set.intersection(*(set(each) for each in times))
    spread = [np.std(taken) / np.mean(taken) for n in always if (taken := [each[n] for each in times])]
    return {
        "study": study.name,
        "trials": sum(study.counts().values()),
        "runs": runs,
        "seconds": (time.monotonic() - began) / runs,
        "timed": timed,
        "load": (load, os.getloadavg()[0]),
        "hardware": dict(hardware(1)),
        "front sizes": sizes,
        "variation": float(np.median(spread)),
        "picks": summary(chosen),
        "times": times,
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, help="of a finished study (default: a search is run)")
    parser.add_argument("--study", default="digits")
    parser.add_argument("--trials", type=int, default=150, help="of the search that is run")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to, without .md and .json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or Path(folder)
        if options.store is None:
            command = [str(Path(sys.executable).parent / "nas"), "search", str(_JOB), "--trials", str(options.trials)]
            command += ["--set", f"tracking.store={store}", "--set", "tracking.mlflow=false"]
            subprocess.run([*command, "--set", f"tracking.experiment={options.study}"], check=True)
        found = run(StudyStore.open(store, options.study), options.runs)
    options.out.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
    options.out.with_suffix(".md").write_text(report(found))
    print("\n" + report(found))


if __name__ == "__main__":
    main()
