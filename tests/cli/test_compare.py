"""Fronts of studies beside each other."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from nas.cli._compare import _beaten, _comparable
from nas.errors import JobError
from nas.search import Front, FrontMember, Objectives
from nas.tracking import FrontPoint, compare_html, compare_png

ERROR_AND_EDGES = Objectives(("error", "edges"))


def front(*values: tuple[float, float], objectives: Objectives = ERROR_AND_EDGES) -> Front:
    members = [
        FrontMember(k, each, {"val_error": each[0], "val_accuracy": 1 - each[0], "edges": each[1]})
        for k, each in enumerate(values)
    ]
    return Front.of(objectives, members)


def test_whose_members_beat_whose() -> None:
    found = _beaten({"one": front((0.1, 50.0), (0.2, 10.0)), "other": front((0.05, 40.0), (0.2, 10.0))})
    assert found == [
        {"study": "one", "by": "other", "members": 1, "of": 2},
        {"study": "other", "by": "one", "members": 0, "of": 2},
    ]


def test_what_is_judged_otherwise_does_not_compare() -> None:
    judged = front((0.1, 50.0), objectives=Objectives(("error", "edges"), scorer="roc_auc"))
    with pytest.raises(JobError, match=r"'a' and 'b' minimise different things .error of error, edges and 1 - r"):
        _comparable({"a": front((0.1, 50.0)), "b": judged})
    with pytest.raises(JobError, match="'b' has no complete trial yet"):
        _comparable({"a": front((0.1, 50.0)), "b": front()})


def test_pictures(tmp_path: Path) -> None:
    points = {
        name: [FrontPoint(each.number, each.metrics) for each in found.members]
        for name, found in {"one": front((0.1, 50.0), (0.2, 10.0)), "other": front((0.05, 40.0))}.items()
    }
    with Image.open(io.BytesIO(compare_png(points, cost="edges"))) as image:
        assert image.size[0] > 800
    page = compare_html(points, cost="edges")
    assert '"name":"one"' in page and '"name":"other"' in page
