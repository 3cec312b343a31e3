"""Settings of the whole suite."""

import os
import signal
from typing import Any

import pytest
from hypothesis import settings

from nas.engine import choose_tiling

# In CI the same examples every time, so that a failure is the change's; elsewhere new ones, to find what CI has missed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell that starts the suite in the background has it ignore Ctrl-C, and with it what some tests send themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def threads_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads each call of the engine, of networks with memory and of trainers took, not how many it might.

    A test that asks for two threads must see that it got them: what is too small for a second one takes one.
    """
    taken: list[int] = []

    def choose(*arguments: Any, **options: Any) -> tuple[int, int, int]:
        found = choose_tiling(*arguments, **options)
        taken.append(found[2])
        return found

    for place in ("nas.engine._run", "nas.recurrent._function", "nas.engine"):
        monkeypatch.setattr(f"{place}.choose_tiling", choose)
    return taken
