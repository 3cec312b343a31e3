"""What a network computes, as the exporters to C read it: neurons in the order of computation, and how data is scaled.

A program is plain numbers. Whatever module it came from, its neurons read inputs and neurons before them, and what no
output depends on is left out, so that every later step (text, integers, sizes) is one pass over a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from nas.checkpoint import Encoding, folded
from nas.engine import ACTIVATIONS, DAGModule, MaskedLinear, activation_codes
from nas.errors import ExportError
from nas.layers import LayerDAG
from nas.recurrent import LSTM, RecurrentDAG

__all__ = ["Memory", "Neuron", "Program", "Scaling"]


@dataclass(frozen=True, slots=True, eq=False)
class Neuron:
    """One neuron.

    Attributes:
        sources: (k,) numbers of the inputs and neurons that it reads.
        weights: (k,) float64, none of them 0.
        activation: one of `nas.engine.ACTIVATIONS`, or "lstm".
        gates: (k, 3) weights of input, forget and output gate, where it is an LSTM neuron (``weights`` has those of
            the candidate; see `nas.recurrent.kernels`); recurrent: (4,); gate_bias: (3,).
    """

    sources: np.ndarray
    weights: np.ndarray
    bias: float
    activation: str
    gates: np.ndarray | None = None
    recurrent: np.ndarray | None = None
    gate_bias: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What a network with memory carries from step to step: its last ``size`` outputs become its last inputs.

    Attributes:
        initial: (size,) before the first step.
        time: steps of a row of inputs; None where it does not know.
        every: whether it answers at every step, or at the last alone.
    """

    size: int
    activation: str
    initial: np.ndarray
    time: int | None
    every: bool


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """How raw numbers become inputs, and outputs labels or targets; what a checkpoint's record says.

    Attributes:
        mean, scale: (inputs,) float64; inputs are (raw - mean) / scale.
        target_mean, target_scale: (outputs,); targets are outputs * scale + mean.
        task: "classification", "regression", or "" where nobody said.
        low, high: (inputs,) range of the raw training data; None where not known.
    """

    mean: np.ndarray
    scale: np.ndarray
    target_mean: np.ndarray
    target_scale: np.ndarray
    task: str = ""
    classes: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any], n_inputs: int, n_outputs: int) -> Scaling:
        """The scaling in a record; none where it has none.

        Raises:
            ExportError: it does not fit the network.
        """
        found = record.get("statistics") or {}
        columns = record.get("columns") or {}
        classes = tuple(str(name) for name in found.get("classes") or ())
        task = str(record.get("task") or "")
        if task == "classification" and len(classes) != n_outputs:
            raise ExportError(f"the record names {len(classes)} classes for {n_outputs} outputs")
        encoding = Encoding.from_json(record.get("encoding"))
        if encoding is None:
            names = tuple(str(name) for name in record.get("feature_names") or ())
        else:  # inputs are what the columns become; ranges are of the columns
            names, columns = encoding.inputs, {}
            if len(names) != n_inputs:
                raise ExportError(f"the record's encoding gives {len(names)} inputs, but the network has {n_inputs}")
        low, high = (_vector(columns, name, n_inputs, 0.0) if columns.get(name) else None for name in ("low", "high"))
        return cls(
            _vector(found, "mean", n_inputs, 0.0),
            _vector(found, "scale", n_inputs, 1.0),
            _vector(found, "target_mean", n_outputs, 0.0),
            _vector(found, "target_scale", n_outputs, 1.0),
            task,
            classes,
            names if len(names) == n_inputs else (),
            low,
            high,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A network as a list of neurons.

    Attributes:
        n_inputs: numbers that are read; of a network with memory in a step, without the memory. Inputs are numbered
            0…, the memory comes after them, then the neurons in the order of computation.
        neurons: all on which an output depends, outputs included.
        outputs: number of the neuron behind each output; after them those of the memory.
        scaling: of one row, which for a network with memory that knows its time is ``time`` steps.
        record: what was saved with the network.
    """

    n_inputs: int
    neurons: tuple[Neuron, ...]
    outputs: tuple[int, ...]
    scaling: Scaling
    memory: Memory | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """Number of the first neuron."""
        return self.n_inputs + (0 if self.memory is None else self.memory.size)

    @property
    def n_outputs(self) -> int:
        """Numbers that a step answers."""
        return len(self.outputs) - (0 if self.memory is None else self.memory.size)

    @property
    def n_edges(self) -> int:
        """Weights of all neurons, those of gates counted once."""
        return sum(neuron.sources.size for neuron in self.neurons)

    @property
    def activations(self) -> tuple[str, ...]:
        """Those in use, in the order of the engine's table."""
        used = {neuron.activation for neuron in self.neurons} | ({self.memory.activation} if self.memory else set())
        return tuple(name for name in (*ACTIVATIONS, LSTM) if name in used)

    @property
    def encoding(self) -> Encoding | None:
        """What becomes of the columns of the table that the network was trained on; None: it has none.

        Raises:
            CheckpointError: the record's is damaged.
        """
        return Encoding.from_json(self.record.get("encoding"))

    @property
    def used_inputs(self) -> np.ndarray:
        """Numbers of the inputs that some neuron reads, ascending."""
        read = np.concatenate([np.zeros(0, np.int64), *(neuron.sources for neuron in self.neurons)])
        found: np.ndarray = np.unique(read[read < self.n_inputs])
        return found

    def checksum(self) -> str:
        """SHA-256 of structure and numbers, as hexadecimal text."""
        digest = hashlib.sha256(repr((self.n_inputs, self.outputs, self.scaling.task, self.scaling.classes)).encode())
        parts = [self.scaling.mean, self.scaling.scale, self.scaling.target_mean, self.scaling.target_scale]
        for neuron in self.neurons:
            digest.update(neuron.activation.encode())
            gates = [part for part in (neuron.gates, neuron.recurrent, neuron.gate_bias) if part is not None]
            parts += [neuron.sources, neuron.weights, np.array(neuron.bias), *gates]
        if self.memory is not None:
            digest.update(repr((self.memory.activation, self.memory.time, self.memory.every)).encode())
            parts.append(self.memory.initial)
        for part in parts:
            digest.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        return digest.hexdigest()

    @classmethod
    def of(cls, module: nn.Module, record: Mapping[str, Any] | None = None) -> Program:
        """The program of a network in evaluation mode.

        Args:
            module: what `nas.checkpoint.load` returns; `DAGModule`, `ManifoldNetwork`, `WiredModule`, `MaskedLinear`,
                `RecurrentDAG`; or ``nn.Sequential`` of all but the last, with Linear, BatchNorm1d and activations.
            record: instead of ``module.record``.

        Raises:
            ExportError: a module is of another kind, or a number is not finite.
        """
        record = getattr(module, "record", {}) if record is None else record
        if isinstance(module, RecurrentDAG):
            return _recurrent(module, record).checked()
        builder = _Builder()
        builder.add(module, "")
        if builder.n_inputs is None:
            raise ExportError("a network needs a layer that knows its number of inputs; there is none in the module")
        scaling = Scaling.of(record, builder.n_inputs, len(builder.last))
        neurons = [neuron for neuron in builder.neurons if neuron is not None]
        found = cls(builder.n_inputs, tuple(neurons), tuple(builder.last), scaling, None, record)
        return found.live().checked()

    def live(self) -> Program:
        """The same without weights of 0, and without the neurons on which no output depends."""
        first = self.first
        neurons = [_without_zeros(neuron) for neuron in self.neurons]
        needed = np.zeros(first + len(neurons), bool)
        needed[list(self.outputs)] = True
        for number in range(len(neurons) - 1, -1, -1):
            if needed[first + number]:
                needed[neurons[number].sources] = True
        needed[:first] = True
        place = np.cumsum(needed) - 1
        kept = [
            replace(neuron, sources=place[neuron.sources])
            for neuron, keep in zip(neurons, needed[first:], strict=True)
            if keep
        ]
        return replace(self, neurons=tuple(kept), outputs=tuple(int(place[output]) for output in self.outputs))

    def checked(self) -> Program:
        """This program.

        Raises:
            ExportError: a number is not finite, or too large for float32.
        """
        most = float(np.finfo(np.float32).max)
        for number, neuron in enumerate(self.neurons):
            gates = [part for part in (neuron.gates, neuron.recurrent, neuron.gate_bias) if part is not None]
            for values in (neuron.weights, np.array([neuron.bias]), *gates):
                if not (np.abs(values) <= most).all():
                    odd = values[~(np.abs(values) <= most)].ravel()[0]
                    raise ExportError(
                        f"neuron {self.first + number} has a weight or bias of {odd:g}; a C file holds numbers of at "
                        f"most {most:.3g}"
                    )
        return self


class _Builder:
    """Puts modules one after another: the outputs of one are what the next one reads."""

    def __init__(self) -> None:
        self.n_inputs: int | None = None
        self.neurons: list[Neuron] = []
        self.last: list[int] = []

    def add(self, module: nn.Module, place: str) -> None:
        module = folded(module)
        if isinstance(module, nn.Sequential):
            for name, child in module.named_children():
                self.add(child, f"{place}.{name}" if place else name)
        elif isinstance(module, DAGModule):
            dag = module.dag
            codes = activation_codes(dag, module.activation)
            self._enter(dag.n_inputs, place)
            self._dag(dag, _numbers(module.weight), module.bias, [ACTIVATIONS[code] for code in codes])
        elif isinstance(module, MaskedLinear):
            self._enter(module.in_features, place)
            self._dag(module.dag, _numbers(module.edge_values), module.bias, ["identity"] * module.dag.n)
        elif isinstance(module, nn.Linear):
            self._enter(module.in_features, place)
            weight = _numbers(module.weight)
            bias = np.zeros(len(weight)) if module.bias is None else _numbers(module.bias)
            before = np.array(self.last)
            self._append([Neuron(before, row, float(b), "identity") for row, b in zip(weight, bias, strict=True)])
        elif isinstance(module, nn.BatchNorm1d) and module.running_var is not None and module.running_mean is not None:
            self._enter(module.num_features, place)
            scale = 1 / np.sqrt(_numbers(module.running_var) + module.eps)
            shift = -_numbers(module.running_mean) * scale
            if module.affine:
                scale, shift = scale * _numbers(module.weight), shift * _numbers(module.weight) + _numbers(module.bias)
            rows = zip(self.last, scale, shift, strict=True)
            self._append([Neuron(np.array([j]), np.array([a]), float(b), "identity") for j, a, b in rows])
        elif not isinstance(module, nn.Identity | nn.Dropout | nn.Flatten):
            self._activate(_activation(module, place), place)

    def _enter(self, width: int, place: str) -> None:
        if self.n_inputs is None:
            self.n_inputs, self.last = width, list(range(width))
        if len(self.last) != width:
            raise ExportError(
                f"module {place!r} reads {width} numbers a sample, but the one before it gives {len(self.last)}"
            )

    def _append(self, neurons: list[Neuron]) -> None:
        assert self.n_inputs is not None
        first = self.n_inputs + len(self.neurons)
        self.neurons += neurons
        self.last = list(range(first, first + len(neurons)))

    def _dag(self, dag: Any, weight: np.ndarray, bias: torch.Tensor | None, words: list[str]) -> None:
        assert self.n_inputs is not None
        own = np.zeros(dag.n) if bias is None else np.concatenate([np.zeros(dag.n_inputs), _numbers(bias)])
        first = self.n_inputs + len(self.neurons)
        number = np.concatenate([np.array(self.last), first + np.arange(dag.n - dag.n_inputs)])
        for i in range(dag.n_inputs, dag.n):
            edges = slice(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1]))
            self.neurons.append(Neuron(number[dag.sources[edges]], weight[edges], float(own[i]), words[i]))
        self.last = number[dag.first_output :].tolist()

    def _activate(self, name: str, place: str) -> None:
        if self.n_inputs is None:
            raise ExportError(f"module {place!r} comes before any layer that knows its number of inputs")
        if any(number < self.n_inputs or self._at(number).activation != "identity" for number in self.last):
            one = np.ones(1)
            self._append([Neuron(np.array([number]), one, 0.0, name) for number in self.last])
            return
        for number in self.last:
            self.neurons[number - self.n_inputs] = replace(self._at(number), activation=name)

    def _at(self, number: int) -> Neuron:
        assert self.n_inputs is not None
        return self.neurons[number - self.n_inputs]


