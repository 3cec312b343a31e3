"""The training loop of `nas.training.fused.trainer` on a GPU: any number of networks in one launch.

A `GPUTrainer` holds one network's state in the GPU's memory and has the methods of a `FusedTrainer`; `run_together`
does the steps of many. The kernel is ``nas/engine/cuda/source/train.cu``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nas.engine import activation_codes, needs_input
from nas.engine import code_of as activation_code
from nas.engine.cuda import (
    GPU,
    VARIANTS,
    Kernel,
    Schedule,
    Variant,
    choose_variant,
    program,
    schedule_of,
    tiling_of,
)
from nas.manifold import ManifoldNetwork, Measure, measures_of
from nas.training.fused.state import NOISE_BITS, NOISE_GROUP
from nas.training.fused.trainer import (
    ClosenessStep,
    FusedTrainer,
    OptimiserState,
    StepReport,
    closeness_rates,
)
from nas.training.gpu import _state as shared
from nas.training.gpu._arena import Arena
from nas.training.gpu.data import GPUData
from nas.training.loss_terms import StructureCosts, cuda_terms, structure_costs
from nas.training.noise import NOISE_BLOCK, InputNoise, input_noise
from nas.training.optimisers import code_of, cuda_optimisers
from nas.training.plain import PlainTrainer
from nas.training.types import TrainingConfig

__all__ = ["GPUTrainer", "Launch", "Steps", "Trainer", "finish", "prepare", "run_together", "team_for"]

_EDGES_A_BLOCK = 4096  # below this a further block of a team costs more at its meetings than it takes off
_MOST_BLOCKS = 64
_MOST_EDGES = 2**29 - 1  # four numbers of each are addressed by 32-bit places
_LIVE_AND_NEAR = 3
_FLOAT, _DOUBLE, _INT, _BYTE = (np.dtype(kind) for kind in (np.float32, np.float64, np.int32, np.uint8))


def team_for(n_edges: int, batch: int, population: int, gpu: GPU) -> int:
    """How many blocks train one network, when ``population`` are trained at once."""
    share = max(1, gpu.multiprocessors // max(population, 1))
    return max(1, min(share, _MOST_BLOCKS, max(-(-batch // 32), -(-n_edges // _EDGES_A_BLOCK))))


@lru_cache(maxsize=32)
def _kernel(variant: Variant, measures: tuple[Measure, ...]) -> Kernel:
    generated = ("optimisers.cuh", cuda_optimisers()), ("terms.cuh", cuda_terms(measures))
    source = program("train.cu", shared.candidate(len(measures)), "candidate.h", (variant,), "float", generated)
    return Kernel(f"train_{variant[0]}_{variant[1]}", source)


class GPUTrainer:
    """Trains one network; between calls the network's own parameters are stale until `write_back`.

    Args:
        network: float32; its parameters are the start.
        data: where its GPU is, and the training part.
        config: optimiser, factor of the objective; schedule and steps are the caller's.
        costs: the loss terms, see `nas.training.loss_terms.StructureCosts`.
        seed: of the noise on the inputs, and of the order of the samples where `run` is given none; below 2^32.
        population: how many such networks are trained at once; decides how many blocks this one gets.
        state: of the optimiser, to go on with.
        watched: whether `run` stops before a step in which some output has no path from any input.

    Raises:
        ValueError: the network is too large for 32-bit places.
    """

    def __init__(
        self,
        network: ManifoldNetwork,
        data: GPUData,
        config: TrainingConfig,
        costs: StructureCosts,
        *,
        seed: int = 0,
        population: int = 1,
        state: OptimiserState | None = None,
        watched: bool = False,
    ) -> None:
        self.network, self.costs, self.data, self.gpu = network, costs, data, data.gpu
        self._config, self._seed, self._population, self._watched = config, seed, population, watched
        self.steps_done = self._first_step = 0 if state is None else state.steps
        self.batch_size = min(config.batch_size, len(data.dataset.x_train))
        self.noise = input_noise(config, seed, data.dataset)
        dag = network.dag
        if dag.n_edges > _MOST_EDGES:
            raise ValueError(
                f"a GPU trains networks of at most {_MOST_EDGES:,} edges, but this one has {dag.n_edges:,}"
            )
        self._schedule = schedule = schedule_of(dag)
        self.measures = measures_of()
        self.team = team_for(dag.n_edges, self.batch_size, population, self.gpu)
        self._places = _parameter_places(network, schedule)
        self._arrays = self._allocate(state)
        self._row = self._pack(costs)

    # --- memory ---------------------------------------------------------------------------------------------------

    def _allocate(self, state: OptimiserState | None) -> Arena:
        network, schedule, gpu = self.network, self._schedule, self.gpu
        dag, closeness = network.dag, network.closeness
        m, n_edges, linear = schedule.m, dag.n_edges, network.readout != "activated"
        self._linear = linear
        self._keeps_z = needs_input(dag, network.activation) or linear
        row_bytes = 8 * (shared.PARTIALS + len(self.measures))  # of shared memory: double sums of one warp
        reserved = -(-(row_bytes * (gpu.threads // 32 + 1) + 4 * (128 + 2)) // 16) * 16
        # A linear readout keeps a fourth matrix of activations: as much as that of the inputs would need, m rows more.
        tilings = {
            variant: tiling_of(schedule, variant, keeps_z=self._keeps_z, itemsize=4, reserved=reserved, linear=linear)
            for variant in VARIANTS
        }
        self.variant = choose_variant(tilings, self.batch_size, gpu.shared_bytes, blocks=self.team)
        tiling = tilings[self.variant]
        self.shared_bytes, self._scratch = tiling.shared_bytes, tiling.scratch
        tile_blocks = min(self.team, -(-self.batch_size // tiling.samples))
        stride = tiling.samples + 1

        codes = activation_codes(dag, network.activation)[dag.n_inputs :].copy()
        if network.readout == "square":
            codes[m - dag.n_outputs :] = activation_code("square")
        order = schedule.edge_order
        chunk_ptr = np.concatenate([[0], np.cumsum(-(-np.diff(schedule.row_ptr) // 32))]).astype(np.int32)
        rows = np.where(schedule.sources < schedule.n_slots, schedule.sources, schedule.sources - schedule.n_slots)
        theta = self._host_theta()
        links = np.zeros((n_edges, 2), np.float32)
        links[:, 0] = (rows * stride).astype(np.int32).view(np.float32)
        if closeness is None:
            links[:, 1] = theta[:n_edges]
        moments = np.zeros((2, len(theta)), np.float32) if state is None else state.moments[:, self._places]
        uploaded: dict[str, np.ndarray] = {
            **{name: getattr(schedule, name) for name in _SCHEDULE},
            "chunk_ptr": chunk_ptr,
            "codes": codes[schedule.neuron_order].astype(np.uint8),
            "flow_signs": network.flow_signs.numpy()[order],
            "theta": theta,
            "moment_1": moments[0],
            "moment_2": moments[1],
            "links": links,
            "row_outer": schedule.outer_ptr,
            "row_earlier": schedule.earlier_ptr,
            "row_end": schedule.row_ptr[1:],
            "column_inner": schedule.inner_ptr,
            "column_later": schedule.later_ptr,
            "column_end": schedule.column_ptr[1:],
            "live_at": (schedule.column_targets * stride).astype(np.int32),
            "live_edge": schedule.column_edges,
        }
        if closeness is not None:
            uploaded["p"] = closeness.displacement().numpy()[order]
        uploaded["alive"] = np.ones(n_edges, np.uint8)
        uploaded["chunks"] = np.full(int(chunk_ptr[-1]), _LIVE_AND_NEAR, np.uint8)
        several = n_edges if closeness is not None else 0
        cleared: dict[str, tuple[int, np.dtype[Any]]] = {
            "d": (several, _FLOAT),
            "c": (several, _FLOAT),
            "saved": (4 * several, _FLOAT),
            "row_absent": (m * sum(measure.over == "neurons" for measure in self.measures), _FLOAT),
            "before": (7 * m + 1 if closeness is not None and self._watched else 0, _FLOAT),
            "grad_weight": (tile_blocks * n_edges, _FLOAT),
            "grad_bias": (tile_blocks * m, _FLOAT),
            "scratch": (self.team * tiling.scratch, _FLOAT),
            "dirty": (m, _BYTE),
            "reached": (m, _BYTE),
            "meeting": (2, _INT),
            "partial": (self.team * (shared.PARTIALS + len(self.measures)), _DOUBLE),
        }
        if closeness is None:
            uploaded["weight"] = theta[:n_edges]
        else:
            cleared["weight"] = (n_edges, _FLOAT)
        return Arena(gpu, uploaded, cleared)

    def _pack(self, costs: StructureCosts) -> np.ndarray:
        network, schedule, config, dataset = self.network, self._schedule, self._config, self.data.dataset
        dag, closeness = network.dag, network.closeness
        rate, length_rate = closeness_rates(network)
        none = {"p": None}
        given = {name: None if each is None else each.data_ptr() for name, each in self.data.tensors.items()}
        later = dict.fromkeys(  # a launch's own
            ("factor", "offset", "shifts", "deviations", "numbers", "rates", "sharpnesses", "report")
        )
        return shared.candidate(len(self.measures)).pack([
            {
                **none,
                **given,
                **self._arrays.addresses,
                **later,
                "period": 1.0 if closeness is None else closeness.period,
                "weight_decay": config.weight_decay,
                "closeness_rate": rate,
                "length_rate": length_rate,
                "k_objective": config.losses.objective,
                **{f"factor_{q}": costs.factors.get(each, 0.0) for q, each in enumerate(self.measures)},
                "k_constant": costs.constant,
                "power_1": 1.0,
                "power_2": 1.0,
                "m": schedule.m,
                "n_slots": schedule.n_slots,
                "n_inputs": dag.n_inputs,
                "n_outputs": dag.n_outputs,
                "n_edges": dag.n_edges,
                "n_groups": schedule.n_groups,
                "batch": self.batch_size,
                "n_samples": len(dataset.x_train),
                "steps": 0,
                "first_step": 0,
                "optimizer": code_of(config.optimizer),
                "closeness": closeness is not None,
                "weighted": network.weight is not None,
                "gained": network.gain is not None,
                "linear": self._linear,
                "classifies": dataset.task == "classification",
                "keeps_z": self._keeps_z,
                "team": self.team,
                "noise_bits": NOISE_BITS,
                "noise_group": NOISE_GROUP,
                "noise_block": NOISE_BLOCK,
                "width": 1 if self.noise is None else self.noise.width,
                "channels": 1 if self.noise is None else self.noise.channels,
                "seed": int(np.int32(np.uint32(self._seed))),
                "scratch_size": self._scratch,
            }
        ])  # fmt: skip

    def _host_theta(self) -> np.ndarray:
        """The network's parameters in the order of the kernel."""
        parts = [p.detach().numpy().reshape(-1) for p in _parameters(self.network)]
        theta: np.ndarray = np.concatenate(parts)[self._places]
        return theta

    # --- what a trainer does --------------------------------------------------------------------------------------

    def run(self, numbers: np.ndarray | None, rates: np.ndarray, temperatures: np.ndarray | None = None) -> StepReport:
        """See `nas.training.fused.trainer.FusedTrainer.run`; without ``numbers`` in the order of `keyed_batches`."""
        return run_together([Steps(self, numbers, rates, temperatures)])[0]

    @property
    def bytes(self) -> int:
        """Memory of its arrays, those of the data apart."""
        return self._arrays.bytes

    def write_back(self) -> None:
        """Bring the network's parameters up to date."""
        theta = np.empty(len(self._places), np.float32)
        theta[self._places] = self._arrays.get("theta").cpu().numpy()
        at = 0
        with torch.no_grad():
            for parameter in _parameters(self.network):
                end = at + parameter.numel()
                parameter.copy_(torch.from_numpy(theta[at:end]).view_as(parameter))
                at = end

    @property
    def state(self) -> OptimiserState:
        """What the optimiser remembers now; copies."""
        moments = np.empty((2, len(self._places)), np.float32)
        for row, name in enumerate(("moment_1", "moment_2")):
            moments[row, self._places] = self._arrays.get(name).cpu().numpy()
        return OptimiserState(self.steps_done, moments, 0 if self.network.weight is None else self.network.dag.n_edges)

    def on(self, network: ManifoldNetwork, old: np.ndarray) -> GPUTrainer:
        """A trainer that goes on with ``network``: the same neurons on other edges; see `FusedTrainer.on`."""
        costs = structure_costs(self._config, network.dag)
        trainer = GPUTrainer(
            network, self.data, self._config, costs, seed=self._seed, population=self._population,
            state=self.state.on_edges(old), watched=self._watched,
        )  # fmt: skip
        trainer.noise = self.noise  # the same numbers, and those of this block are drawn
        return trainer

    def live_mask(self) -> np.ndarray:
        """Which allowed edges were live in the last step, bool (E,)."""
        live = np.empty(self.network.dag.n_edges, bool)
        live[self._schedule.edge_order] = self._arrays.get("alive").cpu().numpy().astype(bool)
        return live

    def closeness_step(self) -> ClosenessStep:
        """The last change of the closeness parameters; copies."""
        before = self._arrays.get("before").cpu().numpy()
        after = self._arrays.get("theta")[-before.size :].cpu().numpy()
        return ClosenessStep(
            self._in_order(before) if self.steps_done > self._first_step else None, self._in_order(after)
        )

    def _in_order(self, values: np.ndarray) -> np.ndarray:
        """Closeness parameters (7 m + 1,) of the kernel in the order of the network."""
        result = values.copy()
        result[:-1].reshape(7, -1)[:, self._schedule.neuron_order] = values[:-1].reshape(7, -1)
        return result

    def set_closeness(self, values: np.ndarray, reset: np.ndarray) -> None:
        """Go on with other closeness parameters; see `FusedTrainer.set_closeness`."""
        order = self._schedule.neuron_order

        def ours(vector: np.ndarray) -> Tensor:
            rows = vector[:-1].reshape(7, -1)[:, order].reshape(-1)
            return self.gpu.upload(np.concatenate([rows, vector[-1:]]))

        self._arrays.get("theta")[-len(values) :] = ours(values.astype(np.float32))
        self._arrays.get("moment_1")[-len(values) :][ours(reset)] = 0
        self._arrays.get("chunks").fill_(_LIVE_AND_NEAR)  # every edge is looked at again

    def freeze_structure(self) -> None:
        """Closeness and cutoff stay as they are from now on."""
        self._row["closeness_rate"] = self._row["length_rate"] = 0.0

    def loses_output(self) -> bool:
        """Whether some output has no path with the parameters as they are now."""
        if self.network.closeness is None or not self._watched:
            return False
        self.write_back()
        dag = self.network.dag
        return len(dag.with_edges(self.network.live_mask(), allow_unreachable=True).unreachable_outputs()) > 0


