"""Metrics by the names of scikit-learn's scorers, against its functions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from nas.errors import JobError
from nas.training import class_report, default_scorers, scorer_values

RNG = np.random.default_rng(1)


def test_scores_are_those_of_scikit_learn() -> None:
    y = RNG.integers(0, 2, 90)
    outputs = RNG.normal(size=(90, 2)) + np.eye(2)[y]
    found = scorer_values(default_scorers("classification", 2), outputs, y, "classification")
    share = 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))
    assert found["roc_auc"] == pytest.approx(metrics.roc_auc_score(y, share))
    assert found["neg_log_loss"] == pytest.approx(-metrics.log_loss(y, share))
    assert found["f1"] == pytest.approx(metrics.f1_score(y, share > 0.5))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, share > 0.5))


def test_regressions_have_theirs_and_several_targets_too() -> None:
    y = RNG.normal(size=(50, 2))
    outputs = y + 0.5
    found = scorer_values(("neg_mean_absolute_error", "r2"), outputs, y, "regression")
    assert found == {"neg_mean_absolute_error": pytest.approx(-0.5), "r2": pytest.approx(metrics.r2_score(y, outputs))}


def test_what_is_not_defined_is_none_and_what_is_none_is_refused() -> None:
    y = np.zeros(20, dtype=np.int64)
    assert scorer_values(("roc_auc",), RNG.normal(size=(20, 2)), y, "classification") == {"roc_auc": None}
    with pytest.raises(JobError, match="no metric 'auc'; there are module:function and .*roc_auc"):
        scorer_values(("auc",), RNG.normal(size=(20, 2)), y, "classification")


def test_a_class_that_is_never_called_shows() -> None:
    y = np.array([0] * 97 + [1] * 3)
    outputs = np.tile([1.0, 0.0], (100, 1))
    rare = class_report(outputs, y, ("common", "rare"))[1]
    assert rare == {"class": "rare", "samples": 3, "recall": 0.0, "precision": None, "f1": 0.0}


def test_a_score_of_one_class_says_which_and_is_of_the_rarer_one_by_itself() -> None:
    y = np.array([0] * 10 + [1] * 80 + [2] * 10)
    outputs = RNG.normal(size=(100, 3)) + 2 * np.eye(3)[y]
    found = scorer_values(("f1:c", "recall:a"), outputs, y, "classification", ("a", "b", "c"))
    assert found["f1:c"] == pytest.approx(metrics.f1_score(y, outputs.argmax(axis=1), labels=[2], average="macro"))
    assert found["recall:a"] == pytest.approx((outputs[:10].argmax(axis=1) == 0).mean())
    two, fewer = outputs[:90, :2], y[:90]
    rare = metrics.f1_score(fewer, two.argmax(axis=1), pos_label=0)
    common = metrics.f1_score(fewer, two.argmax(axis=1))
    assert rare != pytest.approx(common)
    assert scorer_values(("f1",), two, fewer, "classification", ("fraud", "ok")) == {"f1:fraud": pytest.approx(rare)}
    # of 0 and 1 scikit-learn means the latter, however rare
    assert scorer_values(("f1",), two, fewer, "classification", ("0", "1")) == {"f1": pytest.approx(common)}
    with pytest.raises(JobError, match="f1:fraude: there is no class 'fraude'; the classes are fraud, ok"):
        scorer_values(("f1:fraude",), two, fewer, "classification", ("fraud", "ok"))
