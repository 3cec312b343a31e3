"""What a network costs on a small chip, as 8-bit integers, without a compiler: bytes of flash and memory, cycles.

Tables are counted byte by byte. Code and cycles are a model, fitted to 24 networks of 8 to 88 neurons, of 8 and 4 bits,
with and without scaled inputs, tables of activations and labels. `_CODE` is that of a Cortex-M0 at -Os by gcc 12:
within 20 bytes, and 12 are added. `_CYCLES` are those of an ATmega1284P at -Os in simavr, for one sample: R² 0.983,
median error 5 %, largest 20 % (a rectified neuron whose sum is negative saves its shift, for example). What weights of
6 and 5 bits take beyond those of 4 was measured on three networks of 400 to 2,500 edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.cexport._integer import tables_of
from nas.cexport._integers import TABLED, IntegerNetwork
from nas.cexport._program import Program

__all__ = ["ChipCosts", "chip_costs", "costs_of_integers"]

_CODE: Final = {
    "all": 225, "pairs": 11, "split weights": 33, "scaled inputs": 86, "some inputs": 14, "mixed": 48, "labels": 11,
}  # fmt: skip
_CYCLES: Final = {
    "all": -160.0, "edge": 32.3, "pair": 89.0, "split pair": 13.4, "neuron": 191.5, "bit": 16.1, "input bit": 23.7,
}  # fmt: skip
_SHIFT, _INPUT_SHIFT = 8, 22  # bits by which sums and inputs are shifted, mostly


@dataclass(frozen=True, slots=True)
class ChipCosts:
    """Costs of one prediction by the integer form.

    Attributes:
        flash: bytes of code and tables on a Cortex-M0.
        ram: bytes of inputs, outputs and values.
        cycles: of an 8-bit AVR.
    """

    flash: int
    ram: int
    cycles: int


def chip_costs(program: Program, *, pixels: bool, classifies: bool) -> ChipCosts:
    """Costs of a network before it is brought to integers: at most so much flash and memory, about so many cycles.

    Args:
        program: without memory.
        pixels: whether its features are whole numbers from 0 to 255, scaled alike, so that they need no scaling.
        classifies: whether it returns the number of the highest score.
    """
    used, outputs = program.used_inputs, {*program.outputs}
    hidden = [k for k in range(program.first, program.first + len(program.neurons)) if k not in outputs]
    place = np.zeros(program.first + len(program.neurons), np.int64)
    place[used] = used if pixels else np.arange(used.size)
    place[hidden] = np.arange(len(hidden))
    counts = [count for neuron in program.neurons for count in _loops(neuron.sources, place, program.first)]
    words = {program.neurons[number - program.first].activation for number in hidden}
    looked_up = len(words & {*TABLED})
    mixed = looked_up > 1 or (looked_up == 1 and len(words - {*TABLED}) > 0)
    some = not pixels and used.size < program.n_inputs
    # Edges; counts, bias and perhaps factor of all, shift and perhaps kind of those inside; tables; inputs.
    flash = 2 * sum(counts) + (1 if max(counts) < 256 else 2) * len(counts) + 4 * len(program.neurons)
    flash += len(program.outputs) + (2 if mixed else 1) * len(hidden) + 256 * looked_up
    if not pixels:
        flash += used.size * (2 + 2 + 2 + 1 + (0 if not some else 1 if program.n_inputs <= 256 else 2))
    return _costs(
        flash,
        {
            "scaled inputs": int(not pixels),
            "some inputs": int(some),
            "mixed": int(mixed),
            "labels": int(classifies),
            "edge": sum(counts),
            "neuron": len(program.neurons),
            "bit": _SHIFT * len(hidden),
            "input bit": 0 if pixels else _INPUT_SHIFT * used.size,
        },
        (1 if pixels else 2) * program.n_inputs + 4 * len(program.outputs) + len(hidden) + (0 if pixels else used.size),
    )


def costs_of_integers(network: IntegerNetwork, *, classifies: bool) -> ChipCosts:
    """Costs of a network in integers; ``classifies`` as above."""
    tables = tables_of(network)
    scaled = network.inputs.kind != "uint8_t"
    used = network.inputs.used.size if scaled else 0
    width = {"uint8_t": 1, "int16_t": 2, "int32_t": 4}[network.inputs.kind]
    loops = sum(tables["counts"].values)
    pairs, split = network.bits < 8, network.bits in (6, 5)
    return _costs(
        sum(table.bytes for table in tables.values()),
        {
            "pairs": int(pairs),
            "split weights": int(split),
            "scaled inputs": int(scaled),
            "some inputs": int("input" in tables),
            "mixed": int("kind" in tables),
            "labels": int(classifies),
            "pair" if pairs else "edge": loops,
            "split pair": loops if split else 0,
            "neuron": len(network.neurons) + len(network.outputs),
            "bit": sum(neuron.shift for neuron in network.neurons),
            "input bit": int(network.inputs.shift.sum()),
        },
        width * network.inputs.fraction.size + 4 * len(network.outputs) + len(network.neurons) + used,
    )


def _costs(tables: int, work: Mapping[str, int], ram: int) -> ChipCosts:
    code = _CODE["all"] + sum(_CODE.get(name, 0) * count for name, count in work.items())
    cycles = _CYCLES["all"] + sum(_CYCLES.get(name, 0.0) * count for name, count in work.items())
    return ChipCosts(tables + code, ram, round(cycles))


def _loops(sources: np.ndarray, place: np.ndarray, first: int) -> tuple[int, int]:
    """Edges to inputs and to neurons, those that only step on among them (see `nas.cexport._integer`)."""
    given = np.sort(place[sources[sources < first]])
    inner = np.sort(place[sources[sources >= first]])
    one, other = (int(np.maximum(-(-np.diff(part, prepend=0) // 255), 1).sum()) for part in (given, inner))
    return one, other