Trainer = FusedTrainer | GPUTrainer | PlainTrainer

_SCHEDULE = (
    "slot_input", "group_ptr", "group_ahead", "group_back", "row_ptr", "sources", "outer_ptr", "earlier_ptr",
    "column_ptr", "column_targets", "column_edges", "inner_ptr", "later_ptr",
)  # fmt: skip


def _parameters(network: ManifoldNetwork) -> list[Tensor]:
    """In the order of the kernels' parameter vector."""
    closeness = network.closeness
    free = [network.weight, network.gain, network.bias]
    learned = [] if closeness is None else [*closeness.neuron_parameters(), closeness.cutoff]
    return [p for p in (*free, *learned) if p is not None]


def _parameter_places(network: ManifoldNetwork, schedule: Schedule) -> np.ndarray:
    """For each element of the kernel's parameter vector its place in the processor's, which is in the DAG's order."""
    places, at = [], 0
    for parameter in _parameters(network):
        count = parameter.numel()
        if parameter is network.weight:
            order = schedule.edge_order
        elif count == schedule.m and parameter.ndim == 1:
            order = schedule.neuron_order
        else:
            order = np.arange(count)
        places.append(at + order.astype(np.int64))
        at += count
    return np.concatenate(places)


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that a trainer is to do; see `GPUTrainer.run`."""

    trainer: GPUTrainer
    numbers: np.ndarray | None
    rates: np.ndarray
    temperatures: np.ndarray | None


def run_together(steps: Sequence[Steps]) -> list[StepReport]:
    """Do the steps of many trainers of one GPU, those of one variant in one launch; reports in the same order."""
    launches = prepare(steps)
    for each in launches:
        each.start()
    return finish(steps, launches)


@dataclass(frozen=True, slots=True)
class Launch:
    """Steps of trainers of one variant, ready to be done; may be started again, which goes on from where it ended."""

    places: list[int]  # which of the steps these are
    kernel: Kernel
    gpu: GPU
    jobs: Tensor
    team: int
    shared_bytes: int
    reports: Tensor  # (count, TOTALS + Q)
    kept: list[Tensor]  # what the jobs point at

    def start(self) -> None:
        """Start the kernel; nothing else happens on the GPU."""
        count = len(self.places)
        self.gpu.launch(
            self.kernel, count * self.team, self.jobs, count, shared_bytes=self.shared_bytes, team=self.team
        )


def prepare(steps: Sequence[Steps]) -> list[Launch]:
    """The launches that do the steps of many trainers of one GPU."""
    kinds: dict[tuple[Variant, int], list[int]] = {}
    for place, each in enumerate(steps):
        kinds.setdefault((each.trainer.variant, each.trainer.team), []).append(place)
    at_once = []
    for (_, team), places in kinds.items():  # blocks of teams wait for each other, so all must fit side by side
        most = len(places) if team == 1 else max(1, steps[places[0]].trainer.gpu.multiprocessors // team)
        at_once += [places[first : first + most] for first in range(0, len(places), most)]
    return [_launch(steps, places) for places in at_once]


def finish(steps: Sequence[Steps], launches: Sequence[Launch]) -> list[StepReport]:
    """Wait for launches that were started; what they report, in the order of the steps."""
    reports: list[StepReport | None] = [None] * len(steps)
    for launch in launches:
        for place, row in zip(launch.places, launch.reports.cpu().numpy(), strict=True):
            reports[place] = _report(steps[place].trainer, row)
    if steps:
        steps[0].trainer.gpu.synchronize()
    return [report for report in reports if report is not None]


def _launch(all_steps: Sequence[Steps], places: list[int]) -> Launch:
    steps = [all_steps[place] for place in places]
    # The longest first: with more networks than multiprocessors, what is started last ends last.
    gpu = steps[0].trainer.gpu
    longest = np.argsort([-each.trainer.network.dag.n_edges * len(each.rates) for each in steps], kind="stable")
    first = steps[0].trainer
    rows = np.frombuffer(bytearray(b"".join(steps[k].trainer._row.tobytes() for k in longest)), first._row.dtype)
    columns = shared.TOTALS + len(first.measures)
    reports = torch.zeros((len(steps), columns), dtype=torch.float64, device=gpu.torch_device)
    counts = np.array([len(steps[k].rates) for k in longest])
    starts = np.cumsum(counts) - counts
    rates = gpu.upload(np.concatenate([steps[k].rates for k in longest]).astype(np.float64))
    sharpnesses = gpu.upload(np.concatenate([_sharpness(steps[k]) for k in longest]))
    done = np.array([steps[k].trainer.steps_done for k in longest])
    rows["report"] = reports.data_ptr() + 8 * columns * longest
    rows["rates"] = rates.data_ptr() + 8 * starts
    rows["sharpnesses"] = sharpnesses.data_ptr() + 8 * starts
    rows["steps"], rows["first_step"] = counts, done
    rows["power_1"], rows["power_2"] = 0.9**done, 0.999**done
    kept = []
    for row, k in enumerate(longest):
        each, trainer = steps[k], steps[k].trainer
        if each.numbers is not None:
            kept.append(gpu.upload(each.numbers.astype(np.int32)))
            rows["numbers"][row] = kept[-1].data_ptr()
        if trainer.noise is not None and len(each.rates):
            for name, array in _noise_of(trainer.noise, trainer.steps_done, len(each.rates)).items():
                if len(array):
                    kept.append(gpu.upload(array))
                    rows[name][row] = kept[-1].data_ptr()
    return Launch(
        places, _kernel(first.variant, first.measures), gpu, gpu.upload(rows.view(np.uint8)), first.team,
        max(each.trainer.shared_bytes for each in steps), reports, [rates, sharpnesses, *kept],
    )  # fmt: skip


def _noise_of(noise: InputNoise, first: int, count: int) -> dict[str, np.ndarray]:
    """Tables of the blocks of these steps, one after the other, and the steps' deviations; by name."""
    blocks = range(first // NOISE_BLOCK, (first + count - 1) // NOISE_BLOCK + 1)
    tables = zip(*(noise.tables(block) for block in blocks), strict=True)
    found = {name: np.concatenate(parts) for name, parts in zip(("factor", "offset", "shifts"), tables, strict=True)}
    return found | {"deviations": noise.deviations(first, count).astype(np.float64)}


def _sharpness(each: Steps) -> np.ndarray:
    network = each.trainer.network
    if each.temperatures is None:
        return np.full(len(each.rates), 1.0 / network.temperature)
    network.temperature = float(each.temperatures[-1])
    sharpness: np.ndarray = 1.0 / each.temperatures.astype(np.float64)
    return sharpness


def _report(trainer: GPUTrainer, row: np.ndarray) -> StepReport:
    steps = int(row[shared.STEPS])
    trainer.steps_done += steps
    lost = bool(row[shared.LOST])
    return StepReport(
        steps,
        float(row[shared.OBJECTIVE]),
        {each: each.of_total(row[shared.TOTALS + q]) for q, each in enumerate(trainer.measures)},
        float(row[shared.TOTAL]),
        float(row[shared.CORRECT]),
        int(row[shared.LIVE]),
        bool(row[shared.FINITE]) or lost,
        lost,
    )
