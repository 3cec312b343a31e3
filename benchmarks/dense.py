"""Is the accurate end of a front as good as a tuned dense network? ``make bench-dense``.

scikit-learn's multilayer perceptron with random settings (one or two hidden layers of 32 to 512 neurons, penalty,
learning rate, batch), each trained until 20 passes bring no better validation error, for as much process time as a
search had (``python -m benchmarks.reference search``); validation chooses the setting and the pass. Beside it: the test
error of the member that the search's front shows to be best. Same splits. Kept in ``build/dense``: whatever is
there is not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from benchmarks._kept import keep, publish
from benchmarks._reference_sets import SETS, load
from benchmarks._search_score import interval
from benchmarks._tables import table
from nas.training import Dataset, hardware, pinned_threads

__all__ = ["best_dense", "main", "report"]

Json = dict[str, Any]
_ROOT: Final = Path(__file__).parents[1]
RUNS: Final = _ROOT / "build" / "dense"
RESULTS: Final = _ROOT / "benchmarks" / "results"
_PATIENCE: Final = 20  # passes without a better validation error
_PASSES: Final = 300  # at most


def best_dense(dataset: Dataset, seconds: float, seed: int) -> Json:
    """The best of as many perceptrons as fit into a budget.

    Args:
        dataset: the task.
        seconds: budget, process time.
        seed: of the settings, the weights and the order of samples.

    Returns:
        ``val_error`` and ``test_error`` (share of wrong answers, or mean squared error in the target's variances),
        ``edges`` (weights), ``settings`` and how many were ``tried``.
    """
    rng = np.random.default_rng(seed)
    began = time.process_time()
    found: Json = {"val_error": math.inf}
    tried = 0
    while time.process_time() - began < seconds:
        settings = {
            "hidden_layer_sizes": tuple(2 ** int(k) for k in rng.integers(5, 10, rng.integers(1, 3))),
            "alpha": float(10 ** rng.uniform(-5, 0)),
            "learning_rate_init": float(10 ** rng.uniform(-3.5, -2)),
            "batch_size": int(rng.choice([32, 64, 128, 256])),
            "random_state": int(rng.integers(2**31)),
        }
        one = _trained(dataset, settings, began + seconds)
        tried += 1
        if one["val_error"] < found["val_error"]:
            found = one | {"settings": settings}
    return found | {"tried": tried, "process_seconds": round(time.process_time() - began, 1)}


def _trained(dataset: Dataset, settings: dict[str, Any], until: float) -> Json:
    """One network at its best pass."""
    classes = dataset.task == "classification"
    settings = settings | {"batch_size": min(settings["batch_size"], len(dataset.x_train))}
    model = (MLPClassifier if classes else MLPRegressor)(**settings)
    best: Json = {"val_error": math.inf}
    since = 0
    order = np.random.default_rng(settings["random_state"])
    y = dataset.y_train if classes or dataset.n_outputs > 1 else dataset.y_train[:, 0]
    for number in range(_PASSES):
        rows = order.permutation(len(y))
        more = {"classes": np.arange(dataset.n_outputs)} if classes and not number else {}
        try:
            model.partial_fit(dataset.x_train[rows], y[rows], **more)
            val = _error(model, dataset.x_val, dataset.y_val)
        except ValueError:  # weights that are not finite any more
            break
        since += 1
        if val < best["val_error"]:
            test = _error(model, dataset.x_test, dataset.y_test)
            edges = sum(weights.size for weights in model.coefs_)
            best, since = {"val_error": val, "test_error": test, "edges": edges}, 0
        if since >= _PATIENCE or time.process_time() >= until:
            break
    return best


def _error(model: Any, x: np.ndarray, y: np.ndarray) -> float:
    said = model.predict(x)
    if y.ndim == 1:
        return float((said != y).mean())
    return float(((said.reshape(y.shape) - y) ** 2).mean())


def report(records: Sequence[Json]) -> str:
    """The results in Markdown."""
    title, *said = (part.replace("\n", " ") for part in (__doc__ or "").split("\n\n"))
    rows, gaps = [], []
    for name in SETS:
        own = [record for record in records if record["set"] == name]
        if not own:
            continue
        gap = [100 * (record["member"][2] - record["dense"]["test_error"]) for record in own]
        gaps.append(sum(gap) / len(gap))
        mean, half = interval(gap)
        rows.append(
            [
                name,
                f"{len(own)}",
                f"{sum(record['dense']['process_seconds'] for record in own) / len(own):.0f}",
                f"{sum(record['dense']['tried'] for record in own) / len(own):.0f}",
                f"{100 * sum(record['dense']['test_error'] for record in own) / len(own):.2f}",
                f"{sum(record['dense']['edges'] for record in own) / len(own):,.0f}",
                f"{100 * sum(record['member'][2] for record in own) / len(own):.2f}",
                f"{sum(record['member'][0] for record in own) / len(own):,.0f}",
                f"{mean:+.2f}" + ("" if math.isnan(half) else f" ± {half:.2f}"),
            ]
        )
    head = ["set", "splits", "seconds", "perceptrons tried", "their best, test error %", "its edges"]
    head += ["best member, test error %", "its edges", "difference, points"]
    within = sum(gap <= 0.2 for gap in gaps)
    return "\n\n".join(
        [
            f"# {title}",
            *said,
            table(head, rows),
            f"At most 0.2 points behind on {within} of {len(gaps)} sets; mean difference {sum(gaps) / len(gaps):+.2f}. "
            "± half a 95 % interval over splits (Student's t). Regressions: points are hundredths of the target's "
            "variance.",
        ]
    ) + "\n"  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and run what is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dense", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=float, default=10.0, help="searches of so many times the reference's time")
    parser.add_argument("--sets", nargs="+", choices=SETS, help="(default: all that were searched)")
    parser.add_argument("--seeds", nargs="+", type=int, help="(default: all that were searched)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of dense.md and dense.json")
    options = parser.parse_args(arguments)
    RUNS.mkdir(parents=True, exist_ok=True)
    searches = []
    for path in sorted(RESULTS.glob("reference_search*.json")):
        searches += json.loads(path.read_text())["runs"]
    records = []
    for searched in searches:
        name, seed = searched["set"], searched["seed"]
        if searched["times"] != options.times or (options.sets and name not in options.sets):
            continue
        if options.seeds and seed not in options.seeds:
            continue
        path = RUNS / f"{name}-{seed}-{options.times:g}.json"
        if not path.exists():
            with pinned_threads(1), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dense = best_dense(load(name, seed), searched["budget_seconds"], seed)
            keep(path, dense)
            print(f"{name}, seed {seed}: {100 * dense['test_error']:.2f} %", flush=True)
        member = min(searched["estimated"], key=lambda point: (point[1], point[0]))
        records.append({"set": name, "seed": seed, "member": member, "dense": json.loads(path.read_text())})
    if not records:
        parser.exit(1, f"no search of {options.times:g} times; run: python -m benchmarks.reference search\n")
    page = report(records)
    publish(options.out, "dense", {"hardware": hardware(1), "times": options.times}, records, page)
    print(page)


if __name__ == "__main__":
    main()
