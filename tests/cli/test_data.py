"""Data that is not what it was: the commands notice, say what differs, and go on only where that is harmless."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas as package
from nas.cli import _evaluate
from nas.search import StudyStore
from tests.cli.test_commands import JOB, nas, plain

RNG = np.random.default_rng(9)
FRAME = pd.DataFrame({"a": RNG.normal(size=90), "b": RNG.normal(size=90), "kind": RNG.choice(["01", "1", "None"], 90)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table with a saved index, a job, its finished search and an exported network."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NAS_STORE", "store")
        FRAME.to_csv("table.csv")
        Path("table.yaml").write_text(JOB.replace("wine", "table.csv"))
        result = nas("search", "table.yaml", "--trials", "2")
        assert result.exit_code == 0, result.output
        Path("output").write_text(result.output)
        assert nas("export", "table", "--out", "net.safetensors").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NAS_STORE", "store")
    FRAME.to_csv("table.csv")


CHANGES = [
    (FRAME[["b", "a", "kind"]], "its columns were in the order 'a', 'b', and are in the order 'b', 'a'"),
    (FRAME.assign(a=FRAME.a * 1000), "column 'a' has other values"),
    (FRAME.assign(kind=FRAME.kind.to_numpy()[::-1]), "its targets have other values"),
    (FRAME.iloc[:-3], "it had 90 rows and has 87"),
    (FRAME.iloc[::-1].reset_index(drop=True), "its rows are in another order"),
]


@pytest.mark.parametrize(("changed", "words"), CHANGES, ids=lambda each: str(each)[:30].strip())
def test_a_search_is_not_continued_with_other_data(changed: pd.DataFrame, words: str) -> None:
    changed.to_csv("table.csv")
    refused = nas("search", "table.yaml", "--resume", "--trials", "3")
    assert refused.exit_code == 1
    assert f"not the data of study 'table': {words}" in plain(refused)
    again = nas("replay", "0", "--study", "table")
    assert again.exit_code == 1 and words in plain(again)
    film = nas("watch", "table", "--out", "film.html")
    assert film.exit_code == 1 and words in plain(film)


def test_a_search_goes_on_with_the_same_data_however_it_is_written() -> None:
    FRAME.to_csv("table.csv", sep=";", decimal=",", encoding="utf-8-sig")
    assert nas("search", "table.yaml", "--resume", "--trials", "3").exit_code == 0
    assert nas("replay", "0", "--study", "table").exit_code == 0


def test_what_was_found_out_is_printed_before_anything_runs(folder: Path) -> None:
    output = " ".join((folder / "output").read_text().split())
    for words in (
        "left out Unnamed: 0 (evenly spaced from 0 to 89, as row numbers and times are) data.keep",
        "task classification: targets are text data.task",
        "classes 3: 01 (",
        "separator ','",
        "parts 58 training, 14 validation, 18 test; drawn with seed 0",
        "scaling each feature to mean 0 and deviation 1, by the training part data.standardise",
    ):
        assert words in output
    assert output.index("left out") < output.index("2 trials, 20 steps each")


def test_nas_data_shows_the_same_without_training() -> None:
    shown = nas("data", "table.yaml")
    assert shown.exit_code == 0, shown.output
    assert "Unnamed: 0 (evenly spaced" in plain(shown)
    found = json.loads(nas("data", "table.csv", "--set", "data.keep=['Unnamed: 0']", "--json").output)
    about = {each["about"]: each for each in found}
    assert about["features"]["found"] == "3: Unnamed: 0, a, b"
    assert "left out" not in about
    assert nas("data", "table.csv", "--set", "data.target=colour").exit_code == 1
    assert nas("data", "table.csv", "--set", "data.colour=1").exit_code == 2


def test_evaluate_tells_the_data_of_its_training_from_other_data() -> None:
    same = json.loads(nas("evaluate", "net.safetensors", "--json").output)
    assert (same["data_of_training"], same["part"], same["note"]) == (True, "test", None)
    # The order of columns does not matter, because they are found by name.
    FRAME[["b", "kind", "a"]].to_csv("table.csv")
    turned = json.loads(nas("evaluate", "net.safetensors", "--target", "kind", "--json").output)
    assert turned["accuracy"] == same["accuracy"] and turned["data_of_training"] is True
    FRAME.iloc[:-3].to_csv("table.csv")
    refused = nas("evaluate", "net.safetensors")
    assert refused.exit_code == 1
    assert "no longer what the network was trained on: it had 90 rows and has 87" in plain(refused)
    other = json.loads(nas("evaluate", "net.safetensors", "--data", "table.csv", "--json").output)
    assert (other["data_of_training"], other["part"], other["samples"]) == (False, "all", 87)
    assert "it had 90 rows and has 87" in other["note"]
    FRAME.to_csv("copy.csv", sep=";", index=False)
    copy = json.loads(nas("evaluate", "net.safetensors", "--data", "copy.csv", "--json").output)
    assert (copy["part"], copy["note"]) == ("all", "all samples of its training are among these")
    FRAME.assign(a=FRAME.a + 1).to_csv("new.csv", sep="^", index=False)
    assert nas("evaluate", "net.safetensors", "--data", "new.csv").exit_code == 1
    new = nas("evaluate", "net.safetensors", "--data", "new.csv", "--set", "data.separator=^", "--json")
    assert json.loads(new.output)["note"] is None


def test_predictions_are_the_labels_of_the_file() -> None:
    predictor = package.Predictor.load("net.safetensors")
    assert predictor.classes == ("01", "1", "None")
    table = pd.read_csv("table.csv", dtype={"kind": str})
    labels = predictor.predict(table[["kind", "Unnamed: 0", "b", "a"]])
    assert {*labels} <= {"01", "1", "None"}
    np.testing.assert_array_equal(labels, predictor.predict(table[["a", "b"]].to_numpy()))


def test_a_study_of_before_fingerprints_goes_on_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a study took the saved index for a feature, and still does."""
    monkeypatch.chdir(tmp_path)
    FRAME.assign(kind=RNG.integers(0, 40, 90)).to_csv("table.csv")
    Path("old.yaml").write_text(JOB.replace("{source: wine}", "{source: table.csv}"))
    settings = ("--set", "data.keep=['Unnamed: 0']")
    assert nas("search", "old.yaml", "--trials", "1", *settings).exit_code == 0
    study = StudyStore.open("store", "old")
    header = json.loads(json.dumps(study.header))
    for key in ("fingerprint", "columns"):
        del header["job"][key]
    for key in ("keep", "separator", "encoding", "decimal", "header"):
        del header["job"]["job"]["data"][key]
    study.study.set_user_attr("nas:study", header)
    gone_on = nas("search", "old.yaml", "--resume", "--trials", "2")
    assert gone_on.exit_code == 0, gone_on.output
    assert "begun before studies kept a fingerprint of their data" in plain(gone_on)
    assert "features 3: Unnamed: 0, a, b" in plain(gone_on)
    pd.read_csv("table.csv", index_col=0).assign(a=1 + FRAME.a).to_csv("table.csv")
    refused = nas("search", "old.yaml", "--resume", "--trials", "3")
    assert refused.exit_code == 1
    assert "its values or its split differ" in plain(refused)


def test_networks_of_several_targets_are_evaluated_on_several(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(_evaluate, "evaluate_file", lambda path, *, target, **rest: asked.append(target))
    for targets in ([], ["a"], ["a", "b"]):
        nas("evaluate", "net.safetensors", "--json", *(word for each in targets for word in ("--target", each)))
    assert asked == [None, "a", ["a", "b"]]
    config, _ = _evaluate._data_config({}, "t.csv", ["a", "b"], ())
    assert config.target == ("a", "b")


def test_of_many_classes_those_are_shown_of_which_least_is_found() -> None:
    shares = [1.0, 0.5, None, 0.0, 1.0]
    classes = [{"class": str(place), "recall": share} for place, share in enumerate(shares)]
    assert [each["class"] for each in _evaluate.least_found(classes, 2)] == ["3", "1"]
    assert _evaluate.least_found(classes, 5) == classes
