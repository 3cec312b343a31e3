"""Errors of studies and of picks from a front."""

from nas.errors import NasError

__all__ = ["PickError", "StorageError", "StudyError"]


class StudyError(NasError, RuntimeError):
    """A study that cannot be created, opened or continued as asked; the message says what to do instead."""


class StorageError(StudyError):
    """The database or the disk of a study fails; what is recorded is safe, and the study can go on when it is back."""


class PickError(NasError, ValueError):
    """A request for a front member that names nothing known, or that no member satisfies."""
