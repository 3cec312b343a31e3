"""What a front is worth against the reference: errors at its sizes, and the hypervolume of edges and error.

Every number here is a test error of a network that validation chose: at each number of edges that with the lowest
validation error among those with at most so many.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks._reference_recipe import chosen, settings_of
from benchmarks._reference_sets import SETS, Set
from benchmarks._search_score import interval
from nas.search import Front

__all__ = [
    "Member",
    "comparison",
    "comparison_table",
    "hypervolume",
    "mean_difference",
    "members_at",
    "points_of",
    "reference_front",
    "reference_table",
    "shown_table",
]

Json = dict[str, Any]
TOLERANCE = 0.003  # of an error: 0.3 points
AT_LEAST = 3  # times the reference's process time, at which a search may be so much worse; at ten it must be better
BETTER = 10


class Member(NamedTuple):
    """A network of a front."""

    edges: float
    val_error: float
    test_error: float


def points_of(front: Front, quality: str = "val_error") -> list[list[float]]:
    """(edges, quality, test error) of each member of a search's front, by edges; `members_at` reads them."""
    return sorted([member.metrics[name] for name in ("edges", quality, "test_error")] for member in front.members)


def members_at(front: Iterable[Sequence[float]], sizes: Iterable[float]) -> list[Member | None]:
    """The member that validation prefers among those with at most so many edges, for each size; None: there is none.

    Args:
        front: (edges, val_error, test_error) each. Of equal validation errors the smaller network counts.
        sizes: numbers of edges.
    """
    members = sorted((Member(*member) for member in front), key=lambda m: (m.val_error, m.edges))
    return [next((member for member in members if member.edges <= size), None) for size in sizes]


def hypervolume(front: Iterable[Sequence[float]], found: Set) -> float:
    """Share in [0, 1] of the rectangle that a front dominates, in (log edges, test error).

    The rectangle reaches from the smallest size and no error to the set's corner. At each number of edges the network
    is the one that `members_at` gives: the best on the test part would be a choice made on it. Networks smaller than
    the smallest size count as of that size, errors above the corner's as that. For points of which the errors are
    known, such as (edges, error, error), this is the hypervolume of Zitzler 1999, divided by the rectangle.

    Args:
        front: (edges, val_error, test_error) each.
        found: the set, whose sizes and corner are published in benchmarks/results/reference.md.
    """
    members = [Member(*member) for member in front]
    low, (high, worst) = float(min(found.sizes)), found.corner
    steps = sorted({max(member.edges, low) for member in members if member.edges < high})
    area = 0.0
    for edges, end in itertools.pairwise([*steps, high]):
        (member,) = members_at(members, [edges])
        assert member is not None
        area += math.log(end / edges) * max(0.0, worst - member.test_error)
    return area / (worst * math.log(high / low))


def reference_front(record: Json) -> list[Member]:
    """The reference's front on a set and seed: what was chosen at each size."""
    return [Member(size, run["val_error"], run["test_error"]) for size, run in chosen(record).items()]


def reference_table(records: Sequence[Json]) -> str:
    """The reference in Markdown: test errors by set and size, and what they took."""
    lines = [
        "| set | seeds | edges: test error %, mean ± deviation | hypervolume | process seconds a seed | corner |",
        "| --- | --: | --- | --: | --: | --- |",
    ]
    for name, own in _by_set(records).items():
        found = SETS[name]
        cells = []
        for size in found.sizes:
            errors = [chosen(record)[size]["test_error"] for record in own]
            cells.append(f"{size:,}: {_percent(errors)}")
        volumes = [hypervolume(reference_front(record), found) for record in own]
        seconds = sum(record["process_seconds"] for record in own) / len(own)
        edges, worst = found.corner
        lines.append(
            f"| {name} | {len(own)} | {'; '.join(cells)} | {sum(volumes) / len(volumes):.4f} | {seconds:.1f} | "
            f"{edges:,.0f} edges, {100 * worst:g} % |"
        )
    lines += ["", "How often each setting was chosen (noise, weight decay, hidden neurons, learning rate):", ""]
    lines += ["| set | setting: times |", "| --- | --- |"]
    for name, own in _by_set(records).items():
        picks = [run["setting"] for record in own for run in chosen(record).values()]
        said = [f"{s.label}: {picks.count(k)}" for k, s in enumerate(settings_of(name))]
        lines.append(f"| {name} | {'; '.join(said)} |")
    return "\n".join(lines) + "\n"


def comparison(reference: Json, front: Iterable[Sequence[float]]) -> Json:
    """A front against the reference's on the same set and split.

    Args:
        reference: record of a set and seed.
        front: (edges, val_error, test_error) each.

    Returns:
        ``differences`` by size (test error less the reference's; where no network is that small, its error is the
        corner's), ``edges`` of the networks (None: there is none) and the hypervolumes ``own`` and ``reference``.
    """
    found, front = SETS[reference["set"]], list(front)
    best = chosen(reference)
    members = members_at(front, found.sizes)
    return {
        "set": found.name,
        "seed": reference["seed"],
        "differences": {
            size: (member.test_error if member else found.worst) - best[size]["test_error"]
            for size, member in zip(found.sizes, members, strict=True)
        },
        "edges": {size: member.edges if member else None for size, member in zip(found.sizes, members, strict=True)},
        "own": hypervolume(front, found),
        "reference": hypervolume(reference_front(reference), found),
    }


