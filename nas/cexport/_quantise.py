"""From numbers to integers: ranges from samples, weights one after another so that each makes up for those before.

Rounding a weight changes what its neuron sums up. As in GPTQ (Frantar et al. 2022, arXiv:2210.17323) the weights that
are not rounded yet then move, so that the sums over the samples stay as near as they can; in-degrees of tens allow the
exact least-squares step. As in bias correction (Nagel et al. 2019, arXiv:1906.04721) the bias takes what is left on
average. Both go by the bytes that the neurons before really emit, so that errors do not add up unnoticed.

Symbols are those of `nas.cexport._integers`.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from nas.cexport._common import all_sums
from nas.cexport._float import applied
from nas.cexport._integers import TABLED, Inputs8, IntegerNetwork, Neuron8, Output8
from nas.cexport._program import Neuron, Program
from nas.engine import activation_named
from nas.errors import ExportError

__all__ = ["quantised", "thinned"]

_MOST_SAMPLES: Final = 2048
_CLIPS: Final = (1.0, 0.9, 0.8, 0.7, 0.6)  # shares of the largest sum at which a rectified neuron may be cut off
_LIMIT: Final = 2**30  # of sums: half of what 32 bits hold
_SMALLEST: Final = 1e-9
_LEAKY_ZERO: Final = 64  # place of 0 in the table of leaky_relu, which fits any scale
_SPAN: Final = 2**15  # fixed-point steps between the ends of a feature
_FINE: Final = 16
_DAMPING: Final = 0.01  # of the mean square of the bytes
_EXACT: Final = 512  # in-edges up to which weights are rounded in the light of each other


def quantised(program: Program, raw: np.ndarray, bits: int = 8) -> IntegerNetwork:
    """The network in integers.

    Args:
        raw: (samples, inputs) features as they were measured, from which ranges are taken.
        bits: of the weights, 8, 6, 5 or 4.

    Raises:
        ExportError: the network has memory, an output that is not linear, or numbers that 32 bits do not hold.
    """
    if program.memory is not None:
        raise ExportError("a network with memory is not written in integers; leave precision at float")
    for number in program.outputs:
        word = program.neurons[number - program.first].activation
        if word != "identity":
            raise ExportError(
                f"in integers outputs are linear, but one applies {word}; leave out the activation at the end"
            )
    return _Quantiser(program, thinned(raw), bits).network(bits)


def thinned(raw: np.ndarray) -> np.ndarray:
    """The rows of a large set of samples that ranges are taken from."""
    if len(raw) <= _MOST_SAMPLES:
        return raw
    found: np.ndarray = raw[np.linspace(0, len(raw) - 1, _MOST_SAMPLES).astype(int)]
    return found


class _Quantiser:
    """Goes through the neurons in order; ``bytes`` (samples, values) are what they emit in integers."""

    def __init__(self, program: Program, raw: np.ndarray, bits: int) -> None:
        self.program = program
        self.grain = 2 ** (8 - bits)  # weights are multiples of it: with few bits the sums still have fine steps
        self.most = 127 // self.grain * self.grain
        scaling = program.scaling
        self.sums, _ = all_sums(program, (raw - scaling.mean) / scaling.scale)
        self.inputs, step, offset = _inputs(program, raw)
        used, n = self.inputs.used, program.first + len(program.neurons)
        self.a, self.place = np.ones(n), np.full(n, -1)
        self.a[used] = step
        self.b = np.zeros(n)
        self.b[used] = offset
        self.place[used] = used if self.inputs.kind == "uint8_t" else np.arange(used.size)
        self.bytes = np.zeros((len(raw), n), order="F")
        self.bytes[:, used] = self.inputs.bytes(self.inputs.fixed(raw))[:, self.place[used]]
        outputs = {*program.outputs}
        self.hidden = [number for number in range(program.first, n) if number not in outputs]
        self.looked_up: dict[str, tuple[float, float]] = {}  # of each table: where it begins, and its step
        self.found: dict[str, tuple[float, float]] = {}  # a and b of what it holds

    def network(self, bits: int) -> IntegerNetwork:
        used = {self._at(number).activation for number in self.hidden}
        tables = {kind: self._table(name) for kind, name in enumerate(TABLED) if name in used}
        shell = IntegerNetwork(bits, self.inputs, (), (), 1.0, tables)
        neurons: list[Neuron8] = []
        for number in self.hidden:
            weights, bias, shift = self._neuron(number)
            name = self._at(number).activation
            neuron = Neuron8(*self._parts(number, weights), bias, shift, TABLED.index(name) if name in TABLED else -1)
            sums = self.bytes[:, self._at(number).sources] @ weights + bias
            self.bytes[:, number] = shell.emitted(neuron, sums.astype(np.int64))
            self.place[number] = len(neurons)
            neurons.append(neuron)
        outputs, unit = self._outputs()
        return IntegerNetwork(bits, self.inputs, tuple(neurons), outputs, unit, tables)

    def _at(self, number: int) -> Neuron:
        return self.program.neurons[number - self.program.first]

    def _table(self, name: str) -> np.ndarray:
        """256 bytes of an activation; sets what goes in and comes out."""
        if name == "leaky_relu":
            place = np.arange(256) - _LEAKY_ZERO
            leaky: np.ndarray = np.where(place >= 0, place + 1, np.rint(1 + 0.01 * place)).astype(np.int64)
            return leaky
        members = [number for number in self.hidden if self._at(number).activation == name]
        entry = activation_named(name)
        low, high = entry.bounds or (float(self.sums[:, members].min()), float(self.sums[:, members].max()))
        z: np.ndarray
        if entry.periodic:  # one period, however large its weights
            z = np.linspace(low, high, 256, endpoint=False)
        else:
            step = max((high - low) / 255, _SMALLEST, *(self._least(number) for number in members))
            z = 0.5 * (low + high) + step * (np.arange(256) - 127.5)
        y = applied(name, z)
        self.looked_up[name] = float(z[0]), float(z[1] - z[0])
        self.found[name] = max(float(np.ptp(y)), _SMALLEST) / 255, float(y.min())
        found: np.ndarray = np.rint((y - y.min()) / self.found[name][0]).astype(np.int64)
        return found

    def _least(self, number: int, factor: float = 1.0) -> float:
        """The smallest weight step that the largest weight of a neuron allows."""
        neuron = self._at(number)
        products = np.abs(neuron.weights * self.a[neuron.sources]) * factor
        return float(products.max()) / self.most if products.size else 0.0

    def _neuron(self, number: int) -> tuple[np.ndarray, int, int]:
        """Weights, bias and shift of a neuron; sets what its byte means."""
        name, sums, least = self._at(number).activation, self.sums[:, number], self._least(number)
        start = 0.0
        if name == "relu":
            u = max(_cut(sums), least, _SMALLEST)
            self.a[number] = u
        elif name == "identity":
            u, start = max(float(np.ptp(sums)) / 255, least, _SMALLEST), float(sums.min())
            self.a[number], self.b[number] = u, start
        elif name == "leaky_relu":
            u = max(float(sums.max()) / (255 - _LEAKY_ZERO), float(-sums.min()) / _LEAKY_ZERO, least, _SMALLEST)
            start = -_LEAKY_ZERO * u
            self.a[number], self.b[number] = u, -u
        else:
            start, u = self.looked_up[name]
            self.a[number], self.b[number] = self.found[name]
        if self.grain > 1 and least > 0 and name in ("relu", "identity", "leaky_relu"):
            least = self._cut_weights(number, least)
            u = least * 2 ** math.ceil(math.log2(u / least) - 1e-9)
            self.a[number] = u
            if name == "leaky_relu":
                start, self.b[number] = -_LEAKY_ZERO * u, -u
        most = 0 if least == 0 else min(int(math.log2(max(u / least, 1.0)) + 1e-9), 24)
        for shift in range(most, -1, -1):
            weights, bias = self._rounded(number, u / 2**shift, start)
            bias += 2**shift >> 1
            if abs(bias) + 255 * float(np.abs(weights).sum()) < _LIMIT:
                return weights, bias, shift
        raise ExportError(
            f"neuron {number} sums up to {np.abs(sums).max():.3g} in steps of {u:.3g}, more than 32 bits hold; train "
            "with weight decay, or leave precision at float"
        )

    def _cut_weights(self, number: int, least: float) -> float:
        """The step of few bits by which rounding weights and cutting off the largest cost least together."""
        neuron = self._at(number)
        ideal = neuron.weights * self.a[neuron.sources]
        power = np.square(self.bytes[:, neuron.sources]).mean(axis=0)
        steps = [clip * least for clip in _CLIPS]
        losses = []
        for step in steps:
            rounded = np.clip(np.rint(ideal / step / self.grain) * self.grain, -self.most, self.most) * step
            losses.append(float((power * np.square(rounded - ideal)).sum()))
        return steps[int(np.argmin(losses))]

    def _rounded(
        self, number: int, t: float, start: float, scale: float = 1.0, mean: float = 0.0
    ) -> tuple[np.ndarray, int]:
        """Integer weights (k,) and the bias that brings the mean of the sums to what it should be.

        Args:
            start: what a sum of 0 stands for; scale, mean: of a target's unit.
        """
        neuron = self._at(number)
        if not neuron.sources.size:
            return np.zeros(0), round((neuron.bias * scale + mean - start) / t)
        x = self.bytes[:, neuron.sources]
        target = (self.sums[:, number] * scale + mean - start) / t
        weights = _rounded_together(
            x, neuron.weights * self.a[neuron.sources] * scale / t, target, self.most, self.grain
        )
        return weights, round(float((target - x @ weights).mean()))

    def _parts(self, number: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Places and weights of inputs and of neurons, ascending, without what became 0."""
        keep = weights != 0
        sources, weights = self._at(number).sources[keep], weights[keep].astype(np.int64)
        given = sources < self.program.n_inputs
        found: list[np.ndarray] = []
        for mask in (given, ~given):
            place = self.place[sources[mask]]
            order = np.argsort(place, kind="stable")
            found += [place[order], weights[mask][order]]
        return found[0], found[1], found[2], found[3]

    def _outputs(self) -> tuple[tuple[Output8, ...], float]:
        """The outputs, and their common unit: for targets a power of two, which integers can go on with."""
        scaling = self.program.scaling
        scales, means = scaling.target_scale, scaling.target_mean
        least = [self._least(number, scales[k]) for k, number in enumerate(self.program.outputs)]
        if self.grain > 1:
            least = [
                self._cut_weights(number, step / scales[k]) * scales[k] if step else 0.0
                for k, (number, step) in enumerate(zip(self.program.outputs, least, strict=True))
            ]
        unit = min((step for step in least if step > 0), default=2.0**-8)
        if scaling.task != "classification":
            unit = 2.0 ** math.ceil(math.log2(unit) - 1e-9)
        if self.grain > 1:
            unit /= _FINE  # steps of outputs, too, as fine as their few bits allow
        while True:
            outputs = []
            largest = 0.0
            for k, number in enumerate(self.program.outputs):
                factor = math.ceil(max(least[k] / unit, 1.0) - 1e-9)
                if self.grain == 1:
                    factor = 2 ** math.ceil(math.log2(factor))
                weights, bias = self._rounded(number, unit * factor, 0.0, scales[k], means[k])
                largest = max(largest, (abs(bias) + 255 * float(np.abs(weights).sum())) * factor)
                outputs.append(Output8(*self._parts(number, weights), bias, factor))
            if largest < _LIMIT:
                return tuple(outputs), unit
            unit *= 2


