"""The plots of the front show every usable point, its facts, and the staircase."""

import io
import math
import re

import numpy as np
import pytest
from PIL import Image

from nas.tracking import BaselinePoint, FrontPoint, front_figure, front_html, front_png
from nas.tracking.plots.compare import _views
from nas.tracking.plots.front import FrontView


def point(number: int, accuracy: float, ms: float, **more: float) -> FrontPoint:
    metrics = {"val_accuracy": accuracy, "val_error": 1 - accuracy, "inference_seconds": ms / 1e3, "edges": 1e3 * ms}
    return FrontPoint(number, metrics | more, parent=3, mutation="add <5> edges")


FRONT = [point(7, 0.98, 0.4, test_accuracy=0.975), point(2, 0.9, 0.1), point(5, 0.95, 0.2)]
OTHERS = [point(1, 0.5, 0.15), point(4, 0.94, 0.3)]


def test_axes_are_time_and_error() -> None:
    figure = front_figure(FRONT, OTHERS)
    others, _, front = figure.data
    np.testing.assert_allclose(front.x, [100, 200, 400])
    assert "µs" in figure.layout.xaxis.title.text, "the unit of the tables"
    np.testing.assert_allclose(front.y, [10, 5, 2])
    np.testing.assert_allclose(others.y, [50, 6])
    assert list(front.text) == ["#2", "#5", "#7"]
    low, high = figure.layout.yaxis.range
    assert low > high, "accuracy grows upwards"
    labels = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    assert labels[5.0] == "95" and labels[2.0] == "98"


def test_hover_tells_the_facts() -> None:
    hover = front_figure(FRONT).data[2].customdata[2][0]
    for fact in ("trial #7", "child of #3", "98.0 %", "97.5 %", "400 µs", "400 edges", "add &lt;5&gt; edges"):
        assert fact in hover


def test_staircase_leaves_out_members_of_other_objectives() -> None:
    third = point(9, 0.8, 0.3, depth=2.0)  # on the front for its depth alone
    line = front_figure([*FRONT, third]).data[1]
    np.testing.assert_allclose(line.x, [100, 200, 400])


def test_page_needs_no_network() -> None:
    page = front_html(FRONT, OTHERS, title="<script>alert(1)</script>")
    assert len(page) > 3_000_000 and "plotly.js v" in page
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert "<script>alert" not in page and "\\u003cscript\\u003ealert" not in page


@pytest.mark.parametrize(
    ("members", "others"),
    [
        ([], []),
        ([], OTHERS),
        (FRONT[:1], []),
        ([point(0, 1.0, 0.1), point(1, 1.0, 0.1)], []),
        ([FrontPoint(0, {"val_accuracy": float("nan"), "inference_seconds": 1e-4})], []),
        ([FrontPoint(0, {"val_accuracy": 0.9}), FrontPoint(1, {})], []),
        ([point(i, 0.9 + i / 1e4, 0.1 + i / 10) for i in range(60)], OTHERS),
    ],
    ids=["nothing", "no front", "one", "perfect", "nan", "missing", "many"],
)
def test_odd_fronts_are_drawn(members: list[FrontPoint], others: list[FrontPoint]) -> None:
    front_figure(members, others)
    assert Image.open(io.BytesIO(front_png(members, others, title="t"))).size == (1100, 660)


def test_regression_shows_the_error() -> None:
    members = [FrontPoint(i, {"val_error": 10.0**-i, "edges": 10.0**i}) for i in range(4)]
    figure = front_figure(members, cost="edges")
    np.testing.assert_allclose(figure.data[2].y, [1, 0.1, 0.01, 0.001])
    assert "error" in figure.layout.yaxis.title.text and "edges" in figure.layout.xaxis.title.text
    assert front_png(members, cost="edges").startswith(b"\x89PNG")


BASELINES = [
    BaselinePoint("linear", "logistic regression", {"val_accuracy": 0.6, "inference_seconds": 0.01e-3, "edges": 6.0}),
    BaselinePoint("boosting", "gradient <boosting>", {"val_accuracy": 0.999, "inference_seconds": 50e-3}),
    BaselinePoint("mlp", "dense MLP", reason="it failed"),
]


def test_baselines_are_drawn_by_name_on_axes_that_hold_them() -> None:
    figure = front_figure(FRONT, OTHERS, baselines=BASELINES)
    linear, boosting = figure.data[3:]
    assert (linear.name, boosting.name) == ("logistic regression", "gradient <boosting>, 50.0 ms →")
    assert linear.showlegend is not False and "accuracy, validation: <b>60.0 %" in linear.hovertext
    assert "gradient &lt;boosting&gt;" in boosting.hovertext
    for trace in (linear, boosting):
        low, high = (10**limit for limit in figure.layout.xaxis.range)
        assert low < trace.x[0] < high
        high, low = (10**limit for limit in figure.layout.yaxis.range)
        assert low < trace.y[0] < high
    assert len(front_png(FRONT, OTHERS, baselines=BASELINES)) > len(front_png(FRONT, OTHERS))
    assert "gradient \\u003cboosting" in front_html(FRONT, OTHERS, baselines=BASELINES)


