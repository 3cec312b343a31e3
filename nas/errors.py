"""Every error this package raises on purpose, under one root.

Each class also derives from the built-in that a caller would expect, so that ``except ValueError`` keeps working.
A message states the rule, the culprit, its value and what to do next.
"""

__all__ = [
    "CheckpointError",
    "CycleError",
    "DataError",
    "ExportError",
    "GraphError",
    "JobError",
    "LayerError",
    "NasError",
    "TemporaryFilesError",
    "TrialError",
    "UnreachableOutputError",
]


class NasError(Exception):
    """Root of all deliberate errors of this package."""


class GraphError(NasError, ValueError):
    """A graph breaks a rule of the DAG value object: unknown or duplicate neuron, edge into an input, …"""


class CycleError(GraphError):
    """The edges contain a directed cycle; the message names it."""


class UnreachableOutputError(GraphError):
    """Some output has no path from any input ("lobotomised"); the message names the outputs."""


class JobError(NasError, ValueError):
    """A job file has a wrong key, type or range; the message gives the path in the file."""


class LayerError(NasError, ValueError):
    """A network of layers breaks a rule: shapes that do not meet, an unknown or unused node, …; names the node."""


class DataError(NasError, ValueError):
    """Data that cannot be used: missing, NaN, of the wrong width, unknown labels."""


class CheckpointError(NasError, ValueError):
    """A checkpoint that is truncated, foreign, or of a newer format."""


class TemporaryFilesError(NasError, OSError):
    """There is no folder in which this process can make temporary files; the message names those that were tried."""


class TrialError(NasError, RuntimeError):
    """A candidate that cannot be trained to the end: it diverged, lost an output, or ran out of memory."""


class ExportError(NasError, ValueError):
    """A network that a format cannot hold, or an optional package that an exporter needs."""
