"""Networks as plain C: the file and its header, put together."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from torch import nn

from nas._files import write_together
from nas.cexport import _float
from nas.cexport._columns import row_header, row_note, row_source
from nas.cexport._common import (
    answer,
    evaluate,
    extern_c,
    float_selftest,
    meaning,
    raw_samples,
    rom_macros,
    sizes,
    unit,
)
from nas.cexport._finish import finished
from nas.cexport._integer import integer_source
from nas.cexport._integers import IntegerNetwork
from nas.cexport._program import Program
from nas.cexport._quantise import quantised, thinned
from nas.cexport._recurrent import recurrent_source
from nas.cexport._text import banner, guarded, prefix_of
from nas.checkpoint import Predictor
from nas.errors import ExportError

__all__ = ["CSource", "Layout", "Precision", "c_source", "export_c", "integers_of"]

Layout = Literal["unrolled", "tables"]
Precision = Literal["float", "int8", "int6", "int5", "int4"]
UNROLLED_EDGES: Final = 5000  # up to which the float form is unrolled unless asked otherwise
_VECTORS: Final = 4  # of the self-test

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CSource:
    """A network as C99.

    Attributes:
        source: text of the ``.c`` file, which includes ``PREFIX.h``.
        header: text of that.
        prefix: of all names in them.
        n_outputs: numbers that a prediction writes.
        integers: what they compute, bit for bit, where the precision is one of integers; its `run` is the reference.
    """

    source: str
    header: str
    prefix: str
    n_outputs: int
    integers: IntegerNetwork | None = None

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write ``path`` and the header beside it, as ``.h``: both or none.

        Raises:
            OSError: a file cannot be written.
        """
        path = Path(path)
        own = self.source.replace(f'#include "{self.prefix}.h"', f'#include "{path.stem}.h"')
        write_together({path.with_suffix(".h"): self.header, path: own})


