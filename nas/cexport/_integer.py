"""The form ``int8``: tables and one loop, in integers, without any library; the text of an `IntegerNetwork`.

Edges are bytes: how far on the next source lies, then the weight. With weights of 6, 5 or 4 bits an edge has 12 bits,
so that two share three bytes. The weight takes its bits of them, half their range added; the step has the rest, 6 to 8
bits. The first two bytes hold a step each and, above it, what the weight has beyond four bits; the third one holds the
upper four bits of both weights. A step too long for its bits is taken in parts, by edges of weight 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np

from nas.cexport._columns import row_header, row_note, row_source
from nas.cexport._common import extern_c, rom_macros, sizes
from nas.cexport._integers import IntegerNetwork, Neuron8, Output8, wraps
from nas.cexport._program import Program
from nas.cexport._text import banner, guarded, selftest, table
from nas.errors import ExportError

__all__ = ["Table", "edge_bytes", "integer_source", "longest_step", "tables_of"]

_READERS: Final = {"uint8_t": "byte", "int8_t": "byte", "uint16_t": "word", "int16_t": "word", "int32_t": "dword"}
_WIDTHS: Final = {"uint8_t": 1, "int8_t": 1, "uint16_t": 2, "int16_t": 2, "int32_t": 4}


def edge_bytes(places: np.ndarray, weights: np.ndarray, bits: int) -> tuple[list[int], int]:
    """The edges of one neuron to inputs, or to neurons, as bytes; and how often the loop over them runs."""
    longest = longest_step(bits)
    edges: list[tuple[int, int]] = []
    at = 0
    for place, weight in zip(places.tolist(), weights.tolist(), strict=True):
        step = place - at
        at = place
        while step > longest:
            edges.append((longest, 0))
            step -= longest
        edges.append((step, weight))
    if bits == 8:
        return [byte for step, weight in edges for byte in (step, weight & 255)], len(edges)
    if len(edges) % 2:
        edges.append((0, 0))
    found = []
    for (s, w), (t, v) in zip(edges[::2], edges[1::2], strict=True):
        w, v = w + 128, v + 128
        # Of a weight in steps of 2^(8 - bits), bits 4 to 7 go into the third byte, those below next to the step.
        found += [s | (w & 15) << 4, t | (v & 15) << 4, w >> 4 | v >> 4 << 4]
    return found, len(edges) // 2


def longest_step(bits: int) -> int:
    """From a source to the next one, in one edge with a weight of so many bits."""
    return 255 if bits == 8 else 2 ** (12 - bits) - 1


class Table(NamedTuple):
    """An array of constants, of a C type."""

    kind: str
    values: list[int]

    @property
    def bytes(self) -> int:
        """In flash."""
        return _WIDTHS[self.kind] * len(self.values)


def tables_of(network: IntegerNetwork) -> dict[str, Table]:
    """The tables by name."""
    return {name: Table(kind, values) for name, (kind, values) in _rows(network).items()}


def _rows(network: IntegerNetwork) -> dict[str, tuple[str, list[int]]]:
    edges: list[int] = []
    counts: list[int] = []
    every: list[Neuron8 | Output8] = [*network.neurons, *network.outputs]
    for neuron in every:
        parts = (neuron.inputs, neuron.input_weights), (neuron.neurons, neuron.neuron_weights)
        for places, weights in parts:
            found, count = edge_bytes(places, weights, network.bits)
            edges += found
            counts.append(count)
    if max(counts) >= 2**16:
        raise ExportError(f"a neuron has {max(counts):,} edges, more than the {2**16 - 1:,} of a loop; use float")
    inputs, neurons, outputs = network.inputs, network.neurons, network.outputs
    kinds = sorted(network.tables)
    looked_up = [kinds.index(neuron.kind) + 1 if neuron.kind >= 0 else 0 for neuron in neurons]
    tables = {
        "edges": ("uint8_t", edges or [0]),
        "counts": (_narrow(counts), counts),
        "bias": (_narrow([neuron.bias for neuron in every]), [neuron.bias for neuron in every]),
    }
    if neurons:
        tables["shift"] = "uint8_t", [neuron.shift for neuron in neurons]
    if any(output.factor != 1 for output in outputs):
        factors = [output.factor for output in outputs]
        tables["factor"] = _narrow(factors), factors
    if len(set(looked_up)) > 1:
        tables["kind"] = "uint8_t", looked_up
    if kinds:
        tables["values"] = "uint8_t", [int(value) for kind in kinds for value in network.tables[kind]]
    if inputs.kind != "uint8_t":
        if inputs.used.size < inputs.fraction.size:
            tables["input"] = _narrow(inputs.used.tolist()), inputs.used.tolist()
        tables["low"] = inputs.kind, inputs.low.tolist()
        tables["span"] = "uint16_t", inputs.span.tolist()
        tables["factor_in"] = "uint16_t", inputs.factor.tolist()
        tables["shift_in"] = "uint8_t", inputs.shift.tolist()
    return tables


def _narrow(values: Iterable[int]) -> str:
    """The smallest type that holds all values."""
    low, high = min(values, default=0), max(values, default=0)
    if low >= 0 and high < 2**8:
        return "uint8_t"
    if low >= 0 and high < 2**16:
        return "uint16_t"
    return "int16_t" if low >= -(2**15) and high < 2**15 else "int32_t"


def integer_source(program: Program, network: IntegerNetwork, prefix: str, vectors: np.ndarray) -> tuple[str, str]:
    """Header and source; ``vectors`` (vectors, inputs) are raw features for the self-test."""
    capitals, inputs = prefix.upper(), network.inputs
    notes = [*_notes(program, network, prefix), *row_note(program, prefix)]
    top = banner(program, form=f"int{network.bits}", notes=notes)
    declaration = f"int {prefix}_predict(const {inputs.kind} *inputs, int32_t *outputs)"
    fractions = inputs.fraction.tolist()
    public = ["#include <stdint.h>", "", *sizes(program, prefix)]
    public += ["/* What 1 in an output is worth. */", f"#define {capitals}_UNIT {network.unit!r}", ""]
    if any(fractions):
        public += [
            "/* Bits after the point of each feature, as initial values of an array. */",
            f"#define {capitals}_FRACTIONS {{{', '.join(map(str, fractions))}}}",
            "",
        ]
    header = guarded(prefix, [*top, *extern_c([*public, f"{declaration};", *row_header(program, prefix, inputs)])])
    tables = tables_of(network)
    readers = sorted({_READERS[kind] for kind, _ in tables.values()})
    lines = [*top, f'#include "{prefix}.h"', "", *rom_macros(capitals, readers)]
    for name, (kind, values) in tables.items():
        lines += table(f"static const {kind} {prefix}_{name}[{len(values)}] {capitals}_ROM", map(str, values))
    lines += ["", *_dot(prefix, network.bits)]
    lines += [declaration, "{", *_body(program, network, prefix, tables), "}", ""]
    lines += row_source(program, prefix, inputs)
    fixed = inputs.fixed(vectors)
    lines += _selftest(prefix, inputs.kind, fixed, network.run(fixed))
    return header, "\n".join(lines)


def _notes(program: Program, network: IntegerNetwork, prefix: str) -> list[str]:
    inputs, count = network.inputs, len(network.outputs)
    if inputs.kind == "uint8_t":
        how = "whole numbers from 0 to 255, as they were measured"
    elif inputs.fraction.any():
        how = f"in fixed point: a feature times 2 to the power of its entry in {prefix.upper()}_FRACTIONS, rounded"
    else:
        how = "whole numbers, as they were measured"
    task = program.scaling.task
    if task == "classification":
        what = f"gives {count} scores and returns the number of the highest one"
    else:
        meant = "targets in their own units" if task else "outputs"
        what = f"gives {count} {meant} in steps of {prefix.upper()}_UNIT; it returns 0"
    return [
        f"int {prefix}_predict(const {inputs.kind} *inputs, int32_t *outputs) reads {program.n_inputs} features, "
        f"{how}. "
        f"It {what}. Only integers are computed with, of at most 32 bits."
    ]


def _dot(prefix: str, bits: int) -> list[str]:
    """The sum over some edges."""
    read = f"{prefix.upper()}_READ_BYTE"
    lines = [
        "/* acc plus the sum over some edges; moves on to the edges after these. */",
        f"static int32_t {prefix}_sum(int32_t acc, const uint8_t *value, const uint8_t **edges, uint16_t count)",
        "{",
        "    const uint8_t *edge = *edges;",
        "    for (; count != 0U; count--) {",
    ]
    if bits == 8:
        lines += [
            f"        value += {read}(edge);",
            f"        acc += (int16_t)((int8_t){read}(edge + 1) * *value);",
            "        edge += 2;",
        ]
    else:
        step = "{}" if bits == 4 else f"{{}} & {longest_step(bits)}"
        low = "" if bits == 4 else f" | (({{}} >> 4) & {16 - 2 ** (8 - bits)})"
        lines += [
            f"        const uint8_t first = {read}(edge);",
            f"        const uint8_t second = {read}(edge + 1);",
            f"        const uint8_t both = {read}(edge + 2);",
            f"        value += {step.format('first')};",
            f"        acc += (int16_t)(((((both << 4) & 240){low.format('first')}) - 128) * *value);",
            f"        value += {step.format('second')};",
            f"        acc += (int16_t)((((both & 240){low.format('second')}) - 128) * *value);",
            "        edge += 3;",
        ]
    return [*lines, "    }", "    *edges = edge;", "    return acc;", "}", ""]


def _body(program: Program, network: IntegerNetwork, prefix: str, tables: dict[str, Table]) -> list[str]:
    neurons, outputs, inputs = network.neurons, network.outputs, network.inputs
    total = len(neurons) + len(outputs)

    def read(name: str, at: str) -> str:
        kind = tables[name].kind
        found = f"{prefix.upper()}_READ_{_READERS[kind].upper()}(&{prefix}_{name}[{at}])"
        return found if kind.startswith("u") else f"({kind}){found}"

    most = max(2 * total, inputs.used.size)
    index = "uint8_t" if most < 2**8 else "uint16_t" if most < 2**16 else "uint32_t"
    lines = [f"    uint8_t value[{max(len(neurons), 1)}];"]
    given = "inputs"
    if inputs.kind != "uint8_t":
        lines.append(f"    uint8_t given[{max(inputs.used.size, 1)}];")
        given = "given"
    lines += [f"    const uint8_t *edge = {prefix}_edges;", f"    {index} i;"]
    if program.scaling.task == "classification":
        lines.append(f"    {'uint8_t' if len(outputs) < 256 else 'uint16_t'} best = 0;")
    lines.append("")
    if inputs.kind != "uint8_t" and inputs.used.size:
        lines += _staged(inputs.kind, inputs.used.size, read, "input" in tables)
    lines.append("    value[0] = 0;")  # the first neuron reads none of them, which a compiler may not see
    if not inputs.used.size:
        lines.append("    (void)inputs;" if given == "inputs" else "    (void)inputs;\n    given[0] = 0;")
    lines += [
        f"    for (i = 0; i < {total}U; i++) {{",
        f"        int32_t acc = {read('bias', 'i')};",
        f"        acc = {prefix}_sum(acc, {given}, &edge, {read('counts', '2U * i')});",
        f"        acc = {prefix}_sum(acc, value, &edge, {read('counts', '2U * i + 1U')});",
    ]
    emitted = [f"            {text}" for text in _emitted(network, tables, read)] if neurons else []
    answer = ["outputs[o] = acc;"]
    if "factor" in tables:
        answer = [f"outputs[o] = acc * (int32_t){read('factor', 'o')};"]
    if program.scaling.task == "classification":
        answer += ["if (outputs[o] > outputs[best]) {", "    best = o;", "}"]
    if neurons:
        lines += [f"        if (i < {len(neurons)}U) {{", *emitted, "        } else {"]
        own = "uint8_t" if len(outputs) < 256 else "uint16_t"
        lines += [f"            const {own} o = ({own})(i - {len(neurons)}U);", *(f"            {a}" for a in answer)]
        lines.append("        }")
    else:
        lines += [f"        {text.replace('[o]', '[i]').replace('= o;', '= i;')}" for text in answer]
    lines.append("    }")
    return [*lines, "    return best;" if program.scaling.task == "classification" else "    return 0;"]


def _staged(kind: str, count: int, read: Callable[[str, str], str], chosen: bool) -> list[str]:
    """Features to bytes."""
    at = f"inputs[{read('input', 'i')}]" if chosen else "inputs[i]"
    # The difference of two int32_t needs no more than 32 bits once it is known to lie within the span.
    return [
        f"    for (i = 0; i < {count}U; i++) {{",
        f"        const {kind} x = {at};",
        f"        const {kind} low = {read('low', 'i')};",
        "        if (x <= low) {",
        "            given[i] = 0;",
        "        } else {",
        "            const uint32_t above = (uint32_t)x - (uint32_t)low;",
        f"            const uint16_t span = {read('span', 'i')};",
        "            if (above >= span) {",
        "                given[i] = 255;",
        "            } else {",
        f"                const uint8_t shift = {read('shift_in', 'i')};",
        f"                const uint32_t scaled = above * {read('factor_in', 'i')} + (((uint32_t)1 << shift) >> 1);",
        "                given[i] = (uint8_t)(scaled >> shift);",
        "            }",
        "        }",
        "    }",
    ]


def _emitted(network: IntegerNetwork, tables: dict[str, Table], read: Callable[[str, str], str]) -> Sequence[str]:
    """From a sum to the byte of a neuron."""
    kinds = sorted(network.tables)
    wrapping = [number for number, kind in enumerate(kinds, 1) if wraps(kind)]
    clamp = [
        "if (acc < 0) {",
        "    acc = 0;",
        "} else {",
        f"    acc >>= {read('shift', 'i')};",
        "    if (acc > 255) {",
        "        acc = 255;",
        "    }",
        "}",
    ]
    wrap = f"acc = (int32_t)(((uint32_t)acc >> {read('shift', 'i')}) & 255U);"
    mixed = "kind" in tables
    lines = []
    if mixed:
        lines.append(f"const uint8_t kind = {read('kind', 'i')};")
    if wrapping and mixed:
        inner = [f"    {text}" for text in clamp]
        lines += [f"if (kind == {wrapping[0]}U) {{", f"    {wrap}", "} else {", *inner, "}"]
    else:
        lines += [wrap] if wrapping else clamp
    if not kinds:
        return [*lines, "value[i] = (uint8_t)acc;"]
    at = "(uint16_t)(256U * (kind - 1U) + (uint16_t)acc)" if mixed else "(uint8_t)acc"
    looked_up = f"value[i] = {read('values', at)};"
    if not mixed or all(neuron.kind >= 0 for neuron in network.neurons):
        return [*lines, looked_up]
    return [*lines, "if (kind == 0U) {", "    value[i] = (uint8_t)acc;", "} else {", f"    {looked_up}", "}"]


def _selftest(prefix: str, kind: str, fixed: np.ndarray, outputs: np.ndarray) -> list[str]:
    """Test vectors, and a ``main`` that counts those which the file does not reproduce exactly."""

    def rows(values: np.ndarray) -> list[str]:
        return ["{" + ", ".join(map(str, row)) + "}" for row in values.tolist()]

    return selftest(
        prefix,
        (kind, fixed, rows(fixed)),
        ("int32_t", outputs, rows(outputs)),
        [f"(void){prefix}_predict({prefix}_test_inputs[i], outputs);"],
        [f"if (outputs[k] != {prefix}_test_outputs[i][k]) {{", "    bad = 1;", "}"],
    )
