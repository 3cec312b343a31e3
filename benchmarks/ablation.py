"""What are the parts of evolution worth? Ten sets of the reference, equal process time: ``make bench-ablation``.

Four searches share trainer, hyperparameters that are searched, and clock. *evolution* is the service's default: roots
of many sizes and shapes, and children that gain edges or neurons and are cut. *cuts only* has children that are only
cut (`grow: 0`). *hyperparameters only* trains every network from nothing (`roots: 1`), from one family of one width,
and cuts it to size: what is left is the search of regularisers and sizes. *random structure* draws sparse structures
and hyperparameters at random and trains each for a full training.

The budget of a set is a multiple of what its reference took (benchmarks/results/reference.json). The score is the share
of the rectangle of (log edges, test error) that the front dominates, members chosen by validation
(`benchmarks._reference_score.hypervolume`). Kept in ``build/ablation``: whatever is there is not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks._kept import keep, publish
from benchmarks._process_budget import search
from benchmarks._reference_score import hypervolume
from benchmarks._reference_sets import SETS, load
from benchmarks._search_score import gain, mean_of
from benchmarks._tables import table
from benchmarks.reference import references
from nas.errors import NasError
from nas.search import SpaceConfig
from nas.training import Dataset, TrainingConfig, hardware, pinned_threads

__all__ = ["TEN", "VARIANTS", "Variant", "main", "report", "run"]

Json = dict[str, Any]
_ROOT: Final = Path(__file__).parents[1]
RUNS: Final = _ROOT / "build" / "ablation"
RESULTS: Final = _ROOT / "benchmarks" / "results"
TEN: Final = (
    "digits", "ring", "twonorm", "optdigits", "segment", "spambase", "vehicle", "friedman1", "bikeshare",
    "make_classification",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """A search: its strategy, the options that are stated, and where its candidates come from."""

    strategy: str = "evolution"
    options: dict[str, Any] = field(default_factory=dict)
    space: str = "neuron_dag"


WHOLE: Final = "evolution"
VARIANTS: Final[dict[str, Variant]] = {
    WHOLE: Variant(),
    "cuts only": Variant(options={"grow": 0.0}),
    "hyperparameters only": Variant(options={"roots": 1.0}, space="benchmarks._ablation_space:OneFamily"),
    "random structure": Variant(strategy="random"),
}


def run(name: str, variant: str, seed: int, seconds: float, dataset: Dataset, steps: int | None = None) -> Json:
    """One search, its front and its score.

    Args:
        name: of the set.
        variant: a key of `VARIANTS`.
        seed: of the search.
        seconds: budget, process time.
        dataset: the set, split by the same seed.
        steps: of a training, where they are to be stated.
    """
    chosen = VARIANTS[variant]
    done = search(
        dataset,
        seed,
        seconds,
        strategy=chosen.strategy,
        options=chosen.options,
        space=SpaceConfig(name=chosen.space),
        training=TrainingConfig() if steps is None else TrainingConfig(steps=steps),
    )
    rows = (member.metrics for member in done.front.members)
    front = sorted([metrics[key] for key in ("edges", "val_error", "test_error")] for metrics in rows)
    return {
        "set": name,
        "variant": variant,
        "seed": seed,
        "budget_seconds": round(seconds, 1),
        "process_seconds": round(done.seconds, 1),
        "trials": done.trials,
        "failed": len(done.failed),
        "hypervolume": round(hypervolume(front, SETS[name]), 5),
        "front": front,
    }


def report(records: Sequence[Json], times: float) -> str:
    """The results in Markdown.

    Args:
        records: of `run`.
        times: the budgets, as multiples of the reference's process time.
    """
    title, *said = (part.replace("\n", " ") for part in (__doc__ or "").split("\n\n"))
    found: dict[tuple[str, str], dict[int, float]] = {}
    for record in records:
        found.setdefault((record["set"], record["variant"]), {})[record["seed"]] = record["hypervolume"]
    names = [name for name in SETS if any(key[0] == name for key in found)]
    seconds = {record["set"]: record["budget_seconds"] for record in records}
    rows, gaps = [], []
    everywhere: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for name in names:
        scores = [found.get((name, variant), {}) for variant in VARIANTS]
        rows.append([name, f"{seconds[name]:.0f}", f"{max(map(len, scores))}", *(mean_of(s.values()) for s in scores)])
        line = [name]
        for variant, other in list(zip(VARIANTS, scores, strict=True))[1:]:
            pairs = [scores[0][seed] - other[seed] for seed in sorted(scores[0].keys() & other.keys())]
            line.append(gain(pairs))
            everywhere[variant] += [sum(pairs) / len(pairs)] if pairs else []
        gaps.append(line)
    others = list(VARIANTS)[1:]
    gaps.append(["**all sets**", *(gain(everywhere[variant]) for variant in others)])
    return "\n\n".join(
        [
            "# What the parts of evolution are worth",
            title,
            *said,
            f"Budgets: {times:g} times the reference's process time. Mean hypervolume:",
            table(["set", "budget, s", "seeds", *VARIANTS], rows),
            "Evolution less each of the others, seed by seed, ± half a 95 % interval (Student's t); * where it leaves "
            "out 0. Of all sets: the mean of the sets' means, and its interval over sets.",
            table(["set", *(f"less {variant}" for variant in others)], gaps),
        ]
    ) + "\n"  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run what is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(TEN))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: 5)")
    parser.add_argument("--times", type=float, default=3.0, help="of the reference's process time (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of ablation.md and ablation.json")
    options = parser.parse_args(arguments)
    try:
        known = references()
        folder = RUNS / f"{options.times:g}"
        folder.mkdir(parents=True, exist_ok=True)
        with pinned_threads(1):
            for name in options.sets:
                took = [record["process_seconds"] for record in known if record["set"] == name]
                if not took:
                    raise FileNotFoundError(f"reference.json has no {name}; run: python -m benchmarks.reference")
                for seed in range(options.seeds):
                    for variant in options.variants:
                        path = folder / f"{name}-{variant.replace(' ', '_')}-{seed}.json"
                        if path.exists():
                            continue
                        dataset = load(name, seed)
                        record = run(name, variant, seed, options.times * sum(took) / len(took), dataset)
                        keep(path, record)
                        print(f"{name}, {variant}, seed {seed}: {record['hypervolume']:.4f}", flush=True)
    except (NasError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\n")
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    records.sort(key=lambda r: (list(SETS).index(r["set"]), list(VARIANTS).index(r["variant"]), r["seed"]))
    page = report(records, options.times)
    publish(options.out, "ablation", {"hardware": hardware(1), "times": options.times}, records, page)
    print(page)


if __name__ == "__main__":
    main()
