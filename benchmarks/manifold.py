"""Does learned structure pay? Closeness, flow and sparsity against free weights at equal process time.

``make bench-manifold``. The same search (evolution, its defaults) on the same splits, process time as its budget:
*free weights* is the default space, the others are `space: manifold`, whose strengths of flow and sparsity are searched
where they act unless the variant leaves one out. *masked* is closeness times a free weight, *closeness alone* the
published network. Noise, decay, rate, batch and activation are searched by all.

The score is the share of the rectangle of (log edges, test error) that the front dominates, members chosen by
validation (`benchmarks._reference_score.hypervolume`); beside it the test error of the best member by validation. Kept
in ``build/manifold``: whatever is there is not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks._kept import keep, publish
from benchmarks._manifold_sets import KINDS, MANIFOLD_SETS, load
from benchmarks._process_budget import search
from benchmarks._reference_score import hypervolume, points_of
from benchmarks._search_score import gain, mean_of
from benchmarks._tables import table
from nas.errors import NasError
from nas.search import Range, SpaceConfig
from nas.search_spaces._dags import HYPERPARAMETERS
from nas.training import TrainingConfig, hardware, pinned_threads

__all__ = ["VARIANTS", "Variant", "main", "report", "run"]

Json = dict[str, Any]
_ROOT: Final = Path(__file__).parents[1]
RUNS: Final = _ROOT / "build" / "manifold"
RESULTS: Final = _ROOT / "benchmarks" / "results"
# Shares of the loss from where a term changes no edge to where it leaves too few.
_STRENGTHS: Final = {
    "losses.sparsity": Range(low=1e-3, high=1.0, log=True),
    "losses.flow": Range(low=1e-12, high=1e-7, log=True),
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A search: its space, what the job's training section says, and which strengths are searched."""

    space: str = "manifold"
    training: dict[str, Any] = field(default_factory=dict)
    searched: tuple[str, ...] = tuple(_STRENGTHS)


FREE: Final = "free weights"
VARIANTS: Final[dict[str, Variant]] = {
    FREE: Variant("neuron_dag", searched=()),
    "masked": Variant(training={"parametrisation": "masked"}),
    "masked, no flow": Variant(
        training={"parametrisation": "masked", "losses": {"flow": 0.0}}, searched=("losses.sparsity",)
    ),
    "masked, no sparsity": Variant(
        training={"parametrisation": "masked", "losses": {"sparsity": 0.0}}, searched=("losses.flow",)
    ),
    "closeness alone": Variant(training={"parametrisation": "manifold"}),
}


def run(name: str, variant: str, seed: int, seconds: float, steps: int | None = None) -> Json:
    """One search, its front and its score.

    Args:
        name: of the set.
        variant: a key of `VARIANTS`.
        seed: of split and search.
        seconds: budget, process time.
        steps: of a training, where they are to be stated.
    """
    chosen = VARIANTS[variant]
    options: dict[str, Any] = {}
    if chosen.space != "neuron_dag":
        searched = {path: _STRENGTHS[path] for path in chosen.searched}
        options["hyperparameters"] = {
            path: domain.model_dump() for path, domain in {**HYPERPARAMETERS, **searched}.items()
        }
    training = chosen.training | ({} if steps is None else {"steps": steps})
    done = search(
        load(name, seed),
        seed,
        seconds,
        space=SpaceConfig(name=chosen.space, options=options),
        training=TrainingConfig.model_validate(training),
    )
    front = points_of(done.front)
    best = min(front, key=lambda member: (member[1], member[0]), default=None)
    return {
        "set": name,
        "variant": variant,
        "seed": seed,
        "budget_seconds": round(seconds, 1),
        "process_seconds": round(done.seconds, 1),
        "trials": done.trials,
        "failed": len(done.failed),
        "hypervolume": round(hypervolume(front, MANIFOLD_SETS[name]), 5),
        "best": best,
        "front": front,
    }


def report(records: Sequence[Json]) -> str:
    """The results in Markdown."""
    title, *said = (part.replace("\n", " ") for part in (__doc__ or "").split("\n\n"))
    found: dict[tuple[str, str], dict[int, Json]] = {}
    for record in records:
        found.setdefault((record["set"], record["variant"]), {})[record["seed"]] = record
    others = [variant for variant in VARIANTS if variant != FREE]
    rows, errors = [], []
    for kind, names in KINDS.items():
        for name in names:
            free = found.get((name, FREE), {})
            if not free:
                continue
            row = [kind, name, f"{len(free)}", mean_of(r["hypervolume"] for r in free.values())]
            line = [kind, name, _percent(free.values())]
            for variant in others:
                own = found.get((name, variant), {})
                row.append(gain([own[s]["hypervolume"] - free[s]["hypervolume"] for s in sorted(own.keys() & free)]))
                line.append(_percent(own.values()))
            rows.append(row)
            errors.append(line)
    seconds = ", ".join(f"{s:g}" for s in sorted({record["budget_seconds"] for record in records}))
    return "\n\n".join(
        [
            f"# {title}",
            *said,
            f"Budgets: {seconds} s of process time. Hypervolume of free weights, and what the others have more or "
            "less, ± half a 95 % interval (Student's t); * where it leaves out 0.",
            table(["", "set", "seeds", FREE, *others], rows),
            "Test error, in %, of the best member by validation, mean over seeds:",
            table(["", "set", FREE, *others], errors),
        ]
    ) + "\n"  # fmt: skip


def _percent(records: Any) -> str:
    values = [record["best"][2] for record in records if record["best"]]
    return f"{100 * sum(values) / len(values):.2f}" if values else "—"


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run what is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.manifold", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=MANIFOLD_SETS, default=list(MANIFOLD_SETS))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of process time a search (default: 20)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of manifold.md and manifold.json")
    options = parser.parse_args(arguments)
    folder = RUNS / f"{options.seconds:g}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with pinned_threads(1):
            for variant in options.variants:  # compile what a process compiles at its first use, before any clock runs
                run("digits", variant, 0, 0.5, steps=20)
            for seed in range(options.seeds):
                for name in options.sets:
                    for variant in options.variants:
                        path = folder / f"{name}-{variant}-{seed}.json".replace(" ", "_")
                        if path.exists():
                            continue
                        record = run(name, variant, seed, options.seconds)
                        keep(path, record)
                        print(f"{name}, {variant}, seed {seed}: {record['hypervolume']:.4f}", flush=True)
    except NasError as error:
        parser.exit(1, f"{error}\n")
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    records.sort(key=lambda r: (list(MANIFOLD_SETS).index(r["set"]), list(VARIANTS).index(r["variant"]), r["seed"]))
    page = report(records)
    publish(options.out, "manifold", {"hardware": hardware(1)}, records, page)
    print(page)


if __name__ == "__main__":
    main()
