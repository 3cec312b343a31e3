"""Calibrations: what the engine costs on each machine that was measured, kept in one file of the user.

They are found by hardware: processor, cores, system and library versions, and by the source of the kernels, for a
faster engine is another engine. What no calibration fits is predicted from the one that comes with the package, taken
on the machine that it names.

A study keeps the calibration that it began with (`PinnedCosts`): all its trials go by it, on whatever machine, so that
they are comparable and can be trained again bit for bit when the machine has been calibrated anew.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nas._files import contents
from nas._scratch import cache_home
from nas._stamps import stamp_of
from nas.errors import NasError
from nas.training.cost._fit import Fits
from nas.training.cost.timing import hardware
from nas.training.types import Scalar

__all__ = [
    "Calibration",
    "CalibrationError",
    "PinnedCosts",
    "calibration_path",
    "find_calibration",
    "machine",
    "pinned_costs",
    "save_calibration",
]

VERSION: Final = 1
SHIPPED: Final = Path(__file__).with_name("shipped_calibration.json")
_KERNELS: Final = ("engine/_passes.py", "engine/_jobs.py", "engine/_choices.py", "training/fused/_kernels.py")

logger = logging.getLogger(__name__)


class CalibrationError(NasError):
    """A file of calibrations that cannot be read or written."""


class Calibration(BaseModel):
    """The fits of one machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taken: str  # UTC, ISO 8601
    hardware: Mapping[str, Scalar]
    threads: Mapping[int, Fits] = Field(min_length=1)

    def fits(self, threads: int) -> tuple[int, Fits]:
        """Those for ``threads``, or else for the count nearest to it; and which count that is."""
        nearest = min(self.threads, key=lambda count: (abs(count - threads), count))
        return nearest, self.threads[nearest]


class PinnedCosts(BaseModel):
    """The calibration that a study goes by."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    calibration: Calibration
    own: bool  # whether it was that of the machine where the study began

    @classmethod
    def now(cls) -> PinnedCosts:
        """What `find_calibration` says here and now."""
        calibration, own = find_calibration()
        return cls(calibration=calibration, own=own)


_pinned: ContextVar[PinnedCosts | None] = ContextVar("_pinned", default=None)


@contextlib.contextmanager
def pinned_costs(pinned: PinnedCosts | None) -> Iterator[None]:
    """Within the block, in this thread, `find_calibration` finds this one; None changes nothing."""
    token = _pinned.set(pinned or _pinned.get())
    try:
        yield
    finally:
        _pinned.reset(token)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    machines: Mapping[str, Calibration]


def calibration_path() -> Path:
    """The user's file: ``NAS_CALIBRATION``, or calibration.json in the user's cache folder of this program."""
    if stated := os.environ.get("NAS_CALIBRATION"):
        return Path(stated)
    return cache_home() / "nas" / "calibration.json"


@functools.cache
def machine() -> tuple[str, dict[str, Scalar]]:
    """The key of this machine and this engine, and the facts it is made of."""
    facts = {name: value for name, value in hardware(1).items() if name not in ("threads", "gpu")}
    facts["kernels"] = _kernels()
    text = json.dumps(facts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest(), facts


def _kernels() -> str:
    """What differs when the kernels that a step or a pass runs do something else, or the choices between them."""
    root = Path(__file__).parents[2]
    return stamp_of([root / path for path in _KERNELS])


def check_place(path: Path | None = None) -> None:
    """Whether `save_calibration` could keep anything there.

    Raises:
        CalibrationError: the file is there and is none of this program, or its folder cannot be written.
    """
    path = path or calibration_path()
    if path.exists():
        _read(path)
    folder = next(folder for folder in (path.parent, *path.absolute().parents) if folder.exists())
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise CalibrationError(f"{path}: cannot be written ({folder}); name another place with NAS_CALIBRATION")


def save_calibration(fits: Mapping[int, Fits], path: Path | None = None) -> tuple[Path, Calibration]:
    """Keep the fits as this machine's, beside those of other machines, and those of other thread counts.

    Raises:
        CalibrationError: the file cannot be read or written.
    """
    path = path or calibration_path()
    key, facts = machine()
    machines = dict(_read(path).machines) if path.exists() else {}
    before = machines[key].threads if key in machines else {}
    taken = datetime.now(UTC).isoformat(timespec="seconds")
    machines[key] = Calibration(taken=taken, hardware=facts, threads=dict(sorted({**before, **fits}.items())))
    text = json.dumps(_File(version=VERSION, machines=machines).model_dump(mode="json"), indent=1) + "\n"
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)  # whoever reads it meanwhile reads the old one
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise CalibrationError(
            f"{path}: cannot be written ({error.strerror}); name another place with NAS_CALIBRATION"
        ) from error
    return path, machines[key]


def find_calibration(path: Path | None = None) -> tuple[Calibration, bool]:
    """This machine's calibration, or else the shipped one; and whether it is this machine's.

    Within `pinned_costs` the one that is pinned, unless a path is given.

    A file that cannot be read counts as none, with a warning: a search must not fail for it.
    """
    if path is None and (pinned := _pinned.get()) is not None:
        return pinned.calibration, pinned.own
    path = path or calibration_path()
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        stamp = 0
    found = _found(path, stamp) if stamp else None
    return (found, True) if found is not None else (_shipped(), False)


@functools.lru_cache(maxsize=4)
def _found(path: Path, stamp: int) -> Calibration | None:
    try:
        return _read(path).machines.get(machine()[0])
    except CalibrationError as error:
        logger.warning("%s", error)
        return None


@functools.cache
def _shipped() -> Calibration:
    (calibration,) = _read(SHIPPED).machines.values()
    return calibration


def _read(path: Path) -> _File:
    try:
        return _File.model_validate_json(contents(path))
    except OSError as error:
        raise CalibrationError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise CalibrationError(
            f"{path}: is no calibration of version {VERSION} ({place}: {first['msg']}); "
            "delete it and run: nas calibrate"
        ) from error
