"""One module of each kind of this package, small and of no special values, for tests of what all kinds must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from nas.engine import DAGModule, Edge, MaskedLinear, reference_apply, wire
from nas.graph import DAG, random_dag
from nas.layers import LayerDAG, LayerSpec, Linear, Node
from nas.manifold import Family, ManifoldNetwork, Start, reference_d, strengths
from nas.recurrent import RecurrentDAG, reach_outputs, reference_step, remember

__all__ = ["KINDS", "input_of", "made", "plain"]


def _dag() -> DAG:
    return random_dag(4, 8, 2, density=0.5, rng=np.random.default_rng(3))


def _manifold(parametrisation: str, readout: str = "activated") -> ManifoldNetwork:
    network = ManifoldNetwork(
        _dag(), parametrisation=parametrisation, activation="tanh", readout=readout, period=2.0,
        generator=np.random.default_rng(5),
    )  # fmt: skip
    if network.closeness is not None:
        with torch.no_grad():  # some edges dead, all of some strength
            network.closeness.cutoff.fill_(-0.5 if parametrisation == "masked" else -4.0)
            network.closeness.sigma.fill_(6.0)
    return network


def _recurrent(words: tuple[str, ...] = (), **options: object) -> RecurrentDAG:
    rng = np.random.default_rng(0)
    dag = reach_outputs(remember(random_dag(4, 5, 4, density=0.5, rng=rng), 2), 2, rng)
    if words:
        dag = dag.with_activations([words[k % len(words)] for k in range(5)])
    return RecurrentDAG(dag, 2, time=3, learn_initial=True, **options)


def _wired() -> nn.Module:
    edges = [
        Edge("a", "h", 0.7), Edge("b", "h", -0.6, sign="-"), Edge("h", "k", 1.3, sign="+"), Edge("a", "k", 0.4),
        Edge("k", "y", 0.9, frozen=True), Edge("h", "y", -0.8), Edge("b", "y", -0.3, sign="-"),
    ]  # fmt: skip
    return wire(edges, ["a", "b"], ["y"], bias={"h": 0.2, "y": -0.4})


def _masked(execution: str, bias: object = True) -> MaskedLinear:
    connections = np.random.default_rng(0).random((3, 5)) < 0.6
    return MaskedLinear(5, 3, connections, bias, execution=execution)


def _layers() -> LayerDAG:
    nodes = [
        Node(name="a", op=Linear(features=5), activation="tanh", norm="layer"),
        Node(name="b", inputs=("a",), op=Linear(features=5), activation="tanh"),
        Node(name="y", inputs=("a", "b"), op=Linear(features=2)),
    ]
    return LayerDAG(LayerSpec.of((4,), nodes), seed=0)


KINDS: dict[str, Callable[[], nn.Module]] = {
    "dag": lambda: DAGModule(_dag(), "tanh"),
    "dag without bias": lambda: DAGModule(_dag(), "gelu", bias=False),
    "dag of many activations": lambda: DAGModule(
        _dag(), ["tanh", "sin", "square", "sigmoid", "silu", "softplus", "elu", "gelu"]
    ),
    "masked dense": lambda: _masked("dense"),
    "masked engine": lambda: _masked("engine"),
    "masked some biases": lambda: _masked("engine", [True, False, True]),
    "wired": _wired,
    "manifold": lambda: _manifold("manifold"),
    "manifold masked": lambda: _manifold("masked"),
    "manifold free": lambda: _manifold("free"),
    "manifold linear": lambda: _manifold("manifold", "linear"),
    "manifold square": lambda: _manifold("manifold", "square"),
    "recurrent": _recurrent,
    "recurrent all": lambda: _recurrent(outputs="all", memory_activation="identity"),
    "recurrent lstm": lambda: _recurrent(("lstm", "tanh")),
    "layers": _layers,
}


def made(kind: str, dtype: torch.dtype = torch.float64) -> nn.Module:
    """A module of a kind in evaluation mode, its numbers moved a little, always the same."""
    torch.manual_seed(1)
    module = KINDS[kind]().to(dtype).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator).to(dtype))
    return module


def input_of(module: nn.Module, batch: int = 3, dtype: torch.dtype = torch.float64, seed: int = 4) -> Tensor:
    """A batch that the module reads."""
    if isinstance(module, RecurrentDAG | LayerDAG):
        width = module.n_inputs
    else:
        width = module.in_features if isinstance(module, MaskedLinear) else module.dag.n_inputs
    return torch.randn(batch, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def plain(module: nn.Module, x: Tensor) -> Tensor:
    """What the module gives, by its definition in plain torch operations: differentiable to any order."""
    if isinstance(module, LayerDAG):
        return module(x)  # made of nothing else
    if isinstance(module, MaskedLinear):
        dense = x.new_zeros(module.out_features, module.in_features)
        dense = dense.index_put((module.targets.long(), module.sources.long()), module.edge_values)
        bias = x.new_zeros(module.out_features)
        if module.bias_values is not None:
            bias = bias.index_put((module.bias_places,), module.bias_values)
        return x @ dense.T + bias
    if isinstance(module, RecurrentDAG):
        return torch.stack(list(_steps(module, x)), dim=1) if module.outputs == "all" else [*_steps(module, x)][-1]
    if not isinstance(module, ManifoldNetwork):
        return reference_apply(module.dag, x, module.weight, module.bias, activation=module.activation)
    dag, closeness = module.dag, module.closeness
    weight = module.weight
    if closeness is not None:
        d = reference_d(closeness.displacement(), closeness.targets, closeness.period, *closeness.neuron_parameters())
        c = strengths(d, closeness.cutoff).c
        weight = c if weight is None else c * weight
    if module.readout == "activated":
        return reference_apply(dag, x, weight, module.bias, module.gain, activation=module.activation)
    return _other_readout(module, x, weight)


def _other_readout(module: ManifoldNetwork, x: Tensor, weight: Tensor) -> Tensor:
    dag = module.dag
    emitted = list(x.unbind(1))
    summed = list(emitted)
    for i in range(dag.n_inputs, dag.n):
        edges = range(int(dag.in_ptr[i]), int(dag.in_ptr[i + 1]))
        read = summed if i >= dag.first_output else emitted
        total = sum((weight[e] * read[int(dag.sources[e])] for e in edges), x.new_zeros(len(x)))
        gain, bias = module.gain[i - dag.n_inputs], module.bias[i - dag.n_inputs]
        if i >= dag.first_output:  # not trained
            gain, bias = gain.detach(), bias.detach()
        total = gain * total + bias
        summed.append(total)
        emitted.append(torch.tanh(total) if i < dag.first_output else total)
    y = torch.stack(summed[dag.first_output :], dim=1)
    return y.square() if module.readout == "square" else y


def _steps(module: RecurrentDAG, x: Tensor) -> Iterator[Tensor]:
    held = module.initial.expand(len(x), module.memory)
    state = None if module.recurrent is None else x.new_zeros(len(x), 2 * len(module.recurrent))
    for rows in x.reshape(len(x), module.time, module.features).unbind(1):
        inputs = torch.cat([rows, held], dim=1)
        if state is None:
            y = reference_apply(module.dag, inputs, module.weight, module.bias, activation=module.activation)
        else:
            gates = module.gate_weight, module.recurrent, module.gate_bias
            y, state = reference_step(
                module.dag, inputs, state, module.weight, module.bias, *gates, activation=module.activation
            )
        held = (
            y[:, module.n_outputs :] if module.memory_activation == "identity" else torch.tanh(y[:, module.n_outputs :])
        )
        yield y[:, : module.n_outputs]


def _bump(
    p: torch.Tensor, period: float, height: torch.Tensor, centre: torch.Tensor, width: torch.Tensor
) -> torch.Tensor:
    return torch.tanh(height) * torch.exp(-(((p - centre) / torch.nn.functional.softplus(width)) ** 2))


def _initial(start: Start) -> list[np.ndarray]:
    middle, reach = start.span()
    return [start.normal(2.0, 0.1), middle, reach]


BUMP = Family(("height", "centre", "width"), _bump, _initial, lengths=frozenset({"centre", "width"}))
"""A closeness of somebody's own, ``tests.kinds:BUMP``."""
