"""Before the clock runs each worker has trained once, and nobody hears of the networks that it trained."""

from __future__ import annotations

from collections import deque

from nas.search import SearchSpace, SpaceConfig, WorkerView, load_space, warm_up
from nas.training import Candidate, Dataset, TrainingConfig, TrialResult, TrialStatus, run_trial
from nas.training.cost.work import trainer_tiling


class Workers:
    """Some workers that end what they are given when they are waited for; keeps how much was handed over at once."""

    def __init__(self, dataset: Dataset, workers: int = 3, group: int = 2) -> None:
        self.dataset, self.group, self.capacity = dataset, group, workers * group
        self.queue: deque[Candidate] = deque()
        self.handed: list[int] = [0]
        self.seen: list[Candidate] = []
        self.results: list[TrialResult] = []

    def submit(self, *candidates: Candidate) -> None:
        assert len(candidates) == self.group
        self.queue.extend(candidates)
        self.seen += candidates
        self.handed[-1] += 1

    def wait(self, timeout: float) -> list[TrialResult]:
        found = [run_trial(each, self.dataset, TrainingConfig(parametrisation="free")) for each in self.queue]
        self.queue.clear()
        self.results += found
        self.handed.append(0)
        return found

    def call(self, function: object, *arguments: object, within: float | None = None) -> object:
        raise AssertionError("not needed")

    def workers(self) -> tuple[WorkerView, ...]:
        return ()

    def close(self) -> None:
        pass


def test_one_worker_compiles_and_then_all_load(dataset: Dataset, space: SearchSpace) -> None:
    workers, waited = Workers(dataset), list[float]()
    took = warm_up(workers, space, TrainingConfig(parametrisation="free"), on_wait=waited.append)
    assert workers.handed[:3] == [1, 1, 3]  # a worker for each width of vectors, then all
    assert [each.status for each in workers.results] == [TrialStatus.COMPLETE] * 10
    assert 0 < waited[0] <= waited[-1] <= took


def test_it_grows_and_cuts_as_the_trials_will(dataset: Dataset, space: SearchSpace) -> None:
    workers = Workers(dataset, workers=1, group=1)
    warm_up(workers, space, TrainingConfig(parametrisation="free"))
    result, dag = workers.results[0], workers.seen[0].genome.dag
    assert result.dag is not None
    assert result.dag.n_edges == dag.n_edges // 2


def test_every_width_of_vectors_that_batches_of_the_search_ask_for_is_compiled(dataset: Dataset) -> None:
    """Kernels are compiled for a width, which follows the batch: a trial that was the first of its width took half a
    minute of a search's budget."""
    workers = Workers(dataset, workers=1, group=1)
    warm_up(workers, load_space(SpaceConfig(name="neuron_dag"), dataset), TrainingConfig())
    batches = [TrainingConfig().with_overrides(each.genome.hyperparameters).batch_size for each in workers.seen]
    assert {trainer_tiling(1, batch, 1)[0] for batch in batches} == {32, 64} and len(batches) == 2
    stated = Workers(dataset, workers=1, group=1)
    warm_up(stated, load_space(SpaceConfig(name="neuron_dag"), dataset), TrainingConfig(batch_size=16))
    assert len(stated.seen) == 1


def test_what_fails_is_left_to_the_trials(dataset: Dataset, space: SearchSpace) -> None:
    class Failing(Workers):
        def wait(self, timeout: float) -> list[TrialResult]:
            failed = [TrialResult(each.number, TrialStatus.FAILED, reason="no") for each in self.queue]
            self.queue.clear()
            return failed

    warm_up(Failing(dataset), space, TrainingConfig())


def test_it_ends_when_asked_to(dataset: Dataset, space: SearchSpace) -> None:
    workers = Workers(dataset)
    warm_up(workers, space, TrainingConfig(), stop=lambda: True)
    assert workers.results == []