_TORCH: Final[dict[type[nn.Module], str]] = {
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.ELU: "elu",
    nn.Softplus: "softplus",
    nn.SiLU: "silu",
    nn.GELU: "gelu",
    nn.LeakyReLU: "leaky_relu",
}


def _activation(module: nn.Module, place: str) -> str:
    """The engine's name of torch's activation."""
    same = (
        not (isinstance(module, nn.ELU) and module.alpha != 1.0)
        and not (isinstance(module, nn.GELU) and module.approximate != "tanh")
        and not (isinstance(module, nn.LeakyReLU) and module.negative_slope != 0.01)
        and not (isinstance(module, nn.Softplus) and module.beta != 1.0)
    )
    if type(module) in _TORCH and same:
        return _TORCH[type(module)]
    where = f"module {place!r}" if place else "the module"
    if isinstance(module, LayerDAG):
        raise ExportError(
            f"{where} is a network of layers, which is not written as C; export it as .onnx, or search with "
            "space: {name: neuron_dag}"
        )
    known = ", ".join(kind.__name__ for kind in _TORCH)
    raise ExportError(
        f"{where} is {module}, which is not written as C; use DAGModule, ManifoldNetwork, WiredModule, MaskedLinear, "
        f"RecurrentDAG alone, or nn.Sequential of the first four with Linear, BatchNorm1d, Dropout and {known} (GELU "
        "in its tanh form, the others with the settings that torch gives them)"
    )


