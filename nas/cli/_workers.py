"""From the resources section of a job to the executor that evaluates its candidates."""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.job import Job
    from nas.search import Executor, ResourcesConfig
    from nas.training import Dataset

__all__ = ["cluster_address", "log_format", "make_executor"]


def cluster_address(resources: ResourcesConfig) -> str | None:
    """The cluster that a job's trials run on; None: this machine alone."""
    if resources.executor == "serial":
        return None
    return resources.address or os.environ.get("RAY_ADDRESS") or None


def log_format() -> str:
    """``text`` or ``json``, as the options of the command or the environment say."""
    return os.environ.get("NAS_LOG_FORMAT") or "text"


def make_executor(job: Job, dataset: Dataset) -> Executor:
    """The executor that the job asks for.

    Raises:
        NasError: the cluster cannot be reached, or has not what a worker needs.
    """
    from nas.search import SerialExecutor

    resources = job.resources
    if resources.executor == "serial":
        return SerialExecutor(dataset, job.training, threads=resources.threads)
    address = cluster_address(resources)
    # On a cluster without a stated number: every node, also those that join later.
    workers = resources.workers if address and resources.workers is None else resources.worker_count()
    with contextlib.ExitStack() as stack:
        code: Path | None = None
        if os.environ.get("NAS_CODE"):  # a submitted job brings it along
            code = Path(os.environ["NAS_CODE"])
        elif address is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nas-code-")))
            code = folder if _package().write_code(job, Path.cwd(), folder) else None
        # By name, because nothing below `nas` may depend on Ray.
        executor: Executor = importlib.import_module("workers").RayExecutor(
            dataset,
            job.training,
            workers=workers,
            threads=resources.threads,
            gpus=resources.gpus,
            address=address,
            trial_seconds=None if resources.trial_minutes is None else 60 * resources.trial_minutes,
            code=code,
            logs=(log_format(), os.environ.get("NAS_LOG_LEVEL") or "warning"),
        )
    return executor


def _package() -> Any:
    return importlib.import_module("workers.package")
