"""What networks are judged by where a scorer says it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, mean_absolute_error, roc_auc_score
from torch import nn

from nas.errors import JobError
from nas.search import Baselines, SearchConfig, error_reference, with_scorer
from nas.training import DataConfig, Dataset, load_data, read_data
from nas.training.quality.evidence import quality
from nas.training.quality.judged import guess_loss, judged_evidence, scorer_label, scorer_loss, worst_loss


class Fixed(nn.Module):
    """Answers what the first input says."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1] * self.scale * torch.tensor([(-1.0) ** k for k in range(len(self.scale))])


@pytest.fixture
def unequal() -> Dataset:
    rng = np.random.default_rng(0)
    y = (np.arange(600) % 20 == 0).astype(np.int64)
    x = (rng.normal(size=(600, 2)) - 2 * y[:, None]).astype(np.float32)
    parts = [slice(0, 300), slice(300, 500), slice(500, 600)]
    train, val, test = ((x[part], y[part]) for part in parts)
    return Dataset("unequal", "classification", *train, *val, *test, classes=("no", "yes"))


def test_the_error_is_what_the_scorer_says(unequal: Dataset) -> None:
    module = Fixed(2)
    found = quality(module, dataclasses.replace(unequal, scorer="roc_auc"))
    probability = torch.softmax(module(torch.from_numpy(unequal.x_test)), 1)[:, 1].detach().numpy()
    assert found.metrics["test_roc_auc"] == pytest.approx(roc_auc_score(unequal.y_test, probability))
    assert found.metrics["test_error"] == pytest.approx(1 - found.metrics["test_roc_auc"])
    assert found.metrics["val_score"] == found.metrics["val_error"]
    assert "val_accuracy" not in found.metrics and 0 < found.metrics["val_correct"] < 1
    plain = quality(module, unequal)
    assert plain.metrics["val_accuracy"] == found.metrics["val_correct"]


def test_pseudo_values_of_a_mean_are_its_samples_spread() -> None:
    """Of a loss that is a mean, the jackknife's standard error is that of the mean."""
    data = dataclasses.replace(load_data(DataConfig(source="diabetes")), scorer="neg_mean_absolute_error")
    rng = np.random.default_rng(1)
    y = rng.normal(size=(960, 1))
    outputs = y + rng.normal(size=y.shape)
    loss = scorer_loss(data, outputs, y)
    assert data.target_scale is not None
    assert loss == pytest.approx(mean_absolute_error(y, outputs) * data.target_scale[0])
    found = judged_evidence(data, outputs, y, loss)
    assert found.error.mean() == pytest.approx(loss, rel=1e-5)
    deviation = found.error.std(ddof=1) / math.sqrt(found.samples)
    known = np.abs(outputs - y).std() * data.target_scale[0] / math.sqrt(len(y))
    assert deviation == pytest.approx(known, rel=0.4)


def test_a_guess_is_what_has_to_be_beaten(unequal: Dataset) -> None:
    judged = dataclasses.replace(unequal, scorer="balanced_accuracy")
    assert guess_loss(judged) == error_reference(judged) == pytest.approx(0.5)
    outputs = np.stack([np.ones(100), np.zeros(100)], axis=1)
    assert scorer_loss(judged, outputs, unequal.y_test) == pytest.approx(
        1 - balanced_accuracy_score(unequal.y_test, np.zeros(100))
    )
    assert Baselines((), 1, guess_error=guess_loss(judged)).to_beat == pytest.approx(0.5)


def test_a_scorer_that_says_nothing_of_the_task_is_refused(unequal: Dataset) -> None:
    with pytest.raises(JobError, match="'roc_auc' says nothing of iris.*3 outputs; name another scorer"):
        error_reference(dataclasses.replace(load_data(DataConfig(source="iris")), scorer="roc_auc"))


@pytest.mark.parametrize(
    ("source", "scorer", "expected"),
    [
        ("diabetes", "roc_auc", "says nothing of .* such as neg_mean_absolute_error"),
        ("diabetes", "neg_log_loss", "says nothing of"),
        ("diabetes", "f1_macro", "says nothing of"),
        ("iris", "r2", "compares numbers, but iris has classes; name another scorer, such as balanced_accuracy"),
        ("iris", "neg_mean_absolute_error", "compares numbers"),
    ],
)
def test_scorers_of_another_task_are_refused_with_those_of_this(source: str, scorer: str, expected: str) -> None:
    with pytest.raises(JobError, match=expected):
        error_reference(dataclasses.replace(load_data(DataConfig(source=source)), scorer=scorer))


def test_which_of_two_classes_is_judged_is_said(tmp_path: Path) -> None:
    rows = "\n".join(f"{k % 7},{k % 11},{'lost' if k % 4 == 0 else 'kept'}" for k in range(200))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    data = read_data(DataConfig(source=str(tmp_path / "t.csv")))
    for scorer, words in (("f1", "1 - f1 of lost; f1:{LABEL} judges another class"), ("roc_auc", "1 - roc_auc")):
        config = SearchConfig.model_validate({"objectives": [scorer]})
        assert [each.words for each in with_scorer(data, config).findings if each.about == "judged by"] == [words]


