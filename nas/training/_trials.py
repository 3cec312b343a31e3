"""A group of trials in one call: trained together, then evaluated and timed one after another."""

from __future__ import annotations

import time
from collections.abc import Sequence

from nas.training._population import Member, train_population
from nas.training._trial import config_of, failed_result, network_of, result_of, run_trial, signed
from nas.training.cost.calibration import PinnedCosts, pinned_costs
from nas.training.devices import gpu_named
from nas.training.types import Candidate, Dataset, TrainingConfig, TrialResult

__all__ = ["run_grouped", "run_trials"]


def run_grouped(
    candidate: Candidate,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    device: str = "cpu",
    costs: PinnedCosts | None = None,
) -> TrialResult:
    """`run_trials` of one candidate: what it comes to in a group of any size, on processors bit for bit."""
    return run_trials([candidate], dataset, config, device=device, costs=costs)[0]


def run_trials(
    candidates: Sequence[Candidate],
    dataset: Dataset,
    config: TrainingConfig,
    *,
    device: str = "cpu",
    costs: PinnedCosts | None = None,
) -> list[TrialResult]:
    """Train and time a group of candidates on the threads torch has now, or on a GPU; see `run_trial`.

    All networks of neurons are trained in one call (`train_population`), on processors each on one thread: a result is,
    times apart, bit for bit that of `run_trial` on one thread. Times are taken afterwards, of one network at a time and
    with all threads, while nothing else runs in this process. Other structures are run one by one.

    Returns:
        A result for each candidate, in their order. ``seconds`` of a trial are its own part and an equal share of the
        training that it had in common with the others.
    """
    with pinned_costs(costs):
        return _run_trials(candidates, dataset, config, device)


def _run_trials(
    candidates: Sequence[Candidate], dataset: Dataset, config: TrainingConfig, device: str
) -> list[TrialResult]:
    gpu = gpu_named(device)
    start = time.perf_counter()
    members: dict[int, Member] = {}
    results: dict[int, TrialResult] = {}
    for k, candidate in enumerate(candidates):
        if candidate.genome.structure is not None:
            continue
        try:
            own = config_of(candidate, config)
            network = network_of(candidate, dataset, own)
            members[k] = Member(network, own, candidate.seed, None, candidate.pause_at, candidate.resume)
        except Exception as error:  # a search must outlive any candidate
            results[k] = signed(failed_result(candidate, error), 0.0)
    ended = dict(zip(members, train_population(list(members.values()), dataset, gpu=gpu), strict=True))
    share = (time.perf_counter() - start) / max(len(members), 1)
    for k, candidate in enumerate(candidates):
        if candidate.genome.structure is not None:
            results[k] = run_trial(candidate, dataset, config, device=device)
            continue
        if k in results:
            continue
        begin = time.perf_counter()
        outcome = ended[k]
        try:
            if isinstance(outcome, Exception):
                raise outcome
            result = result_of(candidate, members[k].network, *outcome, dataset, members[k].config, gpu)
        except Exception as error:
            result = failed_result(candidate, error)
        results[k] = signed(result, share + time.perf_counter() - begin)
    return [results[k] for k in range(len(candidates))]
