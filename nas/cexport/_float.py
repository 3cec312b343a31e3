"""The form ``float``: unrolled, one statement a neuron, which is the fastest; or tables and a loop, which is small.

Sums are written in groups of four products, because a compiler must add in the order that is written: a chain of ten
additions would wait ten times for its last result, three chains side by side only six times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import numpy as np
import torch

from nas.cexport._program import Neuron, Program
from nas.cexport._slots import Slots
from nas.cexport._text import WIDTH, literal, table
from nas.engine import activation_function, activation_named
from nas.engine.formulas import C
from nas.recurrent import LSTM

__all__ = [
    "activation_lines",
    "activation_of",
    "applied",
    "input_expressions",
    "needs_math",
    "tables_body",
    "unrolled_body",
]

_GROUP: Final = 4
_MATH: Final = ("expf", "logf", "tanhf", "sinf", "cosf")
_READERS: Final = {"uint8_t": "byte", "uint16_t": "word", "float": "float"}


def needs_math(program: Program) -> bool:
    """Whether ``math.h`` is needed."""
    return LSTM in program.activations or any(
        word in C.text(activation_named(name).value) for name in program.activations for word in _MATH
    )


def activation_lines(prefix: str, program: Program) -> list[str]:
    """The functions of the activations in use."""
    names = dict.fromkeys((*program.activations, *(("sigmoid", "tanh") if LSTM in program.activations else ())))
    lines = []
    for name in names:
        if name not in ("identity", LSTM):
            formula = C.text(activation_named(name).value)
            lines += [f"static float {prefix}_{name}(float x)", "{", f"    return {formula};", "}", ""]
    return lines


def activation_of(prefix: str, name: str, argument: str) -> str:
    """The call of an activation."""
    return argument if name == "identity" else f"{prefix}_{name}({argument})"


def applied(name: str, z: np.ndarray) -> np.ndarray:
    """The activation of numbers in float64."""
    found: np.ndarray = activation_function(name)(torch.from_numpy(np.ascontiguousarray(z))).numpy()
    return found


def input_expressions(mean: np.ndarray, scale: np.ndarray, name: Callable[[int], str]) -> list[str]:
    """What each input is, of its raw value: (raw - mean) / scale."""
    return [_scaled(name(k), float(mean[k]), float(scale[k])) for k in range(mean.size)]


def _scaled(raw: str, mean: float, scale: float) -> str:
    high = float(np.float32(mean))
    low = mean - high
    found = raw
    if high:
        found += f" {_minus(high)}"
    if abs(low) > 1e-6 * scale:  # a feature far from 0 that varies little: float32 does not hold its mean
        found += f" {_minus(low)}"
    if scale == 1.0:
        return found
    return f"({found}) * {literal(1 / scale)}" if found != raw else f"{raw} * {literal(1 / scale)}"


def _minus(value: float) -> str:
    return f"- {literal(value)}" if value > 0 else f"+ {literal(-value)}"


def unrolled_body(prefix: str, program: Program, inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Statements that compute all neurons, and what then holds the value of each output (memory included).

    Args:
        inputs: expression of each input and, after them, of the memory.
    """
    read = np.unique(np.concatenate([np.zeros(0, np.int64), *(neuron.sources for neuron in program.neurons)]))
    lines = [f"    const float x{k} = {inputs[k]};" for k in read if k < program.first]
    cell = 0
    for number, neuron in enumerate(program.neurons, program.first):
        if neuron.activation == LSTM:
            lines += _lstm(prefix, number, cell, neuron, program.first)
            cell += 1
        else:
            lines += _statement(
                f"h{number}",
                _terms(neuron.weights, neuron.sources, program.first),
                neuron.bias,
                partial(activation_of, prefix, neuron.activation),
            )
    return lines, [f"h{number}" for number in program.outputs]


def _terms(weights: np.ndarray, sources: np.ndarray, first: int) -> list[tuple[float, str]]:
    return [
        (float(weight), f"{'x' if source < first else 'h'}{source}")
        for weight, source in zip(weights, sources, strict=True)
    ]


def _statement(name: str, terms: list[tuple[float, str]], bias: float, wrap: Callable[[str], str]) -> list[str]:
    """``const float name = activation(bias + Σ weight * value);`` in lines of bearable length."""
    chunks = []
    if bias or not terms:
        chunks.append(literal(bias))
    for begin in range(0, len(terms), _GROUP):
        group = terms[begin : begin + _GROUP]
        text = f"{literal(group[0][0])} * {group[0][1]}"
        for weight, value in group[1:]:
            text += f" {'-' if weight < 0 else '+'} {literal(abs(weight))} * {value}"
        chunks.append(f"({text})" if len(terms) > _GROUP and len(group) > 1 else text)
    whole = f"    const float {name} = {wrap(' + '.join(chunks))};"
    if len(whole) <= WIDTH:
        return [whole]
    opening, closing = wrap("|").split("|")
    lines = [
        f"    const float {name} = {opening}".rstrip(),
        *(f"        {'+ ' if k else ''}{c}" for k, c in enumerate(chunks)),
    ]
    lines[-1] += f"{closing};"
    return lines


def _lstm(prefix: str, number: int, cell: int, neuron: Neuron, first: int) -> list[str]:
    """See `nas.recurrent.kernels` for the equations."""
    assert neuron.gates is not None and neuron.recurrent is not None and neuron.gate_bias is not None
    lines = []
    weights = [*neuron.gates.T, neuron.weights]
    biases = [*neuron.gate_bias.tolist(), neuron.bias]
    for name, column, own, bias in zip(("i", "f", "o", "g"), weights, neuron.recurrent, biases, strict=True):
        terms = [*_terms(column, neuron.sources, first), (float(own), f"state->last[{cell}]")]
        function = "tanh" if name == "g" else "sigmoid"
        lines += _statement(f"{name}{number}", terms, bias, partial(activation_of, prefix, function))
    inner = f"f{number} * state->inner[{cell}] + i{number} * g{number}"
    lines.append(f"    const float c{number} = {inner};")
    lines.append(f"    const float h{number} = o{number} * {prefix}_tanh(c{number});")
    return lines


