"""A trial of any structure: ordinary torch training with the configuration, metrics and times of every other trial."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import TrialError
from nas.training._reference import MOMENTUM
from nas.training._structure import Structure
from nas.training._trainer import History, OnLog, _rate, _sample_numbers
from nas.training._types import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus
from nas.training.metrics import evaluate
from nas.training.timing import hardware, reference_kernel_seconds, time_inference, time_training_step

__all__ = ["run_structure", "train_module"]

TIMING_SECONDS = 0.3  # wall seconds for each of the two time measurements of a trial


def train_module(
    module: nn.Module, dataset: Dataset, config: TrainingConfig, seed: int, on_log: OnLog | None = None
) -> History:
    """Train any module in place on the training part for ``config.steps`` steps, on its device.

    The loss is the objective alone: flow, sparsity, time and memory are terms of neurons. Weight decay acts on weights
    and not on biases and norms (parameters of one axis).

    Args:
        module: maps (batch, n_inputs) to (batch, n_outputs); left in evaluation mode.
        seed: decides the order of the samples and what dropout silences.
        on_log: called with the step and the values of the curves whenever a point is logged.

    Returns:
        The curves ``step, objective, total, train_accuracy`` (or ``train_mse``) and ``learning_rate``.

    Raises:
        TrialError: the loss is no finite number any more, or the configuration asks for what only neurons have.
        ValueError: the module does not fit the data.
    """
    for section in ("sparsify", "distil"):
        if getattr(config, section, None) is not None:
            raise TrialError(f"training.{section} is for networks of neurons; leave it out for other structures")
    _check_fits(module, dataset)
    size = min(config.batch_size, len(dataset.x_train))
    x, y = torch.as_tensor(dataset.x_train), torch.as_tensor(dataset.y_train)
    batches = _sample_numbers(len(x), size, np.random.default_rng([seed, 1]))
    step, points = _step(module, dataset, config), list[dict[str, float]]()
    module.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            for done in range(config.steps):
                rows = torch.from_numpy(next(batches))
                rate = _rate(config, done / config.steps)
                objective, outputs = step(x[rows], y[rows], rate)
                if (done + 1) % config.log_every == 0 or done + 1 == config.steps:
                    points.append(_point(done + 1, objective, outputs, y[rows], rate, config, dataset))
                    if on_log is not None:
                        on_log(done + 1, points[-1])
    finally:
        module.eval()
    return History({name: np.array([point[name] for point in points]) for name in (points[0] if points else ())})


def run_structure(
    structure: Structure, candidate: Candidate, dataset: Dataset, config: TrainingConfig, on_log: OnLog | None
) -> TrialResult:
    """Train, evaluate and time a candidate whose genome has a structure; see `nas.training.run_trial`.

    Metrics are those of a network of neurons; ``edges``, ``density``, ``depth`` and ``neurons`` mean what
    `Structure.measures` says, ``flow`` is 0 and ``smooth_edges`` the same as ``edges``.
    """
    module = structure.build(candidate.seed)
    if candidate.inherited is not None:
        module.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in candidate.inherited.items()})
    history = train_module(module, dataset, config, candidate.seed, on_log)
    measures = structure.measures()
    metrics = {
        **_quality(module, dataset),
        **measures,
        "flow": 0.0,
        "smooth_edges": measures["edges"],
        **_times(module, dataset, config),
    }
    return TrialResult(
        candidate.number,
        TrialStatus.COMPLETE,
        metrics=metrics,
        history=history.curves,
        dag=structure.dag,
        arrays={name: value.detach().cpu().numpy() for name, value in module.state_dict().items()},
        hardware=hardware(torch.get_num_threads()),
        structure=structure,
    )


def _step(
    module: nn.Module, dataset: Dataset, config: TrainingConfig
) -> Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]:
    """One optimiser step on a batch; gives its objective and outputs."""
    decayed = [p for p in module.parameters() if p.ndim > 1]
    plain = [p for p in module.parameters() if p.ndim <= 1]
    groups = [
        {"params": group, "weight_decay": decay} for group, decay in ((decayed, config.weight_decay), (plain, 0.0))
    ]
    groups = [group for group in groups if group["params"]]
    optimiser: torch.optim.Optimizer
    match config.optimizer:
        case "adam":
            optimiser = torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
        case "adamw":
            optimiser = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        case "sgd":
            optimiser = torch.optim.SGD(groups, lr=config.learning_rate, momentum=MOMENTUM, nesterov=True)
    objective_of = nn.functional.cross_entropy if dataset.task == "classification" else nn.functional.mse_loss
    device = next(module.parameters()).device
    weight = config.losses.objective

    def step(x: Tensor, y: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        for group in optimiser.param_groups:
            group["lr"] = rate
        outputs = module(x.to(device))
        objective = objective_of(outputs, y.to(device))
        optimiser.zero_grad()
        (weight * objective).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return objective.detach(), outputs.detach()

    return step


def _point(
    step: int, objective: Tensor, outputs: Tensor, y: Tensor, rate: float, config: TrainingConfig, dataset: Dataset
) -> dict[str, float]:
    value = float(objective)
    if not np.isfinite(value):
        raise TrialError(
            f"diverged: the loss must stay finite, but is {value} at step {step}; "
            f"lower learning_rate ({config.learning_rate:g})"
        )
    if dataset.task == "classification":
        quality = {"train_accuracy": float((outputs.argmax(dim=1).cpu() == y).float().mean())}
    else:
        quality = {"train_mse": value}
    total = config.losses.objective * value
    return {"step": float(step), "objective": value, "total": total, **quality, "learning_rate": rate}


def _check_fits(module: nn.Module, dataset: Dataset) -> None:
    if next(module.parameters(), None) is None:
        raise ValueError("a network needs at least one parameter to train, but has none")
    was_training = module.training
    with torch.no_grad():
        found = tuple(module.eval()(torch.as_tensor(dataset.x_train[:2]).to(next(module.parameters()).device)).shape)
    module.train(was_training)
    if found[1:] != (dataset.n_outputs,):
        raise ValueError(
            f"data set {dataset.name} needs {dataset.n_outputs} outputs, but the network gives shape {found[1:]} "
            "for a sample"
        )


def _quality(module: nn.Module, dataset: Dataset) -> dict[str, float]:
    parts = {"val": (dataset.x_val, dataset.y_val), "test": (dataset.x_test, dataset.y_test)}
    return {
        f"{part}_{name}": value
        for part, (x, y) in parts.items()
        for name, value in evaluate(module, x, y, dataset.task).items()
    }


def _times(module: nn.Module, dataset: Dataset, config: TrainingConfig) -> Mapping[str, float]:
    """Process time (on a GPU: device time) of inference and of a training step, which here is a real one on a copy."""
    threads = torch.get_num_threads()
    device = next(module.parameters()).device
    rows = np.arange(min(config.batch_size, len(dataset.x_train)))
    batch = torch.as_tensor(dataset.x_train[rows]).to(device), torch.as_tensor(dataset.y_train[rows]).to(device)
    working = copy.deepcopy(module).train()
    step = _step(working, dataset, config)
    with torch.random.fork_rng(devices=[]):  # dropout draws
        training = time_training_step(
            lambda: step(*batch, 0.0), threads=threads, device=device.type, budget_seconds=TIMING_SECONDS
        )
    x = torch.from_numpy(dataset.x_val[np.resize(np.arange(len(dataset.x_val)), config.inference_batch)])
    inference = time_inference(module, x, threads=threads, budget_seconds=TIMING_SECONDS)
    return {
        "train_step_seconds": training.seconds,
        "inference_seconds": inference.seconds,
        "inference_spread": inference.spread,
        "reference_seconds": reference_kernel_seconds(threads),
    }
