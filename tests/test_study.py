"""A search in one line, from Python and from the shell, and what it gives."""

from __future__ import annotations

import html
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

import nas
from nas._given_data import GivenData
from nas._keywords import job_values
from nas.checkpoint import cells_of
from nas.errors import DataError, JobError, NasError
from nas.search import SerialExecutor
from nas.study import Study
from nas.training import DataConfig, read_data
from tests.cli.test_commands import nas as command
from tests.cli.test_commands import plain

RNG = np.random.default_rng(3)
X = RNG.normal(size=(120, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(kind=np.where(X[:, 0] + X[:, 1] > 0, "yes", "no"))
QUICK: dict[str, Any] = {
    "trials": 3,
    "objectives": ["error", "edges"],
    "baselines": False,
    "executor": "serial",
    "mlflow": False,
    "training": {"steps": 60, "batch_size": 32},
    "verbose": False,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def study(store: Path) -> Study:
    return nas.search(FRAME, target="kind", store=store, **QUICK | {"baselines": True, "minutes": 0.3})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NAS_STORE", raising=False)
    yield
    assert not (tmp_path / "nas-runs").exists()


def test_the_package_is_the_function() -> None:
    assert callable(nas.search) and nas.search.run_search is not None
    assert list(inspect.signature(nas.search).parameters)[:4] == ["data", "y", "target", "minutes"]


def test_the_front_is_a_table_and_a_plot(study: Study) -> None:
    shown = study.front._repr_html_()
    for member in study.front:
        assert f">{member.number}</td>" in shown
    assert "best" in shown and "best" in repr(study.front)
    assert list(study.front.to_frame().index) == [member.number for member in study.front]
    figure = study.front.plot()
    assert len(figure.data[2].x) == len(study.front)
    assert html.escape(study.verdict) in study._repr_html_()
    assert [direction.name for direction in study.optuna.directions] == ["MINIMIZE"] * 2


def test_a_pick_predicts_from_the_table(study: Study, tmp_path: Path) -> None:
    network = study.best()
    labels = network.predict(FRAME)  # the target may stay in
    assert {*labels} <= {"yes", "no"}
    again = nas.Predictor.load(study.export(tmp_path / "best.safetensors"))
    assert (again.predict(FRAME.drop(columns="kind")) == labels).all()
    fast = study.front.pick("fast")
    assert study.best(fast.number).module.dag.n_edges == study.trial(fast.number).dag.n_edges
    assert study.trial(0).lineage[-1] == 0 and "val_accuracy" in study.trial(0).metrics


@pytest.mark.parametrize("form", ["array", "table", "csv", "parquet"])
@pytest.mark.parametrize("labels", [[3, 7, -1], [False, True], ["a", "b"], ["True", "no"]], ids=str)
def test_labels_keep_their_type(labels: list[Any], form: str, tmp_path: Path) -> None:
    y = np.array(labels)[np.digitize(X[:, 0], [-0.5, 0.5] if len(labels) == 3 else [0])]
    table = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)
    data: Any = (X, y) if form == "array" else table
    if form == "csv":
        table.to_csv(tmp_path / "t.csv", index=False)
        data = "t.csv"
    elif form == "parquet":
        table.to_parquet(tmp_path / "t.parquet")
        data = "t.parquet"
    with nas.search(data, keep=False, **QUICK | {"trials": 1}) as study:
        network = study.best()
        found = network.predict(X)
        assert found.dtype.kind == y.dtype.kind and (found == y).mean() > 0.6
        answers = network.answers(X, label="y")["y"]
        assert answers.tolist() == found.tolist()
    (tmp_path / "t.csv").unlink(missing_ok=True)


def test_a_table_in_memory_is_parted_and_read_as_one_in_a_file() -> None:
    rows = FRAME.assign(patient=np.arange(120) // 4, steps=np.arange(120))
    with nas.search(rows, target="kind", keep=False, data__group="patient", data__keep=["steps"], **QUICK) as study:
        assert "steps" in study.best().feature_names
        assert "patient" not in study.best().feature_names
    twice = rows[["a", "b", "b", "kind"]]
    with nas.search(twice, target="kind", keep=False, **QUICK) as study:
        assert study.best().feature_names == ("a", "b", "b.1")
        assert len(study.best().predict(twice)) == len(twice)


def test_what_no_trial_survived_is_said() -> None:
    wrong = {"training": {"steps": 60, "learning_rate": 1e30, "optimizer": "sgd"}}
    with pytest.raises(NasError, match="no trial completed, 3 failed: "):
        nas.search(FRAME, target="kind", keep=False, **QUICK | wrong)


def test_the_report_is_one_page_with_all_in_it(study: Study) -> None:
    page = study.report().read_text(encoding="utf-8")
    for words in ("<h2>Data</h2>", "data.target", "<h2>Front</h2>", "<h2>Baselines</h2>", "logistic regression",
                  "its graph", "its training", "processor", "nas.Study.open(&#x27;search&#x27;", "plotly"):  # fmt: skip
        assert words in page, words
    assert page.count("data:image/png;base64,") >= 2
    assert 'src="http' not in page


def test_of_many_classes_the_report_has_those_of_which_least_is_found(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.cli.study_page._MOST_CLASSES", 1)
    page = study.report(tmp_path / "few.html").read_text(encoding="utf-8")
    assert "and 1 more classes, of which no less is found" in page


def test_a_study_opens_again_and_goes_on(study: Study, store: Path) -> None:
    assert Study.open("search", store=store).front.hypervolume == study.front.hypervolume
    more = QUICK | {"baselines": True, "minutes": 0.3, "trials": 4}
    with pytest.raises(JobError, match="study 'search' exists .* resume=True, or start another with name='search-2'"):
        nas.search(FRAME, target="kind", store=store, name="search", **more)
    with pytest.raises(DataError, match="begun with other data"):
        nas.search(FRAME.iloc[1:], target="kind", store=store, name="search", resume=True, **more)
    on = nas.search(FRAME, target="kind", store=store, name="search", resume=True, **more)
    assert on.name == "search" and len(on.optuna.trials) == 4


@pytest.mark.parametrize(
    "data",
    [
        (X, FRAME["kind"]),
        (FRAME[["a", "b", "c"]], FRAME["kind"]),
        {"x": X, "y": FRAME["kind"].to_numpy()},
        torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(X[:, 0] > 0)),
        (scipy.sparse.csr_matrix(X), FRAME["kind"]),
        (pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csr_matrix(X), columns=["a", "b", "c"]), FRAME["kind"]),
    ],
    ids=["arrays", "table and targets", "mapping", "torch", "sparse", "sparse table"],
)
def test_data_in_memory_is_kept_with_the_study_or_goes(data: Any, tmp_path: Path) -> None:
    with nas.search(data, keep=False, **QUICK) as study:
        folder = study.folder
        found = study.best().predict(X)
        assert len(found) == len(X) and (study.best().predict(scipy.sparse.csr_matrix(X)) == found).all()
        assert len(list(folder.glob("data.*"))) == 1
    assert not folder.exists()
    assert not list(tmp_path.iterdir())


def test_what_interrupts_the_ending_of_the_workers_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = []

    def close(self: object) -> None:
        closed.append(1)
        if len(closed) == 1:
            raise KeyboardInterrupt  # the second of two

    monkeypatch.setattr(SerialExecutor, "close", close)
    found = nas.search(FRAME, name="twice", store=tmp_path, **QUICK | {"trials": 1, "verbose": True})
    assert len(closed) == 2 and len(found.front) == 1
    said = capsys.readouterr().out
    assert f"resume: nas.search(…, name='twice', store='{tmp_path}', resume=True)" in said and "--pick" not in said


def test_a_file_gives_the_study_its_name(tmp_path: Path) -> None:
    FRAME.to_csv("my table.csv", index=False)
    study = nas.search(tmp_path / "my table.csv", store="s", **QUICK)
    assert study.name == "my-table"
    assert nas.search("my table.csv", store="s", **QUICK).name == "my-table-2"


def test_refused_data_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'kid'"):
        nas.search(FRAME, target="kid", store="s", **QUICK)
    assert not list((tmp_path / "s").glob("*/data.*"))
    with pytest.raises(DataError, match=r"got ndarray; expected a pair .X, y.,"):
        nas.search(X, **QUICK)
    with pytest.raises(DataError, match="X has 120 rows and y has 3"):
        nas.search(FRAME[["a"]], [1, 2, 3], **QUICK)


def test_every_field_of_a_job_is_a_keyword() -> None:
    values = job_values(
        {"minutes": 5, "strategy": "optuna", "training": {"steps": 9}, "data__seed": 4, "trials": None, "seed": 1},
        {"training.losses.time": 0.1, "search.options": {"sampler": "gp"}},
    )
    assert values == {
        "search": {"budget_minutes": 5, "strategy": "optuna", "seed": 1, "options": {"sampler": "gp"}},
        "training": {"steps": 9, "losses": {"time": 0.1}},
        "data": {"seed": 4},
    }


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"startegy": "x"}, "unknown keyword 'startegy'; did you mean strategy?"),
        ({"options": {}}, "say which: space__options, search__options"),
        ({"training": 5}, "training: a section takes a mapping"),
        ({"zzz": 5}, "unknown keyword 'zzz'; a section"),
    ],
)
def test_a_keyword_that_is_none_says_what_there_is(keywords: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError, match=words):
        job_values(keywords)


