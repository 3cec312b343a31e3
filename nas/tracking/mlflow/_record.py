"""A finished trial as MLflow will have it: plain JSON, so that the journal can keep it until MLflow has taken it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nas._text import SECRET, redacted
from nas.tracking.points import run_name
from nas.training.types import Candidate, TrialResult, TrialStatus

__all__ = ["CURVE_POINTS", "parameters", "readable", "readable_metrics", "trial_record"]

CURVE_POINTS = 15
"""Points of a curve that are kept: MLflow slows down with many, and a curve's shape needs no more."""


def trial_record(
    search: str,
    candidate: Candidate | None,
    result: TrialResult,
    job_params: Mapping[str, object],
    usual_hardware: Mapping[str, str] = MappingProxyType({}),
    *,
    ended: float | None = None,
) -> dict[str, Any]:
    """All that is logged of one trial; `candidate` is None where it could not be asked, `ended` when it ended (seconds
    since 1970; default: now).

    `usual_hardware` is what the parent run is tagged with; the trial itself gets what differs from it, and in any case
    the processor, the threads and the GPU. Parameters are the job's `training.…` entries with the genome's
    hyperparameters over them, the seed and the steps; metrics those of the result that are finite, at the last step;
    curves the history thinned to `CURVE_POINTS`, as "curve/<name>".
    """
    failure = (result.reason or "unknown reason") if result.status is TrialStatus.FAILED else ""
    params = {key.removeprefix("training."): value for key, value in job_params.items() if key.startswith("training.")}
    if candidate is not None:
        params |= {**candidate.genome.hyperparameters, "steps": candidate.steps, "seed": candidate.seed}
        dag = result.dag if result.dag is not None else candidate.genome.dag
        if candidate.genome.structure is None:
            params |= {"inputs": dag.n_inputs, "outputs": dag.n_outputs}
        else:
            params |= {"structure": candidate.genome.structure.kind, "nodes": dag.n}
    parent = None if candidate is None else candidate.parent
    tags: dict[str, object] = {
        "trial": result.number,
        "parent_trial": "" if parent is None else parent,
        "mutation": "" if candidate is None else candidate.mutation,
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
    end = time.time() if ended is None else ended
    return {
        "search": search,
        "number": result.number,
        "name": run_name(result.number, result.metrics, failure),
        "failed": bool(failure),
        "start_ms": int(1000 * (end - max(result.seconds, 0.0))),
        "end_ms": int(1000 * end),
        "steps": 0 if candidate is None else candidate.steps,
        "params": parameters(params),
        "tags": parameters(tags),
        "metrics": readable_metrics({key: value for key, value in result.metrics.items() if math.isfinite(value)}),
        "curves": _curves(result.history),
    }


def readable(value: float) -> float:
    """A metric with six significant digits (whole numbers as they are): MLflow's tables print all that there are.

    The study keeps the exact value; no measurement here is that precise.
    """
    value = float(value)
    return value if value.is_integer() else float(f"{value:.6g}")


def readable_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics of a trial, `readable`; inference in microseconds, too, for tables: of 0.0000413 they show 0.00004."""
    found = {key: readable(value) for key, value in metrics.items()}
    if (seconds := found.get("inference_seconds")) is not None:
        found["inference_us"] = float(f"{1e6 * seconds:.4g}")
    return found


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
        flat[name] = "(not logged)" if SECRET.search(name) else redacted(str(value))
    return flat


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


def _note(candidate: Candidate | None, failure: str) -> str:
    lines = []
    if candidate is not None:
        origin = f"Child of trial #{candidate.parent}" if candidate.parent is not None else "No parent"
        lines = [f"{origin}: {candidate.mutation}."]
    if failure:
        lines.append(f"\n**Failed:** {failure}")
    return "\n".join(lines)
