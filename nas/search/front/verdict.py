"""Whether a search was worth it: the most accurate member of its front against the baselines, in a few sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nas.search.baselines.run import Baseline, Baselines
from nas.search.front.front import Front, FrontMember

__all__ = ["beaten_by", "verdict"]


def verdict(front: Front, baselines: Baselines) -> str:
    """What a person has to know of a front and its baselines, on the test part.

    The most accurate member is the one of which the least error is to be expected, of equal ones that with the fewest
    edges, the same that `pick("accurate")` takes; the test part decides nothing. A difference that is less than 1.96
    standard errors of a difference of two accuracies (of independent samples) is called one that so many samples cannot
    tell; of other errors it is said where a baseline's lies within the interval that the member's lies in.

    Returns:
        Some sentences; "" where there is no member or no baseline to compare.
    """
    members = [member for member in front.near or front.members if "val_error" in member.metrics]
    if not members or not baselines.found:
        return ""
    picked = front.near and front.objectives.error_place == 0  # else the accurate one is that of another objective
    best = front.pick("accurate") if picked else min(members, key=_expected)
    error = front.objectives.error_label
    rivals = sorted(baselines.found, key=lambda each: _error(each.metrics))
    mine = _shown(best.metrics, error)
    level = [each for each in rivals if _shown(each.metrics, error) == mine]  # as far as it is shown
    others = [each for each in rivals if each not in level]
    ahead = [each for each in others if _error(each.metrics) < _error(best.metrics)]
    behind = [each for each in others if _error(each.metrics) > _error(best.metrics)]
    said = [_better(each, best, members, baselines.samples, error) for each in ahead]
    said += [
        f"{_capital(each.label)} is as good as the most accurate member (trial {best.number}): "
        f"{_shown(each.metrics, error)}{_price(each, best)}."
        for each in level
    ]
    if behind:
        compared = _joined([f"{_gap(best.metrics, each.metrics)} than {each.label}" for each in behind])
        every = " and so than every baseline" if len(behind) == len(rivals) > 1 else ""
        doubt = _doubt(best.metrics, behind[0].metrics, baselines.samples)
        doubt = f" (the difference to {behind[0].label} is one {doubt})" if doubt else ""
        who = f"The most accurate member (trial {best.number}, {mine} on the test part)"
        said.append(f"{who} is {compared}{every}{doubt}.")
    return " ".join(said)


def beaten_by(member: FrontMember, baselines: Baselines | None) -> Baseline | None:
    """The best baseline that beats a member: one whose error on the validation part is below all that the member's
    estimate leaves open. None: none does. The test part decides nothing.

    Args:
        member: of a front.
        baselines: of its study; None: they were not wanted.
    """
    if baselines is None or "val_error" not in member.metrics:
        return None
    least = member.metrics.get("shown_error_low", member.metrics["val_error"])
    return next((each for each in baselines.found if each.metrics["val_error"] < least), None)


def _expected(member: FrontMember) -> tuple[float, float, int]:
    metrics = member.metrics
    return metrics.get("shown_error", metrics["val_error"]), metrics.get("edges", math.inf), member.number


def _better(each: Baseline, best: FrontMember, members: list[FrontMember], samples: int, error: str) -> str:
    """Of a baseline that is better than the most accurate member; ``error`` is what the error is called."""
    luckiest = min(members, key=lambda member: _error(member.metrics))
    doubt = _doubt(each.metrics, best.metrics, samples)
    doubt = f", a difference {doubt}" if doubt else ""
    its, mine = (_shown(one.metrics, error) for one in (each, best))
    if _error(each.metrics) < _error(luckiest.metrics):
        return (
            f"{_capital(each.label)} is better than every member: {its} on the test part, the most "
            f"accurate member (trial {best.number}) {mine}{doubt}{_price(each, best)}."
        )
    return (
        f"{_capital(each.label)} is better than the most accurate member by validation (trial {best.number}): "
        f"{its} on the test part against {mine}{doubt}{_price(each, best)}."
    )


def _error(metrics: Mapping[str, float]) -> float:
    return metrics.get("test_error", metrics["val_error"])


def _shown(metrics: Mapping[str, float], error: str) -> str:
    value = _error(metrics)
    return f"{100 * (1 - value):.2f} %" if "val_accuracy" in metrics else f"{error} {value:.4g}"


def _gap(better: Mapping[str, float], worse: Mapping[str, float]) -> str:
    difference = _error(worse) - _error(better)
    if "val_accuracy" in better:
        return f"{100 * difference:.2f} points better"
    return f"{100 * difference / _error(worse):.3g} % better"


def _doubt(one: Mapping[str, float], other: Mapping[str, float], samples: int) -> str:
    if "val_accuracy" not in one:
        member, rival = (one, other) if "shown_error_high" in one else (other, one)
        low, high = (member.get(f"shown_error_{end}", math.nan) for end in ("low", "high"))
        return "within the interval of what is to be expected" if low <= _error(rival) <= high else ""
    variance = sum(error * (1 - error) for error in (_error(one), _error(other))) / samples
    if abs(_error(one) - _error(other)) >= 1.96 * math.sqrt(variance):
        return ""
    return f"that {samples:,} samples cannot tell"


def _price(each: Baseline, best: FrontMember) -> str:
    """What a baseline costs, in multiples of what the member does."""
    parts = []
    for metric, name in (("inference_seconds", "inference time"), ("edges", "edges")):
        mine, its = best.metrics.get(metric, 0.0), each.metrics.get(metric, 0.0)
        if mine > 0 and its > 0:
            parts.append(f"{its / mine:.2g} × its {name}" if its / mine < 100 else f"{its / mine:,.0f} × its {name}")
    return f"; it takes {' and '.join(parts)}".replace("its", "the member's", 1) if parts else ""


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _capital(label: str) -> str:
    return label[0].upper() + label[1:]