# --- the same from the shell ------------------------------------------------------------------------------------------

FLAGS = ("--trials", "3", "--set", "search.objectives=[error,edges]", "--set", "search.baselines=false")
FLAGS += ("--set", "resources.executor=serial", "--set", "tracking.mlflow=false", "--set", "training.steps=60")


def test_a_table_is_searched_predicted_and_reported_from_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_STORE", str(tmp_path / "store"))
    FRAME[["kind", "a", "b", "c"]].to_csv("churn.csv", index=False)
    search = ("search", "churn.csv", "--target", "kind", *FLAGS)
    looked = command(*search, "--minutes", "2", "--dry-run")
    assert looked.exit_code == 0, looked.output
    assert "2: no (" in plain(looked) and "time: 2:00 of search" in plain(looked)
    assert not (tmp_path / "store").exists()
    done = command(*search)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "store" / "churn" / "best.safetensors").exists()
    again = command(*search)
    assert again.exit_code == 2
    assert f"nas search churn.csv --target kind --trials 3 {' '.join(FLAGS[2:])} --resume" in plain(again).replace(
        "'", ""
    )

    rows = FRAME[["b", "a", "c"]]
    rows.to_csv("rows.csv", index=False, sep=";", decimal=",")
    printed = command("predict", "churn", "rows.csv")
    assert printed.output.splitlines()[0] == "prediction,probability_no,probability_yes"
    assert len(printed.output.splitlines()) == 1 + len(rows)
    wrote = command(
        "predict", tmp_path / "store" / "churn" / "best.safetensors", "churn.csv", "--out", "answers.parquet"
    )
    assert "wrote answers.parquet: 120 rows" in plain(wrote)
    answers = pd.read_parquet("answers.parquet")
    assert [*answers["prediction"]] == [line.split(",")[0] for line in printed.output.splitlines()[1:]]
    assert "neither a file" in plain(command("predict", "chrun", "rows.csv"))

    assert command("report", "churn").exit_code == 0
    assert "<h2>Front</h2>" in Path("churn.html").read_text()


