"""Pieces of C that several forms share, and what the network itself gives, by which they are tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from nas.cexport._float import applied
from nas.cexport._program import Program
from nas.cexport._text import literal, selftest, string
from nas.errors import ExportError
from nas.recurrent import LSTM

__all__ = [
    "all_sums", "answer", "evaluate", "extern_c", "float_selftest", "meaning", "raw_rows", "raw_samples",
    "rom_macros", "sizes", "unit",
]  # fmt: skip

_TOLERANCE: Final = "1e-4f"


def raw_samples(program: Program, samples: ArrayLike | None, count: int | None = None) -> np.ndarray:
    """(samples, inputs of a row) raw features: those given, or ``count`` drawn from the range of the training data.

    Raises:
        ExportError: they have another shape, or are not finite.
    """
    scaling = program.scaling
    width = scaling.mean.size
    if samples is None:
        rng = np.random.default_rng(0)
        if scaling.low is not None and scaling.high is not None:
            drawn = rng.uniform(scaling.low, scaling.high, (count or 1, width))
        else:
            drawn = scaling.mean + scaling.scale * rng.standard_normal((count or 1, width))
        return drawn.astype(np.float32).astype(np.float64)
    found = np.asarray(samples, dtype=np.float64).astype(np.float32).astype(np.float64)  # what the C code can read
    if found.ndim != 2 or found.shape[1] != width or not len(found) or not np.isfinite(found).all():
        raise ExportError(
            f"samples must be finite and have shape (samples, {width}), one raw feature a column, but have shape "
            f"{found.shape}"
        )
    if count is not None:
        found = found[np.unique(np.linspace(0, len(found) - 1, count).astype(int))]
    return found


def meaning(program: Program) -> str:
    count = program.n_outputs
    if program.scaling.task == "classification":
        return f"{count} scores; it returns the number of the highest one, or -1 where one is no number."
    unit = "targets in their own units" if program.scaling.task == "regression" else "outputs"
    return f"{count} {unit}; it returns 0, or -1 where one is no number."


def sizes(program: Program, prefix: str) -> list[str]:
    """Macros of a header."""
    capitals = prefix.upper()
    lines = [
        f"#define {capitals}_INPUTS {program.n_inputs}",
        f"#define {capitals}_OUTPUTS {program.n_outputs}",
        f'#define {capitals}_CHECKSUM "{program.checksum()[:16]}"',
    ]
    if program.scaling.task == "classification":
        names = ", ".join(string(name) for name in program.scaling.classes)
        lines += ["", "/* Initial values of an array of names, by what is returned. */"]
        lines.append(f"#define {capitals}_CLASSES {{{names}}}")
    return [*lines, ""]


def extern_c(lines: Sequence[str]) -> list[str]:
    """Declarations that a C++ program may include, too."""
    return ["", "#ifdef __cplusplus", 'extern "C" {', "#endif", "", *lines, "", "#ifdef __cplusplus", "}", "#endif"]


def unit(value: str, mean: float, scale: float) -> str:
    """An output in the target's own unit."""
    found = value if scale == 1.0 else f"{value} * {literal(scale)}"
    if not mean:
        return found
    return f"{found} {'+' if mean > 0 else '-'} {literal(abs(mean))}"


def rom_macros(capitals: str, kinds: Sequence[str]) -> list[str]:
    """How tables are kept in flash where constants would be copied to memory (AVR)."""
    return [
        "#if defined(__AVR__)",
        "#include <avr/pgmspace.h>",
        f"#define {capitals}_ROM PROGMEM",
        *(f"#define {capitals}_READ_{kind.upper()}(place) pgm_read_{kind}(place)" for kind in kinds),
        "#else",
        f"#define {capitals}_ROM",
        *(f"#define {capitals}_READ_{kind.upper()}(place) (*(place))" for kind in kinds),
        "#endif",
        "",
    ]


def answer(program: Program, count: int) -> list[str]:
    """What a function returns, of its outputs."""
    if program.scaling.task == "classification":
        lines = ["    {", "        int best = 0;", "        int k;", f"        for (k = 0; k < {count}; k++) {{"]
        lines += ["            if (outputs[k] != outputs[k]) {", "                return -1;", "            }"]
        lines += ["            if (outputs[k] > outputs[best]) {", "                best = k;", "            }"]
        return [*lines, "        }", "        return best;", "    }"]
    lines = ["    {", "        int k;", f"        for (k = 0; k < {count}; k++) {{"]
    lines += ["            if (outputs[k] != outputs[k]) {", "                return -1;", "            }", "        }"]
    return [*lines, "    }", "    return 0;"]


def evaluate(program: Program, x: np.ndarray) -> np.ndarray:
    """(samples, outputs) of scaled inputs in float64, neuron by neuron; of a program without memory."""
    found: np.ndarray = all_sums(program, x)[1][:, list(program.outputs)]
    return found


def all_sums(program: Program, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What all neurons sum up, and what they emit, (samples, inputs and neurons); inputs have no sums."""
    first = program.first
    values = np.zeros((len(x), first + len(program.neurons)), order="F")
    sums = np.zeros_like(values)
    values[:, :first] = x
    for number, neuron in enumerate(program.neurons, first):
        sums[:, number] = values[:, neuron.sources] @ neuron.weights + neuron.bias
        values[:, number] = applied(neuron.activation, sums[:, number])
    return sums, values


def raw_rows(program: Program, x: np.ndarray, last: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """(samples, outputs and memory) of a step, LSTM neurons among the others; their state is renewed in place.

    Args:
        x: (samples, inputs and memory), scaled; last, inner: (samples, LSTM neurons).
    """
    first = program.first
    values = np.zeros((len(x), first + len(program.neurons)), order="F")
    values[:, :first] = x
    cell = 0
    for number, neuron in enumerate(program.neurons, first):
        read = values[:, neuron.sources]
        z = read @ neuron.weights + neuron.bias
        if neuron.activation != LSTM:
            values[:, number] = applied(neuron.activation, z)
            continue
        assert neuron.gates is not None and neuron.recurrent is not None and neuron.gate_bias is not None
        h = last[:, cell : cell + 1]
        gates = applied("sigmoid", read @ neuron.gates + neuron.gate_bias + h * neuron.recurrent[:3])
        candidate = applied("tanh", z + h[:, 0] * neuron.recurrent[3])
        inner[:, cell] = gates[:, 1] * inner[:, cell] + gates[:, 0] * candidate
        last[:, cell] = values[:, number] = gates[:, 2] * applied("tanh", inner[:, cell])
        cell += 1
    found: np.ndarray = values[:, list(program.outputs)]
    return found


def float_selftest(prefix: str, vectors: np.ndarray, outputs: np.ndarray) -> list[str]:
    """Test vectors, and a ``main`` that counts those which the file does not reproduce."""
    return selftest(
        prefix,
        ("float", vectors, _rows(vectors)),
        ("float", outputs, _rows(outputs)),
        [f"if ({prefix}_predict({prefix}_test_inputs[i], outputs) < 0) {{", "    bad = 1;", "}"],
        [
            f"const float should = {prefix}_test_outputs[i][k];",
            "const float size = 1.0f + (should < 0.0f ? -should : should);",
            "const float off = outputs[k] - should;",
            f"if (off > {_TOLERANCE} * size || off < -{_TOLERANCE} * size) {{",
            "    bad = 1;",
            "}",
        ],
    )


def _rows(values: np.ndarray) -> list[str]:
    """Initial values of a table of rows."""
    return ["{" + ", ".join(literal(value) for value in row) + "}" for row in values]
