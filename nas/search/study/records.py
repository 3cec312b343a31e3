"""How a trial is written into Optuna's user attributes, and read back."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

from nas.training.structure import Structure, structure_of
from nas.training.types import Candidate, TrialResult, TrialStatus

__all__ = [
    "CHECKSUM",
    "FORMAT",
    "RECORD",
    "RESULT",
    "RUNG",
    "Rung",
    "TrialRecord",
    "as_failed",
    "candidate_json",
    "ended_at",
    "outcome",
    "record_of",
    "result_json",
    "result_of",
    "rung_json",
    "rungs_in",
    "state_of",
    "structure_in",
    "structure_json",
]

RECORD: Final = "nas:record"  # attribute of a trial: what was asked (`candidate_json`)
RESULT: Final = "nas:result"  # attribute of a trial: what came out (`result_json`); it has ended when it has one
RUNG: Final = "nas:rung:"  # and a step: attribute of a trial that paused there (`rung_json`)
CHECKSUM: Final = "file"  # in both attributes: of the genome's file, of the result's
FORMAT: Final = 1  # of the attributes below; raised when their meaning changes
_STRUCTURE: Final = "structure"  # in the record of a genome's or result's file

_OUTCOMES: Final = {
    TrialStatus.COMPLETE: TrialState.COMPLETE,
    TrialStatus.STOPPED: TrialState.PRUNED,
    TrialStatus.FAILED: TrialState.FAIL,
}
_STATES: Final = {
    TrialState.RUNNING: "running",
    TrialState.WAITING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """What a trial was found to be when it paused."""

    step: int  # optimiser steps done
    share: float  # of all the steps it was asked for
    metrics: Mapping[str, float]  # of the validation part and the structure
    passed: bool  # whether it went on


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the storage has it, without arrays."""

    number: int
    state: str  # "running", "complete", "stopped" (at a rung) or "failed"
    seed: int
    steps: int
    parent: int | None
    mutation: str
    hyperparameters: Mapping[str, Any]
    result: TrialResult | None  # without dag, arrays and history (see `StudyStore.load_result`); None while running
    rungs: tuple[Rung, ...] = ()  # at which it paused, in order
    ended: datetime.datetime | None = None  # UTC; None: not yet, or not known


def candidate_json(candidate: Candidate, checksum: str | None = None) -> dict[str, Any]:
    """What was asked, but for the arrays and the DAG; `checksum`: of the file that has those."""
    return {
        "format": FORMAT,
        "seed": candidate.seed,
        "steps": candidate.steps,
        "parent": candidate.parent,
        "mutation": candidate.mutation,
        "hyperparameters": dict(candidate.genome.hyperparameters),
        "inherited": candidate.inherited is not None,
        **({} if checksum is None else {CHECKSUM: checksum}),
    }


def state_of(state: TrialState) -> str:
    """One of "running", "complete", "stopped" and "failed"."""
    return _STATES[state]


def outcome(ended: TrialStatus | FrozenTrial) -> TrialState:
    """How a trial has ended, in Optuna's words: RUNNING where it has not."""
    if isinstance(ended, TrialStatus):
        return _OUTCOMES[ended]
    result = ended.user_attrs.get(RESULT)
    if ended.state.is_finished() or result is None:
        return ended.state if ended.state.is_finished() else TrialState.RUNNING
    return _OUTCOMES[TrialStatus(result["status"])]


def ended_at(trial: FrozenTrial) -> datetime.datetime | None:
    """When a trial ended, UTC; None: it has not, or that is not known."""
    result = trial.user_attrs.get(RESULT) or {}
    if "ended" in result:
        return datetime.datetime.fromtimestamp(result["ended"], datetime.UTC)
    ended = trial.datetime_complete  # of earlier versions, which wrote it in UTC
    return None if ended is None else ended.replace(tzinfo=datetime.UTC)


def rungs_in(trial: FrozenTrial) -> tuple[Rung, ...]:
    """At which a trial has paused so far, in order."""
    found = [value for name, value in trial.user_attrs.items() if name.startswith(RUNG)]
    found = found or (trial.user_attrs.get(RESULT) or {}).get("rungs", ())  # where earlier versions kept them
    return tuple(sorted((Rung(**each) for each in found), key=lambda rung: rung.step))


def as_failed(result: TrialResult, reason: str) -> TrialResult:
    """A complete result that cannot be used, without its arrays."""
    return TrialResult(
        result.number,
        TrialStatus.FAILED,
        result.metrics,
        reason,
        hardware=result.hardware,
        seconds=result.seconds,
        worker=result.worker,
    )


def rung_json(rung: Rung) -> dict[str, Any]:
    """A rung as JSON."""
    return {"step": rung.step, "share": rung.share, "metrics": _finite(rung.metrics), "passed": rung.passed}


def result_json(result: TrialResult, checksum: str | None = None, ended: float | None = None) -> dict[str, Any]:
    """A result, but for the arrays and the DAG; `checksum`: of the file that has those; `ended`: seconds since 1970."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "status": result.status.value,
        "reason": result.reason,
        "metrics": _finite(result.metrics),
        "hardware": dict(result.hardware),
        "seconds": float(result.seconds),
        "worker": result.worker,
    }
    if result.steps is not None:
        found["steps"] = result.steps
    if checksum is not None:
        found[CHECKSUM] = checksum
    if ended is not None:
        found["ended"] = ended
    return found


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Numbers that JSON has no word for are as good as missing."""
    return {name: float(value) for name, value in metrics.items() if math.isfinite(value)}


def structure_json(structure: Structure | None) -> dict[str, Any]:
    """What a file's record says of a structure: nothing where there is none."""
    return {} if structure is None else {_STRUCTURE: {"kind": structure.kind, "json": structure.to_json()}}


def structure_in(record: Mapping[str, Any]) -> Structure | None:
    """Inverse of `structure_json`.

    Raises:
        NasError: nobody registered its kind in this process, or it is damaged.
    """
    found = record.get(_STRUCTURE)
    return None if found is None else structure_of(str(found["kind"]), str(found["json"]))


def result_of(number: int, record: Mapping[str, Any], **parts: Any) -> TrialResult:
    """Inverse of `result_json`; `parts`: the arrays, the DAG and the structure, where wanted."""
    return TrialResult(
        number,
        TrialStatus(record["status"]),
        record["metrics"],
        record["reason"],
        hardware=record["hardware"],
        seconds=record["seconds"],
        worker=record["worker"],
        steps=record.get("steps"),
        **parts,
    )


def record_of(trial: FrozenTrial) -> TrialRecord:
    """What the storage has of a trial."""
    record = trial.user_attrs.get(RECORD) or {}
    state, stored, result = outcome(trial), trial.user_attrs.get(RESULT), None
    if stored is not None:
        result = result_of(trial.number, stored)
    elif state.is_finished():
        result = TrialResult.failed(trial.number, "ended outside this program")
    return TrialRecord(
        number=trial.number,
        state=state_of(state),
        seed=int(record.get("seed", 0)),
        steps=int(record.get("steps", 0)),
        parent=record.get("parent"),
        mutation=str(record.get("mutation", "")),
        hyperparameters=record.get("hyperparameters", {}),
        result=result,
        rungs=rungs_in(trial),
        ended=ended_at(trial) if result is not None else None,
    )