def test_a_baseline_without_such_a_cost_is_a_line() -> None:
    figure = front_figure(FRONT, OTHERS, baselines=BASELINES, cost="edges")
    linear, boosting = figure.data[3:]
    assert list(linear.x) == [6.0] and linear.mode == "markers"
    assert len(boosting.x) == 2 and boosting.mode == "lines"
    np.testing.assert_allclose(boosting.y, [0.1, 0.1])
    assert front_png(FRONT, OTHERS, baselines=BASELINES, cost="edges").startswith(b"\x89PNG")


def test_a_baseline_far_to_the_right_is_at_the_edge_with_its_value() -> None:
    figure = front_figure(FRONT, OTHERS, baselines=BASELINES)
    linear, boosting = figure.data[3:]
    assert boosting.name == "gradient <boosting>, 50.0 ms →" and linear.name == "logistic regression"
    left, right = (10**limit for limit in figure.layout.xaxis.range)
    assert right < 500, "50 ms are off the axis"
    assert (right / left) ** 0.97 < boosting.x[0] / left < right / left


def test_compared_fronts_share_a_unit() -> None:
    fronts = {"slow": [point(1, 0.9, 300), point(2, 0.95, 400)], "fast": FRONT}
    every, views = _views(fronts, "inference_seconds", "error")
    assert "µs" in every.x_label
    np.testing.assert_allclose(views["slow"].x, [3e5, 4e5])


def test_a_perfect_baseline_has_a_place() -> None:
    perfect = [BaselinePoint("linear", "logistic regression", {"val_accuracy": 1.0, "inference_seconds": 1e-4})]
    trace = front_figure(FRONT, OTHERS, baselines=perfect).data[3]
    assert trace.y[0] == pytest.approx(1.0)  # % of errors: half of the least that was seen


def test_intervals_are_bars_and_others_lie_on_the_scale_of_the_members() -> None:
    def estimated(number: int, score: float, shown: float, ms: float) -> FrontPoint:
        ends = {"shown_error_low": shown / 2, "shown_error_high": 2 * shown}
        return point(number, 1 - score, ms, val_score=score, shown_error=shown, shown_accuracy=1 - shown, **ends)

    members = [estimated(0, 0.02, 0.04, 0.4), estimated(1, 0.05, 0.1, 0.1)]
    # All but one in a thousand samples of trial 2 are right, by luck: its score says that it is worse.
    lucky = point(2, 0.999, 0.3, val_score=0.03)
    others, _, front = front_figure(members, [lucky]).data
    np.testing.assert_allclose(front.y, [10, 4])
    np.testing.assert_allclose(front.error_y.array, [10, 4])
    np.testing.assert_allclose(front.error_y.arrayminus, [5, 2])
    np.testing.assert_allclose(others.y, [6])
    assert "to expect on new samples" in front_figure(members).layout.yaxis.title.text
    picture = np.asarray(Image.open(io.BytesIO(front_png(members, [lucky]))))
    bare = np.asarray(Image.open(io.BytesIO(front_png([point(0, 0.96, 0.4), point(1, 0.9, 0.1)], [lucky]))))
    assert picture.shape == bare.shape and (picture != bare).any()


def test_picks_say_so_and_labels_keep_apart() -> None:
    figure = front_figure(FRONT, OTHERS, picks={5: "best"})
    assert list(figure.data[2].text) == ["#2", "best #5", "#7"]
    assert list(figure.data[2].marker.line.width) == [1.5, 2.5, 1.5]
    crowded = [*FRONT, point(8, 0.951, 0.201)]
    assert FrontView(crowded, (), "inference_seconds").labels({8: "knee"})[1] == [2, 0, 3], "one label a place"
    assert list(front_figure(crowded, picks={8: "knee"}).data[2].text) == ["#2", "", "knee #8", "#7"]
    picked, labelled = FrontView(crowded, (), "inference_seconds").labels({8: "knee", 5: "best"})
    assert picked == [1, 2] and {1, 2} <= {*labelled}, "picks always say so, the best first"
    assert len(front_png(FRONT, OTHERS, picks={5: "best"})) > 1000


def test_the_legend_is_below_the_plot_and_the_fastest_member_has_room_for_its_number() -> None:
    figure = front_figure(FRONT)
    legend, (low, high) = figure.layout.legend, figure.layout.xaxis.range
    assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom") and figure.layout.margin.b > 100
    fastest, slowest = (
        math.log10(end(point.metrics["inference_seconds"] for point in FRONT)) + 6 for end in (min, max)
    )
    assert (fastest - low) / (high - low) > 0.08 and high > slowest
