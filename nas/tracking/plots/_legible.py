"""Names as people have them in pictures: in scripts that the usual font lacks, with signs that mean something to it.

matplotlib draws a box for a character that its font lacks, and warns of each. Here such text gets a font of this
machine that has the character; where there is none, its number (``\\u5e74``) is written, so that names stay apart.
"""

from __future__ import annotations

import functools
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["legible"]

_UNREAL: Final = "Last Resort"  # a font of boxes that say which script is missing
_MATHS: Final = "mathdefault"  # in labels that matplotlib itself writes as formulas


def legible(figure: Figure) -> None:
    """Make all texts of a figure such that they can be drawn as they are."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        written = text.get_text()
        text.set_parse_math(_MATHS in written)  # prices have dollar signs, and columns are called by them
        if not written.isascii() or "\t" in written:
            drawn, families = _drawable(written)
            text.set_text(drawn)
            text.set_fontfamily([*text.get_fontfamily(), *families])


@functools.lru_cache(maxsize=4096)
def _drawable(written: str) -> tuple[str, tuple[str, ...]]:
    """A text, and the families beside the usual one that its characters need."""
    families: dict[str, None] = {}
    drawn = []
    for character in written:
        family = "" if character == "\n" else _family(character)
        if family is not None:
            drawn.append(character)
            families.update({family: None} if family else {})
        elif unicodedata.category(character) not in ("Mn", "Cf"):  # accents and joints of what cannot be drawn
            drawn.append(" " if character.isspace() else character.encode("unicode_escape").decode("ascii"))
    return "".join(drawn), tuple(families)


@functools.lru_cache(maxsize=4096)
def _family(character: str) -> str | None:
    """A family of fonts that has a character; "": the usual one; None: there is none on this machine."""
    from matplotlib import font_manager

    if _has(font_manager.findfont(font_manager.FontProperties()), character):
        return ""
    for entry in font_manager.fontManager.ttflist:
        if not entry.name.startswith(_UNREAL) and _has(entry.fname, character):
            return str(entry.name)
    return None


def _has(path: str, character: str) -> bool:
    from matplotlib.font_manager import get_font

    try:
        return bool(get_font(path).get_char_index(ord(character)))
    except (OSError, RuntimeError):  # a font that cannot be read is none
        return False
