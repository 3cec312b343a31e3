"""A dense teacher whose outputs a small network learns from beside the labels (Hinton 2015, arXiv:1503.02531).

The teacher is the layered complete DAG with two or so wide layers. Run as a graph it would be mostly dense blocks, for
which matrix products are the right tool, so here it is a plain stack of them. Its regulariser is dropout (Srivastava
2014), also of the inputs, only while it learns; no sample is ever augmented, and the network that learns from it sees
the raw samples.
"""

from __future__ import annotations

import hashlib
import itertools
import math

import numpy as np
import torch
from torch import Tensor, nn

from nas.training._compression_config import TeacherConfig
from nas.training._types import Dataset, TrainingConfig

__all__ = ["soft_targets", "teacher_logits", "train_teacher"]

_cache: dict[tuple[str, str, int], np.ndarray] = {}
CACHED = 2  # teachers kept in a process: a worker trains many candidates on one data set


def teacher_logits(dataset: Dataset, config: TeacherConfig) -> np.ndarray:
    """Outputs (samples, classes) float32 of a trained teacher for the training part; the last few are kept.

    Raises:
        ValueError: the task is not classification.
    """
    if dataset.task != "classification":
        raise ValueError(f"distillation needs classes, but the task of {dataset.name} is {dataset.task}")
    digest = hashlib.blake2b(np.ascontiguousarray(dataset.x_train).tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(dataset.y_train).tobytes())
    key = (digest.hexdigest(), config.model_dump_json(), torch.get_num_threads())
    if key not in _cache:
        while len(_cache) >= CACHED:
            del _cache[next(iter(_cache))]
        _cache[key] = _logits(train_teacher(dataset, config), torch.from_numpy(dataset.x_train))
    return _cache[key]


def soft_targets(dataset: Dataset, config: TrainingConfig) -> np.ndarray:
    """The teacher's probabilities at the temperature, flat (samples * classes,) float32; empty without a teacher."""
    if config.distil is None:
        return np.zeros(0, np.float32)
    logits = torch.from_numpy(teacher_logits(dataset, config.distil.teacher))
    soft: np.ndarray = torch.softmax(logits / config.distil.temperature, dim=1).numpy().reshape(-1)
    return soft


def train_teacher(dataset: Dataset, config: TeacherConfig) -> nn.Sequential:
    """The trained teacher: linear layers with ReLU in between."""
    generator = torch.Generator().manual_seed(config.seed)
    sizes = [dataset.n_inputs, *config.layers, dataset.n_outputs]
    linear = [_linear(a, b, generator) for a, b in itertools.pairwise(sizes)]
    x, y = torch.from_numpy(dataset.x_train), torch.from_numpy(dataset.y_train)
    optimiser = torch.optim.Adam([p for layer in linear for p in layer.parameters()], fused=True)
    size = min(config.batch_size, len(x))
    per_epoch = len(x) // size
    steps = config.epochs * per_epoch
    for step in range(steps):
        if step % per_epoch == 0:
            order = torch.randperm(len(x), generator=generator)
        at = step % per_epoch * size
        chosen = order[at : at + size]
        h = _dropped(x[chosen], config.input_dropout, generator)
        for layer in linear[:-1]:
            h = _dropped(torch.relu(layer(h)), config.dropout, generator)
        loss = nn.functional.cross_entropy(linear[-1](h), y[chosen])
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return nn.Sequential(*[part for layer in linear[:-1] for part in (layer, nn.ReLU())], linear[-1])


def _linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, n_in, n_out)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight.normal_(0.0, math.sqrt(2.0 / n_in), generator=generator)
        layer.bias.zero_()
    assert isinstance(layer, nn.Linear)
    return layer


def _dropped(h: Tensor, share: float, generator: torch.Generator) -> Tensor:
    if share == 0:
        return h
    kept = torch.empty_like(h).bernoulli_(1 - share, generator=generator)
    return h * kept / (1 - share)


def _logits(teacher: nn.Module, x: Tensor) -> np.ndarray:
    with torch.no_grad():
        logits: np.ndarray = torch.cat([teacher(x[at : at + 4096]) for at in range(0, len(x), 4096)]).numpy()
    return logits
