"""A finished trial as MLflow will have it: plain JSON, so that the journal can keep it until MLflow has taken it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nas.tracking._points import run_name
from nas.training._types import Candidate, TrialResult, TrialStatus

__all__ = ["CURVE_POINTS", "parameters", "readable", "redacted", "trial_record"]

CURVE_POINTS = 15
"""Points of a curve that are kept: MLflow slows down with many, and a curve's shape needs no more."""

_TEXT = 6000  # characters of a parameter or tag that MLflow accepts everywhere
_SECRET = re.compile(r"password|passwd|secret|token|credential|api_?key", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)\S*@")  # up to the last @: a password may hold others
_SECRET_VALUE = re.compile(rf"((?:{_SECRET.pattern})\w{{0,40}}=)[^&\s]+", re.IGNORECASE)


def trial_record(
    search: str,
    candidate: Candidate,
    result: TrialResult,
    job_params: Mapping[str, object],
    usual_hardware: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """All that is logged of one trial.

    `usual_hardware` is what the parent run is tagged with; the trial itself gets what differs from it, and in any case
    the processor, the threads and the GPU. Parameters are the job's `training.…` entries with the genome's
    hyperparameters over them, the seed and the steps; metrics those of the result that are finite, at the last step;
    curves the history thinned to `CURVE_POINTS`, as "curve/<name>".
    """
    failure = (result.reason or "unknown reason") if result.status is TrialStatus.FAILED else ""
    params = {key.removeprefix("training."): value for key, value in job_params.items() if key.startswith("training.")}
    params |= {**candidate.genome.hyperparameters, "steps": candidate.steps, "seed": candidate.seed}
    dag = result.dag if result.dag is not None else candidate.genome.dag
    if candidate.genome.structure is None:
        params |= {"inputs": dag.n_inputs, "outputs": dag.n_outputs}
    else:
        params |= {"structure": candidate.genome.structure.kind, "nodes": dag.n}
    tags: dict[str, object] = {
        "trial": result.number,
        "parent_trial": "" if candidate.parent is None else candidate.parent,
        "mutation": candidate.mutation,
        "pareto": "false",
        "status": result.status.value,
        "worker": result.worker,
    }
    if failure:
        tags["reason"] = failure
    hardware = parameters(result.hardware)
    tags |= {
        f"hardware.{key}": value
        for key, value in hardware.items()
        if key in ("processor", "threads", "gpu") or usual_hardware.get(key) != value
    }
    tags["mlflow.note.content"] = _note(candidate, failure)
    end = time.time()
    return {
        "search": search,
        "number": result.number,
        "name": run_name(result.number, result.metrics, failure),
        "failed": bool(failure),
        "start_ms": int(1000 * (end - max(result.seconds, 0.0))),
        "end_ms": int(1000 * end),
        "steps": candidate.steps,
        "params": parameters(params),
        "tags": parameters(tags),
        "metrics": {key: readable(value) for key, value in result.metrics.items() if math.isfinite(value)},
        "curves": _curves(result.history),
    }


def readable(value: float) -> float:
    """A metric with six significant digits (whole numbers as they are): MLflow's tables print all that there are.

    The study keeps the exact value; no measurement here is that precise.
    """
    value = float(value)
    return value if value.is_integer() else float(f"{value:.6g}")


def parameters(values: Mapping[str, object]) -> dict[str, str]:
    """Text for MLflow: nested mappings flattened with dots, names made valid, without Nones, secrets and credentials.

    >>> parameters({"a": {"b": 0.002}, "uri": "http://me:pw@host:1/x", "api_key": "k"})
    {'a.b': '0.002', 'uri': 'http://host:1/x', 'api_key': '(not logged)'}
    """
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": text for inner, text in parameters(value).items()}
            continue
        if value is None:  # not set in the job
            continue
        name = re.sub(r"[^\w\-. /:]", "_", str(key))[:250]
        flat[name] = "(not logged)" if _SECRET.search(name) else redacted(str(value))
    return flat


def redacted(text: str) -> str:
    """`text`, at most 6000 characters of it, without the credentials of its URLs.

    >>> redacted("no answer from http://me:pw@host:1/x?token=abc")
    'no answer from http://host:1/x?token=…'
    """
    text = text[: 3 * _TEXT]  # searching megabytes takes seconds; cut far behind what is kept
    return _SECRET_VALUE.sub(r"\1…", _USERINFO.sub("", text))[:_TEXT]


def _curves(history: Mapping[str, np.ndarray]) -> dict[str, list[tuple[int, float]]]:
    steps = np.asarray(history.get("step", ()))
    if not len(steps):
        return {}
    curves = {}
    for name, values in history.items():
        if name == "step" or np.ndim(values) != 1 or len(values) != len(steps):
            continue
        known = np.flatnonzero(np.isfinite(values))  # the quality on test data, say, is not known at every point
        places = np.linspace(0, len(known) - 1, CURVE_POINTS) if len(known) else np.zeros(0)
        chosen = known[np.unique(np.round(places).astype(int))]
        curves[f"curve/{name}"] = [(int(steps[place]), readable(values[place])) for place in chosen]
    return {name: points for name, points in curves.items() if points}


def _note(candidate: Candidate, failure: str) -> str:
    origin = f"Child of trial #{candidate.parent}" if candidate.parent is not None else "No parent"
    lines = [f"{origin}: {candidate.mutation}."]
    if failure:
        lines.append(f"\n**Failed:** {failure}")
    return "\n".join(lines)
