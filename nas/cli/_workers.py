"""From the resources section of a job to the executor that evaluates its candidates."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from nas._scratch import own_folder, scratch
from nas.errors import JobError, NasError

if TYPE_CHECKING:
    from nas.job import Job
    from nas.search import Evaluate, Executor, ResourcesConfig
    from nas.training import Dataset, PinnedCosts

__all__ = ["cluster_address", "evaluator", "log_format", "make_executor", "need_cores", "need_temporary"]


def cluster_address(resources: ResourcesConfig) -> str | None:
    """The cluster that a job's trials run on; None: this machine alone."""
    if resources.executor == "serial":
        return None
    return resources.address or os.environ.get("RAY_ADDRESS") or None


def log_format() -> str:
    """``text`` or ``json``, as the options of the command or the environment say."""
    return os.environ.get("NAS_LOG_FORMAT") or "text"


def make_executor(job: Job, dataset: Dataset, costs: PinnedCosts | None = None) -> Executor:
    """The executor that the job asks for; `costs`: of the study, see `StudyStore.costs`.

    Raises:
        NasError: the cluster cannot be reached, or has not what a worker needs.
    """
    from nas.search import SerialExecutor
    from nas.training import run_trials

    resources = job.resources
    address = cluster_address(resources)
    device = "cuda" if resources.on_gpu else "cpu"
    if resources.on_gpu and address is None:
        _need_gpu(resources)
    evaluate = evaluator(job, costs)
    # In a worker its (share of a) GPU is the only one that it sees.
    evaluate_group = functools.partial(run_trials, device=device, costs=costs)
    group = job.search.group_size(resources)
    if resources.executor == "serial":
        return SerialExecutor(
            dataset, job.training, evaluate=evaluate, threads=resources.threads, evaluate_group=evaluate_group,
            group=group,
        )  # fmt: skip
    # On a cluster without a stated number: every node, also those that join later.
    workers = resources.workers if address and resources.workers is None else resources.worker_count()
    with contextlib.ExitStack() as stack:
        code: Path | None = None
        if os.environ.get("NAS_CODE"):  # a submitted job brings it along
            code = Path(os.environ["NAS_CODE"])
        elif address is not None:
            folder = stack.enter_context(scratch("code"))
            code = folder if _package().write_code(job, Path.cwd(), folder) else None
        # By name, because nothing below `nas` may depend on Ray.
        executor: Executor = importlib.import_module("nas.workers").RayExecutor(
            dataset,
            job.training,
            workers=workers,
            threads=resources.threads,
            gpus=resources.gpus_of_worker,
            evaluate=evaluate,
            evaluate_group=evaluate_group if group > 1 else None,
            group=group,
            address=address,
            trial_seconds=None if resources.trial_minutes is None else 60 * resources.trial_minutes,
            code=code,
            logs=(log_format(), os.environ.get("NAS_LOG_LEVEL") or "warning"),
        )
    return executor


def need_cores(resources: ResourcesConfig) -> None:
    """Raises: JobError: more workers or threads are stated than this machine, where they would run, has cores for."""
    cores, threads = psutil.cpu_count() or 1, resources.threads
    if cluster_address(resources) is not None:
        return
    if threads > cores:
        raise JobError(f"resources.threads is {threads}, but this machine has {cores} cores; at most {cores} fit")
    if resources.executor == "ray" and not resources.on_gpu and (resources.workers or 1) * threads > cores:
        each = "" if threads == 1 else f" of {threads} threads"
        raise JobError(
            f"resources.workers is {resources.workers}{each}, but this machine has {cores} cores: they would wait for "
            f"each other, and no process time would be right; at most {cores // threads} fit"
        )


def need_temporary() -> None:
    """Raises: NasError: this process can make no temporary files, which pictures and checkpoints go through."""
    probe = own_folder() / "probe"
    try:
        probe.write_bytes(bytes(2**16))
        probe.unlink()
    except OSError as error:
        raise NasError(f"temporary files cannot be written ({error}); name another folder with TMPDIR") from error


def evaluator(job: Job, costs: PinnedCosts | None = None) -> Evaluate:
    """What a worker of the job does with a single candidate; the same as in a group, where the job has groups."""
    from nas.training import run_grouped, run_trial

    grouped = job.search.group_size(job.resources) > 1
    device = "cuda" if job.resources.on_gpu else "cpu"
    return functools.partial(run_grouped if grouped else run_trial, device=device, costs=costs)


def _need_gpu(resources: ResourcesConfig) -> None:
    """Raises: JobError: trials are to run on a GPU of this machine, and it has none that can be used."""
    from nas.engine.cuda import why_no_gpu

    if (reason := why_no_gpu()) is not None:
        asked = "device is cuda" if resources.device == "cuda" else f"gpus is {resources.gpus:g}"
        raise JobError(f"resources.{asked}, but {reason}; or set device: cpu and gpus: 0")


def _package() -> Any:
    return importlib.import_module("nas.workers.package")
