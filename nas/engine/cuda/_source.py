"""The text of the kernels: files beside this one, with what is generated from Python's side of things."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from nas.engine._activations import cuda_activations
from nas.engine.cuda._struct import Struct

__all__ = ["MOST_THREADS", "VARIANTS", "Variant", "program"]

Variant = tuple[int, int]
"""Samples a lane, and where activations lie: 0 all in shared memory, 1 inputs in global memory, 2 all there."""

VARIANTS: tuple[Variant, ...] = tuple((samples, place) for place in (0, 1, 2) for samples in (1, 2, 4))
MOST_THREADS = 512  # a block: 128 registers a thread are left to the compiler
_FOLDER = Path(__file__).parent / "source"


@lru_cache(maxsize=32)
def program(
    name: str,
    struct: Struct,
    header: str,
    variants: tuple[Variant, ...],
    real: str,
    extra: tuple[tuple[str, str], ...] = (),
) -> str:
    """One translation unit.

    Args:
        name: file in the folder ``source``.
        struct: what its kernels are given; it includes that as ``header``.
        variants: of the kernels that have any.
        extra: further files to include, by name and text.
        real: "float" or "double", the type of all numbers.
    """
    each = " ".join(f"X({samples}, {place})" for samples, place in variants)
    start = f"#define REAL {real}\n#define MOST_THREADS {MOST_THREADS}\n#define EACH_VARIANT(X) {each}\n"
    generated = {
        header: f'#include "platform.h"\nstruct Link;\n{struct.c}',
        "activations.cuh": cuda_activations(),
        **dict(extra),
    }
    return start + _expanded(name, generated, set())


def _expanded(name: str, generated: dict[str, str], seen: set[str]) -> str:
    """A file with its own includes in place, each once; those of the system stay."""
    if name in seen:
        return ""
    seen.add(name)
    text = generated[name] if name in generated else (_FOLDER / name).read_text(encoding="utf-8")
    text = text.replace("#pragma once\n", "")
    return re.sub(
        r'^#include "([^"]+)"\n', lambda found: _expanded(found.group(1), generated, seen), text, flags=re.MULTILINE
    )
