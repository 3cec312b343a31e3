"""Which parametrisation of edges with a fixed sign learns: one task, and tasks in turn, with and without decay.

A network 8/16/1 (tanh, 40 % of all possible edges, half of the signs negative) learns what another of the same edges
and signs computes. All networks of a table are trained side by side, as one batch of matrices. Run it by

    python -m benchmarks.signs          # tables as Markdown; about three minutes on one quiet core

    method      weight of an edge of sign s       after a step
    free        raw, whatever its sign
    clip        raw                               s · raw below 0 becomes 0
    softplus    s · softplus(raw)
    exp         s · exp(raw)
    square      s · raw²
    fold        s · |raw|
    one-sided   s · max(raw, 0), whose gradient passes below 0 where it leads back up
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["METHODS", "Setting", "final_losses", "main"]

INPUTS, HIDDEN, DENSITY = 8, 16, 0.4
BATCH = 64
N = INPUTS + HIDDEN + 1


class _OneSided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, raw: Tensor) -> Tensor:
        ctx.save_for_backward(raw)
        return raw.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, incoming: Tensor) -> Tensor:
        (raw,) = ctx.saved_tensors
        return torch.where((raw > 0) | (incoming < 0), incoming, 0.0)


@dataclass(frozen=True, slots=True)
class _Method:
    magnitude: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]


METHODS = {
    "free": _Method(lambda raw: raw, lambda m: m),
    "clip": _Method(lambda raw: raw, lambda m: m),
    "softplus": _Method(torch.nn.functional.softplus, lambda m: torch.log(torch.expm1(m))),
    "exp": _Method(torch.exp, torch.log),
    "square": _Method(torch.square, torch.sqrt),
    "fold": _Method(lambda raw: torch.where(raw < 0, -raw, raw), lambda m: m),
    "one-sided": _Method(_OneSided.apply, lambda m: m),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What is learned, and how."""

    name: str
    rate: float = 1e-2
    decay: float = 0.0
    decoupled: bool = False  # decay as in AdamW
    start: float = 1.0  # size of the first weights relative to the teachers'
    absent: float = 0.0  # share of a teacher's edges that are 0
    tasks: int = 1
    turns: int = 1  # how often each task comes
    steps: int = 600  # of a turn


SETTINGS = (
    Setting("start and teacher of like size"),
    Setting("start 20 times too small", start=1 / 20),
    Setting("start 5 times too large", start=5.0),
    Setting("60 % of the teacher's edges 0", absent=0.6),
    *(
        Setting(f"two tasks in turn, {name}", 1e-2, decay, decoupled, absent=0.6, tasks=2, turns=3, steps=1000)
        for name, decay, decoupled in (
            ("no decay", 0.0, False), ("decay 1e-4", 1e-4, False), ("decay 1e-2", 1e-2, False),
            ("AdamW 1e-2", 1e-2, True),
        )
    ),
)  # fmt: skip


def _outputs(weight: Tensor, x: Tensor) -> Tensor:
    """(networks, batch) of weights (networks, N, N), source by target, and x (networks, batch, INPUTS)."""
    state = [x]
    for i in range(INPUTS, N):
        z = torch.cat(state, dim=2) @ weight[:, :i, i : i + 1]
        state.append(torch.tanh(z) if i < N - 1 else z)
    return state[-1].squeeze(2)


def final_losses(setting: Setting, seeds: int, methods: tuple[str, ...] = tuple(METHODS)) -> dict[str, Tensor]:
    """Mean squared errors (seeds,) on the task that was learned last, by method."""
    generator = torch.Generator().manual_seed(0)
    upper = torch.triu(torch.ones(N, N), 1)
    upper[:INPUTS, :INPUTS] = 0
    edges = (torch.rand(seeds, N, N, generator=generator) < DENSITY) * upper
    edges[:, INPUTS:-1, -1] = 1  # every neuron is read
    sign = torch.where(torch.rand(seeds, N, N, generator=generator) < 0.5, -1.0, 1.0) * edges
    scale = edges.sum(1, keepdim=True).clamp(min=1).rsqrt()

    def draw() -> Tensor:
        return torch.randn(seeds, N, N, generator=generator).abs().clamp(min=1e-3) * scale

    teachers = [
        sign * draw() * (torch.rand(seeds, N, N, generator=generator) >= setting.absent) for _ in range(setting.tasks)
    ]
    first = draw() * setting.start
    raws = {name: METHODS[name].inverse(first).clone() for name in methods}
    # `free` and `clip` hold the magnitude along the sign: for `free` it may turn over.
    raw = torch.nn.Parameter(torch.stack([raws[name] for name in methods]))
    kind = torch.optim.AdamW if setting.decoupled else torch.optim.Adam
    optimiser = kind([raw], lr=setting.rate, weight_decay=setting.decay)
    signs = sign.repeat(len(methods), 1, 1)

    def weights() -> Tensor:
        return torch.cat([METHODS[name].magnitude(raw[k]) for k, name in enumerate(methods)]) * signs

    def task_loss(teacher: Tensor) -> Tensor:
        x = torch.randn(seeds, BATCH, INPUTS, generator=generator)
        wanted = _outputs(teacher, x).repeat(len(methods), 1)
        return (_outputs(weights(), x.repeat(len(methods), 1, 1)) - wanted).square().mean(1)

    for _ in range(setting.turns):
        for teacher in teachers:
            for _ in range(setting.steps):
                optimiser.zero_grad()
                task_loss(teacher).sum().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                if "clip" in methods:
                    with torch.no_grad():
                        raw[methods.index("clip")].clamp_(min=0)
    with torch.no_grad():
        losses = torch.stack([task_loss(teachers[-1]) for _ in range(16)]).mean(0)
    return dict(zip(methods, losses.reshape(len(methods), seeds), strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--only", default="", help="settings whose name holds this")
    given = parser.parse_args()
    print(f"Mean squared error on the task learned last, median of {given.seeds} seeds:\n")
    print("| setting | " + " | ".join(METHODS) + " |\n| --- |" + " --: |" * len(METHODS))
    for setting in SETTINGS:
        if given.only in setting.name:
            losses = final_losses(setting, given.seeds)
            row = " | ".join(f"{float(losses[name].median()):.2g}" for name in METHODS)
            print(f"| {setting.name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
