"""scikit-learn's own checks of the estimators, and what these promise beyond them."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import nas
from nas.errors import JobError
from nas.estimators import _split
from nas.search import Front, FrontMember, PickError

QUICK: dict[str, Any] = {"minutes": None, "trials": 1, "job": {"training.steps": 60, "training.learning_rate": 0.02}}

QUICK_SEARCH: dict[str, Any] = {
    "trials": 1,
    "keep": False,
    "verbose": False,
    "executor": "serial",
    "objectives": ["error", "edges"],
    "baselines": False,
    "training": {"steps": 60},
}


@parametrize_with_checks([nas.DagClassifier(**QUICK), nas.DagRegressor(**QUICK)])
def test_scikit_learns_own_checks(estimator: Any, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_labels_keep_their_type_and_a_pickle_runs_no_code_of_the_network() -> None:
    X, y = load_wine(return_X_y=True)
    fitted = nas.DagClassifier(**QUICK | {"trials": 2}).fit(X, y)
    assert fitted.classes_.dtype == y.dtype and fitted.predict(X).dtype == y.dtype
    assert (fitted.predict(X) == y).mean() > 0.9
    assert fitted.n_edges_ == fitted.predictor_.module.dag.n_edges == fitted.metrics_["edges"]
    data = pickle.dumps(fitted)
    again = pickle.loads(data)
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    named = [f"{argument}" for code, argument, _ in pickletools.genops(data) if code.name == "SHORT_BINUNICODE"]
    modules = {name.partition(".")[0] for name in named if name.startswith(("nas.", "torch", "numpy."))}
    assert modules == {"nas", "numpy"} and "nas.estimators" in named and "nas.checkpoint" not in " ".join(named)


@pytest.mark.parametrize("kind", ["Int64", "int8", "boolean", "bool"])
def test_labels_of_pandas_own_types_keep_theirs(kind: str) -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    labels = (y == 0).astype(kind) if kind.startswith("bool") else y.astype(kind)
    fitted = nas.DagClassifier(**QUICK).fit(X, labels)
    assert fitted.classes_.dtype == fitted.predict(X).dtype == np.dtype(kind.lower().replace("boolean", "bool"))


def test_it_is_a_part_like_any_other() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_pipeline(StandardScaler(), nas.DagClassifier(**QUICK))
    assert cross_val_score(clone(model), X, names, cv=2).mean() > 0.8


def test_tables_go_in_as_they_are_and_gaps_are_filled() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    rng = np.random.default_rng(0)
    table = X.assign(
        city=pd.Categorical(np.array(["Rome", "Oslo", "Bonn"])[y]),
        day=pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, len(y)), unit="D"),
    )
    fitted = nas.DagClassifier(**QUICK).fit(table, y)
    assert fitted.score(table, y) > 0.9 and fitted.classes_.dtype == y.dtype
    assert list(fitted.feature_names_in_) == [*table.columns]
    again = pickle.loads(pickle.dumps(fitted))
    holes = table.copy()
    holes.iloc[::3, 0], holes.iloc[1::3, 5] = np.nan, pd.NaT  # where training had none: cross-validation meets these
    holes.loc[5, "city"] = None
    assert (again.predict(holes) == y).mean() > 0.8
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table.drop(columns="city"))
    values = X.to_numpy()
    gaps = np.where(rng.random(values.shape) < 0.05, np.nan, values)
    for given, asked in ((gaps, values), (values, gaps)):
        assert nas.DagClassifier(**QUICK).fit(given, y).score(asked, y) > 0.8
    left = np.c_[gaps, np.full(len(y), np.nan)]
    assert nas.DagRegressor(**QUICK).fit(left, values[:, 2:]).predict(left).shape == (len(y), 2)
    with pytest.raises(ValueError, match="infinity"):
        nas.DagClassifier(**QUICK).fit(np.where(np.isnan(gaps), np.inf, gaps), y)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"n_jobs": 0}, "n_jobs is 0; None or 1"),
        ({"n_jobs": "2"}, "n_jobs must be an instance of int"),
        ({"job": "job.yaml"}, "job is 'job.yaml'; give fields by dotted paths"),
        ({"random_state": -1}, "Seed must be between 0"),
        ({"minutes": "soon"}, "search.budget_minutes is 'soon'; it must be a number"),
        ({"objectives": "eror, edges"}, "there is no objective 'eror'"),
    ],
    ids=str,
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any], match: str) -> None:
    with pytest.raises((ValueError, TypeError), match=match):
        nas.DagClassifier(**QUICK | wrong).fit(*load_iris(return_X_y=True))


def test_constraints_bind_the_search_itself() -> None:
    X, y = load_wine(return_X_y=True)
    small = nas.DagClassifier(**QUICK | {"trials": 8}, constraints="edges<=30, depth<=9").fit(X, y)
    assert small.n_edges_ <= 30 and all(member["edges"] <= 30 for member in small.front_.values())
    free = nas.DagClassifier(**QUICK | {"trials": 8}).fit(X, y)
    assert max(member["edges"] for member in free.front_.values()) > 30  # a linear model has 39
    with pytest.raises(PickError, match="none is within all bounds; the nearest misses edges<=1 by"):
        nas.DagClassifier(**QUICK, constraints="edges<=1").fit(X, y)
    with pytest.raises(JobError, match='a bound is written as "flash<=2000"'):
        nas.DagClassifier(**QUICK, constraints="edges<60").fit(X, y)


def test_class_weights_go_by_the_labels_own_type() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 2))
    y = np.where(X[:, 0] + rng.normal(0, 1, 120) > 0.5, 7, 3)
    shares = [
        (nas.DagClassifier(**QUICK, class_weight=weights).fit(X, y).predict(X) == 7).mean()
        for weights in (None, {7: 20.0}, "balanced")
    ]
    assert shares[0] < shares[2] < shares[1]
    with pytest.raises(ValueError, match="class_weight names '7', but the classes are 3, 7"):
        nas.DagClassifier(**QUICK, class_weight={"7": 2.0}).fit(X, y)


def test_no_class_is_without_training_and_the_split_has_each_class_by_its_share() -> None:
    labels = np.array([0] * 60 + [1] * 38 + [2])
    train, chosen = _split(labels, len(labels), 0)
    assert {*labels[train]} == {0, 1, 2} and not {*train} & {*chosen} and len(train) + len(chosen) == len(labels)
    assert np.bincount(labels[chosen]).tolist() == [12, 8]
    train, chosen = _split(None, 10, 1)
    assert len(chosen) == 2 and len(train) == 8


@pytest.mark.parametrize(
    ("pick", "match"),
    [
        ("bets", "cannot pick 'bets'"),
        ("acuracy>=0.5", "networks have no metric 'acuracy'; they have .*shown_accuracy"),
        ("edges<=many", "cannot pick 'edges<=many'"),
        ("edges<=90, r2>=0.1", "networks have no metric 'r2'"),
        ("latency<=90", "latency is not measured here; state training.latency: true"),
    ],
)
def test_a_pick_that_no_network_could_be_is_refused_before_the_search(
    pick: str, match: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[Any] = []
    monkeypatch.setattr("nas.search.run_search", lambda *arguments, **_: searched.append(arguments))
    X, y = load_iris(return_X_y=True)
    with pytest.raises(PickError, match=match):
        nas.DagClassifier(**QUICK | {"pick": pick}).fit(X, y)
    with pytest.raises(PickError, match=match):
        nas.search(X, y, **QUICK_SEARCH | {"pick": pick})
    assert not searched


def test_what_is_picked_by_default_is_what_the_search_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_iris(return_X_y=True)
    asked: list[str] = []
    pick = Front.pick

    def noted(self: Front, how: str) -> FrontMember:
        asked.append(how)
        return pick(self, how)

    monkeypatch.setattr(Front, "pick", noted)
    with nas.search(X, y, pick="fast", **QUICK_SEARCH) as study:
        study.best()
        study.best("knee")
    assert asked == ["fast", "knee"]
    regression = nas.DagRegressor(**QUICK | {"pick": "r2>=-9, edges>=1"}).fit(X, X[:, 0])
    assert regression.n_edges_ >= 1
