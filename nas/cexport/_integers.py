"""Networks in integers: what the C code of the form ``int8`` computes, bit for bit, as a value with a method `run`.

Every value is one byte v that stands for a·v + b, with a and b of its own. A neuron sums in 32 bits

    acc = B + Σ w_e v_e        w_e = round(weight_e · a_source / t) within ± 127; of b bits: a multiple of 2^(8-b)

where B takes up all offsets, and t, its weight step, is chosen so that the step of what it looks up or emits is t·2^k:
a shift by k bits is all the rescaling there is, no multiplication. What comes out is clamped to 0…255. That is the
value itself where the neuron is linear or rectified; else it is the place in a table of 256 bytes that all neurons of
an activation share. Sums of outputs are scaled to one unit, and stay 32 bits wide.

Symbols:
    a, b      (values,) step and offset of each input's and neuron's byte
    t         weight step of a neuron; u = t·2^k: step of its place in a table, or of its value
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from nas.engine import ACTIVATIONS, activation_named
from nas.errors import DataError

__all__ = ["TABLED", "Inputs8", "IntegerNetwork", "Neuron8", "Output8", "wraps"]

TABLED: Final = tuple(name for name in ACTIVATIONS if name not in ("identity", "relu"))  # the others are clamps


def wraps(kind: int) -> bool:
    """Whether a place in the table of that kind (a number in `TABLED`; -1: none) wraps around: sums have a period."""
    return kind >= 0 and activation_named(TABLED[kind]).periodic


@dataclass(frozen=True, slots=True, eq=False)
class Inputs8:
    """How fixed-point features become bytes.

    Attributes:
        kind: C type of an input: "uint8_t", used as it is; or "int16_t" or "int32_t", brought to a byte first.
        fraction: (inputs,) bits after the point of each feature; below 0: it is counted in 2, 4, … units.
        used: numbers of the features that the network reads, in the order of their bytes.
        low, span: (used,) what becomes 0, and how much above it becomes 255; factor, shift: (used,) the bytes are
            ((x - low) · factor + half) >> shift between these. Empty for "uint8_t".
    """

    kind: str
    fraction: np.ndarray
    used: np.ndarray
    low: np.ndarray
    span: np.ndarray
    factor: np.ndarray
    shift: np.ndarray

    def fixed(self, raw: np.ndarray) -> np.ndarray:
        """Raw features (samples, inputs) as the integers that the C code reads, int64."""
        raw = np.asarray(raw, dtype=np.float64)
        if raw.ndim != 2 or raw.shape[1] != self.fraction.size or not np.isfinite(raw).all():
            raise DataError(f"features must be finite, of shape (samples, {self.fraction.size}), not {raw.shape}")
        limits = np.iinfo(self.kind.removesuffix("_t"))
        found: np.ndarray = np.clip(np.rint(np.ldexp(raw, self.fraction)), limits.min, limits.max).astype(np.int64)
        return found

    def bytes(self, fixed: np.ndarray) -> np.ndarray:
        """(samples, inputs) integers as bytes (samples, inputs or used ones)."""
        if self.kind == "uint8_t":
            return fixed
        above = fixed[:, self.used] - self.low
        inside = np.clip(above, 0, self.span)
        found = (inside * self.factor + (1 << self.shift >> 1)) >> self.shift
        return np.where(above >= self.span, 255, np.minimum(found, 255))


@dataclass(frozen=True, slots=True, eq=False)
class Neuron8:
    """A neuron inside.

    Attributes:
        inputs, neurons: (·,) places of the bytes that it reads, of inputs and of neurons, ascending; input_weights,
            neuron_weights: (·,) their weights.
        bias: B, with half of 2^shift in it, so that shifting rounds.
        kind: place of its activation in `TABLED`; -1: the clamped sum is its value.
    """

    inputs: np.ndarray
    input_weights: np.ndarray
    neurons: np.ndarray
    neuron_weights: np.ndarray
    bias: int
    shift: int
    kind: int


@dataclass(frozen=True, slots=True, eq=False)
class Output8:
    """An output: its sum times ``factor``, a power of two, in units of the network. Otherwise as `Neuron8`."""

    inputs: np.ndarray
    input_weights: np.ndarray
    neurons: np.ndarray
    neuron_weights: np.ndarray
    bias: int
    factor: int


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNetwork:
    """A network in integers.

    Attributes:
        bits: of a weight, 8, 6, 5 or 4.
        unit: what 1 in an output is worth, in the target's unit or as a score.
        tables: 256 bytes of each activation of `TABLED` that is in use, by its place there.
    """

    bits: int
    inputs: Inputs8
    neurons: tuple[Neuron8, ...]
    outputs: tuple[Output8, ...]
    unit: float
    tables: dict[int, np.ndarray]

    def run(self, fixed: np.ndarray) -> np.ndarray:
        """Outputs (samples, outputs) int64, which fit 32 bits, of fixed-point features (see `Inputs8.fixed`)."""
        given = self.inputs.bytes(np.asarray(fixed, dtype=np.int64))
        values = np.zeros((len(given), len(self.neurons)), np.int64, order="F")
        for number, neuron in enumerate(self.neurons):
            values[:, number] = self.emitted(neuron, sums_of(neuron, given, values))
        columns = [sums_of(output, given, values) * output.factor for output in self.outputs]
        return np.stack(columns, axis=1)

    def emitted(self, neuron: Neuron8, sums: np.ndarray) -> np.ndarray:
        """The bytes of a neuron, of its sums."""
        if wraps(neuron.kind):
            place: np.ndarray = (sums >> neuron.shift) & 255
        else:
            place = np.minimum(np.maximum(sums, 0) >> neuron.shift, 255)
        found: np.ndarray = place if neuron.kind < 0 else self.tables[neuron.kind][place]
        return found

    def values(self, raw: np.ndarray) -> np.ndarray:
        """What the outputs mean: scores, or targets in their units, (samples, outputs), of raw features."""
        found: np.ndarray = self.run(self.inputs.fixed(raw)) * self.unit
        return found


def sums_of(neuron: Neuron8 | Output8, given: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(samples,) what a neuron sums up."""
    of_inputs: np.ndarray = given[:, neuron.inputs] @ neuron.input_weights
    of_neurons: np.ndarray = values[:, neuron.neurons] @ neuron.neuron_weights
    total: np.ndarray = of_inputs + of_neurons + neuron.bias
    return total
