"""What comes from data is text in a model card, whatever it looks like."""

from __future__ import annotations

import html

import pytest
from markdown_it import MarkdownIt

from nas.tracking._card import escaped


@pytest.mark.parametrize(
    "label",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](http://a/b)",
        "[a](javascript:alert(1))",
        "a | b",
        "**bold** _it_ ~~out~~ `code`",
        "# heading",
        "- item",
        "&lt;b&gt; &amp;",
        "http://evil.example/x",
        "www.evil.example",
        "me@evil.example",
        "$x^2$ ==m==",
        "ends in \\",
    ],
)
def test_a_label_is_shown_as_it_is(label: str) -> None:
    render = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render
    shown = escaped(label)
    assert render(f"classes {shown}.") == f"<p>classes {html.escape(label, quote=False)}.</p>\n"
    assert f"<td>{html.escape(label, quote=False)}</td>" in render(f"| a |\n| --- |\n| {shown} |\n")
    assert "www.evil" not in shown and "me@evil" not in shown and "http:" not in shown  # what GitHub would link


def test_a_label_has_one_line_and_an_end() -> None:
    assert "\n" not in escaped("a\n\n# b")
    assert len(escaped("x" * 10_000)) < 200
