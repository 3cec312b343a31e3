"""A trial of any structure: ordinary torch training with the configuration, metrics and times of every other trial."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import TrialError
from nas.training._pause import curve_arrays, curves_of
from nas.training._trainer import History, OnLog, _rates, _sample_numbers, history_of, noise_seed, quality_of
from nas.training.cost.timing import hardware, reference_kernel_seconds, time_inference, time_training_step
from nas.training.noise import input_noise
from nas.training.quality.evidence import quality
from nas.training.reference import torch_optimiser
from nas.training.structure import Structure
from nas.training.types import Candidate, Dataset, TrainingConfig, TrainingState, TrialResult, TrialStatus

__all__ = ["run_structure", "train_module"]

_EDGE_WEIGHTS = ("weight", "edge_values")  # of modules on DAGs, one number an edge
TIMING_SECONDS = 0.3  # wall seconds for each of the two time measurements of a trial


def train_module(
    module: nn.Module,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    on_log: OnLog | None = None,
) -> History:
    """Train any module in place on the training part for ``config.steps`` steps, on its device.

    The loss is the objective alone: flow, sparsity, time and memory are terms of a structure that is learned, and a
    module's stays (`nas.training.NetworkKind`). Noise on the inputs is that of networks of neurons. Weight decay
    acts on weights and not on biases and norms.

    Args:
        module: maps (batch, n_inputs) to (batch, n_outputs); left in evaluation mode.
        seed: decides the order of the samples and what dropout silences.
        on_log: called with the step and the values of the curves whenever a point is logged.

    Returns:
        The curves ``step, objective, total, train_accuracy`` (or ``train_mse``) and ``learning_rate``; with
        ``config.evaluate_every`` also those of the validation and test parts, as `nas.training.History` has them.

    Raises:
        TrialError: the loss is no finite number any more, or the configuration asks for what only neurons have.
        ValueError: the module does not fit the data.
    """
    history, _ = _train_until(module, dataset, config, seed, on_log=on_log)
    return history


def _train_until(
    module: nn.Module,
    dataset: Dataset,
    config: TrainingConfig,
    seed: int,
    *,
    pause_at: int | None = None,
    resume: TrainingState | None = None,
    on_log: OnLog | None = None,
) -> tuple[History, TrainingState | None]:
    """As `train_module`, from one rung to another; see `nas.training.train_until`."""
    if config.sparsify is not None:
        raise TrialError("training.sparsify is for networks of neurons; leave it out for other structures")
    _check_fits(module, dataset)
    size = min(config.batch_size, len(dataset.x_train))
    x, y = torch.as_tensor(dataset.x_train), torch.as_tensor(dataset.y_train)
    batches = _sample_numbers(len(x), size, np.random.default_rng([seed, 1]))
    points: list[dict[str, float]] = []
    if resume is not None:
        module.load_state_dict(_tensors(resume, "module/"))
    optimiser = _optimiser(module, config)
    step = _step(module, optimiser, dataset, config)
    noise = input_noise(config, noise_seed(seed), dataset)
    module.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            first = 0
            if resume is not None:
                first = resume.step
                points += curves_of(resume)
                _remember(optimiser, _tensors(resume, "optimiser/"))
                torch.default_generator.set_state(_tensors(resume, "rng")[""])
                for _ in range(first):
                    next(batches)
            rates = _rates(config)
            for done in range(first, config.steps if pause_at is None else pause_at):
                rows = torch.from_numpy(next(batches))
                rate = float(rates[done])
                batch = x[rows] if noise is None else torch.from_numpy(noise.disturb(x[rows].numpy(), done))
                objective, outputs = step(batch, y[rows], rate)
                last = done + 1 == config.steps
                evaluated = config.evaluate_every is not None and (last or (done + 1) % config.evaluate_every == 0)
                if last or evaluated or (done + 1) % config.point_steps() == 0:
                    point = _point(done + 1, objective, outputs, y[rows], rate, config, dataset)
                    if config.evaluate_every is not None:
                        module.eval()
                        point |= quality_of(module, dataset, evaluated)
                        module.train()
                    points.append(point)
                    if on_log is not None:
                        on_log(done + 1, points[-1])
            state = None if pause_at is None else _state(module, optimiser, points, pause_at)
    finally:
        module.eval()
    return history_of(points), state


def _state(
    module: nn.Module, optimiser: torch.optim.Optimizer, points: list[dict[str, float]], step: int
) -> TrainingState:
    """Of a paused training: module, optimiser, the random numbers of dropout, curves."""
    arrays = {f"module/{name}": value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}
    for number, values in optimiser.state_dict()["state"].items():
        kept = {name: value for name, value in values.items() if isinstance(value, Tensor)}
        arrays |= {f"optimiser/{number}/{name}": value.cpu().numpy().copy() for name, value in kept.items()}
    arrays["rng"] = torch.default_generator.get_state().numpy().copy()
    return TrainingState(step, arrays | curve_arrays(points))


def _remember(optimiser: torch.optim.Optimizer, values: Mapping[str, Tensor]) -> None:
    """What the optimiser remembered, by "number/name"."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in values.items():
        number, _, name = key.partition("/")
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})


