"""Text from elsewhere: what is left of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas._text import plain, redacted, said_of
from nas.training import TrialResult


def test_an_error_whose_message_fails_is_named() -> None:
    class Silent(ValueError):
        def __str__(self) -> str:
            raise SystemExit(0)

    said = "Silent (its message cannot be shown: SystemExit)"
    assert (
        said_of(Silent("x")) == said_of(Silent("x"), named=False) == TrialResult.failed(1, Silent("x")).reason == said
    )
    assert (said_of(ValueError("x")), said_of(ValueError("x"), named=False)) == ("ValueError: x", "x")


@given(st.text(st.characters(codec=None), max_size=60), st.integers(10, 40))
def test_any_text_is_printable_and_short(text: str, most: int) -> None:
    shown = plain(text, most)
    assert len(shown) <= most
    shown.encode()  # no halves of characters
    assert all(sign.isprintable() or sign in "\t\n" or ord(sign) > 0x9F for sign in shown)
    assert plain(shown, most) == shown


def test_escape_codes_go_whole_and_megabytes_are_cut() -> None:
    assert plain("a\x1b[2J\x1b]0;title\x07b\udc80\x00") == "ab??"
    assert plain(":zero: d:zero") == ":zero: d:zero"
    assert len(plain("x" * 5_000_000)) == 2000


@pytest.mark.parametrize("password", ["se/cret", "se@cret", "se%40cret", "a:b/c@d"])
def test_a_password_with_any_sign_goes(password: str) -> None:
    assert redacted(f"no answer from postgresql://me:{password}@host/db") == "no answer from postgresql://host/db"
    assert "cret" not in redacted(f"postgresql://host/db?user=me&password={password}")
