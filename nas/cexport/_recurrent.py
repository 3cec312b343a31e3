"""Networks with memory: a step as one function on a state, and a whole row of steps where their number is known."""

from __future__ import annotations

import numpy as np

from nas.cexport import _float
from nas.cexport._common import answer, extern_c, float_selftest, raw_rows, sizes, unit
from nas.cexport._program import Memory, Program
from nas.cexport._text import banner, guarded, literal, table
from nas.recurrent import LSTM

__all__ = ["evaluate_sequences", "recurrent_source"]


def recurrent_source(program: Program, prefix: str, vectors: np.ndarray) -> tuple[str, str]:
    """Header and source.

    A record scales each number of a row. Where it does so alike in all steps, a step reads and gives raw numbers, and
    is public; else only whole rows are.
    """
    memory = program.memory
    assert memory is not None
    steps, scaling = memory.time or 1, program.scaling
    ends = steps if memory.every else 1
    alike = _alike(scaling.mean, steps) and _alike(scaling.scale, steps)
    alike = alike and _alike(scaling.target_mean, ends) and _alike(scaling.target_scale, ends)
    top = banner(program, form="float, unrolled", notes=_notes(program, prefix, memory, alike))
    cells = sum(neuron.activation == LSTM for neuron in program.neurons)
    fields = [("memory", memory.size), ("last", cells), ("inner", cells)]
    state = [f"    float {name}[{size}];" for name, size in fields if size]
    public = [
        *sizes(program, prefix),
        "/* What is carried from step to step. */",
        "typedef struct {",
        *(state or ["    char none;"]),
        f"}} {prefix}_state;",
        "",
        f"void {prefix}_reset({prefix}_state *state);",
    ]
    if alike:
        public.append(f"int {prefix}_step({prefix}_state *state, const float *inputs, float *outputs);")
    if memory.time is not None:
        public.append(f"int {prefix}_predict(const float *inputs, float *outputs);")
    header = guarded(prefix, [*top, *extern_c(public)])
    lines = [*top, f'#include "{prefix}.h"', "", "#include <math.h>", ""]
    lines += [*_float.activation_lines(prefix, program), *_reset(prefix, memory, cells)]
    lines += [*_advance(prefix, program, memory), ""]
    if alike:
        lines += _step(prefix, program)
    if memory.time is not None:
        lines += _predict(prefix, program, memory, alike)
        lines += float_selftest(prefix, vectors, _expected(program, vectors))
    return header, "\n".join(lines)


def _notes(program: Program, prefix: str, memory: Memory, alike: bool) -> list[str]:
    notes = []
    if alike:
        notes.append(
            f"It has a memory: {prefix}_reset(&state) once, then {prefix}_step(&state, inputs, outputs) at every step, "
            f"which reads {program.n_inputs} raw features and gives {program.n_outputs} outputs."
        )
    if memory.time is not None:
        count = memory.time * program.n_outputs if memory.every else program.n_outputs
        what = "of all steps" if memory.every else "of the last step"
        notes.append(
            f"int {prefix}_predict(inputs, outputs) runs the {memory.time} steps of a row of "
            f"{memory.time * program.n_inputs} raw features and gives {count} outputs, those {what}."
        )
    return notes


def _alike(values: np.ndarray, steps: int) -> bool:
    rows = values.reshape(steps, -1)
    return bool((rows == rows[0]).all())


def _reset(prefix: str, memory: Memory, cells: int) -> list[str]:
    lines = [f"void {prefix}_reset({prefix}_state *state)", "{"]
    lines += [f"    state->memory[{k}] = {literal(value)};" for k, value in enumerate(memory.initial)]
    for k in range(cells):
        lines += [f"    state->last[{k}] = 0.0f;", f"    state->inner[{k}] = 0.0f;"]
    return [*lines, *([] if len(lines) > 2 else ["    state->none = 0;"]), "}", ""]