def _recurrent(module: RecurrentDAG, record: Mapping[str, Any]) -> Program:
    dag = module.dag
    words = ["" if word == LSTM else word for word in dag.activations or [""] * dag.n]
    codes = activation_codes(dag.with_activations(words[dag.n_inputs : dag.first_output]), module.activation)
    bias = np.zeros(dag.n - dag.n_inputs) if module.bias is None else _numbers(module.bias)
    weight = _numbers(module.weight)
    neurons = []
    row = cell = 0
    for i in range(dag.n_inputs, dag.n):
        edges = slice(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1]))
        neuron = Neuron(
            dag.sources[edges].astype(np.int64), weight[edges], float(bias[i - dag.n_inputs]), ACTIVATIONS[codes[i]]
        )
        if dag.activations is not None and dag.activations[i] == LSTM:
            assert module.gate_weight is not None and module.recurrent is not None and module.gate_bias is not None
            gates = _numbers(module.gate_weight)[row : row + neuron.sources.size]
            neuron = replace(
                neuron,
                activation=LSTM,
                gates=gates,
                recurrent=_numbers(module.recurrent)[cell],
                gate_bias=_numbers(module.gate_bias)[cell],
            )
            row, cell = row + neuron.sources.size, cell + 1
        neurons.append(neuron)
    initial = np.zeros(module.memory) if module.initial is None else _numbers(module.initial)
    memory = Memory(module.memory, module.memory_activation, initial, module.time, module.outputs == "all")
    steps = module.time or 1
    every = steps if memory.every else 1
    scaling = Scaling.of(record, steps * module.features, every * module.n_outputs)
    outputs = tuple(range(dag.first_output, dag.n))
    return Program(module.features, tuple(neurons), outputs, scaling, memory, record).live()


def _without_zeros(neuron: Neuron) -> Neuron:
    keep = neuron.weights != 0
    if neuron.gates is not None:
        keep = keep | (neuron.gates != 0).any(axis=1)
    if keep.all():
        return neuron
    gates = None if neuron.gates is None else neuron.gates[keep]
    return replace(neuron, sources=neuron.sources[keep], weights=neuron.weights[keep], gates=gates)


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    found: np.ndarray = tensor.detach().cpu().double().numpy()
    return found


def _vector(found: Mapping[str, Any], name: str, count: int, default: float) -> np.ndarray:
    try:
        values = np.asarray(found.get(name) or (), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ExportError(f"{name} in the record must be numbers: {error}") from None
    if not values.size:
        return np.full(count, default)
    positive = not name.endswith("scale") or bool((values > 0).all())
    if values.shape != (count,) or not np.isfinite(values).all() or not positive:
        kind = "finite, positive" if name.endswith("scale") else "finite"
        raise ExportError(f"{name} in the record must be {count} {kind} numbers, but is {values.shape} {values}")
    return values
