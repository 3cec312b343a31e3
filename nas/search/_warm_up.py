"""What must be compiled before the first trial, so that it takes nothing of a search's time.

Kernels are compiled where they are used first and kept on the machine; then each worker only loads them. So one
worker does for nothing all that a trial does, and afterwards all do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from nas.errors import NasError
from nas.search.executor import Executor
from nas.search.space import Choice, SearchSpace, searched_domains
from nas.search.strategies.guided import cut_overrides, cuts_allowed, may_grow
from nas.training.cost.work import trainer_tiling
from nas.training.types import Candidate, Scalar, TrainingConfig, TrialStatus

__all__ = ["warm_up"]

_logger = logging.getLogger(__name__)

_STEPS: Final = 12  # of training: some before, some after the cuts
_POLL_SECONDS: Final = 0.5


def warm_up(
    executor: Executor,
    space: SearchSpace,
    training: TrainingConfig,
    *,
    on_wait: Callable[[float], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> float:
    """Makes every worker ready to train: networks like those of the search are trained for a few steps, and forgotten.

    A network that fails here is no matter: the search's own trials will say what is wrong.

    Args:
        executor: idle; its workers are used.
        space, training: of the search.
        on_wait: called about twice a second with the seconds that have passed.
        stop: asked as often; True: leave the rest.

    Returns:
        Seconds that it took.
    """
    start = time.monotonic()
    stopped = stop or (lambda: False)
    try:
        candidate, *others = _candidates(space, training)
    except NasError as error:  # so will the first trial
        _logger.info("nothing to warm up with: %s", error)
        return time.monotonic() - start

    def submit(groups: int, candidate: Candidate = candidate) -> int:
        for _ in range(groups):
            executor.submit(*[candidate] * executor.group)
        return groups * executor.group

    def wait(results: int) -> None:
        while results > 0 and not stopped():
            for result in executor.wait(_POLL_SECONDS):
                results -= 1
                if result.status is TrialStatus.FAILED:
                    _logger.info("a network to warm up with failed: %s", result.reason)
            if on_wait is not None:
                on_wait(time.monotonic() - start)

    results = submit(1)  # of one worker, so that it compiles and not all of them
    with contextlib.suppress(NasError):
        space.mutate(candidate.genome, np.random.default_rng(0), 0.2, growth=1.0)  # which this process will do
    wait(results)
    for other in others:
        if not stopped():
            wait(submit(1, other))
    if (workers := executor.capacity // executor.group) > 1 and not stopped():
        wait(submit(workers))
    return time.monotonic() - start


def _candidates(space: SearchSpace, training: TrainingConfig) -> list[Candidate]:
    """A network that is grown and cut while it trains, where those of the search are, once for each width of vectors
    that their batches ask for: kernels are compiled for a width."""
    rng = np.random.default_rng(0)
    genome = space.large(rng) or space.initial(rng)
    if genome.structure is None and cuts_allowed(space, training):
        edges = max(genome.dag.n_edges // 2, 1)
        growing = 0.1 if may_grow(genome, training) else 0.0
        config = training.with_overrides(genome.hyperparameters)
        section = cut_overrides(genome.dag, edges, _STEPS, config, grow=growing)
        genome = dataclasses.replace(genome, hyperparameters={**genome.hyperparameters, **section})
    own = genome.hyperparameters
    return [
        Candidate(0, dataclasses.replace(genome, hyperparameters={**own, **batch}), seed=0, steps=_STEPS)
        for batch in (_batches(space, training) if genome.structure is None else ({},))
    ]


def _batches(space: SearchSpace, training: TrainingConfig) -> list[dict[str, Scalar]]:
    """Overrides of the batch size, one for each width of vectors, the job's own first."""
    domain = searched_domains(space.options, training, space.hyperparameters).get("batch_size")
    sizes: list[Scalar] = []
    if domain is not None:
        sizes = [*domain.choices] if isinstance(domain, Choice) else [domain.at(0.0), domain.at(1.0)]
    found: dict[int, dict[str, Scalar]] = {trainer_tiling(1, training.batch_size, 1)[0]: {}}
    for size in sizes:
        found.setdefault(trainer_tiling(1, int(size), 1)[0], {"batch_size": size})
    return [*found.values()]
