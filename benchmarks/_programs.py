"""Section 2: what a DAG adds to a program of torch: alone, between two linear layers, behind a convolution, with Adam.

A program's step is forward, loss, backward and Adam; what the DAG adds is the difference to the same step without it
(its place taken by a slice). No pauses, no rest: one step follows another, as in training, and the samples of all
programs alternate. Alternatives that have no backward pass of their own do both halves at once where the engine does
its forward pass: the same work in the same surroundings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._alternatives import alternatives
from benchmarks._dense import DenseChain
from benchmarks._graphs import FAMILIES, GraphSpec, build
from benchmarks._measure import fastest_threads, seconds_of, torch_threads
from benchmarks._problem import Engine, Execution, Results, make_problem
from benchmarks._progress import Progress
from benchmarks._speed import prepare
from benchmarks._tables import Json, ms, table, times

__all__ = ["KINDS", "programs", "programs_table"]

KINDS = ("alone", "between linear layers", "behind a convolution")
_BATCH = 128
_PIXELS = 28
_SAMPLE_SECONDS = 10e-3
_ROUNDS = 25
_SLOW = 0.2  # seconds; what takes longer is not put into programs

Step = Callable[[], object]


class _Both(torch.autograd.Function):
    """An execution's whole pass, as a node of torch's graph."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, execution: Execution) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        with torch.enable_grad():  # some differentiate by torch
            return execution.run().detach().clone()

    @staticmethod
    def backward(ctx: Any, grad_y: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        return torch.zeros_like(x), torch.zeros_like(weight), torch.zeros_like(bias), None


class _Inside(nn.Module):
    """An alternative where a program has its DAG; as many parameters as the DAG has."""

    def __init__(self, execution: Execution) -> None:
        super().__init__()
        self.execution = execution
        self.weight = nn.Parameter(execution.problem.weight.clone())
        self.bias = nn.Parameter(execution.problem.bias.clone())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = _Both.apply(x, self.weight, self.bias, self.execution)  # type: ignore[no-untyped-call]
        return y


class _Slice(nn.Module):
    """What stands where the DAG would: as many columns."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        return x[:, : self.width]


def _step(kind: str, middle: nn.Module, n_inputs: int, n_outputs: int) -> Step:
    """One training step of a program, the same first weights each time."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    labels = torch.randint(0, n_outputs, (_BATCH,), generator=generator)
    images = torch.randn(_BATCH, 1, _PIXELS, _PIXELS, generator=generator)
    if kind == "alone":
        x = images.flatten(1)[:, :n_inputs].contiguous()
        network: nn.Module = middle
    elif kind == "between linear layers":
        x = images.flatten(1)
        network = nn.Sequential(nn.Linear(_PIXELS**2, n_inputs), middle, nn.Linear(n_outputs, n_outputs))
    else:
        x = images
        first = nn.Conv2d(1, n_inputs // 16, 7, stride=7)  # 4 x 4 places
        network = nn.Sequential(first, nn.ReLU(), nn.Flatten(), middle, nn.Linear(n_outputs, n_outputs))
    parameters = list(network.parameters())
    optimiser = torch.optim.Adam(parameters) if parameters else None

    def step() -> None:
        if optimiser is None:
            return
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(x), labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return step


def programs(progress: Progress, quick: bool) -> dict[str, Any]:
    """What engine and alternatives add to each program, over families and densities."""
    specs = [GraphSpec("erdos_renyi", 1_000, density) for density in (0.02, 0.05, 0.10)]
    specs += [GraphSpec(family, 1_000, 0.02) for family in ("barabasi_albert", "watts_strogatz")]
    specs += [GraphSpec("banded", 1_000, 0.10)]
    cells = []
    for spec in specs[:1] if quick else specs:
        if progress.out_of_time():
            break
        progress.say(f"{FAMILIES[spec.family]} {spec.computational:,} neurons, {spec.density:.1%}, batch {_BATCH}")
        cells += _cells(spec, 3 if quick else _ROUNDS)
        for cell in cells[-len(KINDS) :]:
            added = " · ".join(f"{name} {1e3 * value:.3g} ms" for name, value in cell["added"].items())
            progress.say(f"      {cell['kind']}: {added}")
    return {"cells": cells, "batch": _BATCH}


def _cells(spec: GraphSpec, rounds: int) -> list[dict[str, Any]]:
    dag = build(spec)
    problem = make_problem(dag, _BATCH)
    engine = Engine(problem)
    expected: Results = (engine.run(), *engine.gradients())
    dense = DenseChain(dag.n_edges, _BATCH)
    dense.run()
    rate = dense.flops / fastest_threads(dense.run)[1]
    middles: dict[str, tuple[nn.Module, int]] = {"engine": (engine.module, torch.get_num_threads())}
    for alternative in alternatives():
        record, execution = prepare(alternative, problem, expected, rate)
        if execution is not None and seconds_of(execution.run) < _SLOW:
            middles[alternative.name] = _Inside(execution), record["threads"]
    found = []
    for kind in KINDS:
        steps = {"": (_step(kind, _Slice(dag.n_outputs), dag.n_inputs, dag.n_outputs), torch.get_num_threads())}
        for name, (middle, threads) in middles.items():
            steps[name] = _step(kind, middle, dag.n_inputs, dag.n_outputs), threads
        seconds = _alternating(steps, rounds)
        without = seconds.pop("")
        found.append(
            {
                "family": spec.family, "density": spec.density, "edges": dag.n_edges, "depth": dag.depth, "kind": kind,
                "without": statistics.median(without),
                "added": {
                    name: statistics.median(w - b for w, b in zip(own, without, strict=True))
                    for name, own in seconds.items()
                },
            }
        )  # fmt: skip
    return found


def _alternating(steps: dict[str, tuple[Step, int]], rounds: int) -> dict[str, list[float]]:
    """Seconds of a step in each round; a sample is as many as take a hundredth of a second, after as many untimed."""
    counts = {}
    for name, (step, threads) in steps.items():
        with torch_threads(threads):
            step()
            counts[name] = max(1, round(_SAMPLE_SECONDS / max(seconds_of(step, 3), 1e-6)))
            counts[name] = min(counts[name], 1_000)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds):
        order = list(steps) if turn % 2 == 0 else list(reversed(steps))
        for name in order:
            step, threads = steps[name]
            with torch_threads(threads):
                seconds_of(step, max(1, counts[name] // 4))
                start = time.perf_counter()
                for _ in range(counts[name]):
                    step()
                taken[name].append((time.perf_counter() - start) / counts[name])
    return taken


def programs_table(section: Json) -> list[str]:
    """As Markdown: one row a program, best alternative and level by level beside the engine."""
    alone = {(c["family"], c["density"]): c["added"]["engine"] for c in section["cells"] if c["kind"] == "alone"}
    rows = []
    for cell in section["cells"]:
        own = cell["added"]["engine"]
        others = {name: value for name, value in cell["added"].items() if name != "engine"}
        best = min(others, key=lambda name: others[name], default=None)
        level = others.get("level by level")
        rows.append(
            [
                f"{FAMILIES[cell['family']]} {cell['density']:.0%}", f"{cell['edges']:,}", cell["kind"],
                ms(cell["without"]), ms(own), f"{own / alone[cell['family'], cell['density']]:.2f}",
                best or "—", "—" if best is None else ms(others[best]),
                "—" if best is None else times(others[best] / own), "—" if level is None else times(level / own),
            ]
        )  # fmt: skip
    head = [
        "1,000 neurons", "edges", "program", "without, ms", "the engine adds, ms", "of alone", "best alternative",
        "adds, ms", "×", "level by level ×",
    ]  # fmt: skip
    return [
        f"## What a DAG adds to a training step, batch {section['batch']}, Adam",
        "*Without*: the step of the same program without the DAG. *Of alone*: what the engine adds, as a share of its "
        "step alone.",
        table(head, rows),
    ]