def tables_body(prefix: str, program: Program) -> tuple[list[str], list[str], int]:
    """Tables of all neurons, statements of a loop over them, and how many numbers its working memory holds.

    The loop leaves the outputs in ``outputs``, unscaled.
    """
    slots = Slots.of(program)
    scaling, used = program.scaling, program.used_inputs
    index = _unsigned(max(slots.count, program.n_inputs, 1))
    degrees = [neuron.sources.size for neuron in program.neurons]
    counts = _unsigned(max(degrees))
    words = program.activations
    places = {int(output): k for k, output in enumerate(program.outputs)}
    hidden = [number for number in range(program.first, program.first + len(program.neurons)) if number not in places]
    order = [*hidden, *program.outputs]  # outputs last, in their order
    neurons = [program.neurons[number - program.first] for number in order]
    sources = [str(slots.place[source]) for neuron in neurons for source in neuron.sources.tolist()]
    weights = [literal(weight) for neuron in neurons for weight in neuron.weights.tolist()]

    def rom(kind: str, name: str, values: Sequence[str]) -> list[str]:
        return [*table(f"static const {kind} {prefix}_{name}[{len(values)}] {prefix.upper()}_ROM", values), ""]

    def read(kind: str, name: str, at: str) -> str:
        return f"{prefix.upper()}_READ_{_READERS[kind].upper()}(&{prefix}_{name}[{at}])"

    scaled = bool((scaling.mean[used] != 0).any() or (scaling.scale[used] != 1).any())
    low = scaling.mean - scaling.mean.astype(np.float32)
    fine = bool((np.abs(low[used]) > 1e-6 * scaling.scale[used]).any())
    tables = rom("float", "weight", weights or ["0.0f"]) + rom(index, "source", sources or ["0"])
    tables += rom(counts, "degree", [str(neuron.sources.size) for neuron in neurons])
    tables += rom("float", "bias", [literal(neuron.bias) for neuron in neurons])
    if hidden:
        tables += rom(index, "place", [str(slots.place[number]) for number in hidden])
    one_word = len({neuron.activation for neuron in neurons[: len(hidden)]}) <= 1
    if not one_word:
        tables += rom("uint8_t", "kind", [str(words.index(neuron.activation)) for neuron in neurons[: len(hidden)]])
    if used.size and used.size < program.n_inputs:
        tables += rom(index, "input", [str(k) for k in used])
    if scaled:
        tables += rom("float", "mean", [literal(value) for value in scaling.mean[used]])
        tables += rom("float", "rate", [literal(1 / value) for value in scaling.scale[used]])
    if fine:
        tables += rom("float", "mean_rest", [literal(value) for value in low[used]])

    body = [
        f"    float value[{max(slots.count, 1)}];",
        f"    {_unsigned(program.n_edges + 1)} edge = 0;",
        f"    {_unsigned(max(len(neurons), program.n_inputs) + 1)} i;",
        "",
    ]
    if used.size:
        raw = f"inputs[{read(index, 'input', 'i')}]" if used.size < program.n_inputs else "inputs[i]"
        if scaled:
            raw = f"({raw} - {read('float', 'mean', 'i')}{' - ' + read('float', 'mean_rest', 'i') if fine else ''})"
            raw += f" * {read('float', 'rate', 'i')}"
        body += [f"    for (i = 0; i < {used.size}; i++) {{", f"        value[i] = {raw};", "    }"]
    body += [
        f"    for (i = 0; i < {len(neurons)}; i++) {{",
        f"        float z = {read('float', 'bias', 'i')};",
        f"        {counts} left = {read(counts, 'degree', 'i')};",
        "        for (; left != 0; left--) {",
        f"            z += {read('float', 'weight', 'edge')} * value[{read(index, 'source', 'edge')}];",
        "            edge++;",
        "        }",
    ]
    output_words = [program.neurons[output - program.first].activation for output in program.outputs]
    if hidden:
        word = neurons[0].activation
        own = activation_of(prefix, word, "z") if one_word else f"{prefix}_activated({read('uint8_t', 'kind', 'i')}, z)"
        body += [
            f"        if (i < {len(hidden)}) {{",
            f"            value[{read(index, 'place', 'i')}] = {own};",
            "        } else {",
            f"            outputs[i - {len(hidden)}] = z;",
            "        }",
            "    }",
        ]
    else:
        body += ["        outputs[i] = z;", "    }"]
    for k, word in enumerate(output_words):
        if word != "identity":
            body.append(f"    outputs[{k}] = {activation_of(prefix, word, f'outputs[{k}]')};")
    chooser: list[str] = []
    if hidden and not one_word:
        inner = sorted({words.index(neuron.activation) for neuron in neurons[: len(hidden)]})
        chooser = [f"static float {prefix}_activated(uint8_t kind, float z)", "{", "    switch (kind) {"]
        for code in inner[:-1]:
            chooser += [f"    case {code}:", f"        return {activation_of(prefix, words[code], 'z')};"]
        chooser += ["    default:", f"        return {activation_of(prefix, words[inner[-1]], 'z')};", "    }", "}", ""]
    return [*tables, *chooser], body, slots.count


def _unsigned(most: int) -> str:
    return "uint8_t" if most < 2**8 else "uint16_t" if most < 2**16 else "uint32_t"
