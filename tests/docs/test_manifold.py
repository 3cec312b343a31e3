"""Every example of docs/how-to/manifold.md runs, and gives what the page says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nas.training import pinned_threads


def test_page(run_page: Callable[[str], dict[str, Any]]) -> None:
    with pinned_threads(1):
        found = run_page("how-to/manifold.md")
    assert found["curves"]["density"][-1] < 0.5 * found["curves"]["density"][0]
