"""The text of a file of which nobody said the encoding.

A mark at its beginning, or UTF-8 that decodes, says it for certain. UTF-16 without a mark gives itself away by its
zero bytes. What is left is most often a table of a Western Windows (cp1252, of which latin-1 is a part), and is taken
for one only if it reads like one: else it may be any of some forty encodings, whose letters would become others in
silence. What was taken is said in the table of columns, and `data.encoding` overrides it.
"""

from __future__ import annotations

import codecs
import errno
import gzip
import itertools
import re
import unicodedata
import zlib
from pathlib import Path
from typing import Final

from nas._files import contents
from nas.errors import DataError
from nas.training.data.idx import MAX_BYTES, most_expanded, refuse_expansion

__all__ = ["decoded"]

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WINDOWS: Final = "cp1252"
_SAMPLE: Final = 2**16  # bytes that tell UTF-16 by its zeros
_FEW: Final = 0.02  # share of zeros among the bytes that hold letters in UTF-16, and
_MANY: Final = 0.4  # among the others, of a table mostly of digits and Western letters
# What no Western text holds: a symbol between two letters (Polish and Czech letters of cp1250, those of DOS and of
# Macintosh), one that begins a word, a capital behind a small letter, and three letters in a row that are beyond ASCII
# and no umlauts (Cyrillic, Greek, Asian). Hungarian and Croatian words may pass, with a few letters exchanged.
_LOW: Final = "a-zß-öø-ÿšœž"
_HIGH: Final = "A-ZÀ-ÖØ-ÞŠŒŽŸ"
_FOREIGN: Final = re.compile(
    f"[{_LOW}{_HIGH}][^\\x00-\\x7f{_LOW}{_HIGH}‘’\u00ad·][{_LOW}{_HIGH}]"
    f"|[ª²³¹º¼½¾±†‡‰ˆ˜¨¯´¸¬¶¤¦™ƒ][{_LOW}{_HIGH}±]"
    f"|[{_LOW}][À-ÖØ-ÞŠŒŽŸ]"
    "|(?![äöüÄÖÜåÅ]{3})[À-ÖØ-öø-ÿŠŒŽšœžŸ]{3}"
)
_BEYOND: Final = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_NEIGHBOURS: Final = ("cp1250", "cp1254")  # that write words as Western ones, but for some letters
_OTHERS: Final = (
    "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1257", "cp852", "cp866", "mac_roman", "shift_jis",
    "gb18030", "big5", "euc_kr",
)  # fmt: skip
_EAST: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "KATAKANA-HIRAGANA"})
_MOST_WORDS: Final = 200
_MOSTLY: Final = 0.95  # share of words that consist of letters in the right encoding
_SHOWN: Final = 3


def decoded(path: Path, encoding: str) -> tuple[str, str]:
    """The text of a file without its mark, and what people call its encoding.

    Args:
        path: the file; one that ends in .gz is unpacked.
        encoding: a name that Python knows, or "auto".

    Raises:
        DataError: it is no text of that encoding, or of none that could be told.
    """
    content = _content(path)
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    chosen = encoding if encoding != "auto" else marked or _without_mark(content) or "utf-8"
    if codecs.lookup(chosen).name == "utf-8":
        chosen = marked if marked == "utf-8-sig" else "utf-8"
    try:
        text = content.decode(chosen)
    except UnicodeDecodeError as error:
        if encoding == "auto" and marked is None and (western := _western(content)) is not None:
            return western, f"CP1252, as it is not UTF-8{_read_otherwise(content)}"
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: byte {content[error.start]:#04x} in line {line} is not {chosen.upper().removesuffix('-SIG')}; "
            f"say what it is with data.encoding{_readings(content)}, or save the file as UTF-8"
        ) from None
    except (LookupError, ValueError) as error:
        raise DataError(f"{path}: cannot be read with data.encoding {encoding!r} ({error})") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{path}: line {line} holds a zero byte, so it is no text; is it UTF-16? (data.encoding)")
    # A mark in the middle of text would be part of a column's name.
    return text.removeprefix("\ufeff"), {"utf-8-sig": "UTF-8 with a mark"}.get(chosen, chosen.upper())


def _without_mark(content: bytes) -> str | None:
    """UTF-16 by the zeros that every second byte of Western letters and digits is; None: it is not."""
    head = content[:_SAMPLE]
    pairs = len(head) // 2
    if len(content) % 2 or not pairs:
        return None
    even, odd = head[::2].count(0) / pairs, head[1::2].count(0) / pairs
    if even <= _FEW and odd >= _MANY:
        return "utf-16-le"
    return "utf-16-be" if odd <= _FEW and even >= _MANY else None


def _western(content: bytes) -> str | None:
    """The text, where it is one as a Western Windows writes it; None: it may be another encoding's."""
    try:
        text = content.decode(_WINDOWS)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or _FOREIGN.search(text) else text


def _read_otherwise(content: bytes) -> str:
    """A word of a text that was taken for a Western one and that neighbours of the West would write with other letters;
    "": there is none."""
    for word in _words(content):
        taken = word.decode(_WINDOWS, "replace")
        others = {name: word.decode(name, "replace") for name in _NEIGHBOURS}
        said = [
            f"{name.upper()} reads {other!r}" for name, other in others.items() if other != taken and _is_word(other)
        ]
        if said:
            return f" (e.g. {taken!r}, which {' and '.join(said)})"
    return ""


def _readings(content: bytes) -> str:
    """How encodings in which all words consist of letters read one of them, for a message."""
    words = _words(content)
    found: dict[str, str] = {}
    for encoding in _OTHERS:
        try:
            read = [word.decode(encoding) for word in words]
        except UnicodeDecodeError:
            continue
        if read and sum(map(_is_word, read)) >= _MOSTLY * len(read):
            found.setdefault(read[0], encoding)
    shown = [f"{encoding} reads {word!r}" for word, encoding in found.items()]
    return f" ({', '.join(shown[:_SHOWN])})" if shown else " (of Excel often cp1252)"


def _words(content: bytes) -> list[bytes]:
    """The first words with a byte beyond ASCII."""
    found = itertools.islice(_BEYOND.finditer(content), _MOST_WORDS)
    return [*dict.fromkeys(match[0] for match in found)]


def _is_word(text: str) -> bool:
    """Whether a text is letters of one alphabet, a capital only as the first or all of them."""
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in text}
    east = scripts <= _EAST
    return text.isalpha() and (east or (len(scripts) == 1 and text in (text.lower(), text.upper(), text.capitalize())))


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked where it is gzipped; what expands too far is refused before it is all unpacked."""
    if path.suffix.lower() != ".gz":
        try:
            return contents(path, MAX_BYTES)
        except OSError as error:
            if error.errno not in (errno.EFBIG, errno.EINVAL):
                raise
            raise DataError(f"{path}: {error.strerror}") from error
    try:
        with gzip.open(path, "rb") as file:
            content = file.read(min(MAX_BYTES, most_expanded(path)) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be unpacked ({error}); fetch the file again") from error
    refuse_expansion(path, len(content))
    if len(content) > MAX_BYTES:
        raise DataError(f"{path}: unpacked it has more than {MAX_BYTES} bytes, which is the most that is read")
    return content