def _cut(sums: np.ndarray) -> float:
    """Step of a rectified neuron's byte: where it is cut off, rounding and cutting cost least together."""
    largest = max(float(sums.max()), 0.0)
    wanted = np.maximum(sums, 0)
    steps = [max(clip * largest / 255, _SMALLEST) for clip in _CLIPS]
    losses = [np.square(np.minimum(np.rint(wanted / step), 255) * step - wanted).mean() for step in steps]
    return steps[int(np.argmin(losses))]


def _rounded_together(x: np.ndarray, ideal: np.ndarray, target: np.ndarray, most: int, grain: int) -> np.ndarray:
    """Multiples (k,) of ``grain`` within ± ``most`` whose sums over bytes x (samples, k) come near the target, but for
    a bias."""
    if ideal.size > _EXACT or len(x) < 2:
        found: np.ndarray = np.clip(np.rint(ideal / grain) * grain, -most, most)
        return found
    x = x - x.mean(axis=0)
    square = x.T @ x / len(x)
    square[np.diag_indices_from(square)] += _DAMPING * np.trace(square) / ideal.size + _SMALLEST
    inverse = np.linalg.inv(square)
    wanted = ideal + inverse @ (x.T @ (target - target.mean() - x @ ideal) / len(x))
    order = np.argsort(-np.diag(square), kind="stable")  # those that weigh most while the others can still move
    upper = np.linalg.cholesky(inverse[np.ix_(order, order)]).T
    wanted = wanted[order]
    rounded = np.zeros(ideal.size)
    for k in range(ideal.size):
        rounded[k] = np.clip(np.rint(wanted[k] / grain) * grain, -most, most)
        wanted[k + 1 :] -= (wanted[k] - rounded[k]) / upper[k, k] * upper[k, k + 1 :]
    found = np.empty_like(rounded)
    found[order] = rounded
    return found


