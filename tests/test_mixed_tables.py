"""A raw mixed table all the way: search, predict, evaluate, ONNX, torch.export, and the served model."""

from __future__ import annotations

import contextlib
import json
import shlex
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nas
from nas.checkpoint import cells_of
from nas.cli._evaluate import evaluate_file
from nas.errors import DataError
from nas.study import Study
from tests.test_study import QUICK

N = 240
RNG = np.random.default_rng(8)
FRAME = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.2, np.nan, RNG.integers(18, 80, N)),
        "city": RNG.choice(["Paris", "Rome", "Oslo", "Bern"], N, p=[0.5, 0.3, 0.18, 0.02]),
        "plan": RNG.choice(["basic", "pro"], N),
        "member": RNG.choice([True, False], N),
        "calls": RNG.poisson(3, N),
        "since": pd.Timestamp("2019-11-03") + pd.to_timedelta(RNG.integers(0, 24 * 1200, N), "h"),
        "fee": RNG.gamma(2, 20, N).round(2),
    }
)
FRAME.loc[RNG.random(N) < 0.1, "city"] = None
FRAME["churn"] = np.where(FRAME.fee + 15 * (FRAME.city == "Rome") + 5 * FRAME.calls > 60, "yes", "no")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    options = QUICK | {"baselines": False, "ramps": True}  # of age, which has gaps, calls and fee
    return nas.search(FRAME, target="churn", store=tmp_path_factory.mktemp("mixed"), **options)


def test_rows_as_they_are_go_in_however_they_are_written(study: Study, tmp_path: Path) -> None:
    network = study.best()
    labels = network.predict(FRAME)
    assert network.feature_names == tuple(FRAME.columns[:-1]) and network.n_inputs == 7
    written = pd.read_csv(_csv(FRAME, tmp_path / "t.csv"))  # dates are text then, and whole numbers may be floats
    assert (network.predict(written) == labels).all()
    assert (network.predict(FRAME.drop(columns="churn").to_numpy(dtype=object)) == labels).all()
    assert (network.predict(FRAME.head(9).to_dict("records")) == labels[:9]).all()
    one = FRAME.iloc[:1].assign(city="a city nobody knows")
    assert network.probabilities(one).shape == (1, 2)
    with pytest.raises(DataError, match="column 'fee' is missing in row 0"):
        network.predict(FRAME.iloc[:1].assign(fee=np.nan))
    with pytest.raises(DataError, match="column 'age' must hold numbers, but has 'old' in row 0"):
        network.predict(FRAME.iloc[:1].assign(age="old"))
    with pytest.raises(DataError, match="'age' must hold numbers.*\ncolumn 'fee' is missing"):  # all at once
        network.predict(FRAME.iloc[:1].assign(age="old", fee=np.nan))
    with pytest.raises(DataError, match="lacks 'city'"):
        network.predict(FRAME.drop(columns="city"))


def test_the_file_is_evaluated_on_its_data_and_on_other_files(study: Study, tmp_path: Path) -> None:
    path = study.export(tmp_path / "net.safetensors")
    member = study.front.pick("best")
    again = evaluate_file(path)
    assert again["data_of_training"] and again["accuracy"] == pytest.approx(member.metrics["test_accuracy"])
    other = evaluate_file(path, data=str(_csv(FRAME, tmp_path / "t.csv")), target="churn")
    labels = nas.Predictor.load(path).predict(FRAME)
    assert other["accuracy"] == pytest.approx((labels == FRAME["churn"]).mean())


def test_onnx_has_the_encoding_and_the_scaling_in_its_graph(study: Study, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(study.export(tmp_path / "net.onnx")))
    feeds: dict[str, Any] = {}
    for name in FRAME.columns[:-1]:
        column = FRAME[name]
        if name in ("city", "plan"):
            feeds[name] = column.fillna("").to_numpy(dtype=object)[:, None]
        elif name == "since":
            feeds[name] = (column.to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6)[:, None]
        else:
            feeds[name] = column.to_numpy(dtype=np.float64)[:, None]
    assert {each.name for each in session.get_inputs()} == {*feeds}
    found = session.run(["probabilities"], feeds)[0]
    assert np.allclose(found, study.best().probabilities(FRAME), atol=1e-5)


