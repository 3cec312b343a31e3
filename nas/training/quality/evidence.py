"""What the validation part says of a network, sample by sample: a few kilobytes kept with each trial.

From the means alone nobody can tell whether a network is better than another or was luckier: that takes the samples
on which they differ. `nas.search` selects on some of them and estimates on the others (see `nas.search.front`), so that
nothing is trained again for an honest figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from torch import nn

from nas.training.quality.judged import judged_evidence, score_name, scorer_loss
from nas.training.quality.metrics import METRICS, Judgement, judge
from nas.training.types import Arrays, Dataset, Evidence

__all__ = [
    "EVIDENCE",
    "KEPT",
    "PRIOR",
    "blended",
    "evidence_arrays",
    "evidence_from",
    "measured",
    "quality",
    "wrongness",
]

KEPT: Final = 20_000  # samples of which a trial keeps its evidence; 42 kB
# The network's own probabilities count like so many samples. On seven sets with 27 to 270 validation samples, the
# networks chosen by the blend at five sizes are 0.9 points of accuracy worse than the best there are, those chosen by
# counts 2.0; anything from the blend at 1:1 to the probabilities alone is level (benchmarks/estimates_notes.md). With
# many samples the count decides, because probabilities are overconfident, some networks' more than others'.
PRIOR: Final = 1000.0

EVIDENCE: Final = "validation/"  # names of its arrays in a file begin so


@dataclass(frozen=True, slots=True)
class _Parts:
    metrics: dict[str, float]
    evidence: Evidence | None


def quality(module: nn.Module, dataset: Dataset, parts: tuple[str, ...] = ("val", "test")) -> _Parts:
    """Metrics of a network on parts of a data set, by "part_name"; with the validation part comes its evidence.

    ``val_score`` is what candidates are compared by; see `blended`.

    Raises:
        DataError: see `nas.training.evaluate`.
    """
    known = {"val": (dataset.x_val, dataset.y_val), "test": (dataset.x_test, dataset.y_test)}
    metrics: dict[str, float] = {}
    evidence = None
    for part in parts:
        found = judge(module, *known[part], dataset.task, calibrate=part == "val")
        metrics |= {f"{part}_{name}": value for name, value in _judged(found, known[part][1], dataset).items()}
        if part == "val" and dataset.scorer:
            metrics["val_score"] = metrics["val_error"]
            evidence = judged_evidence(dataset, found.outputs, known[part][1], metrics["val_error"])
        elif part == "val":
            classes = dataset.task == "classification"
            score = blended(found.error, wrongness(found.loss), len(found.error)).mean() if classes else None
            metrics["val_score"] = found.metrics["error"] if score is None else float(score)
            evidence = _evidence(found, classes, len(dataset.x_test))
    return _Parts(metrics, evidence)


def measured(module: nn.Module, dataset: Dataset, part: str) -> dict[str, float]:
    """Metrics of a network on the "val" or "test" part, without the part in their names.

    Raises:
        DataError: see `nas.training.evaluate`.
    """
    x, y = (dataset.x_val, dataset.y_val) if part == "val" else (dataset.x_test, dataset.y_test)
    return _judged(judge(module, x, y, dataset.task), y, dataset)


def _judged(found: Judgement, y: np.ndarray, dataset: Dataset) -> dict[str, float]:
    """Metrics with the error that the dataset's scorer says."""
    if not dataset.scorer:
        return found.metrics
    metrics = {METRICS[name].beside_scorer or name: value for name, value in found.metrics.items()}
    metrics["error"] = scorer_loss(dataset, found.outputs, y)
    if name := score_name(dataset.scorer):
        metrics[name] = 1 - metrics["error"]
    return metrics


def wrongness(loss: np.ndarray) -> np.ndarray:
    """The (calibrated) probability that a network gives to all classes but the right one, from its cross-entropy."""
    wrong: np.ndarray = -np.expm1(-loss.astype(np.float64))
    return wrong


def blended(error: np.ndarray, wrong: np.ndarray, samples: int) -> np.ndarray:
    """What candidates of a classification are compared by: error and `wrongness`, sample by sample.

    Its mean is the posterior of the error when what the network's own probabilities say is worth `PRIOR` samples, so
    where there are few, candidates are compared by probabilities (which say more of a sample than right or wrong),
    where there are many, by counts.
    """
    weight = PRIOR / (PRIOR + samples)
    return (1 - weight) * error + weight * wrong


def evidence_arrays(evidence: Evidence | None) -> dict[str, np.ndarray]:
    """As arrays for a file, by names that no parameter has; nothing where there is none."""
    if evidence is None:
        return {}
    arrays: dict[str, np.ndarray] = {
        "counts": np.array([len(evidence.error), evidence.samples, evidence.test_samples], dtype=np.int64)
    }
    if evidence.wrong is None:
        arrays["error"] = evidence.error.astype(np.float32)
    else:
        arrays["error"] = np.packbits(evidence.error > 0)
        arrays["wrong"] = evidence.wrong.astype(np.float16)
    return {EVIDENCE + name: array for name, array in arrays.items()}


def evidence_from(arrays: Arrays) -> tuple[Evidence | None, dict[str, np.ndarray]]:
    """Inverse of `evidence_arrays`: what a file holds, and its other arrays. None: it was written before there was any,
    or does not fit."""
    own = {name.removeprefix(EVIDENCE): array for name, array in arrays.items() if name.startswith(EVIDENCE)}
    others = {name: array for name, array in arrays.items() if not name.startswith(EVIDENCE)}
    return _read(own), others


def _read(own: Mapping[str, np.ndarray]) -> Evidence | None:
    counts, error = own.get("counts"), own.get("error")
    if counts is None or error is None or counts.shape != (3,):
        return None
    kept, samples, test = (int(count) for count in counts)
    wrong = own.get("wrong")
    if wrong is not None:
        error = np.unpackbits(error.astype(np.uint8))[:kept].astype(np.float32)
        wrong = wrong.astype(np.float32)
    if len(error) != kept or (wrong is not None and len(wrong) != kept) or not 0 < kept <= samples:
        return None
    return Evidence(error.astype(np.float32), wrong, samples, test)


def _evidence(found: Judgement, classes: bool, test_samples: int) -> Evidence:
    samples = len(found.error)
    rows = np.linspace(0, samples - 1, min(samples, KEPT)).astype(int)
    # Rounded as files keep it, so that a search that goes on says what one that never stopped says.
    wrong = wrongness(found.loss[rows]).astype(np.float16).astype(np.float32) if classes else None
    return Evidence(found.error[rows], wrong, samples, test_samples)
