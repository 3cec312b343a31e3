"""Cuts of a network's DAG while it trains, down to a budget of edges: when, how many, which, and what grows back.

The structure is a mask on the edges the candidate began with (its allowed edges). At every cut the network moves to
the smaller DAG with its weights and the optimiser's moments, so that the steps after it cost what the smaller network
costs. Every cut leaves every output reachable, and no edge outside the paths from inputs to outputs: an edge that no
path uses would be paid for and do nothing.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from nas import engine
from nas.graph import DAG
from nas.manifold import ManifoldNetwork
from nas.training.compression._grow import drawn_rows, extended, grown
from nas.training.compression.config import SparsifyConfig
from nas.training.gpu.trainer import Trainer
from nas.training.optimisers import OPTIMISERS
from nas.training.types import Dataset, TrainingConfig

__all__ = ["Sparsifier", "balanced_scores", "strongest"]

GRADIENT_SAMPLES = 1024  # for the gradient of absent edges


class Sparsifier:
    """The cuts of one training.

    Args:
        network: as it starts; its edges are the allowed ones, with those that grow. Moved to the initial edges if the
            configuration has any.
        dataset: its training part gives the gradient of absent edges.
        config: with a section `sparsify`.
        rng: draws initial edges and samples.
        allowed: (E, 2) edges that such a training had before it paused (see `nas.training._pause`). Which edges grow
            follows from sums of floats, which differ by processor: found again, they may be others.

    Raises:
        ValueError: the budget is out of range, or the section does not fit the rest of the configuration.
    """

    def __init__(
        self,
        network: ManifoldNetwork,
        dataset: Dataset,
        config: TrainingConfig,
        rng: np.random.Generator,
        *,
        allowed: np.ndarray | None = None,
    ) -> None:
        assert config.sparsify is not None
        self._config = section = config.sparsify
        self._dataset = dataset
        first_edges = network.dag.n_edges
        if allowed is not None:
            drawn_rows(dataset, rng)  # what follows draws as it did before the pause
            network.become(extended(network, allowed))
        elif section.grow > 0:
            network.become(grown(network, dataset, round(section.grow * network.dag.n_edges), rng))
        self._allowed = network.dag
        self.final_edges = _final_edges(section, network.dag, first_edges)
        self._objective = torch.nn.CrossEntropyLoss() if dataset.task == "classification" else torch.nn.MSELoss()
        self.rng = rng
        self._plan: engine.Plan | None = None
        if section.criterion == "saliency" and (not OPTIMISERS[config.optimizer].squares or network.weight is None):
            names = " or ".join(name for name, optimiser in OPTIMISERS.items() if optimiser.squares)
            raise ValueError(f"sparsify.criterion saliency needs free weights trained by {names}")
        if section.regrow > 0 and (network.parametrisation != "free"):
            raise ValueError(f"sparsify.regrow needs parametrisation free, but it is {network.parametrisation}")
        self.mask = np.ones(self._allowed.n_edges, bool)
        if section.initial_edges is not None and section.initial_edges < self._allowed.n_edges:
            self.mask = strongest(self._allowed, balanced_scores(self._allowed, rng), section.initial_edges)
            network.become(_on_edges(network, self._allowed, self.mask, self.mask))
        self._initial_edges = int(self.mask.sum())
        self._first = int(section.start * config.steps)
        self._last = max(int(section.end * config.steps), self._first + 1)
        self._previous = 0

    @property
    def grows(self) -> bool:
        """Whether edges come before the first step."""
        return self._config.grow > 0

    @property
    def allowed(self) -> DAG:
        """The edges that the network may have: the candidate's, and those grown before the first step."""
        return self._allowed

    def next_event(self, step: int) -> int:
        """The step after which the next cut is due; none is due after the last one, so then a step never reached."""
        if step >= self._last:
            return step + 2**62
        since = max(step - self._first, -1)
        return min(self._first + (since // self._config.every + 1) * self._config.every, self._last)

    def edges_at(self, step: int) -> int:
        """The scheduled number of edges after ``step`` steps."""
        t = min(max((step - self._first) / (self._last - self._first), 0.0), 1.0)
        edges = self.final_edges + (self._initial_edges - self.final_edges) * (1 - t) ** 3
        return max(self.final_edges, round(edges))

    def cut(self, trainer: Trainer, step: int) -> Trainer:
        """Bring the network to the number of edges scheduled for ``step``; returns the trainer that goes on with it."""
        trainer.write_back()
        network = trainer.network
        count = min(self.edges_at(step), self._allowed.n_edges)
        full = np.zeros(self._allowed.n_edges)
        full[self.mask] = self._scores(trainer)
        present = (
            self.mask if network.closeness is None else self.mask & (full > 0)
        )  # a closed edge is as good as absent
        left = 1 - (step - self._first) / (self._last - self._first)
        swapped = round(self._config.regrow * 0.5 * (1 - math.cos(math.pi * left)) * count)
        if swapped:
            gradient = self._gradient(network)
            kept = strongest(
                self._allowed, np.where(present, full, -np.inf), min(count - swapped, int(self.mask.sum()))
            )
            # Kept edges rank first, then the absent by gradient.
            full = np.where(kept, 2.0 + full / max(full.max(), 1e-30), gradient / max(gradient.max(), 1e-30))
            mask = strongest(self._allowed, full, count)
        else:
            mask = strongest(self._allowed, np.where(present, full, -np.inf), min(count, int(self.mask.sum())))
        if (mask == self.mask).all():
            return trainer
        old = np.where(self.mask, np.cumsum(self.mask) - 1, -1)[mask]
        moved = _on_edges(network, self._allowed, self.mask, mask)
        self.mask = mask
        return trainer.on(moved, old)

    def _scores(self, trainer: Trainer) -> np.ndarray:
        """How strong each edge is, (E,), float64, at least 0."""
        with torch.no_grad():
            size: np.ndarray = trainer.network.edge_weights().abs().numpy().astype(np.float64)
        if self._config.criterion == "saliency":
            size = size**2 * trainer.state.moments[1, : len(size)]
        return size

    def _gradient(self, network: ManifoldNetwork) -> np.ndarray:
        """|d objective / d w| of every allowed edge, absent ones at weight 0, (E,)."""
        if self._plan is None:
            self._plan = engine.compile_plan(self._allowed)
        assert network.weight is not None
        samples = self.rng.choice(len(self._dataset.x_train), min(GRADIENT_SAMPLES, len(self._dataset.x_train)), False)
        weight = torch.zeros(self._allowed.n_edges)
        weight[torch.from_numpy(self.mask)] = network.weight.detach()
        weight.requires_grad_()
        x, y = torch.from_numpy(self._dataset.x_train[samples]), torch.from_numpy(self._dataset.y_train[samples])
        outputs = engine.apply(self._plan, x, weight, network.bias.detach(), activation=network.activation)
        (gradient,) = torch.autograd.grad(self._objective(outputs, y), weight)
        result: np.ndarray = gradient.abs().numpy().astype(np.float64)
        return result


def balanced_scores(dag: DAG, rng: np.random.Generator) -> np.ndarray:
    """Random scores (E,) of which the highest make a mask that shares edges out as Erdős-Rényi masks do.

    In layers of n_a and n_b neurons those have a density in proportion to (n_a + n_b) / (n_a n_b) = 1 / n_b + 1 / n_a
    (Mocanu 2018, arXiv:1707.04780; Evci 2020, arXiv:1911.11134), so that small layers keep a larger share. Here an edge
    is drawn in proportion to 1 / (out-edges of its source) + 1 / (in-edges of its target), which is the same in layers
    and needs none. Drawn without replacement after Efraimidis 2006.
    """
    leaving, entering = np.bincount(dag.sources, minlength=dag.n), np.diff(dag.in_ptr)
    share = 1.0 / leaving[dag.sources] + 1.0 / entering[dag.targets]
    scores: np.ndarray = np.log(rng.random(dag.n_edges)) / share
    return scores


def strongest(dag: DAG, score: np.ndarray, count: int) -> np.ndarray:
    """The mask (E,) of ``count`` edges of high score such that every output is reached and every edge is on a path.

    The edges of highest score, but: every output keeps at least its strongest path back to an input (where all these
    together are more than ``count`` edges, its shortest, if need be over edges of score -inf); edges into neurons that
    lead nowhere, or out of neurons that nothing reaches, give way to the next strongest between useful neurons, then to
    the strongest of all with the paths that make them useful. Otherwise edges of score -inf come last. Fewer than
    ``count`` are returned when the dag has no more that are useful.

    Raises:
        ValueError: even the shortest paths that the outputs need have more edges than ``count``.
    """
    rank = np.empty(dag.n_edges, np.int64)  # 0: strongest; equal scores by edge number, so not left to chance
    rank[np.argsort(-score, kind="stable")] = np.arange(dag.n_edges)
    paths = _backbone(dag, rank)
    if paths.sum() > count:
        paths = _backbone(dag, _shortest_first(dag, rank, np.isfinite(score)))
    if paths.sum() > count:  # earlier cuts took the short ways
        paths = _backbone(dag, _shortest_first(dag, rank, np.ones(dag.n_edges, bool)))
    if paths.sum() > count:
        raise ValueError(f"paths to all outputs need {paths.sum()} edges, but only {count} may stay; raise the budget")
    rank[paths] = -1
    kept = np.zeros(dag.n_edges, bool)
    kept[np.argsort(rank, kind="stable")[:count]] = True
    useful = dag.with_edges(kept).useful_neurons().copy()
    usable = useful[dag.sources] & useful[dag.targets]
    if not usable[kept].all():
        kept &= usable
        spare = np.flatnonzero(usable & ~kept & np.isfinite(score))
        kept[spare[np.argsort(rank[spare])][: count - kept.sum()]] = True
        _fill(dag, rank, kept, useful, count)
    return kept


def _fill(dag: DAG, rank: np.ndarray, kept: np.ndarray, useful: np.ndarray, count: int) -> None:
    """Add edges to ``kept`` up to ``count``, strongest first, each with the path that makes it useful."""
    room = count - int(kept.sum())
    out_ptr, out_edges = dag.csc()
    possible = dag.useful_neurons()
    candidates = np.flatnonzero(possible[dag.sources] & possible[dag.targets] & ~kept)
    candidates = candidates[np.argsort(rank[candidates])]
    grown = True
    while room and grown:
        grown = False
        for edge in candidates:
            if kept[edge]:
                continue
            path, neurons = [edge], []
            i, j = dag.sources[edge], dag.targets[edge]
            while not useful[i] and i >= dag.n_inputs:
                neurons.append(i)
                edges = np.arange(dag.in_ptr[i], dag.in_ptr[i + 1])
                edges = edges[possible[dag.sources[edges]]]
                path.append(edges[rank[edges].argmin()])
                i = dag.sources[path[-1]]
            neurons.append(i)
            while not useful[j] and j < dag.first_output:
                neurons.append(j)
                edges = out_edges[out_ptr[j] : out_ptr[j + 1]]
                edges = edges[possible[dag.targets[edges]]]
                path.append(edges[rank[edges].argmin()])
                j = dag.targets[path[-1]]
            if len(path) <= room:
                kept[path] = True
                useful[neurons] = True
                room -= len(path)
                grown = True
                if not room:
                    return


def _shortest_first(dag: DAG, rank: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Ranks (E,) by which `_backbone` goes back to the nearest input over usable edges, strong ones where that ties."""
    far = dag.n + 1
    distance = np.zeros(dag.n, np.int64)
    for i in range(dag.n_inputs, dag.n):
        edges = np.arange(dag.in_ptr[i], dag.in_ptr[i + 1])
        edges = edges[usable[edges]]
        distance[i] = min(far, 1 + distance[dag.sources[edges]].min()) if edges.size else far
    length = np.where(usable, distance[dag.sources], far)
    found = np.empty(dag.n_edges, np.int64)
    found[np.lexsort((rank, length))] = np.arange(dag.n_edges)
    return found


def _backbone(dag: DAG, rank: np.ndarray) -> np.ndarray:
    """A path for every output, mask (E,): back along the strongest edge whose source an input reaches, to an input."""
    reached = dag.reached_neurons()
    mask = np.zeros(dag.n_edges, bool)
    for output in range(dag.first_output, dag.n):
        i = output
        while i >= dag.n_inputs:
            edges = np.arange(dag.in_ptr[i], dag.in_ptr[i + 1])
            edges = edges[reached[dag.sources[edges]]]
            best = edges[rank[edges].argmin()]
            mask[best] = True
            i = dag.sources[best]
    return mask


def _on_edges(network: ManifoldNetwork, allowed: DAG, old: np.ndarray, new: np.ndarray) -> ManifoldNetwork:
    """The network on the allowed edges ``new``; those it has not on ``old`` get weight 0."""
    arrays = network.to_arrays()
    if "weight" in arrays:
        full = np.zeros(allowed.n_edges, np.float32)
        full[old if len(arrays["weight"]) != allowed.n_edges else slice(None)] = arrays["weight"]
        arrays["weight"] = full[new]
    return network.like(allowed.with_edges(new), arrays)


def _final_edges(config: SparsifyConfig, dag: DAG, first_edges: int) -> int:
    """The budget: of edges, or a share of those there were before any came."""
    edges = config.edges if config.edges is not None else round((config.share or 1.0) * first_edges)
    if edges < dag.n_outputs:
        raise ValueError(f"sparsify must leave an edge for each of the {dag.n_outputs} outputs, but leaves {edges}")
    return min(edges, dag.n_edges)
