"""Ray: where candidates are trained on many processes or machines. The only package that imports ray.

`workers.jobs` submits whole searches to a cluster and asks about them; it is not imported here, because the processes
that train have no use for it.
"""

from nas.workers._cluster import WorkerError
from nas.workers.pool import RayExecutor

__all__ = ["RayExecutor", "WorkerError"]