def test_functions_of_ones_own(unequal: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "judges_of_mine.py").write_text(
        "from sklearn.metrics import fbeta_score, make_scorer\n"
        "def missed(y, probabilities):\n"
        "    return (probabilities[:, 1][y == 1] < 0.5).mean()\n"
        "f2 = make_scorer(fbeta_score, beta=2)\n"
        "def gain(y, probabilities):\n"
        "    return -5.0\n"
        "def broken(y, probabilities):\n"
        "    return y.nothing\n"
    )
    monkeypatch.chdir(tmp_path)
    outputs, y = np.tile([1.0, 0.0], (100, 1)), unequal.y_test
    for name, loss in (("missed", 1.0), ("f2", 1.0)):
        judged = dataclasses.replace(unequal, scorer=f"judges_of_mine:{name}")
        assert scorer_loss(judged, outputs, y) == loss
    with pytest.raises(
        JobError, match=r"judges_of_mine:broken failed: AttributeError.*class numbers \(100,\) and prob"
    ):
        scorer_loss(dataclasses.replace(unequal, scorer="judges_of_mine:broken"), outputs, y)
    with pytest.raises(JobError, match="judges_of_mine:gain gave a loss of -5; less is better, and the least is 0"):
        scorer_loss(dataclasses.replace(unequal, scorer="judges_of_mine:gain"), outputs, y)
    config = SearchConfig.model_validate({"objectives": ["judges_of_mine:missed"]})
    data = with_scorer(read_data(DataConfig(source="wine")), config)
    assert data.findings[-1].words == "missed, less of which is better"
    with pytest.raises(JobError, match="'judges_of_mine:absent' cannot be imported"):
        scorer_loss(dataclasses.replace(unequal, scorer="judges_of_mine:absent"), outputs, y)


def test_objectives_may_be_scorers() -> None:
    config = SearchConfig.model_validate({"objectives": ["edges", "roc_auc"]})
    assert config.objectives == ("edges", "error") and config.scorer == "roc_auc"
    assert SearchConfig.model_validate(config.model_dump()) == config
    unstated = SearchConfig()
    assert unstated.scorer is None and SearchConfig.model_validate(unstated.model_dump()).scorer is None
    assert SearchConfig.model_validate({"objectives": ["error", "edges"]}).scorer == "error"
    with pytest.raises(ValueError, match="roc_auc and error both say how good"):
        SearchConfig.model_validate({"objectives": ["roc_auc", "error"]})
    with pytest.raises(ValueError, match="there is no objective 'roc_auk'"):
        SearchConfig.model_validate({"objectives": ["roc_auk"]})
    with pytest.raises(ValueError, match="scorer says what the error is, but the objectives are edges"):
        SearchConfig.model_validate({"objectives": ["edges"], "scorer": "f1"})
    labels = [scorer_label(name) for name in ("", "f1", "f1:a:b", "neg_log_loss", "mine:loss")]
    assert labels == ["error", "1 - f1", "1 - f1 of a:b", "log_loss", "loss"]


def test_where_classes_are_very_unequal_they_count_alike(tmp_path: Path) -> None:
    rows = "\n".join(f"{k % 7},{k % 11},{'rare' if k % 25 == 0 else 'often'}" for k in range(1000))
    (tmp_path / "t.csv").write_text(f"a,b,y\n{rows}\n")
    data = read_data(DataConfig(source=str(tmp_path / "t.csv")))
    found = with_scorer(data, SearchConfig())
    assert found.dataset.scorer == "balanced_accuracy"
    assert "class rare is 4 % of the samples" in found.findings[-1].words
    stated = with_scorer(data, SearchConfig.model_validate({"objectives": ["error", "edges"]}))
    assert stated.dataset.scorer == "" and stated.findings[-1].words.endswith("[balanced_accuracy, edges] would")
    named = with_scorer(data, SearchConfig.model_validate({"objectives": ["f1", "edges"]}))
    assert named.dataset.scorer == "f1:rare" and "1 - f1 of rare" in named.findings[-1].words
    other = with_scorer(data, SearchConfig.model_validate({"objectives": ["f1:often", "edges"]})).dataset
    assert other.scorer == "f1:often"
    outputs = np.random.default_rng(0).normal(size=(len(other.y_test), 2))
    assert scorer_loss(other, outputs, other.y_test) == pytest.approx(
        1 - f1_score(other.y_test, outputs.argmax(axis=1), pos_label=0)
    )
    with pytest.raises(JobError, match="'f1:rarely' judges class 'rarely', but the classes are often, rare"):
        error_reference(dataclasses.replace(other, scorer="f1:rarely"))
    assert with_scorer(read_data(DataConfig(source="iris")), SearchConfig()).dataset.scorer == ""


def test_shares_end_at_one_and_nothing_else_does() -> None:
    shares = ("accuracy", "balanced_accuracy", "f1", "f1:fraud", "recall_macro", "roc_auc_ovr", "average_precision")
    assert {worst_loss(name) for name in shares} == {1.0}
    free = ("", "r2", "neg_log_loss", "matthews_corrcoef", "precision_money:loss", "f1_own:cost")
    assert {worst_loss(name) for name in free} == {math.inf}