def test_an_empty_job_file_is_refused(tmp_path: Path) -> None:
    Path("empty.yaml").write_text("# nothing\n")
    refused = command("search", "empty.yaml")
    assert refused.exit_code == 2 and "the job file is empty" in plain(refused)


def test_studies_are_listed_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_STORE", str(tmp_path / "store"))
    assert "no study in" in plain(command("studies"))
    nas.search(FRAME, target="kind", name="one", **QUICK)
    nas.search(FRAME, target="kind", name="two", **QUICK)
    assert "one" in plain(command("studies")) and "accuracy" in plain(command("studies"))
    assert [each["complete"] for each in json.loads(command("studies", "--json").output)] == [3, 3]
    assert command("delete", "one", "--yes").exit_code == 0
    assert [each["name"] for each in json.loads(command("studies", "--json").output)] == ["two"]
    assert not (tmp_path / "store" / "one").exists()
    assert command("delete", "one", "--yes").exit_code == 1


def test_a_job_file_is_written_for_a_table_and_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_STORE", str(tmp_path / "store"))
    FRAME[["kind", "a", "b", "c"]].to_csv("churn.csv", index=False)
    assert "wrote churn.yaml; run it: nas search churn.yaml" in plain(command("init", "churn.csv", "--target", "kind"))
    text = Path("churn.yaml").read_text()
    assert "# task: classification: targets are text  (data.task)" in text
    assert command("search", "churn.yaml", "--dry-run").exit_code == 0
    assert "churn.yaml exists already" in plain(command("init", "churn.csv", "--target", "kind"))


