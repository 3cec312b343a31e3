"""A trial of any structure: ordinary torch training with the configuration, metrics and times of every other trial."""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.errors import TrialError
from nas.training._loop import FAR, History, OnLog, Stretch, drive, history_of, noise_seed, train_on
from nas.training._pause import curve_arrays
from nas.training.cost.timing import hardware, reference_kernel_seconds, time_inference, time_training_step
from nas.training.fused.trainer import StepReport
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
    points: list[dict[str, float]] = []
    try:
        course = _Module(module, dataset, config, seed, resume)
        state = drive(train_on(course, dataset, config, seed, points, on_log=on_log, pause_at=pause_at, resume=resume))
    finally:
        module.eval()
    return history_of(points), state


class _Module:
    """The course of a module of torch; see `nas.training._loop.Course`. Arguments as of `_train_until`."""

    draws = False

    def __init__(
        self, module: nn.Module, dataset: Dataset, config: TrainingConfig, seed: int, resume: TrainingState | None
    ) -> None:
        self._module, self._dataset, self._config = module, dataset, config
        self.batch_size = min(config.batch_size, len(dataset.x_train))
        self._x, self._y = torch.as_tensor(dataset.x_train), torch.as_tensor(dataset.y_train)
        if resume is not None:
            module.load_state_dict(_tensors(resume, "module/"))
        self._optimiser = _optimiser(module, config)
        self._step = _step(module, self._optimiser, dataset, config)
        self._noise = input_noise(config, noise_seed(seed), dataset)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self._random = torch.default_generator.get_state()  # what dropout draws next
        if resume is not None:
            _remember(self._optimiser, _tensors(resume, "optimiser/"))
            self._random = _tensors(resume, "rng")[""]

    def next_event(self, step: int) -> int:
        return FAR

    def steps(
        self, step: int, numbers: np.ndarray | None, rates: np.ndarray
    ) -> Generator[Stretch, StepReport, StepReport]:
        yield from ()  # a course's steps are a routine; these ask nobody
        assert numbers is not None
        x, y, noise = self._x, self._y, self._noise
        self._module.train()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.set_state(self._random)
            for done, (some, rate) in enumerate(zip(numbers, rates.tolist(), strict=True), step):
                rows = torch.from_numpy(some)
                batch = x[rows] if noise is None else torch.from_numpy(noise.disturb(x[rows].numpy(), done))
                objective, outputs = self._step(batch, y[rows], rate)
            self._random = torch.default_generator.get_state()
        value, end = float(objective), step + len(rates)
        if not np.isfinite(value):
            raise TrialError(
                f"diverged: the loss must stay finite, but is {value} at step {end}; "
                f"lower learning_rate ({self._config.learning_rate:g})"
            )
        right = outputs.argmax(dim=1).cpu() == y[rows] if self._dataset.task == "classification" else torch.zeros(1)
        total = self._config.losses.objective * value
        return StepReport(len(rates), value, {}, total, float(right.float().mean()), 0, True)

    def point(self, report: StepReport, step: int, rate: float) -> dict[str, float]:
        if self._dataset.task == "classification":
            quality = {"train_accuracy": report.correct}
        else:
            quality = {"train_mse": report.objective}
        return {
            "step": float(step), "objective": report.objective, "total": report.total, **quality,
            "learning_rate": rate,
        }  # fmt: skip

    def network(self) -> nn.Module:
        return self._module.eval()

    def between(self, step: int) -> None:
        pass

    def finish(self) -> None:
        pass

    def paused(self, points: list[dict[str, float]], step: int) -> TrainingState:
        """Module, optimiser, the random numbers of dropout, curves."""
        state = self._module.state_dict()
        arrays = {f"module/{name}": value.detach().cpu().numpy().copy() for name, value in state.items()}
        for number, values in self._optimiser.state_dict()["state"].items():
            kept = {name: value for name, value in values.items() if isinstance(value, Tensor)}
            arrays |= {f"optimiser/{number}/{name}": value.cpu().numpy().copy() for name, value in kept.items()}
        arrays["rng"] = self._random.numpy().copy()
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