def mean_difference(comparisons: Iterable[Json]) -> float:
    """Mean over sets of what `comparison` found at the sizes of each, in points."""
    means: list[float] = [
        sum(sum(r["differences"].values()) / len(r["differences"]) for r in own) / len(own)
        for own in _by_set(comparisons).values()
    ]
    return 100 * sum(means) / len(means)


def comparison_table(comparisons: Mapping[float, Sequence[Json]]) -> str:
    """Comparisons by their budget, a multiple of the reference's process time, in Markdown."""
    lines: list[str] = []
    for times, records in sorted(comparisons.items()):
        lines += [f"## {times:g} times the reference's process time", ""]
        lines += ["| set | seeds | edges: difference of the test error in points | mean | hypervolume, difference |"]
        lines += ["| --- | --: | --- | --: | --: |"]
        above, below, ahead = [], [], []
        for name, own in _by_set(records).items():
            gaps = {s: sum(r["differences"][s] for r in own) / len(own) for s in own[0]["differences"]}
            mean = sum(gaps.values()) / len(gaps)
            gain, half = interval(record["own"] - record["reference"] for record in own)
            spread = "" if math.isnan(half) else f" ± {half:.4f}" + (" *" if gain > half else "")
            cells = "; ".join(
                f"{size:,}: {100 * gap:+.2f}" + (" !" if gap > TOLERANCE else "") for size, gap in gaps.items()
            )
            lines.append(f"| {name} | {len(own)} | {cells} | {100 * mean:+.2f} | {gain:+.4f}{spread} |")
            above += [f"{name} at {size:,}" for size, gap in gaps.items() if gap > TOLERANCE]
            below += [name] if mean < 0 else []
            ahead += [name] if gain > half else []
        count = len(_by_set(records))
        lines += ["", f"More than {100 * TOLERANCE:g} points behind (!): {', '.join(above) or 'nowhere'}."]
        lines += [f"Below the reference on average: {len(below)} of {count} sets."]
        lines += [f"Hypervolume ahead, by an interval that leaves out 0 (*): {len(ahead)} of {count} sets.", ""]
    return "\n".join(lines)


def shown_table(searches: Sequence[Json], known: Mapping[tuple[str, int], Json]) -> str:
    """What fronts show of their members, against the test part, in Markdown.

    A split has luck that all networks share: its validation part may be easier than its test part. What the
    reference's networks, of which none was chosen, err more on the test part than on the validation part (median of a
    split's trainings) is that luck; the rest is what a front says too well of its own.

    Args:
        searches: records with ``times`` and ``estimated``: (edges, shown error, test error) of each member.
        known: the reference's record of each set and seed.
    """
    lines = [
        "| times | sets | test - shown, points | less the split's luck | more than .3 points (of which luck) |",
        "| --: | --: | --: | --: | --- |",
    ]
    for times in sorted({record["times"] for record in searches}):
        plain, own = {}, {}
        records = [record for record in searches if record["times"] == times and record["estimated"]]
        for name, of_set in _by_set(records).items():
            gaps, luck = [], []
            for record in of_set:
                gaps.append(100 * statistics.mean(test - shown for _, shown, test in record["estimated"]))
                runs = known[name, record["seed"]]["runs"]
                luck.append(100 * statistics.median(run["test_error"] - run["val_error"] for run in runs))
            plain[name], own[name] = statistics.mean(gaps), statistics.mean(gaps) - statistics.mean(luck)
        beyond = [
            f"{name} {gap:+.2f} ({gap - own[name]:+.2f})" for name, gap in plain.items() if abs(gap) > 100 * TOLERANCE
        ]
        cells = []
        for gaps in (list(plain.values()), list(own.values())):
            mean, half = interval(gaps)
            cells.append(f"{mean:+.2f}" + ("" if math.isnan(half) else f" ± {half:.2f}"))
        lines.append(f"| {times:g} | {len(plain)} | {cells[0]} | {cells[1]} | {', '.join(beyond) or 'none'} |")
    return "\n".join(lines)


def _by_set(records: Iterable[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for record in sorted(records, key=lambda r: (list(SETS).index(r["set"]), r["seed"])):
        found.setdefault(record["set"], []).append(record)
    return found


def _percent(errors: Sequence[float]) -> str:
    mean = sum(errors) / len(errors)
    if len(errors) < 2:
        return f"{100 * mean:.2f}"
    deviation = math.sqrt(sum((error - mean) ** 2 for error in errors) / (len(errors) - 1))
    return f"{100 * mean:.2f} ± {100 * deviation:.2f}"