def _inputs(program: Program, raw: np.ndarray) -> tuple[Inputs8, np.ndarray, np.ndarray]:
    """How features become bytes, and step and offset (used,) of these."""
    used, scaling = program.used_inputs, program.scaling
    mean, scale, x = scaling.mean[used], scaling.scale[used], raw[:, used]
    whole = (x == np.rint(x)).all(axis=0)
    alike = not used.size or scale.max() <= 2 * scale.min()
    if alike and whole.all() and x.min(initial=0) >= 0 and x.max(initial=0) <= 255:
        none = np.zeros(0, np.int64)
        return (
            Inputs8("uint8_t", np.zeros(program.n_inputs, np.int64), used, none, none, none, none),
            1 / scale,
            -mean / scale,
        )
    low, high = x.min(axis=0), x.max(axis=0)
    width = np.where(high > low, high - low, 1.0)
    largest = np.maximum(np.maximum(np.abs(low), np.abs(low + width)), _SMALLEST)
    fine = np.floor(np.log2(_SPAN / width))
    fine = np.where(whole & (fine >= 0), 0, fine)
    short = np.minimum(fine, np.floor(np.log2(32000 / largest)))
    fits = (short == fine) | (width * 2.0**short >= 512)
    kind = "int16_t" if fits.all() else "int32_t"
    bits = (short if kind == "int16_t" else np.minimum(fine, np.floor(np.log2(2.0**30 / largest)))).astype(np.int64)
    start = np.floor(np.ldexp(low, bits)).astype(np.int64)
    span = np.maximum(np.ceil(np.ldexp(low + width, bits)).astype(np.int64) - start, 1)
    shift = np.floor(np.log2(65535 * span / 255)).astype(np.int64)
    factor = np.rint(255 * 2.0**shift / span).astype(np.int64)
    fraction = np.zeros(program.n_inputs, np.int64)
    fraction[used] = bits
    inputs = Inputs8(kind, fraction, used, start, span, factor, shift)
    return inputs, np.ldexp(span / 255, -bits) / scale, (np.ldexp(start.astype(float), -bits) - mean) / scale