def _advance(prefix: str, program: Program, memory: Memory) -> list[str]:
    """A step on scaled inputs."""
    names = [f"inputs[{k}]" for k in range(program.n_inputs)] + [f"state->memory[{k}]" for k in range(memory.size)]
    body, values = _float.unrolled_body(prefix, program, names)
    after = [f"    outputs[{k}] = {value};" for k, value in enumerate(values[: program.n_outputs])]
    after += [
        f"    state->memory[{k}] = {_float.activation_of(prefix, memory.activation, value)};"
        for k, value in enumerate(values[program.n_outputs :])
    ]
    cells = [number for number, neuron in enumerate(program.neurons, program.first) if neuron.activation == LSTM]
    for k, number in enumerate(cells):
        after += [f"    state->last[{k}] = h{number};", f"    state->inner[{k}] = c{number};"]
    unused = [] if program.used_inputs.size else ["    (void)inputs;"]
    unused += [] if memory.size or cells else ["    (void)state;"]
    declaration = f"static void {prefix}_advance({prefix}_state *state, const float *inputs, float *outputs)"
    return [declaration, "{", *unused, *body, *after, "}"]


def _step(prefix: str, program: Program) -> list[str]:
    scaling, width, count = program.scaling, program.n_inputs, program.n_outputs
    inputs = _float.input_expressions(scaling.mean[:width], scaling.scale[:width], lambda k: f"inputs[{k}]")
    lines = [f"int {prefix}_step({prefix}_state *state, const float *inputs, float *outputs)", "{"]
    lines.append(f"    float scaled[{width}];")
    lines += [f"    scaled[{k}] = {text};" for k, text in enumerate(inputs)]
    lines.append(f"    {prefix}_advance(state, scaled, outputs);")
    lines += [
        f"    outputs[{k}] = {unit(f'outputs[{k}]', scaling.target_mean[k], scaling.target_scale[k])};"
        for k in range(count)
        if (scaling.target_mean[k], scaling.target_scale[k]) != (0.0, 1.0)
    ]
    return [*lines, *answer(program, count), "}", ""]


def _predict(prefix: str, program: Program, memory: Memory, alike: bool) -> list[str]:
    """All steps of a row."""
    scaling, width, count, steps = program.scaling, program.n_inputs, program.n_outputs, memory.time
    assert steps is not None
    given = f"outputs + i * {count}" if memory.every else "outputs"
    total = count * steps if memory.every else count
    lines: list[str] = []
    if not alike:
        rows = {"mean": scaling.mean, "rate": 1 / scaling.scale}
        rows |= {"target_mean": scaling.target_mean, "target_scale": scaling.target_scale}
        for name, values in rows.items():
            lines += table(f"static const float {prefix}_{name}[{values.size}]", [literal(value) for value in values])
        lines.append("")
    lines += [f"int {prefix}_predict(const float *inputs, float *outputs)", "{", f"    {prefix}_state state;"]
    lines += ["    int i;"] if alike else ["    int i;", "    int k;"]
    lines += [f"    {prefix}_reset(&state);", f"    for (i = 0; i < {steps}; i++) {{"]
    if alike:
        lines += [f"        (void){prefix}_step(&state, inputs + i * {width}, {given});", "    }"]
    else:
        at = f"i * {width} + k"
        lines += [
            f"        float scaled[{width}];",
            f"        for (k = 0; k < {width}; k++) {{",
            f"            scaled[k] = (inputs[{at}] - {prefix}_mean[{at}]) * {prefix}_rate[{at}];",
            "        }",
            f"        {prefix}_advance(&state, scaled, {given});",
            "    }",
            f"    for (k = 0; k < {total}; k++) {{",
            f"        outputs[k] = outputs[k] * {prefix}_target_scale[k] + {prefix}_target_mean[k];",
            "    }",
        ]
    return [*lines, *answer(program, total), "}", ""]


def _expected(program: Program, vectors: np.ndarray) -> np.ndarray:
    scaling = program.scaling
    values = evaluate_sequences(program, (vectors - scaling.mean) / scaling.scale)
    found: np.ndarray = values * scaling.target_scale + scaling.target_mean
    return found


def evaluate_sequences(program: Program, x: np.ndarray) -> np.ndarray:
    """(samples, outputs of a row) of scaled rows (samples, steps * inputs) in float64."""
    memory = program.memory
    assert memory is not None
    cells = sum(neuron.activation == LSTM for neuron in program.neurons)
    held = np.tile(memory.initial, (len(x), 1))
    last, inner = np.zeros((len(x), cells)), np.zeros((len(x), cells))
    found = []
    for row in np.split(x, x.shape[1] // program.n_inputs, axis=1):
        values = raw_rows(program, np.concatenate([row, held], axis=1), last, inner)
        found.append(values[:, : program.n_outputs])
        held = _float.applied(memory.activation, values[:, program.n_outputs :])
    return np.concatenate(found if memory.every else found[-1:], axis=1)
