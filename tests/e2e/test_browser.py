"""A real search, looked at as its user does: `nas search`, `nas ui`, and a browser on its pages."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytest.importorskip("playwright", reason="Playwright is not installed: pip install -e '.[dev]'")

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),  # a search and a server, perhaps on a busy machine
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; on Debian: apt-get install chromium"),
]
PATIENCE = 60_000  # milliseconds; what a page takes on a busy machine must not decide the test
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
JOB = """
data: {source: digits}
space: {name: manifold, options: {n_computational: [12, 20]}}
search: {strategy: evolution, trials: 6, seed: 1, options: {initial: 2}, baselines: false}
training: {steps: 30, batch_size: 64}
resources: {executor: serial}
tracking: {experiment: seen, animation: true}
"""


def nas(*words: str) -> list[str]:
    return [sys.executable, "-c", "from nas.cli import main; main()", *words]


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the front of a finished search in a running MLflow UI."""
    folder = tmp_path_factory.mktemp("e2e")
    (folder / "job.yaml").write_text(JOB)
    environment = {**os.environ, "NAS_STORE": str(folder / "store"), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        nas("search", "job.yaml"), cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "ui.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            nas("ui", "--port", str(port)), cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + 200
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        found = re.search(r"front of seen: (\S+)", log.read_text())
        assert found, log.read_text()
        yield found.group(1)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


@pytest.fixture(scope="module")
def page(ui: str) -> "Iterator[Page]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1500, "height": 900})
        opened.set_default_timeout(PATIENCE)
        yield opened
        browser.close()


def artifact(page: "Page", ui: str, run: str, name: str) -> None:
    """Open an artifact of a run in the UI."""
    root, experiment = re.fullmatch(r"(.*)#/experiments/(\d+)/.*", ui).groups()  # type: ignore[union-attr]
    page.goto("about:blank")
    page.goto(f"{root}#/experiments/{experiment}/runs/{run}/artifacts/{name}?workflowType=machine_learning")


def run_ids(ui: str) -> dict[str, str]:
    """The parent run ("search") and the front's trials ("#000", …), as the server lists them."""
    import json

    root, experiment = re.fullmatch(r"(.*)#/experiments/(\d+)/.*", ui).groups()  # type: ignore[union-attr]
    request = urllib.request.Request(
        f"{root}api/2.0/mlflow/runs/search",
        json.dumps({"experiment_ids": [experiment]}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        runs = json.load(answer)["runs"]
    return {run["info"]["run_name"].split()[0]: run["info"]["run_id"] for run in runs}


def test_the_table_says_what_matters(page: "Page", ui: str) -> None:
    page.goto(ui)
    page.get_by_text(re.compile(r"#00\d .*% · .* (?:ms|µs) · [\d,]+ edges")).first.wait_for()
    header = page.locator("[role=columnheader]").all_inner_texts()
    text = " ".join(header)
    for column in ("val_accuracy", "inference_us", "edges"):
        assert column in text, header


def test_front_hover_and_address(page: "Page", ui: str) -> None:
    from playwright.sync_api import TimeoutError

    ids = run_ids(ui)
    artifact(page, ui, ids["search"], "front.html")
    frame = page.frame_locator("iframe.mlflow-html-iframe")
    points = frame.locator(".scatterlayer .trace").last.locator("path.point")
    points.first.wait_for()
    assert points.count() >= 1
    hover = frame.locator(".hoverlayer").get_by_text(re.compile("trial #")).first
    link = frame.locator("#chosen a")
    deadline = time.monotonic() + PATIENCE / 1000
    while not link.is_visible():  # the page may still move while it loads: where the point is now
        assert time.monotonic() < deadline, frame.locator("body").inner_text()
        box = points.first.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 40, y)
        page.mouse.move(x, y)
        with contextlib.suppress(TimeoutError):
            hover.wait_for(timeout=5_000)
            page.mouse.click(x, y)
            link.wait_for(timeout=5_000)
    address = link.inner_text()
    number = re.search(r"trial #(\d+)", frame.locator("#chosen").inner_text())
    assert number is not None
    assert f"/runs/{ids[f'#{int(number.group(1)):03d}']}" in address
    page.goto("about:blank")
    page.goto(address)  # as a person pastes it
    page.get_by_text(re.compile(rf"#{int(number.group(1)):03d} ")).first.wait_for()


def test_film_plays_and_can_be_searched(page: "Page", ui: str) -> None:
    artifact(page, ui, run_ids(ui)["search"], "animation.html")
    frame = page.frame_locator("iframe.mlflow-html-iframe")
    frame.locator("video").wait_for()
    film = frame.locator("video")
    deadline = time.monotonic() + PATIENCE / 1000
    while not film.evaluate("film => film.readyState >= 2 && film.videoWidth === 1280"):
        assert time.monotonic() < deadline, film.evaluate("film => String(film.error && film.error.message)")
        time.sleep(0.1)
    slider = frame.locator("#slider")
    last = int(slider.get_attribute("max") or 0)
    assert last >= 10
    slider.evaluate("(slider, last) => { slider.value = last; slider.dispatchEvent(new Event('input')); }", last)
    frame.get_by_text("step 30").wait_for()
    assert frame.locator("#play").inner_text() == "Play", "searching stops it"


def test_pictures_of_a_member(page: "Page", ui: str) -> None:
    ids = run_ids(ui)
    on_front = [name for name in sorted(ids) if name.startswith("#")]
    for name in on_front:
        artifact(page, ui, ids[name], "dag.png")
        picture = page.locator("img[src^=blob], img[src^=data], .image-container img, canvas").last
        try:
            picture.wait_for(timeout=PATIENCE / 6)
        except Exception:  # a trial off the front has none
            continue
        return
    pytest.fail("no member of the front shows its picture")


def test_champion_is_registered(page: "Page", ui: str) -> None:
    root = ui.split("#", maxsplit=1)[0]
    page.goto("about:blank")
    page.goto(f"{root}#/models/seen")
    page.get_by_text("champion").first.wait_for()
