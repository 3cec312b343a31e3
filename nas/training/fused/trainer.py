"""The fused training loop as an object: a network goes in, is trained in chunks of steps, and is written back.

See `nas.training.fused._kernels` for the loop itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from nas import engine
from nas.engine.simd import LANES
from nas.engine.threads import team
from nas.manifold import EDGES, FLOW, ManifoldNetwork, Measure, measures_of
from nas.manifold.kernels import DERIVED
from nas.training.cost.work import trainer_tiling
from nas.training.fused import state as shared
from nas.training.fused._kernels import train_steps
from nas.training.fused._structure import columns, lost_output, structure, used_inputs
from nas.training.loss_terms import StructureCosts, structure_costs, terms_type
from nas.training.noise import NOISE_BLOCK, input_noise
from nas.training.optimisers import code_of
from nas.training.types import Dataset, TrainingConfig

__all__ = ["ClosenessStep", "FusedTrainer", "OptimiserState", "StepReport", "closeness_rates"]


@dataclass(frozen=True, slots=True)
class StepReport:
    """What the last step of a chunk saw, before its update."""

    steps: int  # done in this chunk; fewer than asked when the loss stopped being finite
    objective: float
    values: Mapping[Measure, float]  # of the structure, see `nas.manifold.Measure`
    total: float
    correct: float  # share of the batch classified rightly; 0 for regression
    live: int
    finite: bool
    lost: bool = False  # stopped before a step in which some output has no path from any input

    @property
    def flow(self) -> float:
        """See `nas.manifold.flow`."""
        return self.values[FLOW]

    @property
    def smooth_edges(self) -> float:
        """See `nas.manifold.smooth_edges`; their sum."""
        return self.values[EDGES]


@dataclass(frozen=True, slots=True)
class ClosenessStep:
    """Closeness parameters, (7 m + 1,): the seven of all neurons, then the cutoff; before and after an update."""

    before: np.ndarray | None  # None: the optimiser has made no step yet
    after: np.ndarray


@dataclass(frozen=True, slots=True)
class OptimiserState:
    """What an optimiser remembers of its steps, on the parameters of one network."""

    steps: int
    moments: np.ndarray  # (2, parameters) float32: mean gradient, mean squared gradient (sgd: momentum, zeros)
    n_edges: int  # the first so many are those of the free weights; 0 without free weights

    def on_edges(self, old: np.ndarray) -> OptimiserState:
        """The state of the same network on other edges: ``old`` (E,) holds each one's old number, or -1, new."""
        if not self.n_edges:
            return self
        weights = np.where(old >= 0, self.moments[:, np.maximum(old, 0)], np.float32(0))
        return OptimiserState(self.steps, np.hstack([weights, self.moments[:, self.n_edges :]]), len(old))


