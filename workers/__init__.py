"""Ray: where candidates are trained on many processes or machines. The only package that imports ray."""

from workers.pool import RayExecutor, WorkerError

__all__ = ["RayExecutor", "WorkerError"]
