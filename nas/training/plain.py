"""Training steps in plain torch operations on any device: where a GPU's own kernels cannot be used, or a closeness has
none.

The same steps as `nas.training.fused.trainer` (the same objective, terms, schedule and optimiser; the noise on the
inputs is drawn by other means), some hundred operations each. A level of the network is one product with a matrix of
weights and zeros, or a sum over its edges, whichever is less work (`nas.engine.traceable_apply`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nas.engine import plain_operations
from nas.manifold import LossTerms, ManifoldNetwork, Measure
from nas.training._order import keyed_batches
from nas.training.fused.trainer import ClosenessStep, OptimiserState, StepReport, closeness_rates
from nas.training.loss_terms import StructureCosts, structure_costs
from nas.training.noise import drawn_shifts, moved_pixels
from nas.training.optimisers import BETA_1, BETA_2, optimised
from nas.training.types import Dataset, TrainingConfig

__all__ = ["PlainTrainer"]


class PlainTrainer:
    """Trains one network; between calls the network's own parameters are stale until `write_back`.

    Arguments and methods are those of `nas.training.gpu.trainer.GPUTrainer`; ``device`` says where.
    """

    def __init__(
        self,
        network: ManifoldNetwork,
        dataset: Dataset,
        config: TrainingConfig,
        costs: StructureCosts,
        *,
        device: torch.device | str,
        seed: int = 0,
        state: OptimiserState | None = None,
        watched: bool = False,
    ) -> None:
        self.network, self.costs, self.device = network, costs, torch.device(device)
        self._dataset, self._config = dataset, config
        self._seed, self._watched = seed, watched
        self.steps_done = self._first_step = 0 if state is None else state.steps
        self.batch_size = min(config.batch_size, len(dataset.x_train))
        self._twin = network.like(network.dag, network.to_arrays()).to(self.device)
        self._rates = list(_relative_rates(network))
        closeness = network.closeness
        self._learned = 0 if closeness is None else len(closeness.family.parameters) + 1  # and the cutoff
        # Where only the closeness has no kernels, the network's own are used.
        self._way = contextlib.nullcontext if not network.compiled else plain_operations
        self._decays = [parameter is network.weight or parameter is network.gain for parameter in _parameters(network)]
        self._most = _updated(network)
        sizes = [parameter.numel() for parameter in _parameters(network)]
        moments = np.zeros((2, sum(sizes)), np.float32) if state is None else state.moments
        rows = [torch.split_with_sizes(torch.from_numpy(np.array(row)).to(self.device), sizes) for row in moments]
        self._moments = [[part.clone() for part in row] for row in rows]
        self._before: np.ndarray | None = None
        self._live: Tensor | None = None  # the last structure that was seen to have all paths
        self._x = torch.from_numpy(np.ascontiguousarray(dataset.x_train, np.float32)).to(self.device)
        kind = np.int64 if dataset.task == "classification" else np.float32
        self._y = torch.from_numpy(np.ascontiguousarray(dataset.y_train, kind)).to(self.device)

    def run(self, numbers: np.ndarray | None, rates: np.ndarray, temperatures: np.ndarray | None = None) -> StepReport:
        """See `nas.training.fused.trainer.FusedTrainer.run`; without ``numbers`` in the order of `keyed_batches`."""
        if numbers is None:
            numbers = keyed_batches(len(self._x), self.batch_size, self._seed, self.steps_done, len(rates))
        twin = self._twin
        twin.temperature = self.network.temperature
        done, nothing = 0, dict.fromkeys(self.costs.needed(), 0.0)
        seen: tuple[float, Mapping[Measure, float], float, float] = (0.0, nothing, 0.0, 0.0)
        live, finite = int(twin.dag.n_edges), True
        for k, rate in enumerate(rates.tolist()):
            if temperatures is not None:
                twin.temperature = self.network.temperature = float(temperatures[k])
            rows = torch.from_numpy(numbers[k].astype(np.int64)).to(self.device)
            with self._way():
                outputs, terms, alive = twin.forward_with_terms(self._noisy(self._moved(self._x[rows])))
                if not self._has_paths(alive):
                    return StepReport(done, *seen, live, True, lost=True)
                objective, total = self._loss(outputs, self._y[rows], terms)
                one, two = (float(each.detach()) for each in (objective, total))
                seen = one, self.costs.measured(terms), two, self._correct(outputs.detach(), self._y[rows])
                live = int(alive.sum())
                finite = bool(np.isfinite(two))
                if not finite:
                    break
                parameters = _parameters(twin)
                gradients = torch.autograd.grad(total, parameters, allow_unused=True, materialize_grads=True)
            self._update(parameters, gradients, rate)
            done += 1
        return StepReport(done, *seen, live, finite)

    def _loss(self, outputs: Tensor, targets: Tensor, terms: LossTerms) -> tuple[Tensor, Tensor]:
        weights, costs = self._config.losses, self.costs
        classifies = self._dataset.task == "classification"
        objective = (nn.functional.cross_entropy if classifies else nn.functional.mse_loss)(outputs, targets)
        total = weights.objective * objective + costs.constant
        for measure, factor in costs.factors.items():
            if factor:
                total = total + factor * terms.value(measure)
        return objective, total

    def _correct(self, outputs: Tensor, targets: Tensor) -> float:
        if self._dataset.task != "classification":
            return 0.0
        return float((outputs.argmax(1) == targets).float().mean())

    def _moved(self, x: Tensor) -> Tensor:
        """Images in other places, where the job moves them, drawn anew for each step of a seed."""
        image, deviation = self._dataset.image, self._config.input_shift
        if not deviation or image is None:
            return x
        shifts = drawn_shifts(np.random.default_rng([self._seed, 6, self.steps_done]), deviation, len(x))
        places = moved_pixels(shifts, x.shape[1], *image)
        return x.gather(1, torch.from_numpy(places).to(self.device))

    def _noisy(self, x: Tensor) -> Tensor:
        """Inputs with the noise of the job, drawn anew for each step of a seed; see `nas.training.noise`."""
        config = self._config
        deviation = config.input_noise
        if config.final_input_noise is not None:
            share = min(1.0, self.steps_done / max(config.steps, 1))
            deviation += (config.final_input_noise - deviation) * share
        if deviation or config.input_dropout:
            rng = np.random.default_rng([self._seed, 5, self.steps_done])
            kept = rng.random(x.shape, np.float32) >= config.input_dropout
            factor = np.where(kept, np.float32(1 / (1 - config.input_dropout)), np.float32(0))
            offset = rng.standard_normal(x.shape, np.float32) * np.float32(deviation)
            x = x * torch.from_numpy(factor).to(self.device) + torch.from_numpy(offset).to(self.device)
        return x

    @torch.no_grad()
    def _update(self, parameters: list[Tensor], gradients: tuple[Tensor, ...], rate: float) -> None:
        """One step of the optimiser; not torch's own, whose state has other shapes."""
        config = self._config
        if self._twin.closeness is not None:
            self._before = self._closeness()
        self.steps_done += 1
        for place, (parameter, gradient, most) in enumerate(zip(parameters, gradients, self._most, strict=True)):
            value, g = parameter.view(-1)[:most], gradient.reshape(-1)[:most]
            one, two = (moments[place][:most] for moments in self._moments)
            speed, decay = rate * self._rates[place], config.weight_decay if self._decays[place] else 0.0
            same = {
                "rate": speed, "decay": decay, "bias_1": 1 - BETA_1**self.steps_done,
                "bias_2": (1 - BETA_2**self.steps_done) ** 0.5,
            }  # fmt: skip
            numbers = {name: torch.full_like(value[:1], number) for name, number in same.items()}
            step = optimised(config.optimizer, {"value": value, "gradient": g, "one": one, "two": two, **numbers})
            for kept, new in zip((value, one, two), step, strict=True):
                kept.copy_(new)

    def _has_paths(self, alive: Tensor) -> bool:
        """Whether every output has a path; looked at only where an edge has died or come alive."""
        if not self._watched or self._twin.closeness is None:
            return True
        if self._live is None or not torch.equal(alive, self._live):
            dag = self._twin.dag
            if len(dag.with_edges(alive.cpu().numpy(), allow_unreachable=True).unreachable_outputs()) > 0:
                return False
            self._live = alive
        return True

    @property
    def bytes(self) -> int:
        """Memory of its parameters and moments, gradients and activations apart."""
        return sum(3 * parameter.numel() * parameter.element_size() for parameter in _parameters(self._twin))

    @torch.no_grad()
    def write_back(self) -> None:
        """Bring the network's parameters up to date."""
        for own, there in zip(_parameters(self.network), _parameters(self._twin), strict=True):
            own.copy_(there)

    @property
    def state(self) -> OptimiserState:
        """What the optimiser remembers now; copies."""
        moments = np.stack([torch.cat(row).cpu().numpy() for row in self._moments])
        return OptimiserState(self.steps_done, moments, 0 if self.network.weight is None else self.network.dag.n_edges)

    def on(self, network: ManifoldNetwork, old: np.ndarray) -> PlainTrainer:
        """A trainer that goes on with ``network``: the same neurons on other edges; see `FusedTrainer.on`."""
        return PlainTrainer(
            network, self._dataset, self._config, structure_costs(self._config, network.dag), device=self.device,
            seed=self._seed, state=self.state.on_edges(old), watched=self._watched,
        )  # fmt: skip

    def live_mask(self) -> np.ndarray:
        """Which allowed edges are live, bool (E,)."""
        with self._way():
            return self._twin.live_mask()

    def closeness_step(self) -> ClosenessStep:
        """The last change of the closeness parameters; copies."""
        return ClosenessStep(self._before if self.steps_done > self._first_step else None, self._closeness())

    @torch.no_grad()
    def set_closeness(self, values: np.ndarray, reset: np.ndarray) -> None:
        """Go on with other closeness parameters; see `FusedTrainer.set_closeness`."""
        parameters = _parameters(self._twin)
        learned = len(parameters) - self._learned
        sizes = [parameter.numel() for parameter in parameters[learned:]]
        fresh = torch.split_with_sizes(torch.from_numpy(values.astype(np.float32)).to(self.device), sizes)
        forgotten = torch.split_with_sizes(torch.from_numpy(reset).to(self.device), sizes)
        for k, (value, forget) in enumerate(zip(fresh, forgotten, strict=True), learned):
            parameters[k].copy_(value.view_as(parameters[k]))
            self._moments[0][k][forget] = 0
        self._live = None

    def freeze_structure(self) -> None:
        """Closeness and cutoff stay as they are from now on."""
        if self._twin.closeness is not None:
            self._rates[-self._learned :] = [0.0] * self._learned

    def loses_output(self) -> bool:
        """Whether some output has no path with the parameters as they are now."""
        if not self._watched or self._twin.closeness is None:
            return False
        self._live = None
        return not self._has_paths(torch.from_numpy(self.live_mask()))

    def _closeness(self) -> np.ndarray:
        values: np.ndarray = (
            torch.cat([each.detach().reshape(-1) for each in _parameters(self._twin)[-self._learned :]]).cpu().numpy()
        )
        return values.copy()


def _parameters(network: ManifoldNetwork) -> list[Tensor]:
    """In the order of the kernels' parameter vector."""
    closeness = network.closeness
    free = [network.weight, network.gain, network.bias]
    learned = [] if closeness is None else [*closeness.neuron_parameters(), closeness.cutoff]
    return [p for p in (*free, *learned) if p is not None]


def _relative_rates(network: ManifoldNetwork) -> list[float]:
    """Learning rate of each of `_parameters`, relative to that of the weights."""
    rate, length_rate = closeness_rates(network)
    count = len(_parameters(network))
    if network.closeness is None:
        return [1.0] * count
    family = network.closeness.family
    learned = [length_rate if name in family.lengths else rate for name in family.parameters]
    return [1.0] * (count - len(learned) - 1) + [*learned, rate]


def _updated(network: ManifoldNetwork) -> list[int]:
    """How many leading elements of each of `_parameters` are trained: outputs that only read have no gain and bias."""
    own = network.dag.n_computational if network.readout != "activated" else len(network.bias)
    return [own if p is network.bias or p is network.gain else p.numel() for p in _parameters(network)]