def test_torch_export_takes_rows_as_they_were_measured(study: Study, tmp_path: Path) -> None:
    extra = {"columns.json": "", "classes.json": ""}
    program = torch.export.load(study.export(tmp_path / "net.pt2"), extra_files=extra).module()
    columns, rows = json.loads(extra["columns.json"]), []
    for column in columns:
        cells = FRAME[column["name"]]
        if column["kind"] == "category":
            codes = {text: float(code) for code, text in enumerate(column["categories"])}
            rows.append([codes.get(cell, len(codes)) if cell == cell else np.nan for cell in cells])
        else:
            rows.append(cells_of(cells, column["kind"], column["name"]))
    assert [column["name"] for column in columns] == [*FRAME.columns[:-1]]
    shares = torch.softmax(program(torch.tensor(np.stack(rows, axis=1))), dim=1).detach().numpy()
    assert np.allclose(shares, study.best().probabilities(FRAME), atol=1e-5)
    assert json.loads(extra["classes.json"]) == ["no", "yes"]
    unknown = np.stack(rows, axis=1)
    unknown[:, 1] = 99
    expected = study.best().probabilities(FRAME.assign(city="a city nobody knows"))
    found = torch.softmax(program(torch.tensor(unknown)), dim=1).detach().numpy()
    assert np.allclose(found, expected, atol=1e-5)


def test_c_takes_rows_of_the_table_and_the_inputs_that_the_columns_become(study: Study, tmp_path: Path) -> None:
    source = study.export(tmp_path / "net.c").read_text(encoding="utf-8") + (tmp_path / "net.h").read_text("utf-8")
    assert "age missing" in source and "NET_AGE_FRACTION" not in source
    assert "int net_predict_row(const net_row *row, float *outputs);" in source and "NET_CITY_ROME = " in source


def test_the_served_champion_takes_the_very_table(study: Study, tmp_path: Path) -> None:
    import mlflow.pyfunc

    from nas.cli._champion import make_champion
    from nas.cli._data import data_of_study
    from nas.cli._serve import serving_commands
    from nas.job import stored_job
    from nas.search import StudyStore
    from nas.tracking import TrackingConfig
    from nas.tracking.mlflow.champion import save_served

    store = StudyStore.open(study.folder.parent, study.name)
    job = stored_job(store.header["job"]["job"], "the study")
    dataset = data_of_study(job.data, store, remedy="", named=None).dataset
    found = store.front()
    champion = make_champion(store, found, found.best(), dataset, job.training, chosen="best", tracking=job.tracking)
    model = mlflow.pyfunc.load_model(str(save_served(champion, tmp_path)))
    expected = list(study.best().predict(FRAME))
    assert list(model.predict(FRAME)["label"]) == expected
    assert len(model.predict(model.input_example)) == 5

    # The same over HTTP, by what `mlflow models serve` runs: the table as CSV, as JSON, and as `nas serve` says it.
    _, asking, _ = serving_commands(TrackingConfig(), store.header["job"]["examples"], 80)
    with _served(model) as ask:
        answers = ask(FRAME.drop(columns="churn").to_csv(index=False), "text/csv")
        assert [answer["label"] for answer in answers] == expected
        split = json.loads(FRAME.to_json(orient="split", index=False, date_format="iso"))
        answers = ask(json.dumps({"dataframe_split": split}), "application/json")
        assert [answer["label"] for answer in answers] == expected
        (answer,) = ask(shlex.split(asking)[4], "application/json")
        assert answer["label"] in ("no", "yes") and 0 <= answer["probability_no"] <= 1
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask('{"dataframe_split": {"columns": ["age"], "data": [[30]]}}', "application/json")
        answer = json.load(refused.value)
        assert refused.value.code == 400 and "the table lacks 'city'" in answer["message"]


@contextlib.contextmanager
def _served(model: Any) -> Iterator[Callable[[str, str], Any]]:
    """Asks MLflow's scoring server, which answers on a port of its own, for predictions."""
    import uvicorn
    from mlflow.pyfunc import scoring_server

    server = uvicorn.Server(uvicorn.Config(scoring_server.init(model), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    def ask(body: str, kind: str) -> Any:
        address = f"http://127.0.0.1:{port}/invocations"
        request = urllib.request.Request(address, body.encode(), {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["predictions"]

    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join(60)


def test_numbers_alone_are_scaled_by_onnx_and_torch_export(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    x = RNG.normal(50, 20, size=(120, 3))
    y = 1000 + 3 * x[:, 0] - x[:, 1]
    with nas.search(x, y, keep=False, **QUICK) as study:
        expected = study.best().predict(x)
        session = runtime.InferenceSession(str(study.export(tmp_path / "net.onnx")))
        assert np.allclose(session.run(["y"], {"features": x})[0], expected, rtol=1e-4)
        study.export(tmp_path / "net.pt2")
        program = torch.export.load(tmp_path / "net.pt2").module()
        answered = program(torch.tensor(x)).detach().numpy()
        assert np.allclose(answered, expected, rtol=1e-4)
        assert np.allclose(program(torch.tensor(x, dtype=torch.float32)).detach().numpy(), expected, rtol=1e-4)


def _csv(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path
