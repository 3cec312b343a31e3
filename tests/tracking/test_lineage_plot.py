"""The picture and the page of a line of descent."""

import io

import numpy as np
import pytest
from PIL import Image

from nas.tracking import Ancestor, lineage_html, lineage_png, lineage_rows
from nas.tracking.plots.lineage import _View


def line(count: int, *, regression: bool = False) -> list[Ancestor]:
    found = []
    for place in range(count):
        error = 0.5 * 0.8**place
        metrics = {"val_error": error, "edges": 500.0 - 7 * place, "inference_seconds": 1e-4}
        if not regression:
            metrics["val_accuracy"] = 1 - error
        found.append(Ancestor(3 * place + 2, metrics, f"add {place} edges <&>"))
    return found


def test_rows_say_what_changed() -> None:
    names, rows = lineage_rows(line(3))
    assert names == ["generation", "trial", "accuracy val", "change", "edges", "inference", "what changed"]
    assert rows[0] == ["0", "#2", "50.00 %", "", "500", "100 µs", "add 0 edges <&>"]
    assert rows[2][:5] == ["2", "#8", "68.00 %", "+8.00", "486"]
    names, rows = lineage_rows(line(2, regression=True))
    assert names[2] == "error val" and rows[1][2:4] == ["0.4", "-0.1"]


def test_a_generation_without_metrics() -> None:
    descent = line(3)
    descent[1] = Ancestor(5, {}, "add 1 edge")
    _, rows = lineage_rows(descent)
    assert rows[1][2:6] == ["?", "", "?", "?"] and rows[2][3] == ""
    assert lineage_png(descent).startswith(b"\x89PNG")
    assert "trial #5" in lineage_html(descent)


@pytest.mark.parametrize("count", [1, 5, 200])
@pytest.mark.parametrize("regression", [False, True])
def test_pictures(count: int, regression: bool) -> None:
    others = [{"val_error": 0.3, "val_accuracy": 0.7, "edges": 100.0 * place} for place in range(1, 30)]
    picture = Image.open(io.BytesIO(lineage_png(line(count, regression=regression), others))).convert("RGB")
    assert picture.width == 1280
    assert 500 < picture.height < 1300, "a long line is cut in the picture"
    assert (np.asarray(picture) < 128).any(axis=2).mean() > 0.005


def test_page_holds_every_generation() -> None:
    page = lineage_html(line(40), title="of <b>it</b>")
    assert page.count("<tr>") == 41 and "of &lt;b&gt;it&lt;/b&gt;" in page
    assert "add 39 edges &lt;&amp;&gt;" in page and "<&>" not in page.split("<table>")[1]
    assert page.index(">#119<") < page.index(">#2<"), "the newest comes first"


@pytest.mark.parametrize("regression", [False, True])
def test_axes_hold_every_trial(regression: bool) -> None:
    guessing = {"val_error": 0.9, "edges": 3.0} | ({} if regression else {"val_accuracy": 0.1})
    perfect = {"val_error": 0.0, "edges": 900.0} | ({} if regression else {"val_accuracy": 1.0})
    view = _View(line(3, regression=regression), [guessing, perfect])
    low, high = view.limits
    for value in (*view.quality, *view.other_quality):
        assert low < value < high
    _, labels = view.ticks()
    assert (labels[0] > labels[-1]) is not regression