def _tensors(state: TrainingState, prefix: str) -> dict[str, Tensor]:
    found = {name.removeprefix(prefix): v for name, v in state.arrays.items() if name.startswith(prefix)}
    return {name: torch.from_numpy(np.array(value)) for name, value in found.items()}


def run_structure(
    structure: Structure,
    candidate: Candidate,
    dataset: Dataset,
    config: TrainingConfig,
    on_log: OnLog | None,
    device: str = "cpu",
) -> TrialResult:
    """Train, evaluate and time a candidate whose genome has a structure; see `nas.training.run_trial`.

    Metrics are those of a network of neurons; ``edges``, ``density``, ``depth`` and ``neurons`` mean what
    `Structure.measures` says, ``flow`` is 0 and ``smooth_edges`` the same as ``edges``.
    """
    module = structure.build(candidate.seed).to(torch.device(device))
    if candidate.inherited is not None:
        module.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in candidate.inherited.items()})
    history, state = _train_until(
        module, dataset, config, candidate.seed, pause_at=candidate.pause_at, resume=candidate.resume, on_log=on_log
    )
    if state is not None:
        metrics = {**quality(module, dataset, ("val",)).metrics, **structure.measures()}
        used = hardware(torch.get_num_threads())
        return TrialResult(
            candidate.number, TrialStatus.PAUSED, metrics=metrics, hardware=used, state=state, steps=state.step
        )
    measures = structure.measures()
    found = quality(module, dataset)
    metrics = {
        **found.metrics,
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
        evidence=found.evidence,
    )


def _optimiser(module: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    decayed, plain = _decayed(module)
    groups = [
        {"params": group, "weight_decay": decay} for group, decay in ((decayed, config.weight_decay), (plain, 0.0))
    ]
    return torch_optimiser([group for group in groups if group["params"]], config)


def _decayed(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The parameters on which weight decay acts, and the others: biases, and what norms multiply by.

    A weight may have one axis: the edges of a DAG.
    """
    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    decayed: dict[int, nn.Parameter] = {}
    plain: dict[int, nn.Parameter] = {}
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            weighs = (parameter.ndim > 1 or name in _EDGE_WEIGHTS) and "bias" not in name
            (decayed if weighs and not isinstance(owner, norms) else plain)[id(parameter)] = parameter
    return list(decayed.values()), [value for key, value in plain.items() if key not in decayed]


def _step(
    module: nn.Module, optimiser: torch.optim.Optimizer, dataset: Dataset, config: TrainingConfig
) -> Callable[[Tensor, Tensor, float], tuple[Tensor, Tensor]]:
    """One optimiser step on a batch; gives its objective and outputs."""
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


def _times(module: nn.Module, dataset: Dataset, config: TrainingConfig) -> Mapping[str, float]:
    """Process time (on a GPU: device time) of inference and of a training step, which here is a real one on a copy."""
    threads = torch.get_num_threads()
    device = next(module.parameters()).device
    rows = np.arange(min(config.batch_size, len(dataset.x_train)))
    batch = torch.as_tensor(dataset.x_train[rows]).to(device), torch.as_tensor(dataset.y_train[rows]).to(device)
    working = copy.deepcopy(module).train()
    step = _step(working, _optimiser(working, config), dataset, config)
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
        "reference_seconds": reference_kernel_seconds(threads, str(device)),
    }