class FusedTrainer:
    """Trains one network; between chunks the network's own parameters are stale until `write_back`.

    Args:
        network: float32; its parameters are the start.
        dataset: its training part is used.
        config: optimiser, factor of the objective; schedule and steps are the caller's.
        costs: the loss terms, see `StructureCosts`.
        threads: how many to use at most.
        seed: of the noise on the inputs.
        refresh: 1: every step evaluates the closeness of all allowed edges, the exact setting; k: only every k-th, the
            others only where edges are live, so that edges may die between but none come alive.
        state: of the optimiser, to go on with.
        watched: whether `run` stops before a step in which some output has no path from any input.
    """

    def __init__(
        self,
        network: ManifoldNetwork,
        dataset: Dataset,
        config: TrainingConfig,
        costs: StructureCosts,
        *,
        threads: int,
        seed: int = 0,
        refresh: int = 1,
        state: OptimiserState | None = None,
        watched: bool = False,
    ) -> None:
        self.network, self.costs = network, costs
        self._dataset, self._config, self._seed = dataset, config, seed
        self._noise = input_noise(config, seed, dataset)
        self.steps_done = 0
        self.batch_size = min(config.batch_size, len(dataset.x_train))
        dag, plan, closeness = network.dag, network.plan, network.closeness
        n, m, n_edges = dag.n, dag.n - dag.n_inputs, dag.n_edges
        self._most_threads, self._refresh, self._watched = threads, refresh, watched
        size, _, self.ranks = trainer_tiling(n_edges, self.batch_size, threads)
        self._size = size
        floats = np.float32
        self._measures = measures = measures_of()
        factors = tuple(float(costs.factors.get(measure, 0.0)) for measure in measures)
        neural = any(factor != 0 and each.over == "neurons" for each, factor in zip(measures, factors, strict=True))
        self._graph = shared.Graph(
            plan.in_ptr,
            plan.sources,
            plan.out_ptr,
            plan.targets,
            plan.out_edges,
            np.zeros(0, floats) if closeness is None else closeness.displacement().numpy(),
            network.flow_signs.numpy(),
            engine.activation_codes(dag, network.activation),
        )
        classifies = dataset.task == "classification"
        self._data = shared.Data(
            np.ascontiguousarray(dataset.x_train, floats).reshape(-1),
            np.ascontiguousarray(dataset.y_train, np.int64) if classifies else np.zeros(0, np.int64),
            np.zeros(0, floats) if classifies else np.ascontiguousarray(dataset.y_train, floats).reshape(-1),
            *2 * (np.zeros(0, floats),),
            np.zeros(0, np.int32),
        )
        self._settings = shared.Settings(
            dag.n_inputs,
            dag.n_outputs,
            closeness is not None,
            network.weight is not None,
            network.gain is not None,
            1.0 if closeness is None else closeness.period,
            code_of(config.optimizer),
            config.weight_decay,
            *closeness_rates(network),
            config.losses.objective,
            terms_type(measures),
            factors,
            refresh,
            closeness is None and engine.walks_by_rows(n_edges, floats().itemsize),
            costs.constant,
            network.readout != "activated",
            network.readout == "square",
            closeness is not None and watched,
            1 if self._noise is None else self._noise.width,
            1 if self._noise is None else self._noise.channels,
        )
        keeps_z = engine.needs_input(dag, network.activation) or network.readout != "activated"
        count, padding = sum(p.numel() for p in self._parameters()), 16
        ranks = self.ranks
        chunk_ptr = np.concatenate([[0], np.cumsum(-(-np.diff(plan.in_ptr) // 16))])
        self._buffers = shared.Buffers(
            theta=np.zeros(count + padding, floats),
            gradient=np.zeros(count + padding, floats),
            moment_1=np.zeros(count + padding, floats),
            moment_2=np.zeros(count + padding, floats),
            d=np.zeros(n_edges, floats),
            c=np.zeros(n_edges, floats),
            weight=np.zeros(n_edges, floats),
            saved=np.zeros((4, n_edges if closeness is not None else 0), floats),
            derived=np.zeros((DERIVED, m), floats),
            sums=np.zeros((7, m), floats),
            alive=np.ones(n_edges, np.uint8),
            chunk_ptr=chunk_ptr,
            chunks=np.full(chunk_ptr[-1], shared.NEAR | shared.LIVE_CHUNK, np.uint8),
            ones=np.ones(16, floats),
            dirty=np.zeros(n, np.uint8),
            in_end=plan.in_ptr[1:].copy(),
            live_sources=plan.sources.copy(),
            live_weight=np.zeros(n_edges, floats),
            out_end=plan.out_ptr[1:].copy(),
            live_targets=plan.targets.copy(),
            live_edges=plan.out_edges.copy(),
            used=plan.used_inputs.copy(),
            moved=_aligned(ranks, size * dag.n_inputs if self._noise is not None and self._noise.moves else 0),
            in_order=np.arange(size),
            values=_aligned(ranks, n * size),
            kept_z=_aligned(ranks, n * size if keeps_z else 0),
            grads=_aligned(ranks, (n + 2) * size),
            grad_weight=np.zeros((ranks, n_edges), floats),
            grad_bias=np.zeros((ranks, m), floats),
            partial=np.zeros((ranks, 8 * max(2, -(-(shared.P_TOTALS + len(measures)) // 8)))),
            rows=_shares(plan.in_ptr, dag.n_inputs, n, ranks),
            columns=_shares(plan.out_ptr, 0, n, ranks),
            before=np.zeros(7 * m + 1 if closeness is not None and watched else 0, floats),
            reached=np.zeros(n, np.uint8),
            absent=np.zeros((len(measures), m if neural else 0), floats),
        )
        self._read()
        self._count = count
        self._first_step = 0 if state is None else state.steps
        if state is not None:
            self.steps_done = state.steps
            self._buffers.moment_1[:count], self._buffers.moment_2[:count] = state.moments

    @property
    def state(self) -> OptimiserState:
        """What the optimiser remembers now; copies."""
        moments = np.stack([self._buffers.moment_1[: self._count], self._buffers.moment_2[: self._count]])
        return OptimiserState(self.steps_done, moments, 0 if self.network.weight is None else self.network.dag.n_edges)

    def on(self, network: ManifoldNetwork, old: np.ndarray) -> FusedTrainer:
        """A trainer that goes on with ``network``: the same neurons on other edges.

        Args:
            old: (E,) the number that each of its edges has here; -1: new.
        """
        costs = structure_costs(self._config, network.dag)
        trainer = FusedTrainer(
            network, self._dataset, self._config, costs,
            threads=self._most_threads, seed=self._seed, refresh=self._refresh, state=self.state.on_edges(old),
            watched=self._watched,
        )  # fmt: skip
        trainer._noise = self._noise  # the same numbers, and those of this block are drawn
        return trainer

    def _parameters(self) -> list[torch.Tensor]:
        """In the order of the kernels' parameter vector."""
        network, closeness = self.network, self.network.closeness
        free = [network.weight, network.gain, network.bias]
        learned = [] if closeness is None else [*closeness.neuron_parameters(), closeness.cutoff]
        return [p for p in (*free, *learned) if p is not None]

    def _read(self) -> None:
        at = 0
        for parameter in self._parameters():
            end = at + parameter.numel()
            self._buffers.theta[at:end] = parameter.detach().numpy().reshape(-1)
            at = end

    def write_back(self) -> None:
        """Bring the network's parameters up to date."""
        at = 0
        with torch.no_grad():
            for parameter in self._parameters():
                end = at + parameter.numel()
                parameter.copy_(torch.from_numpy(self._buffers.theta[at:end]).view_as(parameter))
                at = end

    def live_mask(self) -> np.ndarray:
        """Which allowed edges were live in the last step, bool (E,)."""
        live: np.ndarray = self._buffers.alive.astype(bool)
        return live

    def run(self, numbers: np.ndarray, rates: np.ndarray, temperatures: np.ndarray | None = None) -> StepReport:
        """Do one step for each row of ``numbers``; fewer where the report says why.

        Args:
            numbers: (steps, batch) int64, rows of the training part.
            rates: (steps,) learning rates.
            temperatures: (steps,) of the smooth counts; the network's throughout when None.
        """
        if temperatures is None:
            temperatures = np.full(len(rates), self.network.temperature)
        else:
            self.network.temperature = float(temperatures[-1])
        sharpnesses = (1.0 / temperatures).astype(np.float32)
        report = np.zeros(shared.TOTALS + len(self._measures))
        done = 0
        while done < len(numbers):
            # What a sample meets must not depend on where this call began.
            left = len(numbers) if self._noise is None else NOISE_BLOCK - self.steps_done % NOISE_BLOCK
            part = slice(done, min(done + left, len(numbers)))
            self._run_block(numbers[part], rates[part], sharpnesses[part], report)
            done += int(report[shared.STEPS_DONE])
            if done < part.stop or not report[shared.FINITE]:
                break
        return StepReport(
            done,
            float(report[shared.OBJECTIVE]),
            {each: each.of_total(report[shared.TOTALS + q]) for q, each in enumerate(self._measures)},
            float(report[shared.TOTAL]),
            float(report[shared.CORRECT]),
            int(report[shared.LIVE]),
            bool(report[shared.FINITE]) or bool(report[shared.LOST]),
            bool(report[shared.LOST]),
        )

    def _run_block(self, numbers: np.ndarray, rates: np.ndarray, sharpnesses: np.ndarray, report: np.ndarray) -> None:
        """Steps of one block of the noise; see `train_steps`."""
        deviations = np.zeros(0, np.float32)
        if self._noise is not None:
            factor, offset, shifts = self._noise.tables(self.steps_done // NOISE_BLOCK)
            self._data = self._data._replace(factor=factor, offset=offset, shifts=shifts.reshape(-1))
            deviations = self._noise.deviations(self.steps_done, len(numbers))

        train_steps(
            team(), LANES[16], LANES[self._size], self._size, self.ranks, self._graph, self._data,
            self._settings, self._buffers, numbers, rates, sharpnesses, deviations, self.steps_done, report,
        )  # fmt: skip
        self.steps_done += int(report[shared.STEPS_DONE])

    def closeness_step(self) -> ClosenessStep:
        """The last change of the closeness parameters; copies."""
        at = self._count - len(self._buffers.before)
        before = self._buffers.before.copy() if self.steps_done > self._first_step else None
        return ClosenessStep(before, self._buffers.theta[at : self._count].copy())

    def set_closeness(self, values: np.ndarray, reset: np.ndarray) -> None:
        """Go on with other closeness parameters.

        Args:
            values: (7 m + 1,), see `ClosenessStep`.
            reset: (7 m + 1,) bool, those whose mean gradient the optimiser forgets.
        """
        buffers, part = self._buffers, slice(self._count - len(values), self._count)
        buffers.theta[part] = values
        buffers.moment_1[part][reset] = 0  # not the squared one: Adam's next step would be three times as long
        buffers.chunks[:] = shared.NEAR | shared.LIVE_CHUNK  # every edge is looked at again
        buffers.partial[:, shared.P_LOST] = 0

    def freeze_structure(self) -> None:
        """Closeness and cutoff stay as they are from now on."""
        self._settings = self._settings._replace(closeness_rate=0.0, length_rate=0.0)

    def loses_output(self) -> bool:
        """Whether some output has no path with the parameters as they are now."""
        if not self._settings.watched:
            return False
        graph, settings, buffers = self._graph, self._settings, self._buffers
        cutoff = buffers.theta[self._count - 1]
        for rank in range(self.ranks):
            structure(LANES[16], rank, graph, settings, buffers, cutoff, np.float32(2.0), True)
        for rank in range(self.ranks):
            columns(rank, graph, buffers)
        used_inputs(graph, settings.n_inputs, buffers)
        return bool(lost_output(graph, settings.n_inputs, settings.n_outputs, buffers))


def closeness_rates(network: ManifoldNetwork) -> tuple[float, float]:
    """Learning rates of the closeness parameters, and of sigma and mu, relative to those of the weights."""
    if network.closeness is None:
        return 1.0, 1.0
    *_, others, lengths = network.parameter_groups(1.0)
    return float(others["lr"]), float(lengths["lr"])


def _aligned(rows: int, columns: int) -> np.ndarray:
    """Zeros (rows, columns) float32, every row on a 64-byte boundary: columns is a multiple of 16."""
    raw = np.zeros(rows * columns + 16, np.float32)
    start = (-raw.ctypes.data % 64) // 4
    return raw[start : start + rows * columns].reshape(rows, columns)


def _shares(ptr: np.ndarray, first: int, last: int, parts: int) -> np.ndarray:
    """Boundaries (parts + 1,) of neuron ranges from ``first`` to ``last`` with about equally many edges."""
    goals = ptr[first] + (ptr[last] - ptr[first]) * np.arange(1, parts) / parts
    middle = np.clip(np.searchsorted(ptr, goals), first, last)
    return np.concatenate([[first], middle, [last]]).astype(np.int64)
