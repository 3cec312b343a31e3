"""The measuring itself: turns alternate, slow calls get fewer, lines are fitted right. No times are asserted."""

import time

import numpy as np
import pytest
import torch

from benchmarks._linear import fit_line
from benchmarks._measure import side_by_side, torch_threads


def test_calls_take_turns():
    order = []

    def slow():
        order.append("slow")
        time.sleep(0.06)

    samples = side_by_side({"quick": lambda: order.append("quick"), "slow": slow}, seconds=0.5)
    assert 3 <= samples["slow"].samples <= 4
    assert samples["quick"].samples > 4
    assert samples["slow"].low <= samples["slow"].median <= samples["slow"].high
    turns = [a for a, b in zip(order, [*order[1:], ""], strict=True) if a != b]
    assert turns.count("slow") >= 3  # not in one go


def test_threads_are_set_for_the_call_only():
    seen = {}
    with torch_threads(2):
        calls = {name: lambda name=name: seen.setdefault(name, torch.get_num_threads()) for name in ("one", "usual")}
        side_by_side(calls, seconds=0.05, threads={"one": 1})
        assert torch.get_num_threads() == 2
    assert seen == {"one": 1, "usual": 2}


def test_fit():
    x = [1.0, 10.0, 100.0, 1000.0]
    fit = fit_line(x, [2 + 3 * value for value in x])
    assert fit["intercept"] == pytest.approx(2)
    assert fit["slope"] == pytest.approx(3)
    assert fit["r2"] == pytest.approx(1)
    assert fit_line(x, [value**2 for value in x])["exponent"] == pytest.approx(2)
    rng = np.random.default_rng(0)
    assert fit_line(list(rng.random(50) + 1), list(rng.random(50) + 1))["r2"] < 0.5
