"""A trained network as whoever serves it wants it: raw features in, labels or targets in their own units out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from nas._text import counted
from nas.checkpoint._inputs import Inputs
from nas.checkpoint._layers import CheckpointLayers
from nas.checkpoint._module import CheckpointNetwork, load
from nas.checkpoint._recurrent import CheckpointRecurrent
from nas.errors import CheckpointError, DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Predictor", "predicted_columns"]

_ROWS = 4096  # samples in one pass
_SHOWN = 6  # names, in a line


class Predictor:
    """A network with the scaling of its data, both from one checkpoint.

    Attributes:
        module: the network, in evaluation mode.
        task: "classification" or "regression".
        classes: label of each output, as text; empty for regression.
        feature_names: of the inputs, as far as known.
        n_inputs, n_outputs: numbers of features and of outputs. A feature may be a category or a date, which are
            several inputs of the network.

    Args:
        module: as `nas.checkpoint.load` returns it.

    Raises:
        CheckpointError: its record lacks the scaling, or the scaling does not fit the network.
    """

    def __init__(self, module: CheckpointNetwork) -> None:
        sizes: Any = module if isinstance(module, CheckpointLayers | CheckpointRecurrent) else module.dag
        self.module = module
        self.n_inputs, self.n_outputs = int(sizes.n_inputs), int(sizes.n_outputs)
        record = module.record
        found = record.get("statistics")
        if not isinstance(found, dict) or record.get("task") not in ("classification", "regression"):
            raise CheckpointError(
                "the record of the network does not say how its data was scaled (task, statistics), so it cannot "
                "predict from raw data; files of `nas export` do"
            )
        self.task: str = record["task"]
        self.classes = tuple(str(name) for name in found.get("classes") or ())
        columns = record.get("columns")
        self._labels = _labels(self.classes, columns.get("labels") if isinstance(columns, dict) else None)
        self._inputs = Inputs(record, self.n_inputs)
        self.feature_names = self._inputs.names
        self._mean, self._scale = (self._numbers(found, name, self.n_inputs) for name in ("mean", "scale"))
        self.n_inputs = self._inputs.count
        self._target_mean, self._target_scale = (
            self._numbers(found, name, self.n_outputs) for name in ("target_mean", "target_scale")
        )
        if self.task == "classification" and len(self.classes) != self.n_outputs:
            raise CheckpointError(f"the record names {len(self.classes)} classes for {self.n_outputs} outputs")

    def __repr__(self) -> str:
        targets = [name.removeprefix("prediction_") for name in predicted_columns(self.module.record, self.n_outputs)]
        outputs = _some(self.classes or (targets if self.n_outputs > 1 else ())) or counted(self.n_outputs, "number")
        return f"<Predictor: {self.task}, {outputs} from {_some(self.feature_names) or f'{self.n_inputs} features'}>"

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, modules: Sequence[str] = ()) -> Predictor:
        """The predictor in a checkpoint file.

        Args:
            modules: see `nas.checkpoint.load`.

        Raises:
            CheckpointError: the file is damaged, foreign, or its record lacks the scaling.
            OSError: it cannot be opened.
        """
        return cls(load(path, modules=modules))

    def predict(self, raw: ArrayLike | pd.DataFrame) -> np.ndarray:
        """The label of each sample, (samples,) as in the training data: text, int64 or booleans; or its targets in
        their own units, (samples, n_outputs).

        Args:
            raw: (samples, n_inputs) features as they were measured, not scaled; missing ones only where training had
                missing ones. The columns of a table are
                found by their names, in any order; it may also have the target and what training left out. Those of an
                array are taken by place.

        Raises:
            DataError: columns are missing or unknown, the shape is another, or they hold text, NaN or infinity.

        Warns:
            UnlikeTrainingWarning: all values of a feature are far from those of the training data.
        """
        outputs = self.outputs(raw)
        if self.task == "classification":
            labels: np.ndarray = self._labels[outputs.argmax(axis=1)]
            return labels
        if self._target_scale is None or self._target_mean is None:
            return outputs
        values: np.ndarray = outputs * self._target_scale + self._target_mean
        return values

    def probabilities(self, raw: ArrayLike | pd.DataFrame) -> np.ndarray:
        """The probability of each class, (samples, classes), in the order of `classes`.

        Raises:
            DataError: see `predict`; or the task is regression.
        """
        if self.task != "classification":
            raise DataError("a regression has no classes and so no probabilities; use predict()")
        outputs = self.outputs(raw)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares

    def answers(self, raw: ArrayLike | pd.DataFrame, *, label: str = "prediction") -> pd.DataFrame:
        """What the network says of each sample, as a table.

        Args:
            raw: see `predict`.
            label: column of the class, where the task is classification.

        Returns:
            Of a classification: ``label``, and ``probability_…`` of each class. Of a regression: ``prediction``, of
            several targets ``prediction_…`` of each, in the units of the data.

        Raises:
            DataError: see `predict`.
        """
        import pandas as pd

        if self.task == "classification":
            shares = self.probabilities(raw)
            labels = self._labels[shares.argmax(axis=1)]
            columns = {f"probability_{name}": shares[:, place] for place, name in enumerate(self.classes)}
            return pd.DataFrame({label: labels, **columns})
        return pd.DataFrame(self.predict(raw), columns=predicted_columns(self.module.record, self.n_outputs))

    def outputs(self, raw: ArrayLike | pd.DataFrame) -> np.ndarray:
        """What the network itself answers, (samples, n_outputs) float64: scores, or scaled targets."""
        x = self._inputs.array(raw)
        if self._mean is not None and self._scale is not None:
            x = (x - self._mean) / self._scale
        given = torch.from_numpy(x.astype(np.float32))
        parameter = next(self.module.parameters(), given)
        with torch.no_grad():
            parts = [
                self.module(part.to(parameter.device, parameter.dtype)).cpu().double().numpy()
                for part in torch.split(given, _ROWS)
            ]
        answers: np.ndarray = np.concatenate(parts) if len(x) else np.zeros((0, self.n_outputs))
        return answers

    def _numbers(self, found: dict[str, Any], name: str, count: int) -> np.ndarray | None:
        """An array of the statistics, None where it was not scaled."""
        try:
            values = np.asarray(found.get(name) or (), dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{name} in the record's statistics must be numbers: {error}") from None
        if not values.size:
            return None
        if values.shape != (count,) or not np.isfinite(values).all():
            raise CheckpointError(
                f"{name} in the record's statistics must be {count} finite numbers, but is {values.shape} {values}"
            )
        if name.endswith("scale") and not (values > 0).all():
            raise CheckpointError(f"{name} in the record's statistics must be positive")
        return values


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f", … ({len(names)} in all)" if len(names) > _SHOWN else "")


def predicted_columns(record: Mapping[str, Any], count: int) -> list[str]:
    """What a table of predictions calls the targets of a regression.

    Args:
        record: of the network.
        count: of the targets.
    """
    if count == 1:
        return ["prediction"]
    columns = record.get("columns")
    names = [str(name) for name in columns.get("targets") or ()] if isinstance(columns, Mapping) else []
    return [f"prediction_{name}" for name in (names if len({*names}) == count else range(count))]


def _labels(classes: tuple[str, ...], kind: object) -> np.ndarray:
    """Labels of the outputs, (n_outputs,), of the type that the training data had.

    Raises:
        CheckpointError: the record says another type than they can be of.
    """
    try:
        if kind == "integer":
            return np.array([int(label) for label in classes], dtype=np.int64)
        if kind == "boolean":
            return np.array([{"False": False, "True": True}[label] for label in classes], dtype=bool)
    except (ValueError, KeyError, OverflowError):
        raise CheckpointError(f"the record says that the classes are of type {kind}, but names {classes}") from None
    return np.array(classes)