def test_evaluation_has_the_metrics_that_are_asked_for(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = study.export(tmp_path / "net.safetensors")
    shown = plain(command("evaluate", path))
    assert "scores balanced_accuracy 0." in shown or "scores balanced_accuracy 1" in shown
    assert "yes: " in shown and "recall" in shown
    asked = json.loads(command("evaluate", path, "--metrics", "roc_auc,matthews_corrcoef", "--json").output)
    assert {*asked["scores"]} == {"roc_auc", "matthews_corrcoef"}
    refused = command("evaluate", path, "--metrics", "auc")
    assert refused.exit_code == 2 and "no metric 'auc'" in plain(refused)
    # A function of one's own, as an objective may be.
    (tmp_path / "own_judges.py").write_text(
        "def missed(y, p): return float((p.argmax(1) != y).mean())\ndef accuracy(y, p): return 7.0\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    names = "accuracy,own_judges:missed,own_judges:accuracy"
    own = json.loads(command("evaluate", path, "--metrics", names, "--json").output)["scores"]
    assert own["missed"] == pytest.approx(1 - own["accuracy"]) and own["own_judges:accuracy"] == 7
    absent = plain(command("evaluate", path, "--metrics", "own_judges:absent"))
    assert "--metrics: 'own_judges:absent' cannot be imported" in absent


def test_names_with_colons_stay_as_they_are() -> None:
    refused = command("search", "nomodule:adult:", "--dry-run")
    assert "nomodule:adult:" in refused.output


@pytest.mark.parametrize("labels", [[True, 1, 0], [True, "True"], [1, "1"], [True, 1.0, 2]])
def test_labels_of_several_types_are_not_made_one(labels: list[Any]) -> None:
    y = np.array(labels * 20, dtype=object)
    with pytest.raises(DataError, match="y holds .*; give numbers, or text"):
        nas.search(np.arange(2 * len(y)).reshape(-1, 2) ** 0.5, y, **QUICK | {"keep": False})


def test_a_missing_label_among_others_is_named() -> None:
    for missing in (None, float("nan")):
        with pytest.raises(DataError, match=r"y: the label in row 1 \(counted from 0\) is empty"):
            GivenData(np.ones((40, 2)), np.array(["a", missing] * 20, dtype=object))


def test_masked_values_and_rows_in_two_orders_are_refused() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    with pytest.raises(DataError, match="X: 4 values are masked"):
        GivenData(np.ma.array(x, mask=np.arange(80).reshape(40, 2) < 4), y)
    with pytest.raises(DataError, match="y: 1 values are masked"):
        GivenData(x, np.ma.array(y, mask=np.arange(40) == 3))
    table, target = pd.DataFrame(x, columns=["a", "b"]), pd.Series(y, name="y")
    with pytest.raises(DataError, match="y: 1 values are masked"):
        GivenData(table, np.ma.array(y, mask=np.arange(40) == 3))
    GivenData(table, target)
    GivenData(table.sample(frac=1, random_state=0), target.sample(frac=1, random_state=0))
    for one, two in ((table, target.sample(frac=1, random_state=0)), (table.iloc[::-1], target.to_frame())):
        with pytest.raises(DataError, match="rows of the same names in another order"):
            GivenData(one, two)
    GivenData(table, target.set_axis(range(100, 140)))  # other names: by place


@pytest.mark.parametrize("target", [1.0, np.nan, "a", None])
@pytest.mark.parametrize("table", [True, False])
def test_what_lies_in_memory_is_refused_without_the_file_that_it_is_kept_in(
    target: object, table: bool, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = pd.Series([target] * 60, name="y")
    given = (pd.DataFrame(x, columns=["a", "b"]), y) if table else (x, y.to_numpy())
    with pytest.raises(DataError) as refused:
        nas.search(*given, store=tmp_path, **QUICK)
    assert "data." not in str(refused.value) and str(tmp_path) not in str(refused.value)
    assert not [*tmp_path.iterdir()]


def test_types_of_columns_that_files_do_not_have_are_kept_and_known_again(tmp_path: Path) -> None:
    months = pd.period_range("2001-01", periods=60, freq="M")[RNG.integers(0, 60, 120)]
    table = FRAME.assign(
        band=pd.cut(X[:, 0], [-9, -1, 0, 1, 9]),
        shop=pd.Categorical(RNG.integers(1, 5, 120)),
        size=pd.Categorical(RNG.choice(np.array([1, "XL"], dtype=object), 120)),
        month=months,
        year=pd.Categorical(months.asfreq("Y")),
        shift=pd.Categorical(pd.to_timedelta(RNG.integers(1, 4, 120), unit="h")),
    )
    given = GivenData(table)
    given.write(tmp_path)
    given.refuse_other(tmp_path)
    with pytest.raises(DataError, match="begun with other data"):
        GivenData(table.assign(shop=table["shop"].cat.rename_categories([5, 6, 7, 8]))).refuse_other(tmp_path)
    read = read_data(DataConfig(source=str(tmp_path / given.file), target="kind", ramps=False))
    names = ("month: days", "month: month", "month: weekday", "shop = 4", "size = XL", "band = (-9, -1]")
    assert {*names} <= {*read.dataset.feature_names}, read.dataset.feature_names
    # Rows to predict have the types that the table had.
    assert read.encoding is not None
    cells = {column.name: cells_of(table[column.name], column.kind, column.name) for column in read.encoding.columns}
    inputs = dict(zip(read.encoding.inputs, read.encoding.apply([*cells.values()]).T, strict=True))
    assert (inputs["shop = 4"] == (table["shop"] == 4)).all()
    assert (inputs["year = 2003"] == (months.year == 2003)).all()
    assert (inputs["shift = 0 days 02:00:00"] == (table["shift"] == pd.Timedelta("2h"))).all()
    assert (inputs["band = (-9, -1]"] == (X[:, 0] <= -1)).all()
    assert (np.diff(inputs["month: days"][np.argsort(months)]) >= 0).all()
