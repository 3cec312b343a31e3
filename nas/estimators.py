"""Searches as scikit-learn's estimators: in pipelines, in cross-validation, cloned and pickled like any other.

    network = nas.DagClassifier(minutes=5).fit(X, y)
    network.score(X_test, y_test)

`fit` searches in this process (or with ``n_jobs`` Ray workers) in a temporary folder, and keeps one network as the
bytes of a checkpoint: an estimator that is pickled holds no code of ours but its own parameters and these bytes, and
unpickling them runs what `nas.load` runs.
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, check_scalar, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from nas.errors import DataError

__all__ = ["DagClassifier", "DagRegressor"]

_VALIDATION: Final = 0.2  # share of the samples that networks are chosen by


class _DagEstimator(BaseEstimator):  # type: ignore[misc]
    """What both estimators share; see `DagClassifier` and `DagRegressor`."""

    def __init__(
        self,
        *,
        minutes: float | None = 1.0,
        trials: int | None = None,
        pick: str = "best",
        constraints: str | tuple[str, ...] | None = None,
        objectives: str | tuple[str, ...] = ("error", "edges"),
        n_jobs: int | None = None,
        random_state: int | None = 0,
        job: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        self.minutes = minutes
        self.trials = trials
        self.pick = pick
        self.constraints = constraints
        self.objectives = objectives
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.job = job
        self.verbose = verbose

    @property
    def predictor_(self) -> Any:
        """The network as `nas.Predictor`."""
        check_is_fitted(self, "checkpoint_")
        return self._predictor

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        state.pop("_predictor", None)  # made again from the bytes of the checkpoint
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "checkpoint_" in state:
            self._load()

    def _load(self) -> None:
        from nas.checkpoint import Predictor, loads

        module = loads(self.checkpoint_)
        # In float64, so that the answer for a row is the same to ten digits whatever rows stand beside it.
        self._predictor = Predictor(module.double())

    def _taken(self, X: Any, y: Any, **checks: Any) -> tuple[Any, np.ndarray]:
        """Features and targets of `fit`: an array of numbers, or a table where it holds more than these."""
        self._mixed = _is_mixed(X)
        if self._mixed:
            validate_data(self, X, skip_check_array=True)
            _, y = check_X_y(np.zeros((len(X), 1)), y, **checks)
            whole = X.loc[:, X.notna().all()].select_dtypes(["number", "datetime"])
            self._fill: Any = {
                name: whole[name].median() for name in whole.columns if X.columns.tolist().count(name) == 1
            }
            return X.reset_index(drop=True), y
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan", **checks)
        whole = ~np.isnan(X).any(axis=0)
        self._fill = np.where(whole, np.median(X, axis=0), np.nan)
        return X, y

    def _searched(self, X: Any, y: np.ndarray, task: str, weights: Any = None) -> None:
        """Search and keep the network.

        Args:
            X: (samples, features) numbers, or a table.
            y: class numbers, or numbers (samples, targets).
            weights: of the classes, as ``data.class_weight`` of a job has them.
        """
        from nas.study import search

        if self.n_jobs is not None:
            check_scalar(self.n_jobs, "n_jobs", numbers.Integral)
            if self.n_jobs == 0:
                raise ValueError("n_jobs is 0; None or 1 is this process, -1 as many workers as there is room for")
        seed = self._seed()
        train, chosen = _split(y if task == "classification" else None, len(X), seed)
        workers = 1 if self.n_jobs is None else int(self.n_jobs)
        fields: dict[str, Any] = {
            "task": task,
            "seed": seed,
            "objectives": _listed(self.objectives),
            "constraints": _listed(self.constraints or ()),
            "baselines": False,
            "mlflow": False,
            "resources": {"executor": "serial"} if workers == 1 else {"executor": "ray", "workers": workers},
        }
        if weights is not None:
            fields["class_weight"] = weights
        if workers < 0:
            fields["resources"] = {"executor": "ray"}
        # There is no test part: nothing is shown of it, and cross-validation has one of its own.
        if self._mixed or np.isnan(X).any():
            data, parting = _parted_table(X, y, train, chosen)
            fields |= parting
        else:
            data = {
                "x_train": X[train],
                "y_train": y[train],
                "x_val": X[chosen],
                "y_val": y[chosen],
                "x_test": X[chosen],
                "y_test": y[chosen],
            }
        with search(
            data,
            minutes=_plain(self.minutes),
            trials=_plain(self.trials),
            keep=False,
            pick=self.pick,
            verbose=bool(self.verbose),
            settings=_fields(self.job),
            **fields,
        ) as study:
            path = study.export(study.folder / "network.safetensors")
            self.checkpoint_ = path.read_bytes()
            member = study.front.pick(self.pick)
            self.metrics_ = dict(member.metrics)
            self.front_ = study.front.to_frame().to_dict("index")
        self.n_edges_ = int(self.metrics_.get("edges", 0))
        self._load()

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            check_random_state(self.random_state)  # refuses what is none
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _rows(self, X: Any) -> Any:
        """What the network takes; gaps in columns that had none in training become the median."""
        check_is_fitted(self, "checkpoint_")
        if self._mixed:
            validate_data(self, X, reset=False, skip_check_array=True)
            if not hasattr(X, "fillna"):
                import pandas as pd

                X = pd.DataFrame(X, columns=self.feature_names_in_)  # by place, as scikit-learn has it
            return X.fillna(self._fill)
        rows = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite="allow-nan")
        return np.where(np.isnan(rows), self._fill, rows)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        return tags

    def _outputs(self, X: Any) -> np.ndarray:
        rows = self._rows(X)
        with warnings.catch_warnings():  # whoever cross-validates knows where the rows come from
            from nas.checkpoint import UnlikeTrainingWarning

            warnings.simplefilter("ignore", UnlikeTrainingWarning)
            found: np.ndarray = self.predictor_.outputs(rows)
        return found


class DagClassifier(ClassifierMixin, _DagEstimator):  # type: ignore[misc]
    """A network for classification, found by a search over DAGs of neurons.

    Args:
        class_weight: what a sample of each class counts in training, by label; "balanced": as much in all as every
            other class; None: all samples count alike.
        minutes: wall time of the search; None where `trials` alone bounds it.
        trials: networks that are trained at most. Without minutes, equal data and `random_state` give equal networks.
        pick: which network of the front is kept, as `nas export --pick` has it.
        constraints: bounds within which the search looks and picks, e.g. "edges<=500" or "edges<=500, accuracy>=0.9".
        objectives: what is minimised, the error (or one of scikit-learn's scorers) and a cost: edges, inference_time,
            depth, density, training_time.
        n_jobs: Ray workers; None or 1: this process; -1: as many as the machine has room for.
        random_state: decides the split and every random choice of the search.
        job: other fields of a job, by dotted paths: ``{"training.losses.time": 0.1}``.
        verbose: print progress and what was found.

    Attributes:
        classes_: (classes,) the labels, of their own type.
        checkpoint_: the network as the bytes of a checkpoint; `nas.load` reads them from a file.
        predictor_: the network as `nas.Predictor`.
        metrics_: of the network: what to expect of it, edges, process times.
        front_: metrics of all networks of the front, by trial number.
        n_edges_: edges of the network.
    """

    def __init__(
        self,
        *,
        minutes: float | None = 1.0,
        trials: int | None = None,
        pick: str = "best",
        constraints: str | tuple[str, ...] | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        objectives: str | tuple[str, ...] = ("error", "edges"),
        n_jobs: int | None = None,
        random_state: int | None = 0,
        job: Mapping[str, Any] | None = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            minutes=minutes,
            trials=trials,
            pick=pick,
            constraints=constraints,
            objectives=objectives,
            n_jobs=n_jobs,
            random_state=random_state,
            job=job,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> DagClassifier:
        """Search.

        Args:
            X: (samples, features) numbers, NaN where missing; or a pandas table, which may hold text, categories and
                dates, too, see `nas.search`.
            y: (samples,) labels: text, numbers or booleans.

        Raises:
            ValueError: data that cannot be used.
        """
        kind = getattr(getattr(y, "dtype", None), "numpy_dtype", None)  # of pandas' Int64 and boolean
        X, y = self._taken(X, y if kind is None or y.isna().any() else y.to_numpy(kind))
        check_classification_targets(y)
        classes, places = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(classes) < 2:
            raise DataError(f"y holds one class only, {classes.tolist()[0]!r}; a classifier needs at least two classes")
        self._searched(X, places.astype(np.int64), "classification", self._weights(classes))
        self.classes_ = classes
        return self

    def _weights(self, classes: np.ndarray) -> dict[str, float] | str | None:
        """The weights by the numbers that stand for the labels in the search."""
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        places = {label: str(place) for place, label in enumerate(classes.tolist())}
        if unknown := [label for label in self.class_weight if label not in places]:
            raise ValueError(
                f"class_weight names {unknown[0]!r}, but the classes are {', '.join(map(repr, [*places][:20]))}"
            )
        return {places[label]: float(weight) for label, weight in self.class_weight.items()}

    def predict(self, X: Any) -> np.ndarray:
        """The label of each row, (samples,), of the type that `fit` was given."""
        outputs = self._outputs(X)
        chosen: np.ndarray = self.classes_[outputs.argmax(axis=1)]
        return chosen

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, (samples, classes), in the order of `classes_`."""
        outputs = self._outputs(X)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares


class DagRegressor(RegressorMixin, _DagEstimator):  # type: ignore[misc]
    """A network for regression, found by a search over DAGs of neurons.

    Args and attributes are those of `DagClassifier`, but for ``class_weight`` and ``classes_``.
    """

    def fit(self, X: Any, y: Any) -> DagRegressor:
        """Search.

        Args:
            X: (samples, features) numbers, NaN where missing; or a pandas table, which may hold text, categories and
                dates, too, see `nas.search`.
            y: (samples,) or (samples, targets) numbers.

        Raises:
            ValueError: data that cannot be used.
        """
        X, y = self._taken(X, y, multi_output=True, y_numeric=True)
        y = np.asarray(y, dtype=np.float64)
        self._flat = y.ndim == 1
        self._searched(X, y, "regression")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The target of each row, (samples,), or (samples, targets) where there are several."""
        rows = self._rows(X)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found: np.ndarray = self.predictor_.predict(rows)
        return found[:, 0] if self._flat else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _split(labels: np.ndarray | None, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to choose by: a fifth of them, of each class its share, and no class without training.

    Args:
        labels: (samples,) class numbers; None: there are none.
    """
    if count < 2:
        raise DataError(f"n_samples = {count}, but one sample is to be trained on and another to choose by")
    order = np.random.default_rng(seed).permutation(count)
    wanted = max(1, round(_VALIDATION * count))
    if labels is None:
        return np.sort(order[wanted:]), np.sort(order[:wanted])
    # Within each class the share comes in turn, so that classes of few samples are not left out.
    rank = np.empty(count)
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        rank[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
        rank[rows[-1]] = np.inf  # one of each is trained on, whatever there is
    chosen = np.argsort(rank, kind="stable")[:wanted]
    chosen = chosen[np.isfinite(rank[chosen])]
    if not len(chosen):
        return np.arange(count), np.arange(count)  # each class has one sample: nothing can be left out
    return np.setdiff1d(np.arange(count), chosen), np.sort(chosen)


def _is_mixed(X: Any) -> bool:
    """Whether it is a pandas table that holds more than numbers and booleans."""
    if not (hasattr(X, "columns") and hasattr(X, "iloc")):
        return False
    from pandas.api.types import is_numeric_dtype

    return not all(is_numeric_dtype(kind) for kind in X.dtypes)


def _parted_table(X: Any, y: np.ndarray, train: np.ndarray, chosen: np.ndarray) -> tuple[Any, dict[str, Any]]:
    """A table with its targets, in the order of its parts, and the fields of a job that part it so.

    Args:
        X: a table, or (samples, features) numbers with gaps, whose columns are features whatever they look like.
    """
    import pandas as pd

    fields: dict[str, Any] = {}
    if isinstance(X, np.ndarray):
        X = pd.DataFrame(X, columns=[f"x{place}" for place in range(X.shape[1])])
        fields["data__keep"] = [*X.columns]
    order = np.concatenate([train, chosen, chosen])  # the last are the test part, those before them the validation part
    share = len(chosen) / len(order)
    targets = y[order].reshape(len(order), -1)
    taken, names = {*map(str, X.columns)}, ["target"] if y.ndim == 1 else [f"target_{k}" for k in range(y.shape[1])]
    while taken & {*names}:
        names = [f"{name}_" for name in names]
    table = X.iloc[order].reset_index(drop=True), pd.DataFrame(targets, columns=names)
    return table, {**fields, "split": "chronological", "validation": share, "test": share}


def _listed(given: str | Iterable[str]) -> tuple[str, ...]:
    """Several bounds or objectives, one by one, as the lists of a job have them."""
    return tuple(part.strip() for part in (given.split(",") if isinstance(given, str) else given))


def _plain(value: Any) -> Any:
    """A number of NumPy's as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value


def _fields(given: object) -> Mapping[str, Any] | None:
    if given is None or isinstance(given, Mapping):
        return given
    raise TypeError(f"job is {given!r}; give fields by dotted paths: {{'training.steps': 2000}}")
