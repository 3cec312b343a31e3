"""Ways to damage a file: its bytes, or the values inside its structure."""

from __future__ import annotations

import copy
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import yaml

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31 - 1, 2**31, -(2**31), 2**53, 2**62, 2**63, 2**64, 10**30, 0.5,
    -0.0, 1e308, float("nan"), float("inf"), "", "0", "nan", "a", "x" * 1000, "\x00", "../../etc/passwd", "/dev/zero",
    "__import__('os').system('true')", "!!python/object/apply:os.system ['true']", "\ud83d\ude00", [], {}, [[]], [None],
    {"a": 1}, [0] * 1000, list(range(50)), [[0, 1]], "relu", "lstm", "cuda", "evolution", [1, 2, 3], -1e-300,
]  # fmt: skip
TOKENS = [
    b"\x00", b"\xff", b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x00" * 8, b"-", b"1e999", b"NaN", b"{", b"[", b'"', b",",
    b"\n", b"&a *a", b": ", b"\r\n", b"<", b"&x;", b"]]>", b"99999999999999999999", b"\x80\x04", b"PK\x05\x06",
    b"\x1f\x8b",
]  # fmt: skip


def damaged(seeds: Sequence[bytes], kind: str, rng: np.random.Generator) -> bytes:
    """One of the valid files ``seeds`` of ``kind``, damaged in one to four places."""
    content = seeds[int(rng.integers(len(seeds)))]
    structured = STRUCTURED.get(kind)
    if structured is not None and rng.random() < 0.6:
        content = structured(content, rng)
        if rng.random() < 0.85:
            return content
    for _ in range(int(rng.integers(1, 5))):
        content = _bytes(content, seeds, rng)
    return content


def _bytes(content: bytes, seeds: Sequence[bytes], rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(content) + 1))
    # Headers are where the meaning is: half of the damage is done there.
    if rng.random() < 0.5:
        at = min(at, int(rng.integers(200)))
    size = int(min(1 << int(rng.integers(0, 12)), len(content)))
    match int(rng.integers(7)):
        case 0 if content:
            flipped = bytearray(content)
            place = min(at, len(content) - 1)
            flipped[place] ^= 1 << int(rng.integers(8))
            return bytes(flipped)
        case 1:
            return content[:at]
        case 2:
            return content[:at] + content[at + size :]
        case 3:
            return content[:at] + content[at : at + size] * int(rng.integers(2, 5)) + content[at + size :]
        case 4:
            return content[:at] + TOKENS[int(rng.integers(len(TOKENS)))] + content[at:]
        case 5:
            other = seeds[int(rng.integers(len(seeds)))]
            return content[:at] + other[int(rng.integers(len(other) + 1)) :]
        case _:
            return content[:at] + rng.bytes(min(size, 64)) + content[at + size :]


def _values(tree: Any, rng: np.random.Generator) -> Any:
    """``tree`` with one to three of its values, keys or items changed."""
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(tree))
        if not places:
            return _value(rng)
        holder, key = places[int(rng.integers(len(places)))]
        value = holder[key]
        match int(rng.integers(8)):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[str(key) + "s"] = holder.pop(key)
            case 1 | 2 if isinstance(holder, list):
                holder.insert(int(key), value)
            case 3 if isinstance(value, int | float) and not isinstance(value, bool):
                holder[key] = value + int(rng.integers(-3, 4)) if rng.random() < 0.7 else -value
            case 4 if isinstance(value, str) and value[:1] in "{[":
                try:
                    holder[key] = json.dumps(_values(json.loads(value), rng))
                except (ValueError, RecursionError):
                    holder[key] = value[: len(value) // 2]
            case 5:
                deep: Any = value
                for _ in range(int(10 ** rng.uniform(0, 3.5))):
                    deep = [deep]
                holder[key] = deep
            case _:
                holder[key] = _value(rng)
    return tree


def _places(tree: Any, depth: int = 0) -> Any:
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree[:50]) if isinstance(tree, list) else ()
    for key, value in inside:
        yield tree, key
        if depth < 20:
            yield from _places(value, depth + 1)


def _value(rng: np.random.Generator) -> Any:
    return copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])


def _json(content: bytes, rng: np.random.Generator) -> bytes:
    return _dump(_values(json.loads(content), rng))


def _dump(tree: Any) -> bytes:
    try:
        return json.dumps(tree).encode("utf-8", "replace")
    except RecursionError:
        return b"[" * 100_000


def _yaml(content: bytes, rng: np.random.Generator) -> bytes:
    tree = _values(yaml.safe_load(content), rng)
    try:
        return yaml.safe_dump(tree).encode("utf-8", "replace")
    except (RecursionError, yaml.YAMLError):
        return _dump(tree)


def _safetensors(content: bytes, rng: np.random.Generator) -> bytes:
    """A header that is well-formed but lies: shapes, types, offsets, metadata."""
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    metadata = header.get("__metadata__", {})
    if rng.random() < 0.5 and metadata:
        key = list(metadata)[int(rng.integers(len(metadata)))]
        try:
            metadata[key] = json.dumps(_values(json.loads(metadata[key]), rng))
        except (ValueError, RecursionError):
            metadata[key] = str(_value(rng))
    else:
        header = _values(header, rng)
    text = _dump(header)
    claimed = len(text) if rng.random() < 0.95 else int(rng.integers(2**40))
    return claimed.to_bytes(8, "little") + text + data


def _gzip(content: bytes, rng: np.random.Generator) -> bytes:
    inner = _bytes(gzip.decompress(content), [content], rng)
    if rng.random() < 0.02:
        inner += bytes(200 * 2**20)  # a bomb: 200 kB on disk
    return gzip.compress(inner, 1)


def _npz(content: bytes, rng: np.random.Generator) -> bytes:
    """Arrays with headers that lie, bombs of zeros, other names."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = list(members)[int(rng.integers(len(members)))]
    member = members.pop(name)
    match int(rng.integers(5)):
        case 0:
            member = _bytes(member, [member], rng)
        case 1:
            member = member.replace(b"'shape': (", b"'shape': (%d, " % 10 ** int(rng.integers(1, 19)))
        case 2:
            member = member.replace(b"<f4", [b"|O8", b"<U9", b"<f8", b"<c8", b"V99"][int(rng.integers(5))])
        case 3 if rng.random() < 0.1:
            member += bytes(200 * 2**20)
        case _:
            name = name[:-4] + "2.npy"
    members[name] = member
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for each, data in members.items():
            archive.writestr(each, data)
    return found.getvalue()


def _lines(content: bytes, rng: np.random.Generator) -> bytes:
    """A table with cells, rows or columns changed."""
    rows = [line.split(b",") for line in content.split(b"\n")]
    for _ in range(int(rng.integers(1, 4))):
        row = rows[int(rng.integers(len(rows)))]
        cell = int(rng.integers(len(row)))
        match int(rng.integers(5)):
            case 0:
                del row[cell]
            case 1:
                row.insert(cell, b"1")
            case 2:
                rows.append(list(row))
            case _:
                row[cell] = str(_value(rng)).encode("utf-8", "replace")
        if not row:
            row.append(b"")
    return b"\n".join(b",".join(row) for row in rows)


STRUCTURED: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "json": _json,
    "yaml": _yaml,
    "safetensors": _safetensors,
    "gzip": _gzip,
    "npz": _npz,
    "csv": _lines,
}
