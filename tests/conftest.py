"""Settings of the whole suite."""

import os
import signal
from typing import Any

import pytest
from hypothesis import settings

# One cluster, one database and one browser at a time, however many processes run tests: these stay together.
SERVICES = ("tests/cli/test_replay.py", "tests/deploy/", "tests/e2e/", "tests/engine/cuda/test_driver.py",
            "tests/workers/")  # fmt: skip

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes at once: two threads each would mostly wait for each other. Who tests threads asks for them.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["OMP_WAIT_POLICY"] = "passive"

os.environ["COLUMNS"] = "120"  # what commands print is compared with what it is, however wide the terminal

# In CI the same examples every time, so that a failure is the change's; elsewhere new ones, to find what CI has missed.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("local", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell that starts the suite in the background, or nohup, has it ignore signals that some tests send themselves.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``-n`` the tests of a file stay in one process, which keeps what they share, and those of services in one.

    That one begins with them: other processes work beside it while it waits, and it does not end long after them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "services" if nodeid.startswith(SERVICES) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the order of the items
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.pluginmanager.hasplugin("rerunfailures"):
        for item in items:
            if item.nodeid.startswith(SERVICES):  # a browser or a cluster may miss a deadline where all is busy
                item.add_marker(pytest.mark.flaky(reruns=1))
    if hasattr(config, "workerinput"):  # of xdist
        items.sort(key=lambda item: not item.nodeid.startswith(SERVICES))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches end with times taken in few rounds and with baselines tuned for a moment: what is asserted of them here
    does not depend on how near they are."""
    from nas.search import time_side_by_side
    from nas.search.baselines import run as _baselines

    monkeypatch.setitem(time_side_by_side.__kwdefaults__, "rounds", 2)
    monkeypatch.setattr(_baselines, "_UNBOUNDED_SECONDS", 0.5)
    monkeypatch.setattr(_baselines, "_ROUNDS", 2)


@pytest.fixture
def threads_taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads each call of the engine, of networks with memory and of trainers took, not how many it might.

    A test that asks for two threads must see that it got them: what is too small for a second one takes one.
    """
    from nas.engine import _run, choose_tiling

    way_of = _run.way_of  # found once for a size of batch, and kept
    taken: list[int] = []

    def choose(*arguments: Any, **options: Any) -> tuple[int, int, int]:
        found = choose_tiling(*arguments, **options)
        taken.append(found[2])
        return found

    def find(*arguments: Any) -> Any:
        found = way_of(*arguments)
        taken.append(found.ranks)
        return found

    monkeypatch.setattr(_run, "way_of", find)
    for place in ("nas.recurrent._function", "nas.engine"):
        monkeypatch.setattr(f"{place}.choose_tiling", choose)
    return taken


@pytest.fixture
def population_threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """On how many threads each population was trained that was trained on several, not how many it might have."""
    from nas.training import _population as population

    taken: list[int] = []
    in_threads = population._in_threads

    def trained(members: Any, train_one: Any, threads: int) -> Any:
        taken.append(threads)
        return in_threads(members, train_one, threads)

    monkeypatch.setattr(population, "_in_threads", trained)
    return taken
