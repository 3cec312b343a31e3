"""C text that every form has: names, literals, comments, tables, and the header with its provenance.

What comes from data or from a file (names of classes, of studies, …) goes into comments and strings only, and through
`comment` and `string`: a name must not be able to end a comment and go on as code.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from nas.cexport._program import Program
from nas.errors import ExportError

__all__ = ["WIDTH", "banner", "comment", "guarded", "literal", "prefix_of", "selftest", "string", "table"]

WIDTH: Final = 100
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")
_SHOWN: Final = 12  # names that the header lists one by one


def prefix_of(prefix: str | None, path: Path) -> str:
    """The prefix of all names: as given, or made of the file's name.

    Raises:
        ExportError: it is no identifier of lower-case letters, digits and _.
    """
    if prefix is None:
        prefix = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")
        prefix = prefix if prefix[:1].isalpha() else f"net_{prefix}".rstrip("_")
    if not _IDENTIFIER.fullmatch(prefix) or len(prefix) > 40:
        raise ExportError(
            f"the prefix of the names in C must be 1 to 40 lower-case letters, digits and _, a letter first, but is "
            f"{prefix!r}"
        )
    return prefix


def literal(value: float) -> str:
    """A number as the shortest text that a C compiler reads as the same float32."""
    text = str(np.float32(value))
    return (text if "." in text or "e" in text else f"{text}.0") + "f"


def comment(text: str) -> str:
    """Text that stays inside a comment: ASCII in one line, without what ends or begins one."""
    plain = text.encode("ascii", "backslashreplace").decode()
    plain = "".join(each if each.isprintable() else " " for each in plain)
    return plain.replace("*/", "* /").replace("/*", "/ *").replace("\\", "|")


def string(text: str) -> str:
    """A C string literal of any text, as UTF-8."""
    safe = {ord(each) for each in " !#$%&'()*+,-./:;<=>@[]^_`{|}~"}
    parts = [
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in safe else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "replace")
    ]
    return '"' + "".join(parts) + '"'


def table(declaration: str, values: Iterable[str], indent: str = "") -> list[str]:
    """Lines of an array with its initial values."""
    filled = textwrap.wrap(", ".join(values), WIDTH - 4 - len(indent), break_long_words=False, break_on_hyphens=False)
    return [f"{indent}{declaration} = {{", *(f"{indent}    {line}" for line in filled), f"{indent}}};"]


def guarded(prefix: str, lines: Sequence[str]) -> str:
    """A header file."""
    name = f"{prefix.upper()}_H"
    return "\n".join(
        [
            f"#ifndef {name}",
            f"#define {name}",
            "",
            *lines,
            "",
            f"#endif /* {name} */",
            "",
        ]
    )


def banner(program: Program, *, form: str, notes: Sequence[str]) -> list[str]:
    """The comment on top of both files: what the network is, where it came from, how to call it."""
    scaling = program.scaling
    lines = [
        f"Neural network: {program.n_inputs} inputs, {len(program.neurons)} neurons, {program.n_edges} edges, "
        f"{program.n_outputs} outputs; {', '.join(program.activations)}.",
        f"Written by dag-nas ({form}); do not edit, export it again.",
        f"Checksum (SHA-256 of structure, weights and scaling): {program.checksum()}",
        *_origin(program.record),
        "",
        *notes,
    ]
    if scaling.names:
        lines.append("Inputs: " + _listed(scaling.names))
    if scaling.task == "classification":
        lines.append("Classes: " + _listed(scaling.classes))
    found = ["/*"]
    for line in lines:
        wrapped = textwrap.wrap(comment(line), WIDTH - 3, break_long_words=True) or [""]
        found += [f" * {part}".rstrip() for part in wrapped]
    return [*found, " */"]


def _origin(record: Mapping[str, Any]) -> list[str]:
    """Study, trial and measures of a network of a front."""
    lines = []
    if "study" in record:
        lines.append(f"Study {record['study']}, trial {record.get('trial')}, exported {record.get('created')}.")
    metrics = record.get("metrics")
    if isinstance(metrics, Mapping):
        shown = {
            name: metrics[name]
            for name in ("val_accuracy", "val_error", "test_accuracy", "test_error")
            if isinstance(metrics.get(name), int | float)
        }
        if shown:
            lines.append("; ".join(f"{name} {value:.6g}" for name, value in shown.items()))
    return lines


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"{number} {name}" for number, name in enumerate(names[:_SHOWN]))
    return shown + (f", ... ({len(names)} in all)" if len(names) > _SHOWN else "")


def selftest(
    prefix: str,
    inputs: tuple[str, np.ndarray, Sequence[str]],
    outputs: tuple[str, np.ndarray, Sequence[str]],
    call: Sequence[str],
    compare: Sequence[str],
) -> list[str]:
    """Test vectors, and a ``main`` that counts those which the file does not reproduce.

    Args:
        prefix: of all names.
        inputs: C type, (samples, inputs) values, and these as C, one text a sample.
        outputs: the same of the outputs.
        call: statements that run sample ``i`` into ``outputs`` and may set ``bad``.
        compare: statements that set ``bad`` where output ``k`` is another than it should be.
    """
    (kind, vectors, rows), (own, expected, expected_rows) = inputs, outputs
    (n, width), count = vectors.shape, expected.shape[1]
    guard = f"{prefix.upper()}_SELFTEST"
    return [
        f"#ifdef {guard}",
        *table(f"static const {kind} {prefix}_test_inputs[{n}][{width}]", rows),
        *table(f"static const {own} {prefix}_test_outputs[{n}][{count}]", expected_rows),
        "",
        "int main(void)",
        "{",
        "    int wrong = 0;",
        "    int i;",
        "    int k;",
        f"    for (i = 0; i < {n}; i++) {{",
        f"        {own} outputs[{count}] = {{0}};",
        "        int bad = 0;",
        *(f"        {line}" for line in call),
        f"        for (k = 0; k < {count}; k++) {{",
        *(f"            {line}" for line in compare),
        "        }",
        "        wrong += bad;",
        "    }",
        "    return wrong;",
        "}",
        f"#endif /* {guard} */",
        "",
    ]
