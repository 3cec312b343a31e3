"""The ablation: every variant runs, and its page compares them seed by seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks._ablation_space import OneFamily
from benchmarks.ablation import TEN, VARIANTS, report, run
from nas.search import SpaceConfig, TaskShape, load_space
from nas.training import DataConfig, load_data, pinned_threads


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_spends_its_budget_and_has_a_score(variant: str) -> None:
    with pinned_threads(1):
        record = run("digits", variant, 0, 0.4, load_data(DataConfig(source="digits")), steps=20)
    assert record["failed"] == 0
    assert record["process_seconds"] >= 0.4
    assert 0 <= record["hypervolume"] <= 1
    assert record["front"]


def test_one_family_is_always_the_same_network() -> None:
    space = load_space(SpaceConfig(name="benchmarks._ablation_space:OneFamily"), TaskShape(6, 3))
    assert isinstance(space, OneFamily)
    found = {space.large(np.random.default_rng(seed), edges=10 * seed).dag for seed in range(1, 6)}
    assert len(found) == 1


def record(variant: str, seed: int, volume: float, name: str = "ring") -> dict[str, Any]:
    return {"set": name, "variant": variant, "seed": seed, "hypervolume": volume, "budget_seconds": 30.0}


def test_the_page_compares_seed_by_seed() -> None:
    assert len(set(TEN)) == 10
    records = [record("evolution", seed, 0.8 + 0.1 * seed) for seed in range(3)]
    records += [record("cuts only", seed, 0.7 + 0.1 * seed) for seed in range(3)]  # each 0.1 behind
    records += [record("random structure", 0, 0.5)]
    page = report(records, 3.0)
    assert "| ring | 30 | 3 | 0.9000 | 0.8000 | — | 0.5000 |" in page
    assert "| ring | +0.1000 ± 0.0000 * | — | +0.3000 |" in page
