"""How a trial is written into Optuna's user attributes, and read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from optuna.trial import FrozenTrial, TrialState

from nas.training._structure import Structure, structure_of
from nas.training._types import Candidate, TrialResult, TrialStatus

__all__ = [
    "FORMAT",
    "RECORD",
    "RESULT",
    "TrialRecord",
    "as_failed",
    "candidate_json",
    "record_of",
    "result_json",
    "result_of",
    "state_of",
    "structure_in",
    "structure_json",
]

FORMAT: Final = 1  # of the attributes below; raised when their meaning changes
RECORD: Final = "nas:record"  # attribute of a trial: what was asked (`candidate_json`)
_STRUCTURE: Final = "structure"  # in the record of a genome's or result's file
RESULT: Final = "nas:result"  # attribute of a trial: what came out (`result_json`)


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as the storage has it, without arrays."""

    number: int
    state: str  # "running", "complete" or "failed"
    seed: int
    steps: int
    parent: int | None
    mutation: str
    hyperparameters: Mapping[str, Any]
    result: TrialResult | None  # without dag, arrays and history (see `StudyStore.load_result`); None while running


def candidate_json(candidate: Candidate) -> dict[str, Any]:
    """What was asked, but for the arrays and the DAG."""
    return {
        "format": FORMAT,
        "seed": candidate.seed,
        "steps": candidate.steps,
        "parent": candidate.parent,
        "mutation": candidate.mutation,
        "hyperparameters": dict(candidate.genome.hyperparameters),
        "inherited": candidate.inherited is not None,
    }


def state_of(trial: FrozenTrial) -> str:
    """One of "running", "complete" and "failed"."""
    if trial.state is TrialState.COMPLETE:
        return "complete"
    return "failed" if trial.state.is_finished() else "running"


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


def result_json(result: TrialResult) -> dict[str, Any]:
    """A result, but for the arrays and the DAG."""
    return {
        "format": FORMAT,
        "status": result.status.value,
        "reason": result.reason,
        # Numbers that JSON has no word for are as good as missing.
        "metrics": {name: float(value) for name, value in result.metrics.items() if math.isfinite(value)},
        "hardware": dict(result.hardware),
        "seconds": float(result.seconds),
        "worker": result.worker,
    }


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
        **parts,
    )


def record_of(trial: FrozenTrial) -> TrialRecord:
    """What Optuna has of a trial."""
    record = trial.user_attrs.get(RECORD, {})
    result = None
    if trial.state.is_finished():
        stored = trial.user_attrs.get(RESULT)
        result = (
            result_of(trial.number, stored)
            if stored is not None
            else TrialResult(trial.number, TrialStatus.FAILED, reason="ended outside this program")
        )
    return TrialRecord(
        number=trial.number,
        state=state_of(trial),
        seed=int(record.get("seed", 0)),
        steps=int(record.get("steps", 0)),
        parent=record.get("parent"),
        mutation=str(record.get("mutation", "")),
        hyperparameters=record.get("hyperparameters", {}),
        result=result,
    )