def export_c(
    network: nn.Module | Predictor,
    path: str | os.PathLike[str],
    *,
    precision: Precision = "float",
    layout: Layout | None = None,
    prefix: str | None = None,
    samples: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    finish: int = 0,
    seed: int = 0,
    record: Record | None = None,
) -> CSource:
    """Write a network as one C99 file and a header, which need nothing but ``math.h`` where an activation does.

    With precision int8, int6, int5 or int4 everything is integers, without any library: weights of so many bits, values
    of one byte, sums of 32 bits. Features are then read in fixed point: the header says with how many bits after the
    point, and what 1 in an output is worth. All else is as for floats:

    ``int PREFIX_predict(const float *inputs, float *outputs)`` reads raw features, as they were measured, and gives
    scores of the classes and returns the number of the best one, or gives targets in their own units and returns 0; it
    returns -1 where an output is no number. It uses no heap, no recursion and no global variable. A network with memory
    has a state besides: ``PREFIX_reset(&state)``, then ``PREFIX_step(&state, inputs, outputs)`` for every step. That of
    a table with categories, dates or missing values also has ``PREFIX_predict_row(&row, outputs)``, which reads a row
    as it was measured.
    Compiled with ``PREFIX_SELFTEST`` (in capitals) the file has a ``main`` that returns the number of test vectors
    that it does not reproduce.

    Args:
        network: `DAGModule`, `ManifoldNetwork`, `WiredModule`, `MaskedLinear`, `RecurrentDAG`, a `Predictor`, what
            `nas.load` returns, or ``nn.Sequential`` of the first four with Linear, BatchNorm1d and activations.
        path: ending in ``.c``; an existing file is replaced, as is the ``.h`` beside it.
        precision: "float", "int8", "int6", "int5" or "int4".
        layout: of floats: "unrolled" (one statement a neuron: fastest) or "tables" (a loop over tables: smallest); by
            default unrolled up to 5,000 edges. Networks with memory are unrolled, integers tables.
        prefix: of all names; by default the file's name.
        samples: (samples, n_inputs) raw features, such as those of the training data. Integers take their ranges from
            them, so these need them; floats take test vectors, which by default are drawn from the range of the
            training data.
        targets: of the samples: (samples,) numbers of the classes, or (samples, n_outputs) in their own units; for
            ``finish``.
        finish: of integers: steps of training in integers that follow the rounding, such as 3,000; 0: none. They are
            dropped where they did not help on a tenth of the samples, which they do not see.
        seed: of the order of samples in these steps.
        record: scaling, labels and origin, instead of the network's own ``record``.

    Returns:
        What was written.

    Raises:
        ExportError: the network is of another kind (one of layers, for example), or an option does not fit.
        OSError: a file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".c":
        raise ExportError(f"the path of a C file must end in .c, but is {path}")
    written = c_source(
        network,
        prefix_of(prefix, path),
        precision=precision,
        layout=layout,
        samples=samples,
        targets=targets,
        finish=finish,
        seed=seed,
        record=record,
    )
    written.write(path)
    return written


def c_source(
    network: nn.Module | Predictor,
    prefix: str = "net",
    *,
    precision: Precision = "float",
    layout: Layout | None = None,
    samples: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    finish: int = 0,
    seed: int = 0,
    record: Record | None = None,
) -> CSource:
    """What `export_c` writes."""
    if layout is not None and layout not in get_args(Layout):
        raise ExportError(f"layout must be one of {', '.join(get_args(Layout))}, but is {layout!r}")
    if precision not in get_args(Precision):
        raise ExportError(f"precision must be one of {', '.join(get_args(Precision))}, but is {precision!r}")
    prefix = prefix_of(prefix, Path())
    module = network.module if isinstance(network, Predictor) else network
    program = Program.of(module, record)
    if precision != "float":
        if samples is None:
            raise ExportError(f"{precision} takes its ranges from data; pass samples, such as the training data, raw")
        if layout == "unrolled":
            raise ExportError(f"{precision} is written as tables; leave layout out")
        rows = np.asarray(samples)
        integers = integers_of(program, rows, precision, targets, finish, seed)
        header, source = integer_source(program, integers, prefix, raw_samples(program, samples, _VECTORS))
        return CSource(source, header, prefix, program.n_outputs, integers)
    if finish:
        raise ExportError(f"finish trains integers, but precision is {precision}; leave it out")
    if program.memory is not None:
        if layout == "tables":
            raise ExportError("networks with memory are written unrolled; leave layout out")
        header, source = recurrent_source(program, prefix, raw_samples(program, samples, _VECTORS))
        return CSource(source, header, prefix, program.n_outputs)
    layout = layout or ("unrolled" if program.n_edges <= UNROLLED_EDGES else "tables")
    return _float_source(program, prefix, layout, raw_samples(program, samples, _VECTORS))


def integers_of(
    program: Program,
    samples: np.ndarray,
    precision: Precision,
    targets: ArrayLike | None = None,
    finish: int = 0,
    seed: int = 0,
) -> IntegerNetwork:
    """A network in integers, finished in ``finish`` steps; arguments and errors as of `export_c`."""
    found = quantised(program, raw_samples(program, thinned(samples)), int(precision.removeprefix("int")))
    if not finish:
        return found
    if finish < 0 or targets is None:
        raise ExportError(f"finish needs targets and at least one step, but there are {finish} steps")
    return finished(program, found, samples, np.asarray(targets), finish, seed)


def _float_source(program: Program, prefix: str, layout: Layout, vectors: np.ndarray) -> CSource:
    capitals, scaling = prefix.upper(), program.scaling
    count = program.n_outputs
    notes = [
        f"int {prefix}_predict(const float *inputs, float *outputs) reads {program.n_inputs} raw features and gives "
        + meaning(program),
        *row_note(program, prefix),
    ]
    top = banner(program, form=f"float, {layout}", notes=notes)
    row = row_header(program, prefix, None)
    header = guarded(
        prefix,
        [
            *top,
            *extern_c(
                [
                    *(["#include <stdint.h>", ""] if row else []),
                    *sizes(program, prefix),
                    f"int {prefix}_predict(const float *inputs, float *outputs);",
                    *row,
                ]
            ),
        ],
    )
    tables: list[str] = []
    if layout == "unrolled":
        inputs = _float.input_expressions(scaling.mean, scaling.scale, lambda k: f"inputs[{k}]")
        body, values = _float.unrolled_body(prefix, program, inputs)
        body += [f"    outputs[{k}] = {unit(value, scaling.target_mean[k], scaling.target_scale[k])};"
                 for k, value in enumerate(values)]  # fmt: skip
    else:
        tables, body, _ = _float.tables_body(prefix, program)
        body += [f"    outputs[{k}] = {unit(f'outputs[{k}]', scaling.target_mean[k], scaling.target_scale[k])};"
                 for k in range(count) if (scaling.target_mean[k], scaling.target_scale[k]) != (0.0, 1.0)]  # fmt: skip
    if not program.used_inputs.size:
        body.insert(0, "    (void)inputs;")
    lines = [*top, f'#include "{prefix}.h"', ""]
    if _float.needs_math(program):
        lines += ["#include <math.h>", ""]
    if layout == "tables":
        lines += ["#include <stdint.h>", "", *rom_macros(capitals, ("byte", "word", "float"))]
    lines += _float.activation_lines(prefix, program)
    lines += tables
    lines += [f"int {prefix}_predict(const float *inputs, float *outputs)", "{", *body]
    outputs = evaluate(program, (vectors - scaling.mean) / scaling.scale) * scaling.target_scale + scaling.target_mean
    lines += [*answer(program, count), "}", "", *row_source(program, prefix, None)]
    lines += float_selftest(prefix, vectors, outputs)
    return CSource("\n".join(lines), header, prefix, count)
