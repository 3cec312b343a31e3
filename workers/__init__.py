"""Ray: where candidates are trained on many processes or machines. The only package that imports ray."""

from workers._cluster import WorkerError
from workers.pool import RayExecutor

__all__ = ["RayExecutor", "WorkerError"]
