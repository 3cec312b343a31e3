"""The tuned perceptron beside a front."""

from __future__ import annotations

import itertools

from benchmarks.dense import best_dense, report
from nas.training import DataConfig, load_data


def test_a_perceptron_learns_digits_and_says_what_it_is() -> None:
    found = best_dense(load_data(DataConfig(source="digits")), 1.0, 0)
    assert found["tried"] >= 1
    assert found["val_error"] < 0.85  # guessing: 0.9; how far it gets in a second is the machine's
    assert 0 < found["test_error"] < 0.85
    widths = (64, *found["settings"]["hidden_layer_sizes"], 10)
    assert found["edges"] == sum(a * b for a, b in itertools.pairwise(widths))


def test_the_page_counts_sets_that_are_not_behind() -> None:
    dense = {"val_error": 0.02, "test_error": 0.02, "edges": 5000, "tried": 9, "process_seconds": 50.0}
    runs = [
        {"set": "digits", "seed": 0, "member": [950, 0.02, 0.021], "dense": dense},
        {"set": "ring", "seed": 0, "member": [100, 0.02, 0.024], "dense": dense},
    ]
    page = report(runs)
    assert "| digits | 1 | 50 | 9 | 2.00 | 5,000 | 2.10 | 950 | +0.10 |" in page
    assert "At most 0.2 points behind on 1 of 2 sets; mean difference +0.25." in page
