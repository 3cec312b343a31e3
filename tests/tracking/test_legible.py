"""Names in any script are drawn, or written by the numbers of their characters; nothing warns."""

from __future__ import annotations

import warnings

import pytest

from nas.graph import DAG
from nas.tracking.plots import _legible
from nas.tracking.plots._legible import legible
from nas.tracking.plots._theme import new_figure, to_png
from nas.tracking.plots.dag import dag_png

NAMES = [
    *("größe", "年齢", "цена", "السعر", "ราคา", "मूल्य", "😀 mood", "👩\u200d🔬", "e\u0301"),
    *("a\tb", "x_{$", "$fee$", r"$\frac$"),
]


def test_names_in_any_script_are_drawn_without_a_warning() -> None:
    dag = DAG.from_edges([(name, "y") for name in NAMES], inputs=NAMES, outputs=["y"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dag_png(dag, title=" ".join(NAMES)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("written", "drawn"), [("年齢 5", r"\u5e74\u9f62 5"), ("größe", "größe"), ("a\tb", "a b"), ("😀", r"\U0001f600")]
)
def test_what_no_font_has_is_written_by_numbers(written: str, drawn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_legible, "_has", lambda path, character: character < "\u1000" and character != "\t")
    for cached in (_legible._family, _legible._drawable):
        cached.cache_clear()
    figure = new_figure(3, 2)
    text = figure.text(0, 0, written)
    legible(figure)
    assert text.get_text() == drawn
    for cached in (_legible._family, _legible._drawable):
        cached.cache_clear()


def test_a_dollar_is_no_formula() -> None:
    figure = new_figure(3, 2)
    text = figure.text(0, 0, "$a$")
    to_png(figure)
    assert not text.get_parse_math()
